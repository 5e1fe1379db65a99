#pragma once

#include <cstdint>
#include <vector>

namespace weir::bench {

/// Counts values of any size in buckets whose middle is at most 0.4 % off; 60 KiB however much is recorded.
/// Not thread-safe.
class Histogram {
 public:
  Histogram();

  void record(std::uint64_t value);
  std::uint64_t count() const noexcept { return count_; }
  std::uint64_t max() const noexcept { return max_; }
  /// The value that `share` (0 to 1) of all values do not exceed; 0 when nothing was recorded.
  std::uint64_t quantile(double share) const;

 private:
  // Below 256 a bucket for each value; above, 128 for each power of two.
  static constexpr unsigned kSubBits = 7;

  static std::size_t bucket_of(std::uint64_t value) noexcept;
  static std::uint64_t middle_of(std::size_t bucket) noexcept;

  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace weir::bench
