#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "weir/api/guard.h"
#include "weir/base/config.h"
#include "weir/base/result.h"
#include "weir/core/broker.h"
#include "weir/http/message.h"

namespace weir::api::workato {

struct Door;

/// What a consume call may ask for.
struct ConsumeRules {
  std::uint32_t batch_size_max = 50;  ///< also the default
  std::uint32_t timeout_secs_max = 60;
  std::size_t response_bytes_max = 50 << 20;
  std::size_t json_depth_max = 64;
  core::CursorPolicy policy = core::CursorPolicy::strict;  ///< unless the call names one
  bool lenient_numbers = false;                            ///< "5" counts as 5
};
ConsumeRules consume_rules(const Config& config);

/// "strict", "lossless" or "earliest".
std::optional<core::CursorPolicy> parse_cursor_policy(std::string_view word) noexcept;

/// Stands for every after_message_id that no message can have (malformed, not even a string): the core then answers
/// message_not_found as for any other unknown id, with the oldest id that it has.
inline constexpr model::Offset kNoSuchMessage{std::uint64_t{1} << 62};

/// The body of a consume call; empty counts as `{}`. The topic is left to the caller.
/// Errors: invalid_json; bad_request, `detail` names the key, what is allowed and what was sent.
Result<core::Poll> parse_consume(std::string_view body, const ConsumeRules& rules);

/// `{"messages":[…]}` around the page's own bytes, which are not copied.
http::Response render_page(std::shared_ptr<const core::Page> page);

http::Admission begin_consume(const Door& door, const http::RequestHead& head, const core::CallerPtr& caller);

}  // namespace weir::api::workato
