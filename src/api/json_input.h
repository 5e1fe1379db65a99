#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Small readings of JSON text that model::check_json() has passed.
namespace weir::api {

/// Nothing but JSON white space.
bool is_blank(std::string_view text) noexcept;

/// The whole number behind a JSON number's text: `5`, `5.0`, `50e-1`. Empty for other text, for a fraction and beyond
/// ±2^53.
std::optional<std::int64_t> json_integer(std::string_view raw) noexcept;

/// The characters behind a JSON string's text (quotes included), escapes resolved, as UTF-8. Empty for other text.
std::optional<std::string> json_string(std::string_view raw);

/// Length of the well-formed UTF-8 sequence at the start of `text`; 0 if there is none. `text` is not empty.
std::size_t utf8_length(std::string_view text) noexcept;
/// How many characters; empty if `text` is not UTF-8.
std::optional<std::size_t> utf8_characters(std::string_view text) noexcept;

/// At most 64 bytes of `text`, cut between characters and marked with "…": for quoting what was sent.
std::string excerpt(std::string_view text);

}  // namespace weir::api
