#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace weir {

using Digest = std::array<std::uint8_t, 32>;

/// SHA-256 of the parts one after the other. Thread-safe.
Digest sha256(std::initializer_list<std::string_view> parts);
inline Digest sha256(std::string_view bytes) {
  return sha256({bytes});
}
/// Compares in a time that does not depend on the content.
bool equal_constant_time(const Digest& a, const Digest& b);
std::string to_hex(const Digest& digest);
/// False unless `hex` is exactly 64 hexadecimal digits.
bool from_hex(std::string_view hex, Digest& digest);

}  // namespace weir
