#include "weir/base/result.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "weir/base/assert.h"

namespace weir {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0) return make_error(Errc::bad_request, "odd");
  return value / 2;
}

Result<int> quarter(int value) {
  WEIR_TRY(const int halved, half(value));
  WEIR_TRY(const int result, half(halved));
  return result;
}

Result<> check(int value) {
  WEIR_TRY(half(value));
  return ok();
}

TEST(Result, HoldsAValueOrAnError) {
  const auto good = half(4);
  ASSERT_TRUE(good);
  EXPECT_TRUE(good.has_value());
  EXPECT_EQ(good.value(), 2);
  const auto bad = half(3);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, Errc::bad_request);
  EXPECT_EQ(bad.error().detail, "odd");
  EXPECT_TRUE(bad.error().fields.empty());
}

TEST(Result, TryReturnsTheFirstError) {
  ASSERT_TRUE(quarter(8));
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(6).error().detail, "odd");
  EXPECT_TRUE(check(2));
  EXPECT_FALSE(check(1));
}

TEST(Result, MovesItsValueOut) {
  Result<std::unique_ptr<int>> made = std::make_unique<int>(5);
  ASSERT_TRUE(made);
  const std::unique_ptr<int> taken = std::move(made).value();
  EXPECT_EQ(*taken, 5);
}

TEST(ResultDeathTest, ReadingTheWrongSideEndsTheProcess) {
  EXPECT_DEATH(static_cast<void>(half(3).value()), "");
  EXPECT_DEATH(static_cast<void>(half(4).error()), "");
}

TEST(AssertDeathTest, SaysWhereAndWhat) {
  const int two = 2;
  WEIR_ASSERT(two == 2);
  EXPECT_DEATH(WEIR_ASSERT(two == 3), "result_test.cc:[0-9]+: broken invariant: two == 3");
}

}  // namespace
}  // namespace weir
