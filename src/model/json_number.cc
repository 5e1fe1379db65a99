#include "json_number.h"

#include <cstdint>

#include "json_text.h"

namespace weir::model {
namespace {

/// Any number of this many characters without fraction and exponent fits 64 bits.
constexpr std::size_t kPlainBytesMax = 18;
/// Beyond any length of text, so that an exponent can stop counting here.
constexpr std::int64_t kExponentMax = std::int64_t{1} << 40;

void skip_digits(const char*& at, const char* end) {
  while (at != end && is_digit(*at)) ++at;
}

/// The exponent behind 'e' or 'E'; clamped.
std::int64_t read_exponent(std::string_view text) {
  const bool minus = text[0] == '-';
  std::int64_t exponent = 0;
  for (const char c : text) {
    if (is_digit(c) && exponent < kExponentMax) exponent = exponent * 10 + (c - '0');
  }
  return minus ? -exponent : exponent;
}

bool is_part_of_number(char c) {
  return is_digit(c) || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

}  // namespace

bool scan_number(const char*& at, const char* end) {
  if (at != end && *at == '-') ++at;
  if (at == end || !is_digit(*at)) return false;
  if (*at == '0') {
    ++at;
    if (at != end && is_digit(*at)) return false;
  } else {
    skip_digits(at, end);
  }
  if (at != end && *at == '.') {
    ++at;
    if (at == end || !is_digit(*at)) return false;
    skip_digits(at, end);
  }
  if (at != end && (*at == 'e' || *at == 'E')) {
    ++at;
    if (at != end && (*at == '+' || *at == '-')) ++at;
    if (at == end || !is_digit(*at)) return false;
    skip_digits(at, end);
  }
  return true;
}

bool is_integral(std::string_view number) {
  const std::size_t e = number.find_first_of("eE");
  const std::string_view mantissa = number.substr(0, e);
  const std::size_t last = mantissa.find_last_not_of("-.0");
  if (last == std::string_view::npos) return true;  // zero, whatever its exponent
  const std::int64_t exponent = e == std::string_view::npos ? 0 : read_exponent(number.substr(e + 1));
  const std::size_t dot = mantissa.find('.');
  const auto units = static_cast<std::int64_t>((dot == std::string_view::npos ? mantissa.size() : dot) - 1);
  // Digits behind the dot up to the last that counts; negative when zeros stand before the dot.
  const std::int64_t fraction = static_cast<std::int64_t>(last) - units - (static_cast<std::int64_t>(last) > units);
  return exponent >= fraction;
}

std::string tame_numbers(std::string_view json) {
  std::string tame(json);
  char* at = tame.data();
  char* const end = at + tame.size();
  while (at != end) {
    if (*at == '"') {
      at += skip_string({at, static_cast<std::size_t>(end - at)});
      continue;
    }
    if (*at != '-' && !is_digit(*at)) {
      ++at;
      continue;
    }
    char* const begin = at;
    while (at != end && is_part_of_number(*at)) ++at;
    const std::string_view number(begin, static_cast<std::size_t>(at - begin));
    if (number.size() <= kPlainBytesMax && number.find_first_of(".eE") == std::string_view::npos) continue;
    const std::string_view kind = is_integral(number) ? "1" : "0.5";  // a fraction is never shorter than three bytes
    for (std::size_t i = 0; i < number.size(); ++i) begin[i] = i < kind.size() ? kind[i] : ' ';
  }
  return tame;
}

}  // namespace weir::model
