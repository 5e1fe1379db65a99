#include "simulation/model.h"

#include "weir/model/message_id.h"
#include "weir/model/time.h"

namespace weir::simulation {

std::vector<std::uint64_t> ModelTopic::live(WallTime now) const {
  std::vector<std::uint64_t> offsets;
  for (const auto& [offset, message] : messages) {
    if (message.time >= now - retention && !message.expired_once) offsets.push_back(offset);
  }
  return offsets;
}

void ModelTopic::note_expired(WallTime now) {
  for (auto& [offset, message] : messages) message.expired_once |= message.time < now - retention;
}

std::string Model::published(TopicId topic, std::uint64_t offset, WallTime time, const std::string& payload) {
  const auto found = topics.find(topic);
  if (found == topics.end()) return deleted.contains(topic) ? "" : "published to a topic that never was";
  ModelTopic& log = found->second;
  log.unknown.erase(payload);
  const auto [place, fresh] = log.messages.emplace(offset, ModelTopic::Message{payload, time, false});
  if (!fresh && place->second.payload != payload) return "two messages at offset " + std::to_string(offset);
  if (place != log.messages.begin() && std::prev(place)->second.time > time) return "time decreased";
  if (std::next(place) != log.messages.end() && std::next(place)->second.time < time) return "time decreased";
  log.end = std::max(log.end, offset + 1);
  return "";
}

std::optional<std::vector<PageMessage>> parse_page(const std::string& envelopes) {
  constexpr std::string_view kId = "{\"message_id\":\"";
  constexpr std::string_view kPayload = "\",\"payload\":";
  constexpr std::string_view kTime = ",\"time\":\"";
  constexpr std::string_view kEnd = "\"}";
  std::vector<PageMessage> messages;
  std::string_view rest = envelopes;
  while (!rest.empty()) {
    if (!rest.starts_with(kId)) return std::nullopt;
    rest.remove_prefix(kId.size());
    const std::size_t id_end = rest.find(kPayload);
    if (id_end == std::string_view::npos) return std::nullopt;
    const auto offset = model::parse_message_id(rest.substr(0, id_end));
    if (!offset) return std::nullopt;
    rest.remove_prefix(id_end + kPayload.size());
    const std::size_t payload_end = rest.find(kTime);  // the payloads of the simulation do not hold this text
    if (payload_end == std::string_view::npos) return std::nullopt;
    PageMessage message{value_of(*offset), std::string(rest.substr(0, payload_end)), {}};
    rest.remove_prefix(payload_end + kTime.size());
    if (rest.size() < model::kTimestampBytes + kEnd.size()) return std::nullopt;
    const auto time = model::parse_rfc3339(rest.substr(0, model::kTimestampBytes));
    if (!time) return std::nullopt;
    message.time = *time;
    rest.remove_prefix(model::kTimestampBytes);
    if (!rest.starts_with(kEnd)) return std::nullopt;
    rest.remove_prefix(kEnd.size());
    if (!rest.empty()) {
      if (!rest.starts_with(',')) return std::nullopt;
      rest.remove_prefix(1);
    }
    messages.push_back(std::move(message));
  }
  return messages;
}

}  // namespace weir::simulation
