#include <random>
#include <set>
#include <thread>

#include "unit/storage_rocksdb/store_harness.h"

// RocksDB 7.8 loses the new memtable when its own recovery from a full disk cannot note the logs in the manifest
// (track_and_verify_wals_in_manifest; a few KiB a failed attempt). Nothing of ours is allocated below that function.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
  return "leak:rocksdb::DBImpl::SwitchMemtable\n";
}

namespace weir::storage_rocksdb::test {
namespace {

using Call = FaultFileSystem::Call;
using Fault = FaultFileSystem::Fault;

/// What readers were told, as the core sees it.
class Told final : public storage::LogWatcher {
 public:
  void on_appended(TopicId topic, Offset first, WallTime, std::span<std::string> payloads) override {
    auto& log = logs[topic];
    EXPECT_EQ(value_of(first), log.size());
    log.insert(log.end(), payloads.begin(), payloads.end());
  }
  void on_trimmed(TopicId, Offset, bool) override { ++trims; }
  void on_commit_end() override {}
  std::map<TopicId, std::vector<std::string>> logs;
  int trims = 0;
};

class StoreFault : public testing::Test, protected StoreHarness {
 protected:
  void SetUp() override {
    open();
    store_->set_watcher(&told_);
    ASSERT_TRUE(store_->create_log(kTopic));
  }
  Told told_;
};

TEST_F(StoreFault, AFailedSyncEndsAllWritingUntilARestart) {
  ASSERT_TRUE(append("kept"));
  file_system_->fail(Call::sync, Fault::io_error, 1, ".log", 1);
  WEIR_EXPECT_REFUSED(append("unknown"), Errc::storage_failed);
  // The disk works again, and still nothing may be acknowledged: what the kernel dropped cannot be known.
  WEIR_EXPECT_REFUSED(append("later"), Errc::storage_failed);
  WEIR_EXPECT_REFUSED(trim(kTopic, 1), Errc::storage_failed);
  WEIR_EXPECT_REFUSED(store_->create_log(TopicId{2}), Errc::storage_failed);
  WEIR_EXPECT_REFUSED(store_->write({{storage::Table::meta, "k", "v"}}), Errc::storage_failed);
  EXPECT_EQ(store_->health().state, Health::State::failed);
  EXPECT_FALSE(store_->health().reason.empty());
  EXPECT_EQ(read(), (std::vector<std::string>{"kept"}));
  EXPECT_EQ(told_.logs[kTopic], (std::vector<std::string>{"kept"}));

  reopen();
  EXPECT_EQ(store_->health().state, Health::State::ok);
  ASSERT_TRUE(append("after"));
  const auto all = read();
  ASSERT_GE(all.size(), 2u);
  EXPECT_EQ(all.front(), "kept");
  EXPECT_EQ(all.back(), "after");
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).count("later"), 0u);
}

TEST_F(StoreFault, AFailedWriteEndsAllWritingUntilARestart) {
  ASSERT_TRUE(append("kept"));
  file_system_->fail(Call::append, Fault::io_error, 1, ".log", 1);
  WEIR_EXPECT_REFUSED(append("unknown"), Errc::storage_failed);
  WEIR_EXPECT_REFUSED(append("later"), Errc::storage_failed);
  EXPECT_EQ(store_->health().state, Health::State::failed);
  EXPECT_EQ(read(), (std::vector<std::string>{"kept"}));
  reopen();
  EXPECT_EQ(read().front(), "kept");
}

TEST_F(StoreFault, ASyncThatFindsNoSpaceIsAFailedSync) {
  file_system_->fail(Call::sync, Fault::no_space, 1, ".log", 1);
  WEIR_EXPECT_REFUSED(append("unknown"), Errc::storage_failed);
  clock_.advance(milliseconds{5000});
  WEIR_EXPECT_REFUSED(append("later"), Errc::storage_failed);
}

