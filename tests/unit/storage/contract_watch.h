#pragma once

#include <map>

#include "unit/storage/contract_fixture.h"

/// What the watcher is told, and when; what may be done inside its calls and inside completions.
namespace weir::storage::contract {

class WatchContract : public StoreContract {
 protected:
  using Kind = Recorder::Kind;
  std::vector<Recorder::Event> told(Kind kind) const {
    std::vector<Recorder::Event> matching;
    for (Recorder::Event& event : watcher_.events()) {
      if (event.kind == kind) matching.push_back(std::move(event));
    }
    return matching;
  }
  /// As start_append, and the completion shows among the watcher's events.
  Completion<Appended> start_recorded(TopicId topic, Texts payloads, std::optional<Claim> claim = std::nullopt) {
    Completion<Appended> end;
    store_->append(append_of(topic, std::move(payloads), std::move(claim)),
                   [this, topic, callback = end.callback()](Result<Appended> result) mutable {
                     watcher_.on_completion(topic, result ? result.value().first : Offset{~std::uint64_t{0}});
                     callback(std::move(result));
                   });
    return end;
  }
  /// Waits until the commit of what has completed was announced as ended.
  void await_commit_end(std::size_t at_least = 1) {
    EXPECT_TRUE(watcher_.wait_for(Kind::commit_end, at_least, runner()));
  }
};

TEST_P(WatchContract, IsToldOfEachAppendBeforeItsCompletion) {
  const Appended appended = value(wait(start_recorded(kOrders, {"a", "b"})));
  await_commit_end();
  const auto events = watcher_.events();
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].kind, Kind::appended);
  EXPECT_EQ(events[0].topic, kOrders);
  EXPECT_EQ(events[0].offset, appended.first);
  EXPECT_EQ(events[0].time, appended.time);
  EXPECT_EQ(events[0].payloads, (Texts{"a", "b"}));
  EXPECT_EQ(events[1].kind, Kind::completion);
  EXPECT_EQ(events[2].kind, Kind::commit_end);
}

TEST_P(WatchContract, IsToldInLogOrderAndEachCommitEndsAfterItsCompletions) {
  std::vector<Completion<Appended>> ends;
  for (int i = 0; i < 100; ++i) {
    ends.push_back(start_recorded(i % 2 == 0 ? kOrders : kInvoices, {std::to_string(i), "second"}));
  }
  for (const auto& end : ends) value(wait(end));
  // The last commit's end may come a moment after its last completion.
  const auto last_is_end = [this] { return watcher_.events().back().kind == Kind::commit_end; };
  for (std::size_t n = 1; !last_is_end(); ++n) await_commit_end(n);
  std::map<TopicId, std::uint64_t> next_told{{kOrders, 0}, {kInvoices, 0}};
  std::size_t completed = 0;
  for (const Recorder::Event& event : watcher_.events()) {
    switch (event.kind) {
      case Kind::appended:
        EXPECT_EQ(value_of(event.offset), next_told[event.topic]);
        next_told[event.topic] += event.payloads.size();
        break;
      case Kind::completion:
        EXPECT_LT(value_of(event.offset), next_told[event.topic]) << "completed before the watcher was told";
        ++completed;
        break;
      case Kind::trimmed: ADD_FAILURE() << "nothing was trimmed"; break;
      case Kind::commit_end: break;
    }
  }
  EXPECT_EQ(next_told[kOrders], 100u);
  EXPECT_EQ(next_told[kInvoices], 100u);
  EXPECT_EQ(completed, 100u);
}

