#include "api/workato/publish.h"

#include <algorithm>
#include <string>
#include <utility>

#include "weir/api/problem.h"
#include "weir/model/message_id.h"

#include "api/workato/door.h"

namespace weir::api::workato {
namespace {

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) noexcept {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

void publish(const Door& door, std::size_t loop, model::TopicId topic, std::optional<core::IdempotencyKey> key,
             std::string_view body, http::Responder responder) {
  if (key) key->fingerprint = fingerprint_of("single", body);
  door.broker.publish(
      loop, topic, body, std::move(key),
      [responder = std::move(responder), random = &door.random](Result<core::Published> done) mutable {
        std::move(responder).send(done ? render_published(done.value()) : error_answer(done.error(), *random));
      });
}

}  // namespace

std::optional<http::Response> refuse_content_type(std::string_view content_type) {
  if (content_type == "application/json") return std::nullopt;  // what nearly all send
  const auto media_type = trimmed(content_type.substr(0, content_type.find(';')));
  if (equal_ignoring_case(media_type.substr(0, 10), "multipart/")) {
    return plain_error(415, "unsupported_media_type", "The body must be JSON, not a multipart form");
  }
  for (auto at = content_type.find(';'); at != std::string_view::npos;) {
    content_type.remove_prefix(at + 1);
    at = content_type.find(';');
    const auto parameter = content_type.substr(0, at);
    const auto equals = parameter.find('=');
    if (equals == std::string_view::npos) continue;
    if (!equal_ignoring_case(trimmed(parameter.substr(0, equals)), "charset")) continue;
    auto charset = trimmed(parameter.substr(equals + 1));
    if (charset.size() >= 2 && charset.front() == '"' && charset.back() == '"') {
      charset = charset.substr(1, charset.size() - 2);
    }
    if (!equal_ignoring_case(charset, "utf-8") && !equal_ignoring_case(charset, "utf8")) {
      return plain_error(400, "invalid_parameter", "The charset must be utf-8");
    }
  }
  return std::nullopt;
}

Result<std::optional<core::IdempotencyKey>> parse_idempotency_key(const http::RequestHead& head) {
  if (!head.has_header("idempotency-key")) return std::optional<core::IdempotencyKey>{};
  const std::string_view text = head.header("idempotency-key");
  const bool printable = std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c <= 0x7E; });
  if (text.empty() || text.size() > 255 || !printable) {
    return make_error(Errc::bad_request, "Idempotency-Key must be 1 to 255 printable ASCII characters (got " +
                                             std::to_string(text.size()) + " bytes)");
  }
  return std::optional<core::IdempotencyKey>{core::IdempotencyKey{std::string(text), {}}};
}

Digest fingerprint_of(std::string_view kind, std::string_view body) {
  return sha256({kind, std::string_view("\0", 1), body});
}

std::string_view publish_headers(storage::Durability durability, bool replayed) noexcept {
  // Whole texts: every publish sends one of them.
  switch (durability) {
    case storage::Durability::os:
      return replayed ? "Weir-Durability: os\r\nIdempotent-Replayed: true\r\n" : "Weir-Durability: os\r\n";
    case storage::Durability::fsync:
      return replayed ? "Weir-Durability: fsync\r\nIdempotent-Replayed: true\r\n" : "Weir-Durability: fsync\r\n";
    case storage::Durability::replicated:
      return replayed ? "Weir-Durability: replicated\r\nIdempotent-Replayed: true\r\n"
                      : "Weir-Durability: replicated\r\n";
  }
  __builtin_unreachable();
}

http::Response render_published(const core::Published& published) {
  http::Response response;
  const model::MessageId id(published.offset);
  response.body.reserve(32);
  response.body += "{\"message_id\":\"";
  response.body += id.view();
  response.body += "\"}";
  response.headers = publish_headers(published.durability, published.replayed);
  return response;
}

http::Admission begin_publishing(const Door& door, const http::RequestHead& head, const core::CallerPtr& caller,
                                 PublishCall call) {
  auto topic = find_topic(door.topics, *caller, head.loop, head.captures.at(0));
  if (!topic) return error_answer(topic.error(), door.random);
  if (auto refusal = refuse_content_type(head.header("content-type"))) return std::move(*refusal);
  auto key = parse_idempotency_key(head);
  if (!key) return error_answer(key.error(), door.random);
  return http::Accepted{[&door, loop = head.loop, id = topic.value()->topic.id, key = std::move(key).value(), call](
                            const std::string& body, http::Responder responder) mutable {
    call(door, loop, id, std::move(key), body, std::move(responder));
  }};
}

http::Admission begin_publish(const Door& door, const http::RequestHead& head, const core::CallerPtr& caller) {
  return begin_publishing(door, head, caller, &publish);
}

}  // namespace weir::api::workato
