#include <atomic>
#include <thread>

#include "unit/storage_rocksdb/store_harness.h"

namespace weir::storage_rocksdb::test {
namespace {

/// The commit thread and the rounds of the loops: what shares a commit, and that nothing is left without one.
class StoreRounds : public testing::Test, protected StoreHarness {
 protected:
  class Commits final : public storage::LogWatcher {
   public:
    void on_appended(TopicId, Offset, WallTime, std::span<std::string>) override {}
    void on_trimmed(TopicId, Offset, bool) override {}
    void on_commit_end() override { ++count; }
    std::atomic<int> count{0};
  };

  StoreRounds() {
    options_.commit_on_caller = false;
    options_.loops = 2;
    options_.round_wait_max = std::chrono::hours{1};
  }
  void SetUp() override {
    open();
    store_->set_watcher(&commits_);
    ASSERT_TRUE(store_->create_log(kTopic));
  }
  void TearDown() override { store_->close(); }  // it calls the watcher until then
  void set_up_again() {
    store_.reset();
    SetUp();
  }
  Completion<Appended> append_on(std::uint32_t loop, std::size_t bytes = 10) {
    Append append;
    append.topic = kTopic;
    append.payloads.emplace_back(bytes, 'x');
    append.loop = loop;
    Completion<Appended> end;
    store_->append(std::move(append), end.callback());
    return end;
  }
  static double seconds_since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  /// Of all appends so far.
  int commits() {
    store_->close();
    return commits_.count;
  }
  Commits commits_;
};

TEST_F(StoreRounds, WhatTheLoopsTakeInTogetherSharesACommit) {
  std::vector<Completion<Appended>> all;
  for (int i = 0; i < 5; ++i) all.push_back(append_on(0));
  all.push_back(append_on(1));
  store_->end_round(0);
  for (int i = 0; i < 5; ++i) all.push_back(append_on(1));
  store_->end_round(1);
  for (const auto& append : all) EXPECT_TRUE(append.wait());
  EXPECT_EQ(commits(), 1);
}

TEST_F(StoreRounds, ALoopThatHasEndedARoundHoldsNobodyUpAgain) {
  auto first = append_on(0);
  auto other = append_on(1);
  store_->end_round(0);
  auto again = append_on(0);  // its second round, that does not end
  store_->end_round(1);
  EXPECT_TRUE(first.wait());
  EXPECT_TRUE(other.wait());
  EXPECT_TRUE(again.wait());
  EXPECT_EQ(commits(), 1);
}

TEST_F(StoreRounds, ALoopThatWasAnsweredEndsItsRoundBeforeTheNextCommit) {
  auto first = append_on(0);
  store_->end_round(0);
  EXPECT_TRUE(first.wait());
  auto other = append_on(1);
  store_->end_round(1);
  auto next = append_on(0);  // what the answer made its client send
  store_->end_round(0);
  EXPECT_TRUE(other.wait());
  EXPECT_TRUE(next.wait());
  EXPECT_EQ(commits(), 2);
}

TEST_F(StoreRounds, ARefusedAppendCountsAsAnAnswerToo) {
  Append empty;
  empty.topic = kTopic;
  empty.loop = 0;
  Completion<Appended> refused;
  store_->append(std::move(empty), refused.callback());
  store_->end_round(0);
  WEIR_EXPECT_REFUSED(refused.wait(), Errc::bad_request);
  store_->end_round(0);
  auto next = append_on(1);
  store_->end_round(1);
  EXPECT_TRUE(next.wait());
}

TEST_F(StoreRounds, AppendsOfOtherThreadsDoNotWait) {
  auto waiting = append_on(0);
  auto other = append_on(storage::kNoLoop);
  EXPECT_TRUE(other.wait());
  EXPECT_TRUE(waiting.wait()) << "it went along";
  auto unknown = append_on(2);
  EXPECT_TRUE(unknown.wait());
}

TEST_F(StoreRounds, ChangesOfALogDoNotWait) {
  auto waiting = append_on(0);
  Completion<void> purged;
  store_->purge(kTopic, purged.callback());
  EXPECT_TRUE(purged.wait());
  EXPECT_TRUE(waiting.wait());
  EXPECT_TRUE(store_->create_log(TopicId{2})) << "nor do the blocking calls";
}

TEST_F(StoreRounds, EnoughForACommitDoesNotWait) {
  options_.commit_bytes_max = 10'000;
  set_up_again();
  auto first = append_on(0, 6000);
  auto second = append_on(0, 6000);
  EXPECT_TRUE(first.wait());
  EXPECT_TRUE(second.wait());
}

TEST_F(StoreRounds, ALoopThatNeverEndsItsRoundDelaysOnly) {
  options_.round_wait_max = milliseconds{1};
  set_up_again();
  auto first = append_on(0);
  EXPECT_TRUE(first.wait());
  auto other = append_on(1);
  store_->end_round(1);  // loop 0 was answered and has quit
  EXPECT_TRUE(other.wait());
}

TEST_F(StoreRounds, ALoopInALongRoundDelaysTheOthersOnce) {
  constexpr int kTimes = 20;
  options_.round_wait_max = milliseconds{250};
  options_.durability = Durability::os;
  set_up_again();
  EXPECT_TRUE(append_on(0).wait()) << "late from here on";
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kTimes; ++i) {
    auto slow = append_on(0);
    auto other = append_on(1);
    store_->end_round(1);
    EXPECT_TRUE(other.wait());
    EXPECT_TRUE(slow.wait());
    store_->end_round(1);  // the one that was answered
  }
  EXPECT_LT(seconds_since(begin), kTimes * 0.25 / 2) << "it was waited for again and again";
}

TEST_F(StoreRounds, ALoopThatWasLateCountsAgainOnceItsRoundHasEnded) {
  options_.round_wait_max = milliseconds{250};
  set_up_again();
  bool shared = false;
  for (int i = 0; i < 20 && !shared; ++i) {  // a machine that stalls may make it late once more
    EXPECT_TRUE(append_on(0).wait());
    store_->end_round(0);
    EXPECT_TRUE(append_on(storage::kNoLoop).wait());  // a batch later
    // A blocking call comes after the commit before it, and all that it tells the watcher.
    EXPECT_TRUE(store_->create_log(TopicId{100u + static_cast<unsigned>(i)}));
    const int before = commits_.count;
    auto first = append_on(0);
    auto other = append_on(1);
    store_->end_round(1);
    auto second = append_on(0);
    store_->end_round(0);
    EXPECT_TRUE(first.wait());
    EXPECT_TRUE(other.wait());
    EXPECT_TRUE(second.wait());
    EXPECT_TRUE(store_->create_log(TopicId{200u + static_cast<unsigned>(i)}));
    shared = commits_.count == before + 1;
    store_->end_round(0);
    store_->end_round(1);
  }
  EXPECT_TRUE(shared);
}

TEST_F(StoreRounds, ALongRoundDelaysNoLongerWhenTheThreadHadNothingToDo) {
  constexpr int kTimes = 5;
  options_.round_wait_max = milliseconds{1};
  set_up_again();
  double waited = 0;
  for (int i = 0; i < kTimes; ++i) {
    EXPECT_TRUE(append_on(storage::kNoLoop).wait());  // after which no round is awaited
    EXPECT_TRUE(store_->create_log(TopicId{100u + static_cast<unsigned>(i)}));
    const auto begin = std::chrono::steady_clock::now();
    auto slow = append_on(0);
    auto other = append_on(1);
    store_->end_round(1);
    EXPECT_TRUE(other.wait());
    EXPECT_TRUE(slow.wait());
    waited += seconds_since(begin);
    store_->end_round(0);
    store_->end_round(1);
  }
  EXPECT_LT(waited, kTimes * 0.5);
}

TEST_F(StoreRounds, AQueueThatIsHalfFullDoesNotWait) {
  options_.queue_appends_max = 10;
  set_up_again();
  std::vector<Completion<Appended>> all;
  for (int i = 0; i < 5; ++i) all.push_back(append_on(0));
  for (const auto& append : all) EXPECT_TRUE(append.wait());
  options_.queue_appends_max = 1000;
  options_.queue_bytes_max = 10'000;
  options_.data_dir = folder_.path() / "bytes";
  set_up_again();
  EXPECT_TRUE(append_on(0, 6000).wait());
}

TEST_F(StoreRounds, NothingIsRefusedForLongBecauseARoundIsAwaited) {
  options_.queue_bytes_max = 10'000;
  set_up_again();
  auto small = append_on(0, 3000);
  WEIR_EXPECT_REFUSED(append_on(0, 9000).wait(), Errc::overloaded);
  EXPECT_TRUE(small.wait());
  EXPECT_TRUE(append_on(0, 9000).wait());
}

TEST_F(StoreRounds, ClosingCommitsWhatWaits) {
  auto first = append_on(0);
  auto second = append_on(1);
  store_->close();
  EXPECT_TRUE(first.wait());
  EXPECT_TRUE(second.wait());
  WEIR_EXPECT_REFUSED(append_on(0).wait(), Errc::shutting_down);
  store_->end_round(0);
}

TEST_F(StoreRounds, NothingIsLeftWhileLoopsAndOthersRace) {
  constexpr int kAppends = 2000;
  std::atomic<int> stored{0};
  const auto publish = [&](std::uint32_t loop, int round) {
    for (int i = 0; i < kAppends; ++i) {
      Append append;
      append.topic = kTopic;
      append.payloads.emplace_back("x");
      append.loop = loop;
      store_->append(std::move(append), [&stored](Result<Appended> result) { stored += result ? 1 : 0; });
      if (i % round == round - 1) store_->end_round(loop);
    }
    store_->end_round(loop);
  };
  std::thread first(publish, 0, 7);
  std::thread second(publish, 1, 3);
  std::thread other(publish, storage::kNoLoop, 5);
  first.join();
  second.join();
  other.join();
  // As loops do: the round that runs the answers ends too.
  while (stored < 3 * kAppends) {
    store_->end_round(0);
    store_->end_round(1);
    std::this_thread::yield();
  }
  EXPECT_EQ(read().size(), 3u * kAppends);
}

}  // namespace
}  // namespace weir::storage_rocksdb::test
