#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "weir/base/clock.h"

namespace weir::model {

inline constexpr std::size_t kTimestampBytes = 29;

/// Writes exactly kTimestampBytes of `2026-03-02T08:15:30.042+00:00` to `to`. Years 0000 to 9999; others are clamped.
/// `offset` is the zone to show the instant in; |offset| < 24 h.
void format_timestamp(WallTime time, char* to, std::chrono::minutes offset = std::chrono::minutes{0}) noexcept;
std::string to_timestamp(WallTime time, std::chrono::minutes offset = std::chrono::minutes{0});

/// RFC 3339 date-time, strictly: `Z` or numeric offset required, any number of fraction digits (cut to milliseconds),
/// `t` and `z` in either case, real calendar days, leap second :60 accepted as :59.999. Anything else: empty.
std::optional<WallTime> parse_rfc3339(std::string_view text) noexcept;

/// What a schema's `date_time` field accepts: the above; a space for the `T`; seconds left out; `+hhmm`; no offset; or
/// a bare date. (docs/protocols/workato.md, "Schemas")
bool is_schema_date_time(std::string_view text) noexcept;

}  // namespace weir::model
