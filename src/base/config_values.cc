#include "config_values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include <arpa/inet.h>

namespace weir::config {
namespace {

struct ByteUnit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr std::array kByteUnits{ByteUnit{"TiB", 1ULL << 40}, ByteUnit{"GiB", 1ULL << 30}, ByteUnit{"MiB", 1ULL << 20},
                                ByteUnit{"KiB", 1ULL << 10}};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::optional<std::uint64_t> parse_digits(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;  // also when it is too large
  return value;
}

std::optional<std::uint64_t> scaled(std::string_view digits, std::uint64_t factor) {
  const auto value = parse_digits(digits);
  if (!value || *value > std::numeric_limits<std::uint64_t>::max() / factor) return std::nullopt;
  return *value * factor;
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  for (const ByteUnit& unit : kByteUnits) {
    if (!text.ends_with(unit.name)) continue;
    text.remove_suffix(unit.name.size());
    if (text.ends_with(' ')) text.remove_suffix(1);
    return scaled(text, unit.factor);
  }
  return parse_digits(text);
}

std::optional<std::uint64_t> parse_milliseconds(std::string_view text) {
  const std::size_t point = text.find('.');
  const auto whole = scaled(text.substr(0, point), 1000);
  if (!whole || point == std::string_view::npos) return whole;
  const std::string_view digits = text.substr(point + 1);
  const auto fraction = parse_digits(digits);
  if (!fraction || digits.size() > 3) return std::nullopt;
  const std::uint64_t milliseconds = *fraction * (digits.size() == 1 ? 100 : digits.size() == 2 ? 10 : 1);
  if (*whole > std::numeric_limits<std::uint64_t>::max() - milliseconds) return std::nullopt;
  return *whole + milliseconds;
}

}  // namespace

std::optional<std::uint64_t> parse_number(std::string_view text, Notation notation) {
  switch (notation) {
    case Notation::plain: return parse_digits(text);
    case Notation::bytes: return parse_bytes(text);
    case Notation::seconds: return parse_milliseconds(text);
  }
  __builtin_unreachable();
}

std::string_view number_hint(Notation notation) {
  switch (notation) {
    case Notation::plain: return {};
    case Notation::bytes: return " (a whole number of bytes, or of KiB, MiB, GiB or TiB)";
    case Notation::seconds: return " (seconds, at most three decimals)";
  }
  __builtin_unreachable();
}

std::string bound_text(std::uint64_t value, Notation notation) {
  if (notation == Notation::bytes && value != 0) {
    for (const ByteUnit& unit : kByteUnits) {
      if (value % unit.factor == 0) return std::to_string(value / unit.factor) + std::string(unit.name);
    }
  }
  if (notation != Notation::seconds) return std::to_string(value);
  std::string text = std::to_string(value / 1000);
  if (value % 1000 != 0) {
    text += '.' + std::to_string(1000 + value % 1000).substr(1);
    while (text.back() == '0') text.pop_back();
  }
  return text;
}

std::string number_text(std::uint64_t value, Notation notation) {
  const std::string text = bound_text(value, notation);
  return is_letter(text.back()) ? '"' + text + '"' : text;
}

std::string quoted(std::string_view text) {
  constexpr std::size_t kShownBytes = 80;
  std::string result = "\"";
  for (const char c : text.substr(0, kShownBytes)) {
    const auto byte = static_cast<unsigned char>(c);
    result += byte < 0x20 || byte >= 0x7f ? '?' : c;
  }
  if (text.size() > kShownBytes) result += "...";
  return result + '"';
}

bool is_listen_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.find('\0') != std::string_view::npos) return false;
  const std::string host(text.substr(0, colon));
  const std::string_view port_digits = text.substr(colon + 1);
  const auto port = parse_digits(port_digits);
  if (!port || *port > 65535 || port_digits.size() > 5) return false;
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return false;
    in6_addr address;
    return ::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &address) == 1;
  }
  const bool numeric = std::ranges::all_of(host, [](char c) { return is_digit(c) || c == '.'; });
  if (numeric) {
    in_addr address;
    return ::inet_pton(AF_INET, host.c_str(), &address) == 1;
  }
  return host.size() <= 253 && std::ranges::all_of(host, [](char c) {
           return is_digit(c) || is_letter(c) || c == '.' || c == '-' || c == '_';
         });
}

bool is_path(std::string_view text) {
  return !text.empty() && text.find('\0') == std::string_view::npos;
}

bool is_time_zone(std::string_view text) {
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return false;
  if (!is_digit(text[1]) || !is_digit(text[2]) || !is_digit(text[4]) || !is_digit(text[5])) return false;
  const int hours = (text[1] - '0') * 10 + (text[2] - '0');
  const int minutes = (text[4] - '0') * 10 + (text[5] - '0');
  return minutes < 60 && hours * 60 + minutes <= 14 * 60;
}

bool is_cors_origin(std::string_view text) {
  if (text.empty() || text == "*") return true;
  if (text.starts_with("https://")) {
    text.remove_prefix(8);
  } else if (text.starts_with("http://")) {
    text.remove_prefix(7);
  } else {
    return false;
  }
  return !text.empty() && text.size() <= 260 && std::ranges::all_of(text, [](char c) {
    return is_digit(c) || is_letter(c) || c == '.' || c == '-' || c == '_' || c == ':' || c == '[' || c == ']';
  });
}

}  // namespace weir::config
