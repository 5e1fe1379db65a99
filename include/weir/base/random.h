#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>

namespace weir {

/// Where randomness comes from; passed in, so that a simulation can replay it. Safe to call from any thread.
class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::byte> bytes) = 0;
};

/// The kernel's generator; fit for secrets. Ends the process if the kernel refuses.
class SystemRandom final : public Random {
 public:
  void fill(std::span<std::byte> bytes) override;
};

/// Repeatable, not fit for secrets, not thread-safe: tests and simulation.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  void fill(std::span<std::byte> bytes) override;

 private:
  std::mt19937_64 engine_;
};

/// `length` letters and digits (base 62, unbiased): 27 of them hold 160 bits.
std::string random_base62(Random& random, std::size_t length);
/// A version 4 UUID in lower case.
std::string random_uuid(Random& random);

}  // namespace weir
