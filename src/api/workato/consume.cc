#include "api/workato/consume.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <string>
#include <utility>

#include "weir/api/problem.h"
#include "weir/model/json_scan.h"
#include "weir/model/message_id.h"
#include "weir/model/time.h"

#include "api/json_input.h"
#include "api/workato/door.h"

namespace weir::api::workato {
namespace {

Error bad_value(std::string_view key, std::string allowed, std::string_view got) {
  return make_error(Errc::bad_request,
                    std::string(key) + " must be " + std::move(allowed) + " (got " + excerpt(got) + ")");
}

/// The value of a key; empty when it is absent or null, which mean the same here.
std::optional<std::string_view> given(const model::JsonMember& member) {
  return member.value == "null" ? std::nullopt : member.value;
}

Result<std::uint32_t> integer(std::string_view key, std::string_view raw, std::uint32_t min, std::uint32_t max,
                              bool lenient) {
  std::optional<std::int64_t> number = json_integer(raw);
  if (!number && lenient) {
    if (const auto text = json_string(raw)) number = json_integer(*text);
  }
  if (!number || *number < min || *number > max) {
    return bad_value(key, "an integer from " + std::to_string(min) + " to " + std::to_string(max), raw);
  }
  return static_cast<std::uint32_t>(*number);
}

core::AfterMessage parse_cursor(std::string_view raw) {
  const auto text = json_string(raw);
  const auto offset = text ? model::parse_message_id(*text) : std::nullopt;
  if (!offset || *offset > kNoSuchMessage) return {kNoSuchMessage};
  return {*offset};
}

/// A poll that may wait: the broker owns it through its completion. It is its own context for the hook that frees the
/// place among the waiters when the client goes.
struct ParkedPoll {
  const Door* door;
  core::CallerPtr caller;
  std::size_t loop;
  http::Responder responder;

  static void on_client_gone(void* self, std::uint64_t ticket) {
    const auto* poll = static_cast<const ParkedPoll*>(self);
    core::Broker& broker = poll->door->broker;
    const std::size_t loop = poll->loop;
    broker.cancel(loop, core::PollTicket{ticket});  // destroys *poll
  }
};

void answer(http::Responder responder, Result<std::shared_ptr<const core::Page>> page, Random& random) {
  std::move(responder).send(page ? render_page(std::move(page).value()) : error_answer(page.error(), random));
}

void consume(const Door& door, const core::CallerPtr& caller, std::size_t loop, model::TopicId topic,
             std::string_view body, http::Responder responder) {
  auto poll = parse_consume(body, door.consume_rules);
  if (!poll) return std::move(responder).send(error_answer(poll.error(), door.random));
  poll.value().topic = topic;

  if (poll.value().timeout.count() == 0) {
    door.broker.poll(loop, poll.value(), [responder = std::move(responder), random = &door.random](auto page) mutable {
      answer(std::move(responder), std::move(page), *random);
    });
    return;
  }
  auto owned = std::make_unique<ParkedPoll>(ParkedPoll{&door, caller, loop, std::move(responder)});
  ParkedPoll* parked = owned.get();
  const core::PollTicket ticket = door.broker.poll(loop, poll.value(), [parked = std::move(owned)](auto page) mutable {
    // A token that was revoked during the wait reads nothing more.
    if (auto refused = parked->door->guard.refuse_if_invalid(*parked->caller)) {
      return std::move(parked->responder).send(*std::move(refused));
    }
    answer(std::move(parked->responder), std::move(page), parked->door->random);
  });
  // With a ticket the completion, and so *parked, is still with the broker.
  if (ticket != core::PollTicket::answered) {
    parked->responder.on_client_gone({&ParkedPoll::on_client_gone, parked, static_cast<std::uint64_t>(ticket)});
  }
}

}  // namespace

std::optional<core::CursorPolicy> parse_cursor_policy(std::string_view word) noexcept {
  if (word == "strict") return core::CursorPolicy::strict;
  if (word == "lossless") return core::CursorPolicy::lossless;
  if (word == "earliest") return core::CursorPolicy::earliest;
  return std::nullopt;
}

ConsumeRules consume_rules(const Config& config) {
  ConsumeRules rules;
  rules.batch_size_max = config.limits.consume_messages_max;
  rules.timeout_secs_max = config.limits.poll_timeout_secs_max;
  rules.response_bytes_max = config.limits.consume_response_bytes_max;
  rules.json_depth_max = config.limits.json_depth_max;
  rules.policy = parse_cursor_policy(config.consume.cursor_policy).value_or(core::CursorPolicy::strict);
  rules.lenient_numbers = config.api.lenient_numbers;
  return rules;
}

Result<core::Poll> parse_consume(std::string_view body, const ConsumeRules& rules) {
  core::Poll poll;
  poll.policy = rules.policy;
  poll.count_max = rules.batch_size_max;
  poll.bytes_max = rules.response_bytes_max;
  if (is_blank(body)) return poll;

  std::array<model::JsonMember, 5> members{
      {{"batch_size"}, {"timeout_secs"}, {"cursor_policy"}, {"since_time"}, {"after_message_id"}}};
  const auto& [batch_size, timeout_secs, cursor_policy, since_time, after_message_id] = members;
  WEIR_TRY(const model::JsonKind kind, model::check_json(body, rules.json_depth_max, members));
  if (kind != model::JsonKind::object) return make_error(Errc::bad_request, "The body must be a JSON object");

  if (const auto raw = given(batch_size)) {
    WEIR_TRY(poll.count_max, integer("batch_size", *raw, 1, rules.batch_size_max, rules.lenient_numbers));
  }
  if (const auto raw = given(timeout_secs)) {
    WEIR_TRY(const std::uint32_t seconds,
             integer("timeout_secs", *raw, 0, rules.timeout_secs_max, rules.lenient_numbers));
    poll.timeout = std::chrono::seconds{seconds};
  }
  if (const auto raw = given(cursor_policy)) {
    const auto word = json_string(*raw);
    const auto policy = word ? parse_cursor_policy(*word) : std::nullopt;
    if (!policy) return bad_value("cursor_policy", R"("strict", "lossless" or "earliest")", *raw);
    poll.policy = *policy;
  }
  if (const auto raw = given(since_time)) {
    const auto text = json_string(*raw);
    const auto time = text ? model::parse_rfc3339(*text) : std::nullopt;
    if (!time) {
      return bad_value("since_time", "an RFC 3339 date-time with an offset, such as 2026-03-02T08:15:30.042+00:00",
                       *raw);
    }
    poll.start = core::SinceTime{*time};
  }
  // The id is the exact cursor: it wins over a time.
  if (const auto raw = given(after_message_id)) poll.start = parse_cursor(*raw);
  return poll;
}

http::Response render_page(std::shared_ptr<const core::Page> page) {
  http::Response response;
  response.body = "{\"messages\":[";
  if (page->count != 0) {
    const std::string* envelopes = &page->envelopes;
    response.shared = std::shared_ptr<const std::string>(std::move(page), envelopes);
  }
  response.tail = "]}";
  return response;
}

http::Admission begin_consume(const Door& door, const http::RequestHead& head, const core::CallerPtr& caller) {
  auto topic = find_topic(door.topics, *caller, head.loop, head.captures.at(0));
  if (!topic) return error_answer(topic.error(), door.random);
  return http::Accepted{[&door, caller, loop = head.loop, id = topic.value()->topic.id](const std::string& body,
                                                                                        http::Responder responder) {
    consume(door, caller, loop, id, body, std::move(responder));
  }};
}

}  // namespace weir::api::workato
