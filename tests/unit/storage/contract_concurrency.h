#pragma once

#include <algorithm>
#include <atomic>
#include <map>

#include "unit/storage/contract_fixture.h"

/// Many callers at once. A store for one thread gets the same calls from one thread.
namespace weir::storage::contract {

TEST_P(StoreContract, ConcurrentAppendersLoseNothingAndKeepTheirOwnOrder) {
  constexpr std::size_t kThreads = 8;
  constexpr std::size_t kAppends = 100;
  std::vector<std::vector<Completion<Appended>>> ends(kThreads);
  in_parallel(kThreads, [&](std::size_t thread) {
    for (std::size_t i = 0; i < kAppends; ++i) {
      const std::string text = std::to_string(thread) + ":" + std::to_string(i);
      ends[thread].push_back(start_append(i % 4 == 3 ? kInvoices : kOrders, {text, text + "+"}));
      if (i % 16 == 15) value(wait(ends[thread].back()));
    }
  });
  std::map<TopicId, std::map<std::uint64_t, std::string>> expected;
  for (std::size_t thread = 0; thread < kThreads; ++thread) {
    std::map<TopicId, Offset> last;
    for (std::size_t i = 0; i < kAppends; ++i) {
      const TopicId topic = i % 4 == 3 ? kInvoices : kOrders;
      const Appended appended = value(wait(ends[thread][i]));
      if (last.contains(topic)) {
        EXPECT_GT(appended.first, last[topic]) << "the calls of one thread keep their order";
      }
      last[topic] = appended.first;
      const std::string text = std::to_string(thread) + ":" + std::to_string(i);
      EXPECT_TRUE(expected[topic].emplace(value_of(appended.first), text).second);
      EXPECT_TRUE(expected[topic].emplace(value_of(appended.first) + 1, text + "+").second);
    }
  }
  for (const auto& [topic, messages] : expected) {
    const MessageBatch batch = read(topic, 0, 10'000);
    ASSERT_EQ(batch.messages.size(), messages.size());
    EXPECT_EQ(messages.rbegin()->first + 1, messages.size()) << "no offset is left out";
    for (const model::Message& message : batch.messages) {
      EXPECT_EQ(message.payload, messages.at(value_of(message.offset)));
    }
  }
  std::map<TopicId, std::uint64_t> told;
  for (const Recorder::Event& event : watcher_.events()) {
    if (event.kind != Recorder::Kind::appended) continue;
    EXPECT_EQ(value_of(event.offset), told[event.topic]) << "the watcher is told in log order";
    told[event.topic] += event.payloads.size();
  }
  EXPECT_EQ(told[kOrders], expected[kOrders].size());
  EXPECT_EQ(told[kInvoices], expected[kInvoices].size());
}

// Whatever a reader sees ends between two appends, grows only, and has no gap.
TEST_P(StoreContract, ReadersNeverSeePartOfAnAppend) {
  constexpr std::size_t kWriters = 2;
  constexpr std::size_t kReaders = 2;
  constexpr std::size_t kAppends = 60;
  constexpr std::size_t kPayloads = 5;
  std::atomic<std::size_t> writers_left{kWriters};
  in_parallel(kWriters + kReaders, [&](std::size_t thread) {
    if (thread < kWriters) {
      for (std::size_t i = 0; i < kAppends; ++i) {
        append(kOrders, Texts(kPayloads, std::to_string(thread) + ":" + std::to_string(i)));
      }
      --writers_left;
      return;
    }
    std::uint64_t seen = 0;
    bool last_round = false;
    while (!last_round) {
      last_round = writers_left == 0;
      const MessageBatch batch = read(kOrders, 0, 10'000);
      ASSERT_EQ(batch.messages.size() % kPayloads, 0u);
      ASSERT_EQ(value_of(batch.log_end), batch.messages.size());
      ASSERT_GE(batch.messages.size(), seen) << "what was seen stays";
      seen = batch.messages.size();
      for (std::size_t i = 0; i < batch.messages.size(); ++i) {
        ASSERT_EQ(value_of(batch.messages[i].offset), i);
        ASSERT_EQ(batch.messages[i].payload, batch.messages[i - i % kPayloads].payload);
      }
    }
    EXPECT_EQ(seen, kWriters * kAppends * kPayloads);
  });
}

TEST_P(StoreContract, OfConcurrentAppendsWithOneClaimExactlyOneStores) {
  constexpr std::size_t kThreads = 8;
  constexpr std::uint8_t kKeys = 20;
  std::vector<std::vector<Completion<Appended>>> ends(kThreads);
  in_parallel(kThreads, [&](std::size_t thread) {
    for (std::uint8_t key = 0; key < kKeys; ++key) {
      ends[thread].push_back(start_append(kOrders, {"key " + std::to_string(key)}, claim_of(key, 1)));
    }
  });
  for (std::uint8_t key = 0; key < kKeys; ++key) {
    std::size_t stored = 0;
    const Offset first = value(wait(ends[0][key])).first;
    for (const auto& of_thread : ends) {
      const Appended appended = value(wait(of_thread[key]));
      EXPECT_EQ(appended.first, first);
      stored += appended.replayed ? 0 : 1;
    }
    EXPECT_EQ(stored, 1u) << "key " << int{key};
  }
  EXPECT_EQ(value_of(read(kOrders).log_end), kKeys);
}

TEST_P(StoreContract, LogsComeAndGoWhileOthersAreWritten) {
  constexpr std::size_t kThreads = 4;
  in_parallel(kThreads, [&](std::size_t thread) {
    if (thread == 0) {
      for (std::uint64_t i = 0; i < 30; ++i) append(kOrders, {std::to_string(i)});
      return;
    }
    for (std::uint64_t i = 0; i < 10; ++i) {
      const TopicId topic{100 * thread + i};
      create(topic);
      EXPECT_EQ(value_of(append(topic, {"a", "b"}).first), 0u);
      purge(topic);
      EXPECT_EQ(value_of(append(topic, {"c"}).first), 2u);
      EXPECT_EQ(payloads_of(read(topic)), (Texts{"c"}));
      if (i % 2 == 0) drop(topic);
    }
  });
  EXPECT_EQ(read(kOrders).messages.size(), 30u);
  reopen();
  const std::vector<LogInfo> found = logs();
  EXPECT_EQ(found.size(), 2u + (kThreads - 1) * 5u);
  EXPECT_TRUE(
      std::is_sorted(found.begin(), found.end(), [](const LogInfo& a, const LogInfo& b) { return a.topic < b.topic; }));
}

TEST_P(StoreContract, CloseWhileOthersAppendLosesNothingAcknowledged) {
  constexpr std::size_t kWriters = 3;
  std::vector<std::vector<Completion<Appended>>> ends(kWriters);
  in_parallel(kWriters + 1, [&](std::size_t thread) {
    if (thread == kWriters) {
      // Somewhere in the middle of the work of the others.
      EXPECT_TRUE(watcher_.wait_for(Recorder::Kind::appended, 20, runner()));
      store_->close();
      return;
    }
    for (int i = 0; i < 200; ++i) {
      ends[thread].push_back(start_append(kOrders, {std::to_string(thread) + ":" + std::to_string(i)}));
      if (i % 8 == 7 && !wait(ends[thread].back())) return;
    }
  });
  std::map<std::uint64_t, std::string> acknowledged;
  for (std::size_t thread = 0; thread < kWriters; ++thread) {
    for (std::size_t i = 0; i < ends[thread].size(); ++i) {
      const auto result = wait(ends[thread][i]);
      if (result) {
        acknowledged[value_of(result.value().first)] = std::to_string(thread) + ":" + std::to_string(i);
      } else {
        EXPECT_EQ(result.error().code, Errc::shutting_down);
      }
    }
  }
  EXPECT_GE(acknowledged.size(), 20u);
  store_.reset();
  open();
  const MessageBatch batch = read(kOrders);
  EXPECT_EQ(batch.messages.size(), acknowledged.size()) << "what was refused is not there";
  for (const model::Message& message : batch.messages) {
    EXPECT_EQ(message.payload, acknowledged[value_of(message.offset)]);
  }
}

}  // namespace weir::storage::contract
