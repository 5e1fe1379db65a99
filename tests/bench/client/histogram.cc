#include "histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace weir::bench {

Histogram::Histogram() : counts_(bucket_of(~std::uint64_t{0}) + 1) {}

std::size_t Histogram::bucket_of(std::uint64_t value) noexcept {
  if (value < (1U << (kSubBits + 1))) return static_cast<std::size_t>(value);
  const auto shift = static_cast<unsigned>(std::bit_width(value)) - (kSubBits + 1);
  return (std::size_t{shift} << kSubBits) + static_cast<std::size_t>(value >> shift);
}

std::uint64_t Histogram::middle_of(std::size_t bucket) noexcept {
  if (bucket < (1U << (kSubBits + 1))) return bucket;
  const auto shift = static_cast<unsigned>(bucket >> kSubBits) - 1;
  const std::uint64_t low = ((bucket & ((1U << kSubBits) - 1)) | (1U << kSubBits)) << shift;
  return low + (std::uint64_t{1} << shift) / 2;
}

void Histogram::record(std::uint64_t value) {
  ++counts_[bucket_of(value)];
  ++count_;
  max_ = std::max(max_, value);
}

std::uint64_t Histogram::quantile(double share) const {
  if (count_ == 0) return 0;
  const double wanted = std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(count_));
  const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
    seen += counts_[bucket];
    if (seen >= rank) return std::min(middle_of(bucket), max_);
  }
  return max_;
}

}  // namespace weir::bench
