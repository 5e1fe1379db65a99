#include "weir/model/message_id.h"

#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace weir::model {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

struct IdRow {
  const char* name;
  std::uint64_t offset;
  const char* id;
};

class MessageIdTable : public testing::TestWithParam<IdRow> {};

TEST_P(MessageIdTable, WritesAndReads) {
  const IdRow& row = GetParam();
  EXPECT_EQ(MessageId(Offset{row.offset}).view(), row.id);
  EXPECT_EQ(MessageId(Offset{row.offset}).str(), row.id);
  EXPECT_EQ(parse_message_id(row.id), Offset{row.offset});
}

INSTANTIATE_TEST_SUITE_P(Ids, MessageIdTable,
                         testing::Values(IdRow{"zero", 0, "A0"}, IdRow{"one", 1, "A1"}, IdRow{"ten", 10, "AA"},
                                         IdRow{"last_digit", 61, "Az"}, IdRow{"two_digits", 62, "B10"},
                                         IdRow{"last_of_two", 3843, "Bzz"}, IdRow{"three_digits", 3844, "C100"},
                                         IdRow{"largest", kMax, "KLygHa16AHYF"}),
                         [](const auto& row) { return row.param.name; });

struct BadIdRow {
  const char* name;
  std::string text;
};

class BadMessageId : public testing::TestWithParam<BadIdRow> {};

TEST_P(BadMessageId, IsRefused) {
  EXPECT_EQ(parse_message_id(GetParam().text), std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(
    Ids, BadMessageId,
    testing::Values(BadIdRow{"empty", ""}, BadIdRow{"letter_only", "A"}, BadIdRow{"leading_zero", "B01"},
                    BadIdRow{"length_too_great", "B1"}, BadIdRow{"length_too_small", "A10"},
                    BadIdRow{"lower_case_length", "a1"}, BadIdRow{"number", "51"}, BadIdRow{"space", "A "},
                    BadIdRow{"sign", "A-"}, BadIdRow{"not_ascii", "A\xC3"},
                    BadIdRow{"trailing_nul", std::string("A1\0", 3)}, BadIdRow{"one_more_than_largest", "KLygHa16AHYG"},
                    BadIdRow{"overflow", "Kzzzzzzzzzzz"}, BadIdRow{"twelve_digits", "L100000000000"},
                    BadIdRow{"long", std::string(1000, '1')}),
    [](const auto& row) { return row.param.name; });

TEST(MessageIds, ByteOrderIsPublishOrder) {
  constexpr unsigned kSeed = 20260302;
  SCOPED_TRACE(kSeed);
  std::mt19937_64 random(kSeed);
  const auto any_offset = [&] { return random() >> (random() % 64); };
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t a = any_offset();
    const std::uint64_t b = i % 2 == 0 ? any_offset() : a + 1;
    const MessageId a_id{Offset{a}};
    const MessageId b_id{Offset{b}};
    ASSERT_EQ(a < b, a_id.view() < b_id.view()) << a << ' ' << b;
    ASSERT_EQ(parse_message_id(a_id.view()), Offset{a}) << a;
  }
}

TEST(MessageIds, GrowAtEveryChangeOfLength) {
  std::uint64_t power = 1;
  for (int digits = 1; digits <= 10; ++digits) {
    power *= 62;
    EXPECT_LT(MessageId(Offset{power - 1}).str(), MessageId(Offset{power}).str()) << digits;
    EXPECT_EQ(MessageId(Offset{power - 1}).view().size() + 1, MessageId(Offset{power}).view().size()) << digits;
  }
}

}  // namespace
}  // namespace weir::model
