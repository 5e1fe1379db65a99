#include "weir/model/time.h"

#include <algorithm>
#include <cstdint>

namespace weir::model {
namespace {

using std::chrono::milliseconds;

constexpr WallTime kFirst = std::chrono::sys_days{std::chrono::year{0} / 1 / 1};
constexpr WallTime kLast = std::chrono::sys_days{std::chrono::year{10000} / 1 / 1} - milliseconds{1};

char* put2(char* to, unsigned number) {
  to[0] = static_cast<char>('0' + number / 10);
  to[1] = static_cast<char>('0' + number % 10);
  return to + 2;
}

/// Reads a text from left to right; every member that returns bool leaves the place alone when it says no.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool take_digits(std::size_t count, unsigned& number) {
    if (rest_.size() < count) return false;
    unsigned read = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (!is_digit(rest_[i])) return false;
      read = read * 10 + static_cast<unsigned>(rest_[i] - '0');
    }
    rest_.remove_prefix(count);
    number = read;
    return true;
  }
  /// One digit or more; what lies beyond milliseconds is cut.
  bool take_fraction(unsigned& millis) {
    unsigned read = 0;
    std::size_t digits = 0;
    for (; digits < rest_.size() && is_digit(rest_[digits]); ++digits) {
      if (digits < 3) read = read * 10 + static_cast<unsigned>(rest_[digits] - '0');
    }
    if (digits == 0) return false;
    for (std::size_t i = digits; i < 3; ++i) read *= 10;
    rest_.remove_prefix(digits);
    millis = read;
    return true;
  }

 private:
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  std::string_view rest_;
};

bool take_date(Cursor& text, std::chrono::sys_days& day) {
  unsigned year = 0;
  unsigned month = 0;
  unsigned day_of_month = 0;
  if (!text.take_digits(4, year) || !text.take('-') || !text.take_digits(2, month) || !text.take('-') ||
      !text.take_digits(2, day_of_month)) {
    return false;
  }
  const std::chrono::year_month_day date{std::chrono::year{static_cast<int>(year)}, std::chrono::month{month},
                                         std::chrono::day{day_of_month}};
  if (!date.ok()) return false;
  day = date;
  return true;
}

enum class Form { strict, lenient };

bool take_time_of_day(Cursor& text, Form form, milliseconds& time_of_day) {
  unsigned hour = 0;
  unsigned minute = 0;
  unsigned second = 0;
  unsigned millis = 0;
  if (!text.take_digits(2, hour) || !text.take(':') || !text.take_digits(2, minute)) return false;
  if (text.take(':')) {
    if (!text.take_digits(2, second)) return false;
    if (text.take('.') && !text.take_fraction(millis)) return false;
  } else if (form == Form::strict) {
    return false;
  }
  if (hour > 23 || minute > 59 || second > 60) return false;
  if (second == 60) {  // a leap second has no place of its own on our time line
    second = 59;
    millis = 999;
  }
  time_of_day =
      std::chrono::hours{hour} + std::chrono::minutes{minute} + std::chrono::seconds{second} + milliseconds{millis};
  return true;
}

bool take_zone(Cursor& text, Form form, std::chrono::minutes& zone) {
  zone = std::chrono::minutes{0};
  if (text.take('Z') || text.take('z')) return true;
  const bool minus = text.take('-');
  if (!minus && !text.take('+')) return form == Form::lenient && text.at_end();
  unsigned hours = 0;
  unsigned minutes = 0;
  if (!text.take_digits(2, hours)) return false;
  if (!text.take(':') && form == Form::strict) return false;
  if (!text.take_digits(2, minutes) || hours > 23 || minutes > 59) return false;
  zone = std::chrono::hours{hours} + std::chrono::minutes{minutes};
  if (minus) zone = -zone;
  return true;
}

std::optional<WallTime> parse(std::string_view text, Form form) {
  Cursor cursor(text);
  std::chrono::sys_days day;
  if (!take_date(cursor, day)) return std::nullopt;
  if (cursor.at_end()) return form == Form::lenient ? std::optional<WallTime>(day) : std::nullopt;
  const bool separated = cursor.take('T') || cursor.take('t') || (form == Form::lenient && cursor.take(' '));
  milliseconds time_of_day{0};
  std::chrono::minutes zone{0};
  if (!separated || !take_time_of_day(cursor, form, time_of_day) || !take_zone(cursor, form, zone) ||
      !cursor.at_end()) {
    return std::nullopt;
  }
  return WallTime{day} + time_of_day - zone;
}

}  // namespace

void format_timestamp(WallTime time, char* to, std::chrono::minutes offset) noexcept {
  // Clamped before the sum as well, which could overflow otherwise.
  const WallTime local = std::clamp(std::clamp(time, kFirst, kLast) + offset, kFirst, kLast);
  const auto day = std::chrono::floor<std::chrono::days>(local);
  const std::chrono::year_month_day date{day};
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  const auto millis = static_cast<unsigned>((local - day).count());
  to = put2(to, year / 100);
  to = put2(to, year % 100);
  *to++ = '-';
  to = put2(to, static_cast<unsigned>(date.month()));
  *to++ = '-';
  to = put2(to, static_cast<unsigned>(date.day()));
  *to++ = 'T';
  to = put2(to, millis / 3'600'000);
  *to++ = ':';
  to = put2(to, millis / 60'000 % 60);
  *to++ = ':';
  to = put2(to, millis / 1000 % 60);
  *to++ = '.';
  *to++ = static_cast<char>('0' + millis / 100 % 10);
  to = put2(to, millis % 100);
  const auto zone = static_cast<unsigned>(offset.count() < 0 ? -offset.count() : offset.count());
  *to++ = offset.count() < 0 ? '-' : '+';
  to = put2(to, zone / 60 % 24);
  *to++ = ':';
  put2(to, zone % 60);
}

std::string to_timestamp(WallTime time, std::chrono::minutes offset) {
  std::string text(kTimestampBytes, '\0');
  format_timestamp(time, text.data(), offset);
  return text;
}

std::optional<WallTime> parse_rfc3339(std::string_view text) noexcept {
  return parse(text, Form::strict);
}

bool is_schema_date_time(std::string_view text) noexcept {
  return parse(text, Form::lenient).has_value();
}

}  // namespace weir::model
