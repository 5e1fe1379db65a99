#include "weir/api/guard.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "weir/api/problem.h"
#include "weir/core/topic_log.h"

namespace weir::api {
namespace {

constexpr std::string_view kExposedHeaders =
    "Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-Id, Weir-Durability, "
    "Idempotent-Replayed";

std::string cors_headers_for(std::string_view origin) {
  if (origin.empty()) return {};
  std::string headers = "Access-Control-Allow-Origin: " + std::string(origin) + "\r\n";
  if (origin != "*") headers += "Vary: Origin\r\n";
  headers += "Access-Control-Expose-Headers: " + std::string(kExposedHeaders) + "\r\n";
  return headers;
}

http::Response unauthorized() {
  http::Response response = plain_error(401, "unauthorized", "Unauthorized");
  response.headers = "WWW-Authenticate: Bearer\r\n";
  return response;
}

std::string rate_headers(const core::RateWindow::Verdict& verdict) {
  return "X-RateLimit-Limit: " + std::to_string(verdict.limit) +
         "\r\nX-RateLimit-Remaining: " + std::to_string(verdict.remaining) +
         "\r\nX-RateLimit-Reset: " + std::to_string(verdict.reset.count()) + "\r\n";
}

}  // namespace

Guard::Guard(const core::Access& access, const Clock& clock, const Config::RateLimit& rates,
             std::string_view cors_origin)
    : access_(access),
      views_(core::kLoopsMax, core::AccessView(access)),
      clock_(clock),
      rates_(rates),
      cors_origin_(cors_origin),
      cors_headers_(cors_headers_for(cors_origin)) {}

std::uint32_t Guard::per_minute(core::RateGroup group) const noexcept {
  switch (group) {
    case core::RateGroup::management: return rates_.management_per_minute;
    case core::RateGroup::legacy: return rates_.legacy_per_minute;
    case core::RateGroup::public_api: return rates_.public_per_minute;
    case core::RateGroup::none: return 0;
  }
  __builtin_unreachable();
}

http::Response Guard::refuse(http::Response response) const {
  response.headers += cors_headers_;
  return response;
}

http::Admission Guard::admit(const http::RequestHead& head, std::size_t body_bytes_max, model::Privilege privilege,
                             core::RateGroup group, const GuardedBegin& begin) const {
  const core::CallerPtr& caller = views_.at(head.loop).authenticate(head.header("authorization"));
  if (!caller) return refuse(unauthorized());
  // Who is limited to topics administers nothing that lies beyond them.
  const bool beyond = privilege == model::Privilege::admin && !caller->token.topics.empty();
  if (beyond || !caller->allows(privilege)) return refuse(plain_error(403, "forbidden", "Forbidden"));

  std::string headers;
  if (const std::uint32_t limit = per_minute(group); limit != 0) {
    core::RateWindow& window = caller->use->rates.at(static_cast<std::size_t>(group));
    const core::RateWindow::Verdict verdict = window.take(limit, clock_.steady_now());
    headers = rate_headers(verdict);
    if (!verdict.allowed) {
      http::Response response = plain_error(429, "rate_limited", "Too many requests");
      response.headers = "Retry-After: " + std::to_string(verdict.reset.count()) + "\r\n" + headers;
      return refuse(std::move(response));
    }
  }
  headers += cors_headers_;

  const auto with_headers = [&](http::Response response) -> http::Admission {
    response.headers += headers;
    return response;
  };
  if (head.content_length && *head.content_length > body_bytes_max) {
    return with_headers(plain_error(413, "payload_too_large",
                                    "The request body is larger than " + std::to_string(body_bytes_max) +
                                        " bytes (got " + std::to_string(*head.content_length) + ")"));
  }
  if (const std::string_view encoding = head.header("content-encoding"); !encoding.empty() && encoding != "identity") {
    return with_headers(
        plain_error(415, "unsupported_media_type", "Send the body as it is: no Content-Encoding is read"));
  }
  http::Admission admission = begin(head, caller);
  if (auto* response = std::get_if<http::Response>(&admission)) return with_headers(std::move(*response));
  if (!headers.empty()) std::get<http::Accepted>(admission).headers += headers;
  return admission;
}

std::optional<http::Response> Guard::refuse_if_invalid(const core::Caller& caller) const {
  if (access_.still_valid(caller)) return std::nullopt;
  return unauthorized();
}

http::Route Guard::protect(http::Method method, std::string pattern, std::size_t body_bytes_max,
                           model::Privilege privilege, core::RateGroup group, GuardedBegin begin) const {
  http::Route route;
  route.method = method;
  route.pattern = std::move(pattern);
  route.body_bytes_max = body_bytes_max;
  route.begin = [this, body_bytes_max, privilege, group, begin = std::move(begin)](const http::RequestHead& head) {
    return admit(head, body_bytes_max, privilege, group, begin);
  };
  return route;
}

std::vector<http::Route> Guard::preflights(const std::vector<http::Route>& routes) const {
  std::vector<http::Route> answers;
  if (cors_origin_.empty()) return answers;
  std::vector<std::pair<std::string, std::string>> methods;  // pattern, methods; in order
  for (const http::Route& route : routes) {
    auto at = std::find_if(methods.begin(), methods.end(), [&](const auto& row) { return row.first == route.pattern; });
    if (at == methods.end()) at = methods.insert(methods.end(), {route.pattern, {}});
    at->second += std::string(http::to_string(route.method)) + ", ";
    if (route.method == http::Method::get) at->second += "HEAD, ";
  }
  for (const auto& [pattern, allowed] : methods) {
    const std::string list = allowed + "OPTIONS";
    std::string headers = "Allow: " + list + "\r\nAccess-Control-Allow-Methods: " + list +
                          "\r\nAccess-Control-Allow-Headers: Authorization, Content-Type, Idempotency-Key, "
                          "X-Request-Id\r\nAccess-Control-Max-Age: 600\r\n" +
                          cors_headers_;
    http::Route route;
    route.method = http::Method::options;
    route.pattern = pattern;
    route.begin = [headers = std::move(headers)](const http::RequestHead&) -> http::Admission {
      http::Response response;
      response.status = 204;
      response.headers = headers;
      return response;
    };
    answers.push_back(std::move(route));
  }
  return answers;
}

std::optional<model::TopicId> parse_topic_id(std::string_view text) noexcept {
  if (text.empty() || text.size() > 20 || text.front() < '1' || text.front() > '9') return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return model::TopicId{value};
}

Result<core::TopicEntryPtr> find_topic(core::Topics& topics, const core::Caller& caller, std::size_t loop,
                                       std::string_view id) {
  const auto topic = parse_topic_id(id);
  if (!topic) return make_error(Errc::topic_not_found);
  core::TopicEntryPtr entry = topics.find(loop, caller.token.workspace, *topic);
  if (!entry) return make_error(Errc::topic_not_found);
  if (!caller.may_use(*topic)) return make_error(Errc::forbidden);
  return entry;
}

std::chrono::minutes parse_zone_offset(std::string_view text) noexcept {
  const auto digit = [&](std::size_t i) { return text[i] >= '0' && text[i] <= '9' ? text[i] - '0' : -1000; };
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::chrono::minutes{0};
  const int hours = digit(1) * 10 + digit(2);
  const int minutes = digit(4) * 10 + digit(5);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::chrono::minutes{0};
  const std::chrono::minutes offset{hours * 60 + minutes};
  return text[0] == '-' ? -offset : offset;
}

}  // namespace weir::api
