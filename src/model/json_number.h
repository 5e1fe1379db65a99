#pragma once

#include <string>
#include <string_view>

// Numbers as text: JSON sets no bound to digits or exponents, machine numbers do.

namespace weir::model {

inline bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Reads the number that starts at `at` (a digit or a minus sign). On success `at` is behind it; otherwise `at` is the
/// byte that is not allowed there (or `end`).
bool scan_number(const char*& at, const char* end);

/// Whether a JSON number has no fractional value (`5`, `5.0`, `-3e2`, `1.5e1`), decided on its digits, so exactly.
bool is_integral(std::string_view number);

/// A copy of `json` (valid JSON) of the same length in which every number that has a fraction, an exponent or many
/// digits is a short one of the same kind: integral numbers become integers, others 0.5. Spaces fill the gap.
std::string tame_numbers(std::string_view json);

}  // namespace weir::model
