#include <atomic>
#include <thread>

#include "unit/storage_rocksdb/store_harness.h"

namespace weir::storage_rocksdb::test {
namespace {

/// Queues, commits and their bounds.
class StoreLimits : public testing::Test, protected StoreHarness {
 protected:
  class Commits final : public storage::LogWatcher {
   public:
    void on_appended(TopicId, Offset, WallTime, std::span<std::string>) override {}
    void on_trimmed(TopicId, Offset, bool) override {}
    void on_commit_end() override { ++count; }
    int count = 0;
  };
  void start() {
    open();
    store_->set_watcher(&commits_);
    ASSERT_TRUE(store_->create_log(kTopic));
  }
  Commits commits_;
};

TEST_F(StoreLimits, AFullQueueOfAppendsRefuses) {
  options_.queue_appends_max = 3;
  start();
  std::vector<Completion<Appended>> taken;
  for (int i = 0; i < 3; ++i) taken.push_back(start_append(kTopic, {"a"}));
  auto refused = start_append(kTopic, {"over"});
  ASSERT_TRUE(refused.ready());
  WEIR_EXPECT_REFUSED(refused.wait(), Errc::overloaded);
  Completion<void> purged;
  store_->purge(kTopic, purged.callback());
  EXPECT_FALSE(purged.ready()) << "changes of a whole log are few: they wait";
  store_->commit_pending();
  for (auto& append : taken) EXPECT_TRUE(append.wait());
  EXPECT_TRUE(purged.wait());
  EXPECT_EQ(value_of(append("again").value().first), 3u) << "the refused one took no offset";
}

TEST_F(StoreLimits, AFullQueueOfBytesRefusesButOneAppendAlwaysFits) {
  options_.queue_bytes_max = 10'000;
  start();
  auto large = start_append(kTopic, {std::string(50'000, 'x')});
  auto refused = start_append(kTopic, {"small"});
  WEIR_EXPECT_REFUSED(wait(refused), Errc::overloaded);
  EXPECT_TRUE(wait(large));
  auto first = start_append(kTopic, {std::string(5000, 'x')});
  auto second = start_append(kTopic, {std::string(5000, 'x')});
  WEIR_EXPECT_REFUSED(wait(second), Errc::overloaded);
  EXPECT_TRUE(wait(first));
  EXPECT_TRUE(append("small"));
}

TEST_F(StoreLimits, WhatIsQueuedBecomesOneCommit) {
  start();
  std::vector<Completion<Appended>> all;
  for (int i = 0; i < 500; ++i) all.push_back(start_append(kTopic, {"a"}));
  EXPECT_TRUE(store_->commit_pending());
  EXPECT_EQ(commits_.count, 1);
  for (const auto& append : all) EXPECT_TRUE(append.ready());
  EXPECT_FALSE(store_->commit_pending());
  EXPECT_EQ(commits_.count, 1);
}

TEST_F(StoreLimits, ACommitIsCutAtItsBytes) {
  options_.commit_bytes_max = 10'000;
  start();
  for (int i = 0; i < 10; ++i) start_append(kTopic, {std::string(4500, 'x')});
  EXPECT_TRUE(store_->commit_pending());
  EXPECT_EQ(commits_.count, 5);
  EXPECT_EQ(read().size(), 10u);
}

TEST_F(StoreLimits, TheCallerIsWokenOnceForEachFillingOfTheQueue) {
  start();
  int woken = 0;
  store_->set_commit_wakeup([&] { ++woken; });
  for (int i = 0; i < 10; ++i) start_append(kTopic, {"a"});
  EXPECT_EQ(woken, 1);
  store_->commit_pending();
  start_append(kTopic, {"a"});
  EXPECT_EQ(woken, 2);
  store_->commit_pending();
}

TEST_F(StoreLimits, AFullQueueOfReadsRefuses) {
  options_.reader_threads = 1;
  options_.reader_queue_max = 2;
  start();
  ASSERT_TRUE(append("a"));
  // The first read keeps the only reader busy until the others have been asked for.
  std::atomic<bool> go{false};
  std::atomic<bool> busy{false};
  store_->read(Read{kTopic, Offset{}, {}, 1, 1}, [&](Result<MessageBatch>) {
    busy = true;
    while (!go) std::this_thread::yield();
  });
  while (!busy) std::this_thread::yield();
  std::vector<Completion<MessageBatch>> reads;
  for (int i = 0; i < 3; ++i) {
    reads.emplace_back();
    store_->read(Read{kTopic, Offset{}, {}, 1, 1}, reads.back().callback());
  }
  ASSERT_TRUE(reads[2].ready());
  WEIR_EXPECT_REFUSED(reads[2].wait(), Errc::overloaded);
  go = true;
  EXPECT_TRUE(reads[0].wait());
  EXPECT_TRUE(reads[1].wait());
}

TEST_F(StoreLimits, BlockingWritesGetTheirTurnWhileAppendsNeverStop) {
  options_.commit_on_caller = false;
  start();
  // Each completion starts the next append, so the commit thread always finds work.
  std::atomic<bool> stop{false};
  std::atomic<int> running{0};
  std::function<void()> next = [&] {
    Append append;
    append.topic = kTopic;
    append.payloads.emplace_back("x");
    store_->append(std::move(append), [&](Result<Appended> result) {
      EXPECT_TRUE(result);
      if (stop) {
        --running;
      } else {
        next();
      }
    });
  };
  for (; running < 8;) {
    ++running;
    next();
  }
  for (std::uint64_t t = 2; t < 50; ++t) {
    EXPECT_TRUE(store_->create_log(TopicId{t}));
    EXPECT_TRUE(store_->write({{storage::Table::topics, std::to_string(t), "v"}}));
  }
  stop = true;
  while (running > 0) std::this_thread::yield();
  EXPECT_EQ(store_->list(storage::Table::topics, "").value().size(), 48u);
}

// Reads, trims and appends at once: a reader never meets a gap that is not explained by a later log start.
TEST_F(StoreLimits, ReadersOfATopicThatIsTrimmedMeetNoGap) {
  options_.commit_on_caller = false;
  options_.memtable_bytes = 256 << 10;
  start();
  constexpr std::uint64_t kMessages = 4000;
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      std::uint64_t from = 0;
      while (!stop) {
        const auto batch = try_read(kTopic, from);
        ASSERT_TRUE(batch) << batch.error().detail;
        std::uint64_t next = 0;
        for (const auto& message : batch.value().messages) {
          if (next != 0) {
            ASSERT_EQ(value_of(message.offset), next);
          }
          next = value_of(message.offset) + 1;
        }
        Completion<LogStats> stats;
        store_->stats(kTopic, WallTime{}, stats.callback());
        const auto counted = stats.wait();
        ASSERT_TRUE(counted) << counted.error().detail;
        ASSERT_EQ(counted.value().retained_bytes, counted.value().retained_messages * 500);
      }
    });
  }
  for (std::uint64_t i = 0; i < kMessages; i += 20) {
    std::vector<std::string> payloads(20, std::string(500, 'x'));
    ASSERT_TRUE(append(kTopic, std::move(payloads)));
    if (i % 60 == 0) {
      ASSERT_TRUE(trim(kTopic, i > 100 ? i - 100 : 0));
    }
  }
  stop = true;
  for (auto& reader : readers) reader.join();
}

}  // namespace
}  // namespace weir::storage_rocksdb::test
