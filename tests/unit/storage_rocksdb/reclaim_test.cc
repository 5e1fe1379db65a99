#include <chrono>
#include <thread>

#include "unit/storage_rocksdb/store_harness.h"

namespace weir::storage_rocksdb::test {
namespace {

class Reclaim : public testing::Test, protected StoreHarness {
 protected:
  /// Payloads that do not compress.
  static std::string noise(std::uint64_t seed, std::size_t size) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) {
      seed = seed * 6364136223846793005u + 1442695040888963407u;
      byte = static_cast<char>(seed >> 56);
    }
    return bytes;
  }
  void publish(TopicId topic, std::uint64_t messages) {
    for (std::uint64_t sent = 0; sent < messages; sent += 100) {
      std::vector<std::string> payloads;
      for (std::uint64_t i = 0; i < 100; ++i) payloads.push_back(noise(sent + i, 1000));
      ASSERT_TRUE(append(topic, std::move(payloads)));
    }
  }
  /// Reclaiming is background work: waits until the disk holds less than `bytes`.
  bool shrinks_below(std::uint64_t bytes) {
    const auto deadline = std::chrono::steady_clock::now() + weir::test::kPatience;
    while (store_->disk_bytes() >= bytes) {
      if (std::chrono::steady_clock::now() >= deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }
};

TEST_F(Reclaim, TheFilesOfAnExpiredTopicShrink) {
  options_.memtable_bytes = 4 << 20;
  open();
  const TopicId kept{2};
  ASSERT_TRUE(store_->create_log(kTopic));
  ASSERT_TRUE(store_->create_log(kept));
  ASSERT_TRUE(append(kept, {"kept"}));
  publish(kTopic, 20'000);
  ASSERT_TRUE(store_->flush_and_compact());
  const std::uint64_t full = store_->disk_bytes();
  EXPECT_GT(full, 19u << 20);
  ASSERT_TRUE(trim(kTopic, 20'000));
  EXPECT_TRUE(shrinks_below(full / 10)) << "of " << full << " bytes " << store_->disk_bytes() << " are left";
  EXPECT_EQ(read(kept), (std::vector<std::string>{"kept"}));
  EXPECT_TRUE(read(kTopic, 20'000).empty());
  EXPECT_EQ(value_of(append(kTopic, {"next"}).value().first), 20'000u);
  reopen();
  EXPECT_EQ(read(kTopic, 20'000), (std::vector<std::string>{"next"}));
}

TEST_F(Reclaim, WhatIsRetainedStaysWhenTheRestIsReclaimed) {
  options_.memtable_bytes = 1 << 20;
  open();
  ASSERT_TRUE(store_->create_log(kTopic));
  publish(kTopic, 5000);
  ASSERT_TRUE(store_->flush_and_compact());
  ASSERT_TRUE(trim(kTopic, 4500));
  ASSERT_TRUE(shrinks_below(2 << 20));
  const auto left = read(kTopic, 4500);
  ASSERT_EQ(left.size(), 500u);
  for (std::uint64_t i = 0; i < 500; ++i) EXPECT_EQ(left[i], noise(4500 + i, 1000));
}

// Files are dropped whole, with the range deletes in them: nothing that an earlier trim removed may come back.
TEST_F(Reclaim, TrimsInStepsLeaveNothingBehind) {
  options_.memtable_bytes = 256 << 10;
  open();
  ASSERT_TRUE(store_->create_log(kTopic));
  for (std::uint64_t round = 1; round <= 20; ++round) {
    publish(kTopic, 500);
    ASSERT_TRUE(trim(kTopic, 500 * round - 250));
    if (round % 5 == 0) reopen();
  }
  ASSERT_TRUE(trim(kTopic, 9990));
  EXPECT_TRUE(shrinks_below(2 << 20)) << store_->disk_bytes();
  EXPECT_EQ(read(kTopic, 9990).size(), 10u);
  Completion<void> end;
  store_->drop_log(kTopic, end.callback());
  ASSERT_TRUE(wait(end));
  reopen();
  ASSERT_TRUE(store_->flush_and_compact());
  EXPECT_LT(store_->disk_bytes(), 20'000u);
}

TEST_F(Reclaim, ADroppedTopicGivesItsSpaceBack) {
  open();
  ASSERT_TRUE(store_->create_log(kTopic));
  publish(kTopic, 3000);
  ASSERT_TRUE(store_->flush_and_compact());
  Completion<void> end;
  store_->drop_log(kTopic, end.callback());
  ASSERT_TRUE(wait(end));
  EXPECT_TRUE(shrinks_below(1 << 20));
}

TEST_F(Reclaim, ExpiredClaimsLeaveTheDisk) {
  open();
  ASSERT_TRUE(store_->create_log(kTopic));
  for (std::uint64_t i = 0; i < 2000; ++i) {
    Append append;
    append.topic = kTopic;
    Claim claim;
    claim.key.fill(static_cast<std::uint8_t>(i));
    claim.key[0] = static_cast<std::uint8_t>(i >> 8);
    claim.memo = noise(i, 500);
    append.claim = std::make_unique<Claim>(claim);
    store_->append(std::move(append), [](Result<Appended> result) { EXPECT_TRUE(result); });
  }
  store_->commit_pending();
  ASSERT_TRUE(store_->flush_and_compact());
  const std::uint64_t full = store_->disk_bytes();
  EXPECT_GT(full, 1'000'000u);
  clock_.advance(options_.claim_window);
  ASSERT_TRUE(store_->flush_and_compact());
  EXPECT_LT(store_->disk_bytes(), full / 10);
}

TEST_F(Reclaim, TenThousandTopicsOpen) {
  options_.memtable_bytes = 4 << 20;
  open();
  std::vector<Completion<Appended>> last;
  for (std::uint64_t t = 1; t <= 10'000; ++t) {
    ASSERT_TRUE(store_->create_log(TopicId{t}));
    last = {start_append(TopicId{t}, {std::string(200, 'x'), "b", "c"})};
  }
  ASSERT_TRUE(wait(last.front()));
  for (std::uint64_t t = 1; t <= 10'000; t += 2) {
    store_->trim(TopicId{t}, Offset{3}, [](Result<void> result) { EXPECT_TRUE(result); });
  }
  store_->commit_pending();
  store_.reset();
  const auto started = std::chrono::steady_clock::now();
  open();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  RecordProperty("open_seconds", std::to_string(took.count()));
  std::printf("opened 10,000 topics in %.3f s\n", took.count());
  const auto logs = store_->logs();
  ASSERT_TRUE(logs);
  ASSERT_EQ(logs.value().size(), 10'000u);
  for (const auto& log : logs.value()) {
    EXPECT_EQ(value_of(log.log_end), 3u);
    EXPECT_EQ(value_of(log.log_start), value_of(log.topic) % 2 == 1 ? 3u : 0u);
  }
}

}  // namespace
}  // namespace weir::storage_rocksdb::test
