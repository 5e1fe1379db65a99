#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "weir/model/ids.h"

namespace weir::model {

/// The message id that every door shows: base 62 (0-9 A-Z a-z) of the offset behind a letter for its length
/// ('A' = one digit … 'K' = eleven), so that byte order is publish order. Offset 0 is "A0".
/// Rule: docs/protocols/workato.md, "Message ids".
class MessageId {
 public:
  explicit MessageId(Offset offset) noexcept;
  std::string_view view() const noexcept { return {text_.data(), size_}; }
  std::string str() const { return std::string(view()); }

  static constexpr std::size_t kBytesMax = 12;

 private:
  std::array<char, kBytesMax> text_{};
  std::uint8_t size_ = 0;
};

/// The offset behind an id; empty for anything that MessageId would not have written (leading zeros, overflow, …).
std::optional<Offset> parse_message_id(std::string_view text) noexcept;

}  // namespace weir::model
