#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config_table.h"

namespace weir::config {

/// The value of `text`, in milliseconds for Notation::seconds; empty when it is not written as the notation wants, or
/// when it does not fit (then it is out of every bound as well).
std::optional<std::uint64_t> parse_number(std::string_view text, Notation notation);
/// What a message adds about how a number is written; may be empty.
std::string_view number_hint(Notation notation);
/// As a file would hold it: 100, "64KiB" with its quotes, 0.25.
std::string number_text(std::uint64_t value, Notation notation);
/// The same without quotes, to be read by people.
std::string bound_text(std::uint64_t value, Notation notation);

bool is_listen_address(std::string_view text);
bool is_path(std::string_view text);
bool is_time_zone(std::string_view text);
bool is_cors_origin(std::string_view text);

}  // namespace weir::config
