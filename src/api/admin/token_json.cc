#include "api/admin/token_json.h"

#include <chrono>
#include <optional>
#include <utility>

#include "weir/api/guard.h"
#include "weir/api/problem.h"
#include "weir/model/json_scan.h"
#include "weir/model/message_id.h"
#include "weir/model/time.h"

#include "api/json_input.h"

namespace weir::api::admin {
namespace {

constexpr std::size_t kNameCharactersMax = 255;
constexpr std::size_t kTopicsMax = 10'000;
constexpr std::int64_t kExpiresInMax = std::int64_t{100} * 366 * 24 * 3600;

std::optional<std::string_view> member(std::string_view body, std::string_view key) {
  auto value = model::last_member(body, key);
  if (value && *value == "null") value.reset();
  return value;
}

bool is_array(std::string_view raw) noexcept {
  return !raw.empty() && raw.front() == '[';
}

void read_name(std::string_view body, TokenInput& input) {
  const auto raw = member(body, "name");
  if (!raw) return input.errors.push_back({"name", "can't be blank"});
  auto name = json_string(*raw);
  if (!name) return input.errors.push_back({"name", "must be a string"});
  if (is_blank(*name)) return input.errors.push_back({"name", "can't be blank"});
  if (utf8_characters(*name).value_or(kNameCharactersMax + 1) > kNameCharactersMax) {
    return input.errors.push_back({"name", "must have at most " + std::to_string(kNameCharactersMax) + " characters"});
  }
  input.given.name = std::move(*name);
}

void read_privileges(std::string_view body, TokenInput& input) {
  constexpr std::string_view kWords = "publish, consume, topics:read, topics:write, topics:purge, admin";
  const auto raw = member(body, "privileges");
  if (!raw || !is_array(*raw)) {
    return input.errors.push_back({"privileges", "must be an array of one or more of " + std::string(kWords)});
  }
  const auto items = model::array_elements(*raw, 100);
  if (items.empty()) input.errors.push_back({"privileges", "must name at least one of " + std::string(kWords)});
  for (const std::string_view item : items) {
    const auto word = json_string(item);
    const auto privilege = word ? model::parse_privilege(*word) : std::nullopt;
    if (privilege) {
      input.given.privileges.add(*privilege);
    } else {
      input.errors.push_back({"privileges", excerpt(item) + " is not one of " + std::string(kWords)});
    }
  }
}

void read_topics(std::string_view body, TokenInput& input) {
  const auto raw = member(body, "topics");
  if (!raw) return;
  if (!is_array(*raw)) return input.errors.push_back({"topics", "must be an array of topic ids"});
  const auto items = model::array_elements(*raw, kTopicsMax + 1);
  // An empty list would have to mean none or all; a script whose list came out empty must not get all by accident.
  if (items.empty()) return input.errors.push_back({"topics", "must name a topic; leave it out for all topics"});
  if (items.size() > kTopicsMax) {
    return input.errors.push_back({"topics", "must have at most " + std::to_string(kTopicsMax) + " ids"});
  }
  for (const std::string_view item : items) {
    if (const auto id = parse_topic_id(item)) {
      input.given.topics.push_back(*id);
    } else {
      return input.errors.push_back({"topics", excerpt(item) + " is not a topic id"});
    }
  }
}

void read_lifetime(std::string_view body, TokenInput& input) {
  const auto raw = member(body, "expires_in");
  if (!raw) return;
  const auto seconds = json_integer(*raw);
  if (!seconds || *seconds < 1 || *seconds > kExpiresInMax) {
    return input.errors.push_back({"expires_in", "must be a whole number of seconds from 1 to " +
                                                     std::to_string(kExpiresInMax) + " (got " + excerpt(*raw) + ")"});
  }
  input.given.lifetime = std::chrono::seconds{*seconds};
}

void append_time(std::string& to, const std::optional<WallTime>& time) {
  if (time) {
    to += '"' + model::to_timestamp(*time) + '"';
  } else {
    to += "null";
  }
}

/// Without the closing brace.
void append_token(std::string& to, const model::Token& token) {
  to += "{\"id\":";
  append_json_string(to, token.id);
  to += ",\"name\":";
  append_json_string(to, token.name);
  to += ",\"privileges\":[";
  bool first = true;
  for (const std::string& word : model::privilege_words(token.privileges)) {
    if (!std::exchange(first, false)) to += ',';
    append_json_string(to, word);
  }
  to += "],\"topics\":[";
  first = true;
  for (const model::TopicId topic : token.topics) {
    if (!std::exchange(first, false)) to += ',';
    to += std::to_string(value_of(topic));
  }
  to += "],\"created_at\":";
  append_time(to, token.created_at);
  to += ",\"expires_at\":";
  append_time(to, token.expires_at);
  to += ",\"last_used_at\":";
  append_time(to, token.last_used_at);
}

void append_id(std::string& to, bool any, model::Offset offset) {
  to += any ? '"' + model::MessageId(offset).str() + '"' : std::string("null");
}

}  // namespace

Result<TokenInput> parse_token(std::string_view body, std::size_t depth_max) {
  WEIR_TRY(const model::JsonKind kind, model::check_json(body, depth_max));
  if (kind != model::JsonKind::object) return make_error(Errc::bad_request, "The body must be a JSON object");
  TokenInput input;
  read_name(body, input);
  read_privileges(body, input);
  read_topics(body, input);
  read_lifetime(body, input);
  return input;
}

std::string render_issued(const core::IssuedToken& issued) {
  std::string body = "{\"data\":";
  append_token(body, issued.token);
  body += ",\"token\":";
  append_json_string(body, issued.text);
  body += "}}";
  return body;
}

std::string render_tokens(const std::vector<model::Token>& tokens) {
  std::string body = "{\"count\":" + std::to_string(tokens.size()) + ",\"data\":[";
  bool first = true;
  for (const model::Token& token : tokens) {
    if (!std::exchange(first, false)) body += ',';
    append_token(body, token);
    body += '}';
  }
  body += "]}";
  return body;
}

std::string render_stats(model::TopicId topic, const storage::LogStats& stats) {
  const bool any = stats.retained_messages != 0;
  std::string body = "{\"data\":{\"topic_id\":" + std::to_string(value_of(topic));
  body += ",\"retained_messages\":" + std::to_string(stats.retained_messages);
  body += ",\"retained_bytes\":" + std::to_string(stats.retained_bytes);
  body += ",\"published_total\":" + std::to_string(stats.published_total);
  body += ",\"oldest_message_id\":";
  append_id(body, any, stats.first_live);
  body += ",\"newest_message_id\":";
  append_id(body, any, model::Offset{value_of(stats.log_end) - 1});
  body += ",\"last_activity_at\":";
  append_time(body, stats.last_activity);
  body += "}}";
  return body;
}

}  // namespace weir::api::admin
