#include "api/workato/batch.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <variant>

#include "weir/api/problem.h"
#include "weir/model/json_scan.h"
#include "weir/model/message_id.h"

#include "api/json_input.h"
#include "api/workato/door.h"
#include "api/workato/publish.h"

namespace weir::api::workato {
namespace {

/// The wrapping's own levels, so that an item may be as deep as a single message.
constexpr std::size_t kWrappingDepth = 2;

void publish_batch(const Door& door, std::size_t loop, model::TopicId topic, std::optional<core::IdempotencyKey> key,
                   std::string_view body, http::Responder responder) {
  const auto items = parse_batch(body, door.config.limits.batch_messages_max, door.config.limits.json_depth_max);
  if (!items) return std::move(responder).send(error_answer(items.error(), door.random));
  if (key) key->fingerprint = fingerprint_of("batch", body);
  door.broker.publish_batch(
      loop, topic, items.value(), std::move(key),
      [responder = std::move(responder), random = &door.random](Result<core::PublishedBatch> done) mutable {
        std::move(responder).send(done ? render_batch(done.value()) : error_answer(done.error(), *random));
      });
}

}  // namespace

Result<std::vector<std::string_view>> parse_batch(std::string_view body, std::size_t messages_max,
                                                  std::size_t depth_max) {
  // An item that is nested too deeply is that item's error, not the batch's: only the scanner's own bound counts here.
  const std::size_t scan_depth = std::max(depth_max + kWrappingDepth, model::kJsonDepthMax);
  std::array<model::JsonMember, 2> members{{{"payloads", messages_max + 1}, {"payload", messages_max + 1}}};
  auto& [payloads, payload] = members;
  WEIR_TRY(const model::JsonKind kind, model::check_json(body, scan_depth, members));
  if (kind != model::JsonKind::object) {
    return make_error(Errc::bad_request, R"(The body must be a JSON object with a "payloads" array)");
  }
  if (payloads.value && payload.value) {
    return make_error(Errc::bad_request, "payloads and its alias payload must not both be given");
  }
  model::JsonMember& list = payloads.value ? payloads : payload;
  if (!list.value || list.value->front() != '[') {
    const std::string got = list.value ? " (got " + excerpt(*list.value) + ")" : " (it is missing)";
    return make_error(Errc::bad_request,
                      "payloads must be an array of 1 to " + std::to_string(messages_max) + " messages" + got);
  }
  std::vector<std::string_view>& items = list.elements;
  if (items.empty() || items.size() > messages_max) {
    return make_error(Errc::bad_request,
                      "payloads must be an array of 1 to " + std::to_string(messages_max) + " messages (got " +
                          (items.empty() ? "none" : "more than " + std::to_string(messages_max)) + ")");
  }
  return std::move(items);
}

http::Response render_batch(const core::PublishedBatch& batch) {
  http::Response response;
  const bool partial = std::any_of(batch.items.begin(), batch.items.end(),
                                   [](const auto& item) { return std::holds_alternative<Error>(item); });
  std::string& body = response.body;
  body.reserve(64 + batch.items.size() * 64);
  body += partial ? "{\"is_partial_error\":true,\"message_ids\":{" : "{\"is_partial_error\":false,\"message_ids\":{";
  for (std::size_t i = 0; i < batch.items.size(); ++i) {
    if (i != 0) body += ',';
    body += '"' + std::to_string(i) + "\":";
    if (const auto* offset = std::get_if<model::Offset>(&batch.items[i])) {
      body += "{\"message_id\":\"";
      body += model::MessageId(*offset).view();
      body += "\",\"result\":\"success\"}";
    } else {
      const Problem problem = to_problem(std::get<Error>(batch.items[i]));
      body += "{\"result\":\"error\",\"code\":";
      append_json_string(body, problem.code);
      body += ",\"message\":";
      append_json_string(body, problem.message);
      body += '}';
    }
  }
  body += "}}";
  response.headers = publish_headers(batch.durability, batch.replayed);
  return response;
}

http::Admission begin_batch(const Door& door, const http::RequestHead& head, const core::CallerPtr& caller) {
  return begin_publishing(door, head, caller, &publish_batch);
}

}  // namespace weir::api::workato
