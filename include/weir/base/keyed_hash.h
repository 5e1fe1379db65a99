#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "weir/base/random.h"

namespace weir {

/// SipHash-2-4 with 128 bits (Aumasson, Bernstein: "SipHash: a fast short-input PRF"): for short texts about a tenth of
/// the work of SHA-256. Who does not know the key can neither find a text for a hash nor two texts with one hash;
/// unlike a digest it says nothing outside of the process that made the key.
class KeyedHash {
 public:
  using Value = std::array<std::uint64_t, 2>;

  /// With a key of its own, as secret as `random` is.
  explicit KeyedHash(Random& random);
  explicit KeyedHash(std::array<std::uint64_t, 2> key) noexcept : key_(key) {}

  /// Thread-safe.
  Value operator()(std::string_view text) const noexcept;

 private:
  std::array<std::uint64_t, 2> key_{};
};

}  // namespace weir
