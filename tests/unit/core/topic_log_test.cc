#include "weir/core/topic_log.h"

#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace weir::core {
namespace {

using model::Offset;
using model::TopicId;

constexpr TopicId kTopic{1};

WallTime at(std::int64_t ms) {
  return WallTime{std::chrono::milliseconds{ms}};
}

std::uint64_t append(TopicLog& log, std::uint64_t first, std::int64_t ms, std::vector<std::string> payloads) {
  return log.append(Offset{first}, at(ms), payloads);
}

TailQuery query(std::uint64_t from, std::uint32_t count = 50) {
  TailQuery query;
  query.from = Offset{from};
  query.count_max = count;
  query.bytes_max = 1 << 20;
  return query;
}

class TopicLogTest : public ::testing::Test {
 protected:
  std::shared_ptr<TailBudget> budget = std::make_shared<TailBudget>(1 << 20);
  TopicLog log{kTopic, Offset{0}, Offset{0}, std::nullopt, budget};
};

TEST_F(TopicLogTest, GivesEnvelopesInOrder) {
  append(log, 0, 1000, {R"({"a":1})", R"({"a":2})"});
  const TailRead read = log.read(query(0), std::nullopt);
  ASSERT_EQ(read.outcome, TailRead::Outcome::messages);
  EXPECT_EQ(read.count, 2u);
  EXPECT_EQ(read.next, Offset{2});
  EXPECT_EQ(read.render(), R"({"message_id":"A0","payload":{"a":1},"time":"1970-01-01T00:00:01.000+00:00"},)"
                           R"({"message_id":"A1","payload":{"a":2},"time":"1970-01-01T00:00:01.000+00:00"})");
}

TEST_F(TopicLogTest, ReadsAcrossSegmentsFromEveryOffset) {
  constexpr std::uint64_t kCount = 500;
  for (std::uint64_t i = 0; i < kCount; ++i) append(log, i, 1000, {std::string(100, 'x')});
  for (std::uint64_t from = 0; from < kCount; ++from) {
    const TailRead read = log.read(query(from, 37), std::nullopt);
    ASSERT_EQ(read.count, std::min<std::uint64_t>(37, kCount - from)) << from;
    ASSERT_EQ(read.next, Offset{from + read.count});
  }
}

TEST_F(TopicLogTest, StopsAtTheByteLimitButGivesAtLeastOne) {
  append(log, 0, 1000, {std::string(1000, 'x'), std::string(1000, 'x'), std::string(1000, 'x')});
  TailQuery small = query(0);
  small.bytes_max = 10;
  EXPECT_EQ(log.read(small, std::nullopt).count, 1u);
  small.bytes_max = 2300;
  EXPECT_EQ(log.read(small, std::nullopt).count, 2u);
}

TEST_F(TopicLogTest, SkipsWhatIsTooOld) {
  append(log, 0, 1000, {"{}"});
  append(log, 1, 2000, {"{}"});
  append(log, 2, 2000, {"{}"});
  append(log, 3, 3000, {"{}"});
  TailQuery late = query(0);
  late.not_before = at(2000);
  const TailRead read = log.read(late, std::nullopt);
  EXPECT_EQ(read.count, 3u);
  EXPECT_EQ(read.next, Offset{4});
  late.not_before = at(3001);
  EXPECT_EQ(log.read(late, std::nullopt).outcome, TailRead::Outcome::empty);
}

TEST_F(TopicLogTest, RemembersWhoFoundNothingOnce) {
  EXPECT_EQ(log.read(query(0), 3).outcome, TailRead::Outcome::empty);
  EXPECT_EQ(log.read(query(0), 5).outcome, TailRead::Outcome::empty);
  EXPECT_EQ(append(log, 0, 1000, {"{}"}), (1u << 3) | (1u << 5));
  EXPECT_EQ(append(log, 1, 1000, {"{}"}), 0u);
}

TEST_F(TopicLogTest, DoesNotEnlistWhoFoundSomething) {
  append(log, 0, 1000, {"{}"});
  EXPECT_EQ(log.read(query(0), 3).outcome, TailRead::Outcome::messages);
  EXPECT_EQ(append(log, 1, 1000, {"{}"}), 0u);
}

TEST_F(TopicLogTest, AcceptsALiveCursorAndLeavesOthersToTheStore) {
  append(log, 0, 1000, {"{}"});
  append(log, 1, 2000, {"{}"});
  TailQuery cursor = query(1);
  cursor.check_cursor = true;
  EXPECT_EQ(log.read(cursor, std::nullopt).count, 1u);
  cursor.not_before = at(1001);  // message 0 has expired
  EXPECT_EQ(log.read(cursor, std::nullopt).outcome, TailRead::Outcome::below_tail);
  cursor.from = Offset{2};
  EXPECT_EQ(log.read(cursor, std::nullopt).outcome, TailRead::Outcome::empty);
  cursor.from = Offset{3};  // message 2 never was
  EXPECT_EQ(log.read(cursor, std::nullopt).outcome, TailRead::Outcome::below_tail);
}

TEST_F(TopicLogTest, AsksTheStoreBelowTheTail) {
  TopicLog restarted(kTopic, Offset{0}, Offset{10}, at(500), budget);
  EXPECT_EQ(restarted.read(query(3), std::nullopt).outcome, TailRead::Outcome::below_tail);
  EXPECT_EQ(restarted.read(query(10), std::nullopt).outcome, TailRead::Outcome::empty);
  append(restarted, 10, 1000, {"{}"});
  EXPECT_EQ(restarted.read(query(9), std::nullopt).outcome, TailRead::Outcome::below_tail);
  TailQuery late = query(0);
  late.not_before = at(1001);  // even the first message here is older: so are those below
  EXPECT_EQ(restarted.read(late, std::nullopt).outcome, TailRead::Outcome::empty);
}

TEST_F(TopicLogTest, AdoptsWhatReachesTheEnd) {
  TopicLog restarted(kTopic, Offset{0}, Offset{3}, at(500), budget);
  const std::vector<model::Message> middle{{Offset{0}, at(1), "{}"}, {Offset{1}, at(1), "{}"}};
  restarted.adopt(middle);
  EXPECT_EQ(restarted.read(query(1), std::nullopt).outcome, TailRead::Outcome::below_tail);
  const std::vector<model::Message> end{{Offset{1}, at(1), "{}"}, {Offset{2}, at(1), "{}"}};
  restarted.adopt(end);
  EXPECT_EQ(restarted.read(query(1), std::nullopt).count, 2u);
  append(restarted, 3, 2, {"{}"});
  EXPECT_EQ(restarted.read(query(1), std::nullopt).count, 3u);
}

TEST_F(TopicLogTest, AdoptsNothingBeyondTheBudget) {
  const auto spent = std::make_shared<TailBudget>(100);
  TopicLog restarted(kTopic, Offset{0}, Offset{1}, at(500), spent);
  const std::vector<model::Message> end{{Offset{0}, at(1), std::string(200, 'x')}};
  restarted.adopt(end);
  EXPECT_EQ(spent->used(), 0u);
}

TEST_F(TopicLogTest, ForgetsAfterAPurgeAndGoesOn) {
  append(log, 0, 1000, {"{}", "{}"});
  log.trim(Offset{2}, true);
  EXPECT_FALSE(log.last_activity());
  EXPECT_TRUE(log.empty());
  EXPECT_EQ(log.read(query(0), std::nullopt).outcome, TailRead::Outcome::empty);
  TailQuery cursor = query(2);
  cursor.check_cursor = true;
  EXPECT_EQ(log.read(cursor, std::nullopt).outcome, TailRead::Outcome::below_tail);
  append(log, 2, 1000, {"{}"});
  EXPECT_EQ(log.read(query(0), std::nullopt).next, Offset{3});
}

TEST_F(TopicLogTest, IsGoneOnceDeleted) {
  log.read(query(0), 1);
  EXPECT_EQ(log.mark_deleted(), 1u << 1);
  EXPECT_EQ(log.read(query(0), std::nullopt).outcome, TailRead::Outcome::gone);
}

TEST_F(TopicLogTest, KeepsBytesOfAReaderWhenTheTailMovesOn) {
  append(log, 0, 1000, {"\"kept\""});
  const TailRead read = log.read(query(0), std::nullopt);
  log.evict_oldest();
  EXPECT_EQ(log.read(query(0), std::nullopt).outcome, TailRead::Outcome::below_tail);
  EXPECT_NE(read.render().find("\"kept\""), std::string::npos);
}

TEST_F(TopicLogTest, StaysWithinTheBudgetOfAllTopics) {
  const auto small = std::make_shared<TailBudget>(64 * 1024);
  TopicLog a(TopicId{1}, Offset{0}, Offset{0}, std::nullopt, small);
  TopicLog b(TopicId{2}, Offset{0}, Offset{0}, std::nullopt, small);
  for (std::uint64_t i = 0; i < 2000; ++i) {
    append(a, i, 1, {std::string(200, 'a')});
    append(b, i, 1, {std::string(200, 'b')});
    while (const auto topic = small->over_budget()) (*topic == TopicId{1} ? a : b).evict_oldest();
    ASSERT_LE(small->used(), 64u * 1024);
  }
  EXPECT_EQ(a.read(query(1999), std::nullopt).count, 1u);
  EXPECT_EQ(b.read(query(1999), std::nullopt).count, 1u);
}

TEST_F(TopicLogTest, LeavesNothingInTheBudgetWhenTrimmedOrDeleted) {
  const auto small = std::make_shared<TailBudget>(0);
  TopicLog a(TopicId{1}, Offset{0}, Offset{0}, std::nullopt, small);
  TopicLog b(TopicId{2}, Offset{0}, Offset{0}, std::nullopt, small);
  append(a, 0, 1, {"{}"});
  append(b, 0, 1, {"{}"});
  a.trim(Offset{1}, true);
  EXPECT_EQ(small->over_budget(), TopicId{2}) << "not the one that is gone already";
  b.mark_deleted();
  EXPECT_EQ(small->used(), 0u);
  EXPECT_EQ(small->over_budget(), std::nullopt);
}

TEST_F(TopicLogTest, MayOutliveTheBroker) {
  auto last = std::make_shared<TailBudget>(1 << 20);
  TopicLog outliving(kTopic, Offset{0}, Offset{0}, std::nullopt, std::exchange(last, nullptr));
  append(outliving, 0, 1000, {"{}"});
  EXPECT_EQ(outliving.read(query(0), std::nullopt).count, 1u);
}

TEST_F(TopicLogTest, StartsAfreshWhenTheStoreSkips) {
  append(log, 0, 1000, {"{}"});
  append(log, 5, 1000, {"{}"});  // 1 to 4 came in by another way
  EXPECT_EQ(log.read(query(0), std::nullopt).outcome, TailRead::Outcome::below_tail);
  EXPECT_EQ(log.read(query(5), std::nullopt).count, 1u);
}

TEST_F(TopicLogTest, LosesNoWakeupBetweenReadAndWait) {
  // One thread appends, one reads to the end and enlists: every append either shows in a read or gives a wake-up.
  constexpr std::uint64_t kMessages = 20'000;
  std::atomic<std::uint64_t> wakeups{0};
  std::thread writer([&] {
    for (std::uint64_t i = 0; i < kMessages; ++i) {
      if (append(log, i, 1, {"{}"}) != 0) wakeups.fetch_add(1);
    }
  });
  std::uint64_t next = 0;
  std::uint64_t seen_wakeups = 0;
  while (next < kMessages) {
    const TailRead read = log.read(query(next), 0);
    if (read.outcome == TailRead::Outcome::messages) {
      next = model::value_of(read.next);
      continue;
    }
    ASSERT_EQ(read.outcome, TailRead::Outcome::empty);
    while (wakeups.load() == seen_wakeups) std::this_thread::yield();  // hangs if the wake-up was lost
    ++seen_wakeups;
  }
  writer.join();
  EXPECT_EQ(next, kMessages);
}

}  // namespace
}  // namespace weir::core
