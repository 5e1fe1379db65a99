#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/clock.h"
#include "weir/base/config.h"
#include "weir/base/result.h"
#include "weir/core/access.h"
#include "weir/core/access_view.h"
#include "weir/core/topics.h"
#include "weir/http/message.h"
#include "weir/model/ids.h"
#include "weir/model/token.h"

namespace weir::api {

/// What a door decides once the guard has let a request's head through. Runs on the connection's loop.
using GuardedBegin = std::function<http::Admission(const http::RequestHead& head, const core::CallerPtr& caller)>;

/// Stands before every route that needs a token, so that the same checks come in the same order everywhere:
/// token (401), privilege (403), rate (429), declared body length (413), then the door's own.
/// Its routes may run on any loop, each with what it remembers of callers. Must outlive the routes that it made, as
/// `access` and `clock` must.
class Guard {
 public:
  /// `cors_origin`: empty for none, else what browsers are told may call ("*" or one origin).
  Guard(const core::Access& access, const Clock& clock, const Config::RateLimit& rates, std::string_view cors_origin);

  /// A route that runs `begin` behind the checks. `body_bytes_max` bounds the body, declared or chunked.
  /// Answers of a limited group carry X-RateLimit-Limit, -Remaining and -Reset (seconds), refusals Retry-After too.
  http::Route protect(http::Method method, std::string pattern, std::size_t body_bytes_max, model::Privilege privilege,
                      core::RateGroup group, GuardedBegin begin) const;

  /// For an answer that was waited for: the 401 if the token has been revoked or has expired meanwhile.
  std::optional<http::Response> refuse_if_invalid(const core::Caller& caller) const;

  /// Answers to a browser's preflight for every pattern among `routes`; none without a CORS origin.
  std::vector<http::Route> preflights(const std::vector<http::Route>& routes) const;

 private:
  http::Admission admit(const http::RequestHead& head, std::size_t body_bytes_max, model::Privilege privilege,
                        core::RateGroup group, const GuardedBegin& begin) const;
  http::Response refuse(http::Response response) const;
  std::uint32_t per_minute(core::RateGroup group) const noexcept;

  const core::Access& access_;
  mutable std::vector<core::AccessView> views_;  // by loop: each is used on its own thread
  const Clock& clock_;
  const Config::RateLimit rates_;
  const std::string cors_origin_;
  const std::string cors_headers_;  // for every answer; empty without an origin
};

/// The id in a path: 1 to 20 digits without a leading zero. Anything else: empty.
std::optional<model::TopicId> parse_topic_id(std::string_view text) noexcept;

/// The topic that a path names, as this caller may use it.
/// Errors: topic_not_found (unknown, of another workspace, not an id at all); forbidden (there, but not on the list
/// of the caller's token).
Result<core::TopicEntryPtr> find_topic(core::Topics& topics, const core::Caller& caller, std::size_t loop,
                                       std::string_view id);

/// `+hh:mm` or `-hh:mm` as configured; anything else counts as UTC.
std::chrono::minutes parse_zone_offset(std::string_view text) noexcept;

}  // namespace weir::api