TEST_P(WatchContract, MayMoveThePayloadsAway) {
  std::vector<std::string> taken;
  watcher_.on_appended_hook = [&](TopicId, Offset, std::span<std::string> payloads) {
    for (std::string& payload : payloads) taken.push_back(std::move(payload));
  };
  const std::string large(10'000, 'x');
  append(kOrders, {large, "b"}, claim_of(1, 1, "memo"));
  EXPECT_EQ(taken, (Texts{large, "b"}));
  EXPECT_EQ(payloads_of(read(kOrders)), (Texts{large, "b"}));
  EXPECT_EQ(stats(kOrders).retained_bytes, 10'001u);
  reopen();
  EXPECT_EQ(payloads_of(read(kOrders)), (Texts{large, "b"}));
}

TEST_P(WatchContract, AReadStartedInsideOnAppendedSeesTheMessage) {
  std::vector<Completion<MessageBatch>> reads;
  watcher_.on_appended_hook = [&](TopicId topic, Offset first, std::span<std::string>) {
    reads.push_back(start_read(Read{topic, first, {}, 50, 1 << 20}));
  };
  append(kOrders, {"a"});
  append(kOrders, {"b", "c"});
  ASSERT_EQ(reads.size(), 2u);
  const MessageBatch first = value(wait(reads[0]));
  ASSERT_GE(first.messages.size(), 1u);
  EXPECT_EQ(first.messages[0].payload, "a");
  EXPECT_EQ(payloads_of(value(wait(reads[1]))), (Texts{"b", "c"}));
}

TEST_P(WatchContract, AReadStartedInsideACompletionSeesTheMessage) {
  Completion<MessageBatch> seen;
  store_->append(append_of(kOrders, {"a"}), [this, seen](Result<Appended> result) {
    ASSERT_TRUE(result);
    store_->read(Read{kOrders, result.value().first, {}, 50, 1 << 20}, seen.callback());
  });
  EXPECT_EQ(payloads_of(value(wait(seen))), (Texts{"a"}));
}

TEST_P(WatchContract, ACompletionMayStartTheNextAppend) {
  Completion<Appended> second;
  store_->append(append_of(kOrders, {"a"}), [this, second](Result<Appended> result) {
    ASSERT_TRUE(result);
    store_->append(append_of(kOrders, {"b"}), second.callback());
  });
  EXPECT_EQ(value_of(value(wait(second)).first), 1u);
  EXPECT_EQ(payloads_of(read(kOrders)), (Texts{"a", "b"}));
}

TEST_P(WatchContract, IsNotToldOfWhatStoresNothing) {
  append(kOrders, {"a"}, claim_of(1, 1));
  append(kOrders, {"a"}, claim_of(1, 1));
  append(kOrders, {}, claim_of(2, 1));
  WEIR_EXPECT_ERROR(try_append(kOrders, {"b"}, claim_of(1, 2)), Errc::idempotency_conflict);
  WEIR_EXPECT_ERROR(try_append(kUnknown, {"c"}), Errc::topic_not_found);
  append(kOrders, {"d"});
  const auto appends = told(Kind::appended);
  ASSERT_EQ(appends.size(), 2u);
  EXPECT_EQ(appends[0].payloads, (Texts{"a"}));
  EXPECT_EQ(appends[1].payloads, (Texts{"d"}));
}

TEST_P(WatchContract, IsToldOfAPurgeBeforeItsCompletion) {
  append(kOrders, {"a", "b"});
  Completion<void> end;
  store_->purge(kOrders, [this, callback = end.callback()](Result<void> result) mutable {
    watcher_.on_completion(kOrders, Offset{});
    callback(std::move(result));
  });
  succeed(wait(end));
  std::vector<Kind> order;
  for (const Recorder::Event& event : watcher_.events()) {
    if (event.kind == Kind::trimmed || event.kind == Kind::completion) order.push_back(event.kind);
  }
  EXPECT_EQ(order, (std::vector<Kind>{Kind::trimmed, Kind::completion}));
  const auto trimmed = told(Kind::trimmed);
  ASSERT_EQ(trimmed.size(), 1u);
  EXPECT_EQ(trimmed[0].topic, kOrders);
  EXPECT_EQ(value_of(trimmed[0].offset), 2u);
  EXPECT_TRUE(trimmed[0].purged);
}

TEST_P(WatchContract, IsToldOfAPurgeOfAnEmptyLog) {
  purge(kInvoices);
  const auto trimmed = told(Kind::trimmed);
  ASSERT_EQ(trimmed.size(), 1u);
  EXPECT_EQ(trimmed[0].topic, kInvoices);
  EXPECT_EQ(value_of(trimmed[0].offset), 0u);
  EXPECT_TRUE(trimmed[0].purged);
}

TEST_P(WatchContract, IsToldOfAppendsAndPurgesInTheOrderOfTheCalls) {
  auto a = start_append(kOrders, {"a"});
  auto purged = start_purge(kOrders);
  auto b = start_append(kOrders, {"b"});
  value(wait(a));
  succeed(wait(purged));
  value(wait(b));
  std::vector<Recorder::Event> events;
  for (Recorder::Event& event : watcher_.events()) {
    if (event.kind == Kind::appended || event.kind == Kind::trimmed) events.push_back(std::move(event));
  }
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].payloads, (Texts{"a"}));
  EXPECT_EQ(events[1].kind, Kind::trimmed);
  EXPECT_EQ(value_of(events[1].offset), 1u);
  EXPECT_EQ(events[2].payloads, (Texts{"b"}));
  EXPECT_EQ(value_of(events[2].offset), 1u);
}

TEST_P(WatchContract, IsToldOfATrimBeforeItsCompletionAndNeverOfAnEarlierStart) {
  append(kOrders, {"a", "b", "c"});
  Completion<void> end;
  store_->trim(kOrders, Offset{2}, [this, callback = end.callback()](Result<void> result) mutable {
    EXPECT_EQ(watcher_.count(Kind::trimmed), 1u);
    callback(std::move(result));
  });
  succeed(wait(end));
  trim(kOrders, 1);
  trim(kOrders, 99);
  const auto trimmed = told(Kind::trimmed);
  ASSERT_GE(trimmed.size(), 2u);
  EXPECT_EQ(trimmed.front().topic, kOrders);
  EXPECT_EQ(value_of(trimmed.front().offset), 2u);
  EXPECT_EQ(value_of(trimmed.back().offset), 3u);
  std::uint64_t start = 0;
  for (const Recorder::Event& event : trimmed) {
    EXPECT_FALSE(event.purged);
    EXPECT_GE(value_of(event.offset), start);
    start = value_of(event.offset);
  }
}

TEST_P(WatchContract, NoWatcherIsNeeded) {
  store_->close();
  store_.reset();
  StoreSettings settings;
  settings.clock = &clock_;
  store_ = place_->open(settings);
  append(kOrders, {"a"});
  trim(kOrders, 1);
  purge(kOrders);
  EXPECT_EQ(value_of(stats(kOrders).log_end), 1u);
  EXPECT_TRUE(watcher_.events().empty());
}

}  // namespace weir::storage::contract
