#include <gtest/gtest.h>

#include "weir/model/message_id.h"

#include "unit/core/core_fixture.h"

namespace weir::core::test {
namespace {

std::string oldest_of(const PageOutcome& page) {
  return page.result().error().fields.at(0).message;
}

TEST(BrokerPoll, AnswersAtOnceWithoutATimeout) {
  Core core;
  const TopicId topic = core.create();
  EXPECT_EQ(core.poll(from_oldest(topic)).value()->count, 0u);
  EXPECT_EQ(core.broker_->polls_waiting(), 0u);
}

TEST(BrokerPoll, IsWokenByAPublishOnAnotherLoop) {
  Core core;
  const TopicId topic = core.create();
  const auto page = core.start_poll(from_oldest(topic, 10s), 0);
  core.run();
  EXPECT_FALSE(page.done());
  EXPECT_EQ(core.broker_->polls_waiting(), 1u);
  core.start_publish(topic, R"({"n":1})", 1);
  core.run();
  ASSERT_TRUE(page.done());
  EXPECT_EQ(page.value()->count, 1u);
  EXPECT_EQ(core.broker_->polls_waiting(), 0u);
}

TEST(BrokerPoll, GivesUpWithAnEmptyPageAtTheDeadline) {
  Core core;
  const TopicId topic = core.create();
  const auto page = core.start_poll(from_oldest(topic, 10s));
  core.advance(9'900ms);
  EXPECT_FALSE(page.done());
  core.advance(200ms);
  ASSERT_TRUE(page.done());
  EXPECT_EQ(page.value()->count, 0u);
}

TEST(BrokerPoll, KeepsItsTimeoutWhenTheWallClockJumps) {
  Core core;
  const TopicId topic = core.create();
  const auto page = core.start_poll(from_oldest(topic, 10s));
  core.clock_.step_wall(std::chrono::hours{24 * 3650});
  core.advance(5s);
  EXPECT_FALSE(page.done());
  core.clock_.step_wall(-std::chrono::hours{24 * 7300});
  core.advance(5'100ms);
  EXPECT_TRUE(page.done());
}

TEST(BrokerPoll, SeesMessageAppendedBetweenReadAndWait) {
  // The race a long poll can lose: the message lands after the store's read and before the wait.
  Core before;
  const TopicId topic = before.create();
  before.publish(topic, R"({"n":0})");
  Core core({}, before.disk_);  // restarted: the cursor is below the empty tail
  core.store_.after_read = [&] {
    core.store_.after_read = nullptr;
    core.start_publish(topic, R"({"late":true})", 1);
  };
  const auto page = core.poll(after(topic, Offset{0}, 10s));
  ASSERT_TRUE(page.done());
  EXPECT_EQ(page.value()->count, 1u);
  EXPECT_NE(page.value()->envelopes.find("late"), std::string::npos);
}

TEST(BrokerPoll, WakesAllWaitersOfATopicWithTheSamePage) {
  Core core;
  const TopicId topic = core.create();
  std::vector<PageOutcome> pages;
  for (std::size_t i = 0; i < 1000; ++i) pages.push_back(core.start_poll(from_oldest(topic, 10s), i % 2));
  core.run();
  EXPECT_EQ(core.broker_->polls_waiting(), 1000u);
  core.publish(topic, R"({"n":1})");
  for (const auto& page : pages) {
    ASSERT_TRUE(page.done());
    EXPECT_EQ(page.value()->count, 1u);
  }
  EXPECT_EQ(pages[0].value(), pages[2].value()) << "rendered once for those who wait at one place";
}

TEST(BrokerPoll, LeavesWaitersOfOtherTopicsAlone) {
  Core core;
  const TopicId a = core.create("a");
  const TopicId b = core.create("b");
  const auto page = core.start_poll(from_oldest(a, 10s));
  core.publish(b, "{}");
  EXPECT_FALSE(page.done());
}

TEST(BrokerPoll, ForgetsACancelledPoll) {
  Core core;
  const TopicId topic = core.create();
  PollTicket ticket{};
  const auto page = core.start_poll(from_oldest(topic, 10s), 0, &ticket);
  core.broker_->cancel(0, ticket);
  EXPECT_EQ(core.broker_->polls_waiting(), 0u);
  core.publish(topic, "{}");
  core.advance(20s);
  EXPECT_FALSE(page.done());
  core.broker_->cancel(0, ticket);  // a second time: nothing to do
}

TEST(BrokerPoll, ForgetsAPollCancelledDuringItsRead) {
  Core before;
  const TopicId topic = before.create();
  before.publish(topic, "{}");
  Core core({}, before.disk_);
  PollTicket ticket{};
  const auto page = core.start_poll(from_oldest(topic, 10s), 0, &ticket);
  ASSERT_NE(ticket, PollTicket::answered);
  core.broker_->cancel(0, ticket);
  const auto other = core.start_poll(from_oldest(topic));  // takes the freed place
  core.run();
  EXPECT_FALSE(page.done());
  EXPECT_EQ(other.value()->count, 1u);
}

TEST(BrokerPoll, TellsWaitersOfADeletedTopic) {
  Core core;
  const TopicId topic = core.create();
  const auto a = core.start_poll(from_oldest(topic, 10s), 0);
  const auto b = core.start_poll(from_oldest(topic, 10s), 1);
  Outcome<void> erased;
  core.topics_->erase(0, model::kDefaultWorkspace, topic, erased.callback());
  core.run();
  EXPECT_TRUE(erased.result());
  EXPECT_EQ(a.error(), Errc::topic_not_found);
  EXPECT_EQ(b.error(), Errc::topic_not_found);
}

TEST(BrokerPoll, GoesOnWaitingThroughAPurge) {
  Core core;
  const TopicId topic = core.create();
  core.publish(topic, "{}");
  const auto page = core.start_poll(after(topic, Offset{0}, 10s));
  Outcome<void> purged;
  core.topics_->purge(0, model::kDefaultWorkspace, topic, purged.callback());
  core.run();
  EXPECT_TRUE(purged.result());
  EXPECT_FALSE(page.done());
  core.publish(topic, R"({"n":1})");
  EXPECT_EQ(page.value()->count, 1u);
}

TEST(BrokerPoll, IsReleasedWithAnEmptyPage) {
  Core core;
  const TopicId topic = core.create();
  const auto waiting = core.start_poll(from_oldest(topic, 10s));
  core.broker_->release_polls(0);
  ASSERT_TRUE(waiting.done());
  EXPECT_EQ(waiting.value()->count, 0u);
  const auto later = core.start_poll(from_oldest(topic, 10s));
  EXPECT_EQ(later.value()->count, 0u);
}

TEST(BrokerPoll, RefusesMoreWaitersThanAllowed) {
  BrokerLimits limits;
  limits.polls_waiting_max = 2;
  Core core(limits);
  const TopicId topic = core.create();
  const auto a = core.start_poll(from_oldest(topic, 10s));
  const auto b = core.start_poll(from_oldest(topic, 10s));
  const auto c = core.start_poll(from_oldest(topic, 10s));
  EXPECT_FALSE(a.done());
  EXPECT_FALSE(b.done());
  EXPECT_EQ(c.error(), Errc::overloaded);
  EXPECT_EQ(core.poll(from_oldest(topic)).value()->count, 0u) << "reads that do not wait go on";
}

TEST(BrokerPoll, ReadsBelowTheTailThroughTheStore) {
  BrokerLimits limits;
  limits.tail_bytes_max = 8 * 1024;
  Core core(limits);
  const TopicId topic = core.create();
  for (int i = 0; i < 200; ++i) core.publish(topic, R"({"filler":")" + std::string(200, 'x') + R"("})");
  Offset next{0};
  for (std::uint64_t seen = 0; seen < 200;) {
    const auto page = seen == 0 ? core.poll(from_oldest(topic)) : core.poll(after(topic, Offset{seen - 1}));
    ASSERT_GT(page.value()->count, 0u);
    seen += page.value()->count;
    next = page.value()->next;
    ASSERT_EQ(next, Offset{seen});
  }
}

TEST(BrokerPoll, CountsPollsThatWaitBelowTheTailToo) {
  Core before;
  const TopicId topic = before.create();
  before.publish(topic, "{}");
  BrokerLimits limits;
  limits.polls_waiting_max = 1;
  limits.tail_bytes_max = 0;  // nothing is adopted: every poll has to ask the store
  Core core(limits, before.disk_);
  const auto a = core.start_poll(after(topic, Offset{0}, 10s));
  const auto b = core.start_poll(after(topic, Offset{0}, 10s));
  EXPECT_EQ(b.error(), Errc::overloaded);
  core.run();
  EXPECT_FALSE(a.done());
}

TEST(BrokerPoll, HoldsThePageBudget) {
  BrokerLimits limits;
  limits.page_bytes_max = 3000;
  for (const bool from_store : {false, true}) {
    Core first(limits);
    const TopicId topic = first.create();
    first.publish(topic, R"({"filler":")" + std::string(2000, 'x') + R"("})");
    limits.tail_bytes_max = from_store ? 0 : limits.tail_bytes_max;
    Core second(limits, first.disk_);
    Core& core = from_store ? second : first;
    auto held = core.poll(from_oldest(topic));
    ASSERT_EQ(held.value()->count, 1u);
    EXPECT_EQ(core.poll(from_oldest(topic)).error(), Errc::overloaded) << "while the first page is held";
    held.place->reset();
    EXPECT_EQ(core.poll(from_oldest(topic)).value()->count, 1u);
  }
}

TEST(BrokerPoll, AllowsOnePageBeyondTheBudget) {
  BrokerLimits limits;
  limits.page_bytes_max = 10;
  Core core(limits);
  const TopicId topic = core.create();
  core.publish(topic, "{}");
  EXPECT_EQ(core.poll(from_oldest(topic)).value()->count, 1u);
}

TEST(BrokerPoll, SharesOneReadOfTheStoreAmongThoseWhoWantTheSame) {
  Core before;
  const TopicId topic = before.create();
  before.publish(topic, "{}");
  Core core({}, before.disk_);
  int reads = 0;
  core.store_.fault = [&](std::string_view operation) {
    reads += operation == "read" ? 1 : 0;
    return std::optional<Error>();
  };
  std::vector<PageOutcome> pages;
  for (int i = 0; i < 10; ++i) pages.push_back(core.start_poll(from_oldest(topic, 10s)));
  core.run();
  EXPECT_EQ(reads, 1);
  for (const auto& page : pages) EXPECT_EQ(page.value(), pages[0].value());
}

TEST(BrokerPoll, GivesWhatCameJustBeforeTheDeadline) {
  Core core;
  const TopicId topic = core.create();
  const auto page = core.start_poll(from_oldest(topic, 10s));
  core.start_publish(topic, "{}");
  core.store_executor_.run_all();  // durable, but the loop has not been told yet
  core.clock_.advance(11s);
  core.loop_a_.timers().advance(core.clock_.steady_now());
  ASSERT_TRUE(page.done());
  EXPECT_EQ(page.value()->count, 1u);
}

TEST(BrokerPoll, ServesTheTailAgainAfterARestart) {
  Core before;
  const TopicId topic = before.create();
  before.publish(topic, R"({"n":1})");
  Core core({}, before.disk_);
  EXPECT_EQ(core.poll(from_oldest(topic)).value()->count, 1u);
  core.store_.fault = [](std::string_view operation) {
    return operation == "read" ? std::optional(make_error(Errc::storage_failed)) : std::nullopt;
  };
  EXPECT_EQ(core.poll(from_oldest(topic)).value()->count, 1u) << "from memory";
}

TEST(BrokerPoll, PassesReadFailuresOn) {
  for (const Errc code : {Errc::storage_failed, Errc::data_corrupt, Errc::overloaded}) {
    Core before;
    const TopicId topic = before.create();
    before.publish(topic, "{}");
    Core core({}, before.disk_);
    core.store_.fault = [&](std::string_view operation) {
      return operation == "read" ? std::optional(make_error(code)) : std::nullopt;
    };
    EXPECT_EQ(core.poll(from_oldest(topic)).error(), code);
    EXPECT_EQ(core.broker_->polls_waiting(), 0u);
  }
}

// --- cursors

TEST(BrokerCursor, StrictRefusesWhatIsNotThereAndNamesTheOldest) {
  Core core;
  const TopicId topic = core.create();
  EXPECT_EQ(core.poll(after(topic, Offset{0})).error(), Errc::message_not_found);
  EXPECT_EQ(oldest_of(core.poll(after(topic, Offset{0}))), "");
  core.publish(topic, "{}");
  core.publish(topic, "{}");
  const auto beyond = core.poll(after(topic, Offset{2}));
  EXPECT_EQ(beyond.error(), Errc::message_not_found);
  EXPECT_EQ(oldest_of(beyond), "A0");
}

TEST(BrokerCursor, AcceptsTheNewestMessage) {
  Core core;
  const TopicId topic = core.create();
  core.publish(topic, "{}");
  EXPECT_EQ(core.poll(after(topic, Offset{0})).value()->count, 0u);
}

struct PolicyCase {
  const char* name;
  std::uint64_t cursor;  // of messages 0..3, of which 0 and 1 have expired
  CursorPolicy policy;
  std::optional<std::uint32_t> count;  // messages it gets; empty: refused
};

class CursorPolicyTest : public ::testing::TestWithParam<PolicyCase> {};

TEST_P(CursorPolicyTest, DecidesAboutExpiredCursors) {
  for (const bool restarted : {false, true}) {
    Core first;
    const TopicId topic = first.create("orders", "[]", 10s);
    first.publish(topic, "{}");
    first.publish(topic, "{}");
    first.advance(6s);
    first.publish(topic, "{}");
    first.publish(topic, "{}");
    first.advance(6s);
    Core second({}, first.disk_);
    second.clock_.advance(12s);
    Core& core = restarted ? second : first;
    Poll poll = after(topic, Offset{GetParam().cursor});
    poll.policy = GetParam().policy;
    const auto page = core.poll(poll);
    if (GetParam().count) {
      ASSERT_TRUE(page.result()) << "restarted " << restarted;
      EXPECT_EQ(page.value()->count, *GetParam().count);
    } else {
      ASSERT_EQ(page.error(), Errc::message_not_found);
      EXPECT_EQ(oldest_of(page), "A2");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, CursorPolicyTest,
                         ::testing::Values(PolicyCase{"StrictRefusesExpired", 1, CursorPolicy::strict, {}},
                                           PolicyCase{"StrictAcceptsLive", 2, CursorPolicy::strict, 1},
                                           PolicyCase{"LosslessAcceptsWhenNothingIsMissing", 1, CursorPolicy::lossless,
                                                      2},
                                           PolicyCase{"LosslessRefusesAGap", 0, CursorPolicy::lossless, {}},
                                           PolicyCase{"EarliestJumpsOverAGap", 0, CursorPolicy::earliest, 2},
                                           PolicyCase{"EarliestAcceptsLive", 3, CursorPolicy::earliest, 0},
                                           PolicyCase{"EarliestRefusesWhatNeverWas", 4, CursorPolicy::earliest, {}}),
                         [](const auto& row) { return row.param.name; });

TEST(BrokerCursor, LosslessWaitsBehindAnExpiredNewestMessage) {
  Core core;
  const TopicId topic = core.create("orders", "[]", 10s);
  core.publish(topic, "{}");
  core.advance(11s);
  Poll poll = after(topic, Offset{0}, 10s);
  EXPECT_EQ(core.poll(poll).error(), Errc::message_not_found);
  poll.policy = CursorPolicy::lossless;
  const auto page = core.poll(poll);
  EXPECT_FALSE(page.done());
  core.publish(topic, "{}");
  EXPECT_EQ(page.value()->count, 1u);
}

TEST(BrokerCursor, GivesNoMoreThanAskedForBehindAForgivenCursor) {
  for (const CursorPolicy policy : {CursorPolicy::earliest, CursorPolicy::lossless}) {
    Core core;
    const TopicId topic = core.create();
    core.publish(topic, "{}");
    Outcome<void> purged;
    core.topics_->purge(0, model::kDefaultWorkspace, topic, purged.callback());
    core.run();
    for (int i = 0; i < 10; ++i) core.publish(topic, "{}");
    Poll poll = after(topic, Offset{0});
    poll.policy = policy;
    poll.count_max = 5;
    EXPECT_EQ(core.poll(poll).value()->count, 5u);
  }
}

TEST(BrokerCursor, RefusesACursorOfBeforeThePurge) {
  Core core;
  const TopicId topic = core.create();
  core.publish(topic, "{}");
  Outcome<void> purged;
  core.topics_->purge(0, model::kDefaultWorkspace, topic, purged.callback());
  core.run();
  EXPECT_EQ(core.poll(after(topic, Offset{0})).error(), Errc::message_not_found);
  Poll lossless = after(topic, Offset{0});
  lossless.policy = CursorPolicy::lossless;
  EXPECT_EQ(core.poll(lossless).value()->count, 0u) << "nothing after it was lost";
}

// --- time

Poll since(TopicId topic, WallTime time, std::chrono::milliseconds timeout = 0ms) {
  Poll poll = from_oldest(topic, timeout);
  poll.start = SinceTime{time};
  return poll;
}

TEST(BrokerSince, GivesWhatCameStrictlyAfter) {
  for (const bool restarted : {false, true}) {
    Core first;
    const TopicId topic = first.create();
    std::vector<WallTime> times;
    for (int i = 0; i < 4; ++i) {
      times.push_back(first.clock_.wall_now());
      first.publish(topic, "{}");
      first.advance(10ms);
    }
    Core second({}, first.disk_);
    second.clock_.advance(1s);
    Core& core = restarted ? second : first;
    EXPECT_EQ(core.poll(since(topic, times[0] - 1ms)).value()->count, 4u);
    EXPECT_EQ(core.poll(since(topic, times[1])).value()->count, 2u);
    EXPECT_EQ(core.poll(since(topic, times[1] + 1ms)).value()->count, 2u);
    EXPECT_EQ(core.poll(since(topic, times[3])).value()->count, 0u);
    EXPECT_EQ(core.poll(since(topic, WallTime{})).value()->count, 4u);
  }
}

TEST(BrokerSince, WaitsForWhatComesFromNowOnWhenItLiesInTheFuture) {
  Core core;
  const TopicId topic = core.create();
  core.publish(topic, R"({"old":1})");
  const auto page = core.start_poll(since(topic, core.clock_.wall_now() + 24h, 10s));
  core.run();
  EXPECT_FALSE(page.done());
  core.publish(topic, R"({"new":1})");
  EXPECT_EQ(page.value()->count, 1u);
}

// --- retention

TEST(BrokerRetention, HidesExpiredMessagesExactly) {
  Core core;
  const TopicId topic = core.create("orders", "[]", 10s);
  core.publish(topic, "{}");
  core.advance(10s);
  EXPECT_EQ(core.poll(from_oldest(topic)).value()->count, 1u) << "exactly as old as the retention: still there";
  core.advance(1ms);
  EXPECT_EQ(core.poll(from_oldest(topic)).value()->count, 0u);
}

TEST(BrokerRetention, TakesAShorterRetentionAtOnce) {
  Core core;
  const TopicId topic = core.create("orders", "[]", 100s);
  core.publish(topic, "{}");
  core.advance(50s);
  TopicPatch patch;
  patch.retention = 10s;
  Outcome<TopicEntryPtr> updated;
  core.topics_->update(0, model::kDefaultWorkspace, topic, patch, updated.callback());
  core.run();
  EXPECT_EQ(core.poll(from_oldest(topic)).value()->count, 0u);
}

TEST(BrokerRetention, KeepsWhatHasExpiredHiddenWhenItIsLengthened) {
  Core core;
  const TopicId topic = core.create("orders", "[]", 10s);
  core.publish(topic, "{}");
  core.advance(8s);
  core.publish(topic, "{}");
  core.advance(4s);
  TopicPatch patch;
  patch.retention = 1000s;
  Outcome<TopicEntryPtr> updated;
  core.topics_->update(0, model::kDefaultWorkspace, topic, patch, updated.callback());
  core.run();
  EXPECT_EQ(core.poll(from_oldest(topic)).value()->count, 1u);
  core.advance(900s);
  EXPECT_EQ(core.poll(from_oldest(topic)).value()->count, 1u) << "kept for the new time";
  Core restarted({}, core.disk_, core.shared_clock_);
  EXPECT_EQ(restarted.poll(from_oldest(topic)).value()->count, 1u);
}

TEST(BrokerRetention, NeverGivesDecreasingTimes) {
  Core core;
  const TopicId topic = core.create();
  core.publish(topic, "{}");
  core.clock_.step_wall(-1h);
  const auto second = core.start_publish(topic, "{}");
  core.run();
  EXPECT_EQ(second.value().time, weir::test::FakeClock::kStart);
}

}  // namespace
}  // namespace weir::core::test
