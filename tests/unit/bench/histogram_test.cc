#include "histogram.h"

#include <cmath>
#include <cstdint>

#include <gtest/gtest.h>

namespace weir::bench {
namespace {

TEST(Histogram, GivesZeroWhenNothingWasRecorded) {
  const Histogram histogram;
  EXPECT_EQ(histogram.quantile(0.5), 0U);
  EXPECT_EQ(histogram.max(), 0U);
}

TEST(Histogram, KeepsSmallValuesExactly) {
  Histogram histogram;
  for (std::uint64_t value = 1; value <= 100; ++value) histogram.record(value);
  EXPECT_EQ(histogram.quantile(0), 1U);
  EXPECT_EQ(histogram.quantile(0.5), 50U);
  EXPECT_EQ(histogram.quantile(0.99), 99U);
  EXPECT_EQ(histogram.quantile(1), 100U);
  EXPECT_EQ(histogram.count(), 100U);
}

TEST(Histogram, IsWithinOnePercentWhateverTheValue) {
  for (std::uint64_t value = 1; value < std::uint64_t{1} << 62; value += value / 3 + 1) {
    Histogram histogram;
    histogram.record(value);
    histogram.record(~std::uint64_t{0});  // so that the maximum does not give the value away
    const double found = static_cast<double>(histogram.quantile(0.5));
    EXPECT_LE(std::abs(found - static_cast<double>(value)), 0.01 * static_cast<double>(value)) << value;
  }
}

TEST(Histogram, TakesTheLargestAndTheSmallestValue) {
  Histogram histogram;
  histogram.record(0);
  histogram.record(~std::uint64_t{0});
  EXPECT_EQ(histogram.quantile(0.5), 0U);
  EXPECT_EQ(histogram.max(), ~std::uint64_t{0});
}

}  // namespace
}  // namespace weir::bench
