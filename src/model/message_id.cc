#include "weir/model/message_id.h"

#include <array>
#include <cstdint>
#include <limits>

namespace weir::model {
namespace {

constexpr std::uint64_t kBase = 62;
/// In ASCII order, so that ids of one length compare as their numbers do.
constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::uint8_t kNoDigit = 0xff;

constexpr std::array<std::uint8_t, 256> make_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNoDigit);
  for (std::size_t i = 0; i < kDigits.size(); ++i) {
    values[static_cast<unsigned char>(kDigits[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}
constexpr std::array<std::uint8_t, 256> kValues = make_values();

}  // namespace

MessageId::MessageId(Offset offset) noexcept {
  std::array<char, kBytesMax> reversed;
  std::uint64_t rest = value_of(offset);
  std::uint8_t digits = 0;
  do {
    reversed[digits++] = kDigits[rest % kBase];
    rest /= kBase;
  } while (rest != 0);
  text_[0] = static_cast<char>('A' + digits - 1);
  for (std::uint8_t i = 0; i < digits; ++i) text_[1 + i] = reversed[digits - 1 - i];
  size_ = static_cast<std::uint8_t>(digits + 1);
}

std::optional<Offset> parse_message_id(std::string_view text) noexcept {
  if (text.size() < 2 || text.size() > MessageId::kBytesMax) return std::nullopt;
  const std::string_view digits = text.substr(1);
  if (text[0] != static_cast<char>('A' + digits.size() - 1)) return std::nullopt;
  if (digits.size() > 1 && digits[0] == '0') return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : digits) {
    const std::uint8_t digit = kValues[static_cast<unsigned char>(c)];
    if (digit == kNoDigit) return std::nullopt;
    if (number > (std::numeric_limits<std::uint64_t>::max() - digit) / kBase) return std::nullopt;
    number = number * kBase + digit;
  }
  return Offset{number};
}

}  // namespace weir::model
