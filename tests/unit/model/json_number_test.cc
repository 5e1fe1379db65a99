#include "model/json_number.h"

#include <string>

#include <gtest/gtest.h>

namespace weir::model {
namespace {

struct NumberRow {
  const char* name;
  std::string text;
  bool integral;
};

class NumberTable : public testing::TestWithParam<NumberRow> {};

TEST_P(NumberTable, IsIntegralOrNot) {
  EXPECT_EQ(is_integral(GetParam().text), GetParam().integral);
}

const std::string kNines(100'000, '9');

INSTANTIATE_TEST_SUITE_P(
    Numbers, NumberTable,
    testing::Values(NumberRow{"zero", "0", true}, NumberRow{"minus_zero", "-0", true},
                    NumberRow{"zero_fraction", "0.000", true}, NumberRow{"zero_tiny", "0e-999999999999999999999", true},
                    NumberRow{"five", "5", true}, NumberRow{"five_fraction_zero", "5.0", true},
                    NumberRow{"five_and_a_half", "5.5", false}, NumberRow{"minus_three", "-3", true},
                    NumberRow{"minus_half", "-0.5", false}, NumberRow{"beyond_double", "9007199254740993", true},
                    NumberRow{"beyond_double_half", "9007199254740993.5", false},
                    NumberRow{"almost_five", "5.0000000000000000000000000001", false}, NumberRow{"huge", "1e400", true},
                    NumberRow{"tiny", "1e-400", false}, NumberRow{"moved_in", "1.5e1", true},
                    NumberRow{"moved_not_enough", "1.25e1", false}, NumberRow{"moved_out", "15e-1", false},
                    NumberRow{"zeros_moved_out", "1500e-2", true}, NumberRow{"zeros_moved_too_far", "1500e-3", false},
                    NumberRow{"zeros_behind_dot", "1500.000e-2", true},
                    NumberRow{"thousandth_moved_in", "0.001e3", true},
                    NumberRow{"thousandth_moved_less", "-0.001E+2", false},
                    NumberRow{"endless_exponent", "1.5e" + kNines, true},
                    NumberRow{"endless_minus_exponent", "15e-" + kNines, false},
                    NumberRow{"endless_digits", kNines + "." + kNines + "e100000", true},
                    NumberRow{"endless_digits_one_less", kNines + "." + kNines + "e99999", false},
                    NumberRow{"exponent_leading_zeros", "1.5e0001", true}),
    [](const auto& row) { return row.param.name; });

struct TameRow {
  const char* name;
  const char* json;
  const char* tame;
};

class TameTable : public testing::TestWithParam<TameRow> {};

TEST_P(TameTable, KeepsKindAndLength) {
  const std::string tame = tame_numbers(GetParam().json);
  EXPECT_EQ(tame, GetParam().tame);
  EXPECT_EQ(tame.size(), std::string(GetParam().json).size());
}

INSTANTIATE_TEST_SUITE_P(Numbers, TameTable,
                         testing::Values(TameRow{"plain", R"({"a":-12,"b":[0]})", R"({"a":-12,"b":[0]})"},
                                         TameRow{"exponents", "[1e400,1e-400,5.0]", "[1    ,0.5   ,1  ]"},
                                         TameRow{"not_in_strings", R"({"1e5":"2.5 \" 1e9"})",
                                                 R"({"1e5":"2.5 \" 1e9"})"},
                                         TameRow{"many_digits", "-1234567890123456789", "1                   "},
                                         TameRow{"shortest_fraction", "[0.1,-1.5]", "[0.5,0.5 ]"}),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace weir::model
