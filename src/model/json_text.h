#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

// The smallest steps over JSON text, shared by the scanners of this module.

namespace weir::model {

inline bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

inline const char* skip_space(const char* at, const char* end) {
  while (at != end && is_space(*at)) ++at;
  return at;
}

/// The first quote, backslash or control character from `at` on, or `end`; eight bytes a step.
inline const char* skip_plain(const char* at, const char* end) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighs = 0x8080808080808080;
  const auto has_zero = [](std::uint64_t v) { return (v - kOnes) & ~v & kHighs; };
  while (end - at >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof(word));
    const std::uint64_t control = (word - kOnes * 0x20) & ~word & kHighs;
    if ((control | has_zero(word ^ (kOnes * '"')) | has_zero(word ^ (kOnes * '\\'))) != 0) break;
    at += 8;
  }
  while (at != end && *at != '"' && *at != '\\' && static_cast<unsigned char>(*at) >= 0x20) ++at;
  return at;
}

/// Bytes of the string with which `text` (valid JSON) begins, both quotes included.
inline std::size_t skip_string(std::string_view text) {
  const char* at = text.data() + 1;
  const char* const end = text.data() + text.size();
  for (;;) {
    at = skip_plain(at, end);
    if (at == end) return text.size();
    if (*at == '"') return static_cast<std::size_t>(at - text.data()) + 1;
    at += end - at >= 2 ? 2 : 1;  // an escape; what follows `\u` is plain
  }
}

}  // namespace weir::model
