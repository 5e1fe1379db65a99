#include "log_format.h"

#include <chrono>
#include <cstdint>
#include <iterator>
#include <string_view>

#include <fmt/format.h>
#include <spdlog/details/log_msg.h>

namespace weir::log {
namespace {

using Buffer = spdlog::memory_buf_t;

void append(Buffer& to, std::string_view text) {
  to.append(text.data(), text.data() + text.size());
}

void append_time(Buffer& to, spdlog::log_clock::time_point time) {
  using std::chrono::floor;
  const auto day = floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(floor<std::chrono::milliseconds>(time) - day);
  fmt::format_to(std::back_inserter(to), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                 static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                 clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

std::string_view level_name(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace: return "trace";
    case spdlog::level::debug: return "debug";
    case spdlog::level::info: return "info";
    case spdlog::level::warn: return "warn";
    case spdlog::level::err: return "error";
    case spdlog::level::critical: return "critical";
    default: return "off";
  }
}

/// Length of the well-formed UTF-8 sequence at the start of `text`, 0 if there is none (RFC 3629, table 3-7 of
/// Unicode).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const auto continues = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xc0) == 0x80; };
  const std::uint8_t first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4 || !continues(1)) return 0;
  if (first < 0xe0) return 2;
  const std::uint8_t second = byte(1);
  if (first == 0xe0 && second < 0xa0) return 0;  // longer than it needs to be
  if (first == 0xed && second > 0x9f) return 0;  // half of a surrogate pair
  if (first == 0xf0 && second < 0x90) return 0;
  if (first == 0xf4 && second > 0x8f) return 0;  // above U+10FFFF
  if (!continues(2)) return 0;
  if (first < 0xf0) return 3;
  return continues(3) ? 4 : 0;
}

enum class Quoting : std::uint8_t { text, json };

void append_escaped(Buffer& to, std::string_view text, Quoting quoting) {
  while (!text.empty()) {
    const auto first = static_cast<std::uint8_t>(text[0]);
    const std::size_t length = utf8_length(text);
    if (length == 0) {
      append(to, "\xef\xbf\xbd");  // U+FFFD
    } else if (first == '\n') {
      append(to, "\\n");
    } else if (first == '\r') {
      append(to, "\\r");
    } else if (first == '\t') {
      append(to, "\\t");
    } else if (first < 0x20 || first == 0x7f) {
      fmt::format_to(std::back_inserter(to), "\\u{:04x}", static_cast<unsigned>(first));
    } else if (first == 0xc2 && static_cast<std::uint8_t>(text[1]) < 0xa0) {  // C1 controls drive terminals as well
      fmt::format_to(std::back_inserter(to), "\\u{:04x}", static_cast<unsigned>(static_cast<std::uint8_t>(text[1])));
    } else if (quoting == Quoting::json && (first == '"' || first == '\\')) {
      to.push_back('\\');
      to.push_back(text[0]);
    } else {
      append(to, text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
}

class TextFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, Buffer& to) override {
    append_time(to, message.time);
    to.push_back(' ');
    append(to, level_name(message.level));
    to.push_back(' ');
    append_escaped(to, {message.logger_name.data(), message.logger_name.size()}, Quoting::text);
    append(to, ": ");
    append_escaped(to, {message.payload.data(), message.payload.size()}, Quoting::text);
    to.push_back('\n');
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<TextFormatter>(); }
};

class JsonFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, Buffer& to) override {
    append(to, R"({"time":")");
    append_time(to, message.time);
    append(to, R"(","level":")");
    append(to, level_name(message.level));
    append(to, R"(","module":")");
    append_escaped(to, {message.logger_name.data(), message.logger_name.size()}, Quoting::json);
    append(to, R"(","message":")");
    append_escaped(to, {message.payload.data(), message.payload.size()}, Quoting::json);
    append(to, "\"}\n");
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonFormatter>(); }
};

}  // namespace

std::unique_ptr<spdlog::formatter> make_text_formatter() {
  return std::make_unique<TextFormatter>();
}
std::unique_ptr<spdlog::formatter> make_json_formatter() {
  return std::make_unique<JsonFormatter>();
}

}  // namespace weir::log