TEST_F(StoreFault, AFullDiskRefusesAndRecoversWithoutARestart) {
  for (int cycle = 0; cycle < 5; ++cycle) {
    const std::string kept = "kept" + std::to_string(cycle);
    ASSERT_TRUE(append(kept));
    file_system_->fail(Call::append, Fault::no_space, 1, "", std::numeric_limits<std::uint64_t>::max(),
                       static_cast<std::size_t>(cycle) * 10);
    for (int i = 0; i < 3; ++i) {
      WEIR_EXPECT_REFUSED(append("refused"), Errc::storage_full);
      clock_.advance(milliseconds{600});
      EXPECT_EQ(store_->health().state, Health::State::full);
      EXPECT_EQ(read().back(), kept) << "reading goes on";
    }
    WEIR_EXPECT_REFUSED(store_->write({{storage::Table::meta, "k", "v"}}), Errc::storage_full);
    file_system_->heal();
    clock_.advance(milliseconds{1000});
    const auto again = append("again" + std::to_string(cycle));
    ASSERT_TRUE(again) << again.error().detail;
    EXPECT_EQ(store_->health().state, Health::State::ok);
    ASSERT_TRUE(store_->write({{storage::Table::meta, "k", "v"}}));
  }
  const auto all = read();
  EXPECT_EQ(all.size(), 10u);
  EXPECT_EQ(told_.logs[kTopic], all) << "readers were told of each message once";
  reopen();
  EXPECT_EQ(read(), all);
}

