#include "weir/model/time.h"

#include <random>
#include <string>

#include <gtest/gtest.h>

namespace weir::model {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

WallTime at(std::int64_t ms) {
  return WallTime{milliseconds{ms}};
}

struct FormatRow {
  const char* name;
  std::int64_t ms;
  int zone_minutes;
  const char* text;
};

class TimestampTable : public testing::TestWithParam<FormatRow> {};

TEST_P(TimestampTable, IsWritten) {
  const FormatRow& row = GetParam();
  EXPECT_EQ(to_timestamp(at(row.ms), minutes{row.zone_minutes}), row.text);
}

INSTANTIATE_TEST_SUITE_P(
    Times, TimestampTable,
    testing::Values(
        FormatRow{"epoch", 0, 0, "1970-01-01T00:00:00.000+00:00"},
        FormatRow{"usual", 1772439330042, 0, "2026-03-02T08:15:30.042+00:00"},
        FormatRow{"east", 1772439330042, 330, "2026-03-02T13:45:30.042+05:30"},
        FormatRow{"west_over_midnight", 1772439330042, -570, "2026-03-01T22:45:30.042-09:30"},
        FormatRow{"before_epoch", -1, 0, "1969-12-31T23:59:59.999+00:00"},
        FormatRow{"leap_day", 1709164800000, 0, "2024-02-29T00:00:00.000+00:00"},
        FormatRow{"first", -62167219200000, 0, "0000-01-01T00:00:00.000+00:00"},
        FormatRow{"last", 253402300799999, 0, "9999-12-31T23:59:59.999+00:00"},
        FormatRow{"after_last", 253402300800000, 0, "9999-12-31T23:59:59.999+00:00"},
        FormatRow{"zone_beyond_last", 253402300799999, 60, "9999-12-31T23:59:59.999+01:00"},
        FormatRow{"smallest", std::numeric_limits<std::int64_t>::min(), -60, "0000-01-01T00:00:00.000-01:00"},
        FormatRow{"greatest", std::numeric_limits<std::int64_t>::max(), 60, "9999-12-31T23:59:59.999+01:00"}),
    [](const auto& row) { return row.param.name; });

TEST(Timestamps, AreReadBackAsTheyWereWritten) {
  constexpr unsigned kSeed = 7;
  std::mt19937_64 random(kSeed);
  std::uniform_int_distribution<std::int64_t> any_ms(-62167219200000 + 86400000, 253402300799999 - 86400000);
  std::uniform_int_distribution<int> any_zone(-1439, 1439);
  for (int i = 0; i < 20'000; ++i) {
    const WallTime time = at(any_ms(random));
    const std::string text = to_timestamp(time, minutes{any_zone(random)});
    ASSERT_EQ(parse_rfc3339(text), time) << text << " seed " << kSeed;
  }
}

TEST(Timestamps, OfOneZoneCompareAsTheirInstants) {
  std::mt19937_64 random(11);
  std::uniform_int_distribution<std::int64_t> any_ms(0, 253402300799999);
  for (int i = 0; i < 5'000; ++i) {
    const WallTime a = at(any_ms(random));
    const WallTime b = at(any_ms(random));
    ASSERT_EQ(a < b, to_timestamp(a) < to_timestamp(b));
  }
}

struct ReadRow {
  const char* name;
  const char* text;
  std::int64_t ms;
};

class Rfc3339Table : public testing::TestWithParam<ReadRow> {};

TEST_P(Rfc3339Table, IsRead) {
  EXPECT_EQ(parse_rfc3339(GetParam().text), at(GetParam().ms));
}

INSTANTIATE_TEST_SUITE_P(Times, Rfc3339Table,
                         testing::Values(ReadRow{"zulu", "2026-03-02T08:15:30Z", 1772439330000},
                                         ReadRow{"lower_case", "2026-03-02t08:15:30z", 1772439330000},
                                         ReadRow{"east", "2026-03-02T09:15:30+01:00", 1772439330000},
                                         ReadRow{"west", "2026-03-01T23:45:30-08:30", 1772439330000},
                                         ReadRow{"minus_zero", "2026-03-02T08:15:30-00:00", 1772439330000},
                                         ReadRow{"one_digit", "2026-03-02T08:15:30.5Z", 1772439330500},
                                         ReadRow{"milliseconds", "2026-03-02T08:15:30.042Z", 1772439330042},
                                         ReadRow{"cut_not_rounded", "2026-03-02T08:15:30.0429999999999999999999999Z",
                                                 1772439330042},
                                         ReadRow{"leap_second", "2016-12-31T23:59:60Z", 1483228799999},
                                         ReadRow{"leap_second_fraction", "2016-12-31T23:59:60.25Z", 1483228799999},
                                         ReadRow{"leap_day", "2024-02-29T00:00:00Z", 1709164800000},
                                         ReadRow{"year_zero", "0000-01-01T00:00:00Z", -62167219200000},
                                         ReadRow{"last", "9999-12-31T23:59:59.999Z", 253402300799999}),
                         [](const auto& row) { return row.param.name; });

struct TextRow {
  const char* name;
  std::string text;
};

class BadRfc3339 : public testing::TestWithParam<TextRow> {};

TEST_P(BadRfc3339, IsRefused) {
  EXPECT_EQ(parse_rfc3339(GetParam().text), std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(
    Times, BadRfc3339,
    testing::Values(TextRow{"empty", ""}, TextRow{"date", "2026-03-02"}, TextRow{"no_zone", "2026-03-02T08:15:30"},
                    TextRow{"space", "2026-03-02 08:15:30Z"}, TextRow{"no_seconds", "2026-03-02T08:15Z"},
                    TextRow{"compact_zone", "2026-03-02T08:15:30+0100"},
                    TextRow{"short_zone", "2026-03-02T08:15:30+01"}, TextRow{"zone_hour", "2026-03-02T08:15:30+24:00"},
                    TextRow{"zone_minute", "2026-03-02T08:15:30+01:60"}, TextRow{"february_30", "2026-02-30T08:15:30Z"},
                    TextRow{"no_leap_year", "2026-02-29T08:15:30Z"}, TextRow{"century", "2100-02-29T00:00:00Z"},
                    TextRow{"month_0", "2026-00-02T08:15:30Z"}, TextRow{"month_13", "2026-13-02T08:15:30Z"},
                    TextRow{"day_0", "2026-03-00T08:15:30Z"}, TextRow{"hour_24", "2026-03-02T24:00:00Z"},
                    TextRow{"minute_60", "2026-03-02T08:60:00Z"}, TextRow{"second_61", "2026-03-02T08:15:61Z"},
                    TextRow{"dot_alone", "2026-03-02T08:15:30.Z"}, TextRow{"comma", "2026-03-02T08:15:30,5Z"},
                    TextRow{"epoch_number", "1772439330"}, TextRow{"five_digit_year", "12026-03-02T08:15:30Z"},
                    TextRow{"signed_year", "+2026-03-02T08:15:30Z"}, TextRow{"trailing", "2026-03-02T08:15:30Z "},
                    TextRow{"leading", " 2026-03-02T08:15:30Z"},
                    TextRow{"trailing_nul", std::string("2026-03-02T08:15:30Z\0", 21)},
                    TextRow{"full_width_digit", "2026-03-02T08:15:3\xEF\xBC\x90Z"}, TextRow{"word", "yesterday"}),
    [](const auto& row) { return row.param.name; });

class SchemaDateTime : public testing::TestWithParam<TextRow> {};
class BadSchemaDateTime : public testing::TestWithParam<TextRow> {};

TEST_P(SchemaDateTime, Complies) {
  EXPECT_TRUE(is_schema_date_time(GetParam().text));
}
TEST_P(BadSchemaDateTime, DoesNotComply) {
  EXPECT_FALSE(is_schema_date_time(GetParam().text));
}

INSTANTIATE_TEST_SUITE_P(
    Times, SchemaDateTime,
    testing::Values(TextRow{"rfc3339", "2026-03-02T08:15:30.042+01:00"}, TextRow{"zulu", "2026-03-02t08:15:30z"},
                    TextRow{"space", "2026-03-02 08:15:30Z"}, TextRow{"no_seconds", "2026-03-02T08:15Z"},
                    TextRow{"no_seconds_no_zone", "2026-03-02 08:15"},
                    TextRow{"compact_zone", "2026-03-02T08:15:30+0100"}, TextRow{"no_zone", "2026-03-02T08:15:30"},
                    TextRow{"fraction_no_zone", "2026-03-02T08:15:30.5"}, TextRow{"date", "2026-03-02"},
                    TextRow{"leap_day", "2024-02-29"}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Times, BadSchemaDateTime,
    testing::Values(TextRow{"empty", ""}, TextRow{"word", "tomorrow"}, TextRow{"hour_24_minute_61", "2026-03-02T24:61"},
                    TextRow{"time_alone", "24:61"}, TextRow{"minute_61", "2026-03-02T08:61"},
                    TextRow{"february_30", "2026-02-30"}, TextRow{"no_leap_year", "2025-02-29 10:00"},
                    TextRow{"year_month", "2026-03"}, TextRow{"two_digit_year", "26-03-02"},
                    TextRow{"slashes", "03/02/2026"}, TextRow{"compact_date", "20260302"},
                    TextRow{"separator_alone", "2026-03-02T"}, TextRow{"two_spaces", "2026-03-02  08:15"},
                    TextRow{"hour_alone", "2026-03-02T08"}, TextRow{"short_zone", "2026-03-02T08:15+01"},
                    TextRow{"space_before_zone", "2026-03-02 08:15:30 +0000"},
                    TextRow{"zone_name", "2026-03-02T08:15:30 UTC"}, TextRow{"number", "1772439330"}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace weir::model