// A log grows ahead of its writes. Where that finds no space the writes themselves may still find some, or none.
TEST_F(StoreFault, ALogThatCannotGrowAheadLosesNothing) {
  std::vector<std::string> sent;
  const auto expect_append = [&](const std::string& payload) {
    const auto end = append(payload);
    ASSERT_TRUE(end) << end.error().detail;
    sent.push_back(payload);
  };
  reopen();
  file_system_->fail(Call::allocate, Fault::no_space);
  for (int i = 0; i < 5; ++i) expect_append(std::to_string(i) + std::string(1000, 'p'));
  EXPECT_GE(file_system_->failed_calls(), 1u);
  EXPECT_LT(std::filesystem::file_size(files_ending(".log").back()), 10'000u) << "the writes alone made it grow";
  reopen();
  EXPECT_EQ(read(), sent);

  for (const std::size_t kept : {0, 5, 900}) {
    expect_append("fits");
    file_system_->fail(Call::append, Fault::no_space, 1, ".log", 1, kept);
    WEIR_EXPECT_REFUSED(append(std::string(1000, 'q')), Errc::storage_full);
    clock_.advance(milliseconds{1000});
    expect_append("there is space again");
    reopen();
    EXPECT_EQ(read(), sent) << kept;
  }
  file_system_->heal();
  expect_append("last");
  reopen();
  EXPECT_EQ(read(), sent);
}

TEST_F(StoreFault, AFullDiskIsTriedAgainWhenSomebodyAsksForTheHealth) {
  file_system_->fail(Call::append, Fault::no_space, 1, ".log", 1);
  WEIR_EXPECT_REFUSED(append("refused"), Errc::storage_full);
  bool woken = false;
  store_->set_commit_wakeup([&] { woken = true; });
  EXPECT_EQ(store_->health().state, Health::State::full);
  EXPECT_TRUE(woken);
  store_->commit_pending();
  EXPECT_EQ(store_->health().state, Health::State::ok);
  EXPECT_TRUE(append("a"));
}

// The whole record is in the log and the call failed all the same: readers must learn of it before anything behind it.
// The engine may also throw that log away first, when its own recovery comes before ours; both are right.
TEST_F(StoreFault, WhatAFailedCommitStoredAfterAllIsSeenOnce) {
  ASSERT_TRUE(append("first"));
  file_system_->fail(Call::append, Fault::no_space, 1, ".log", 1, 1 << 20);
  auto a = start_append(kTopic, {"a", "b"});
  auto b = start_append(kTopic, {"c"});
  WEIR_EXPECT_REFUSED(wait(a), Errc::storage_full);
  WEIR_EXPECT_REFUSED(wait(b), Errc::storage_full);
  const auto last = append("last");
  ASSERT_TRUE(last);
  std::vector<std::string> expected = {"first", "a", "b", "c", "last"};
  if (value_of(last.value().first) == 1) expected = {"first", "last"};
  EXPECT_EQ(value_of(last.value().first) + 1, expected.size());
  EXPECT_EQ(read(), expected);
  EXPECT_EQ(told_.logs[kTopic], expected);
  reopen();
  EXPECT_EQ(read(), expected);
}

TEST_F(StoreFault, LittleFreeSpaceRefusesMessagesAndRecoversByItself) {
  ASSERT_TRUE(append("a"));
  file_system_->set_free_bytes(options_.free_bytes_min - 1);
  clock_.advance(milliseconds{100});
  WEIR_EXPECT_REFUSED(append("refused"), Errc::storage_full);
  EXPECT_EQ(store_->health().state, Health::State::full);
  EXPECT_TRUE(trim(kTopic, 1)) << "what gives space back goes on";
  EXPECT_TRUE(store_->write({{storage::Table::meta, "k", "v"}}));
  file_system_->set_free_bytes(options_.free_bytes_min);
  clock_.advance(milliseconds{100});
  bool woken = false;
  store_->set_commit_wakeup([&] { woken = true; });
  store_->health();
  EXPECT_TRUE(woken) << "asking has the committing thread look";
  store_->commit_pending();
  EXPECT_EQ(store_->health().state, Health::State::ok);
  EXPECT_EQ(value_of(append("b").value().first), 1u) << "the refused append took no offset";
}

// Full and, after the first attempts to free something, still low: only that lets what frees the disk through.
TEST_F(StoreFault, WhatFreesAFullDiskGoesOnWhileSpaceIsLow) {
  const TopicId other{2};
  ASSERT_TRUE(store_->create_log(other));
  ASSERT_TRUE(append("a"));
  ASSERT_TRUE(append(other, {"b"}));
  file_system_->fail(Call::append, Fault::no_space, 1, "");
  WEIR_EXPECT_REFUSED(append("refused"), Errc::storage_full);
  file_system_->heal();
  file_system_->set_free_bytes(options_.free_bytes_min - 1);
  clock_.advance(milliseconds{1000});
  Completion<void> purged;
  store_->purge(kTopic, purged.callback());
  const auto purge = wait(purged);
  EXPECT_TRUE(purge) << purge.error().detail;
  WEIR_EXPECT_REFUSED(append("refused"), Errc::storage_full);
  EXPECT_EQ(store_->health().state, Health::State::full);
  EXPECT_TRUE(trim(other, 1));
  EXPECT_TRUE(store_->write({{storage::Table::meta, "k", "v"}}));
  Completion<void> dropped;
  store_->drop_log(other, dropped.callback());
  EXPECT_TRUE(wait(dropped));
  file_system_->set_free_bytes(options_.free_bytes_min);
  clock_.advance(milliseconds{100});
  EXPECT_EQ(value_of(append("b").value().first), 1u);
  EXPECT_EQ(told_.logs[kTopic], (std::vector<std::string>{"a", "b"}));
}

/// As a server runs: with a committing thread.
class StoreFaultThread : public testing::Test, protected StoreHarness {
 protected:
  void SetUp() override {
    options_.commit_on_caller = false;
    open();
    ASSERT_TRUE(store_->create_log(kTopic));
    ASSERT_TRUE(append("a"));
  }
};

TEST_F(StoreFaultThread, AKeyedWriteReopensAFullStoreItselfAlsoWhileSpaceIsLow) {
  file_system_->fail(Call::append, Fault::no_space, 1, "");
  WEIR_EXPECT_REFUSED(store_->write({{storage::Table::meta, "k", "1"}}), Errc::storage_full);
  file_system_->set_free_bytes(options_.free_bytes_min - 1);
  clock_.advance(milliseconds{1000});
  WEIR_EXPECT_REFUSED(store_->write({{storage::Table::meta, "k", "2"}}), Errc::storage_full);
  file_system_->heal();
  WEIR_EXPECT_REFUSED(store_->write({{storage::Table::meta, "k", "3"}}), Errc::storage_full);  // once a second
  clock_.advance(milliseconds{1000});
  const auto written = store_->write({{storage::Table::meta, "k", "4"}});
  EXPECT_TRUE(written) << written.error().detail;
  WEIR_EXPECT_REFUSED(append("b"), Errc::storage_full);
}

TEST_F(StoreFaultThread, ADiskThatDoesNotAnswerDoesNotHoldUpTheHealth) {
  file_system_->hold_free_space(true);
  clock_.advance(milliseconds{100});
  auto waits = start_append(kTopic, {"b"});
  while (!file_system_->free_space_is_asked()) std::this_thread::yield();
  EXPECT_EQ(store_->health().state, Health::State::ok) << "the answer is the last one that was found";
  EXPECT_FALSE(waits.ready());
  file_system_->hold_free_space(false);
  EXPECT_TRUE(wait(waits));
}

TEST_F(StoreFaultThread, ReadinessComesBackWithoutPublishes) {
  file_system_->set_free_bytes(options_.free_bytes_min - 1);
  clock_.advance(milliseconds{100});
  WEIR_EXPECT_REFUSED(append("b"), Errc::storage_full);
  EXPECT_EQ(store_->health().state, Health::State::full);
  file_system_->set_free_bytes(options_.free_bytes_min);
  clock_.advance(milliseconds{100});
  const auto deadline = std::chrono::steady_clock::now() + weir::test::kPatience;
  while (store_->health().state != Health::State::ok) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::yield();
  }
}

TEST_F(StoreFault, TheHealthKnowsOfLittleSpaceFromTheStart) {
  file_system_->set_free_bytes(options_.free_bytes_min - 1);
  reopen();
  EXPECT_EQ(store_->health().state, Health::State::full);
}

TEST_F(StoreFault, EveryFailingCallLeavesAStoreThatKeepsWhatItAcknowledged) {
  for (const Fault fault : {Fault::io_error, Fault::no_space}) {
    for (const Call call : {Call::append, Call::sync}) {
      for (std::uint64_t nth = 1; nth <= 6; ++nth) {
        const TopicId topic{100 + (fault == Fault::no_space ? 50u : 0u) + (call == Call::sync ? 20u : 0u) + nth};
        ASSERT_TRUE(store_->create_log(topic));
        file_system_->fail(call, fault, nth, "", 1);
        std::vector<std::string> acknowledged;
        for (int i = 0; i < 8; ++i) {
          const std::string payload = std::to_string(i);
          if (append(topic, {payload})) acknowledged.push_back(payload);
          clock_.advance(milliseconds{1000});
        }
        file_system_->heal();
        reopen();
        const auto found = read(topic);
        EXPECT_TRUE(std::includes(found.begin(), found.end(), acknowledged.begin(), acknowledged.end()))
            << "nth=" << nth << " found=" << found.size() << " acknowledged=" << acknowledged.size();
      }
    }
  }
}

class PowerCut : public testing::TestWithParam<int>, protected StoreHarness {};

/// A random life of a store that ends with a power cut; then what is found must fit what was promised.
TEST_P(PowerCut, LosesNothingAcknowledgedOrOnlyATail) {
  std::mt19937_64 random(static_cast<std::uint64_t>(GetParam()));
  options_.durability = random() % 2 == 0 ? Durability::fsync : Durability::os;
  options_.memtable_bytes = random() % 3 == 0 ? 64 << 10 : 1 << 20;  // small: logs are switched, tables written
  const bool synced = options_.durability == Durability::fsync;
  std::map<TopicId, std::vector<std::string>> logs;
  for (int life = 0; life < 3; ++life) {
    open();
    std::map<TopicId, std::vector<Completion<Appended>>> pending;
    std::map<TopicId, std::vector<std::string>> sent;
    for (std::uint64_t t = 1; t <= 3; ++t) {
      if (life == 0) {
        ASSERT_TRUE(store_->create_log(TopicId{t}));
      }
    }
    const auto steps = random() % 60;
    for (std::uint64_t step = 0; step < steps; ++step) {
      for (auto batch = random() % 5; batch > 0; --batch) {
        const TopicId topic{1 + random() % 3};
        const std::string payload =
            std::to_string(life) + "-" + std::to_string(sent[topic].size()) + std::string(random() % 8000, 'x');
        sent[topic].push_back(payload);
        pending[topic].push_back(start_append(topic, {payload}));
      }
      store_->commit_pending();
    }
    file_system_->cut_power();
    for (auto rest = random() % 3; rest > 0; --rest) {
      const TopicId topic{1 + random() % 3};
      sent[topic].push_back("in the dark");
      pending[topic].push_back(start_append(topic, {"in the dark"}));
    }
    store_->commit_pending();
    store_.reset();
    file_system_->drop_unsynced(random);
    open();
    for (std::uint64_t t = 1; t <= 3; ++t) {
      const TopicId topic{t};
      std::vector<std::string> expected = logs[topic];
      std::size_t acknowledged = expected.size();
      for (std::size_t i = 0; i < sent[topic].size(); ++i) {
        ASSERT_TRUE(pending[topic][i].ready());
        if (pending[topic][i].wait()) acknowledged = expected.size() + 1;
        expected.push_back(sent[topic][i]);
      }
      const auto found = read(topic);
      ASSERT_LE(found.size(), expected.size());
      if (synced) {
        EXPECT_GE(found.size(), acknowledged) << "lost what was acknowledged";
      }
      EXPECT_TRUE(std::equal(found.begin(), found.end(), expected.begin())) << "a hole";
      logs[topic] = found;
    }
    store_.reset();
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, PowerCut, testing::Range(1, 61));

}  // namespace
}  // namespace weir::storage_rocksdb::test
