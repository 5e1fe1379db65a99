#include "weir/storage/memory_store.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "weir/base/executor.h"

#include "support/await.h"
#include "support/fake_clock.h"

// What the memory store does beyond the contract: executor, crash, faults, hooks.
namespace weir::storage {
namespace {

using model::value_of;
using test::Completion;
using test::FakeClock;

constexpr TopicId kOrders{1};

Append append_of(std::string payload) {
  Append append;
  append.topic = kOrders;
  append.payloads.push_back(std::move(payload));
  return append;
}

class CountingWatcher final : public LogWatcher {
 public:
  int appended = 0;
  int trimmed = 0;
  int commits = 0;
  void on_appended(TopicId, Offset, WallTime, std::span<std::string>) override { ++appended; }
  void on_trimmed(TopicId, Offset, bool) override { ++trimmed; }
  void on_commit_end() override { ++commits; }
};

/// A store whose work waits until the test runs the executor.
class QueuedMemoryStore : public testing::Test {
 protected:
  void SetUp() override {
    restart();
    ASSERT_TRUE(store_->create_log(kOrders));
  }
  /// A crash of the old store and a new one on its disk.
  void restart() {
    MemoryStore::Options options;
    options.disk = disk_;
    options.clock = &clock_;
    options.executor = &executor_;
    store_ = std::make_unique<MemoryStore>(std::move(options));
    store_->set_watcher(&watcher_);
  }
  Completion<Appended> append(std::string payload) {
    Completion<Appended> end;
    store_->append(append_of(std::move(payload)), end.callback());
    return end;
  }
  Completion<MessageBatch> read() {
    Completion<MessageBatch> end;
    store_->read(Read{kOrders, Offset{}, {}, 50, 1 << 20}, end.callback());
    return end;
  }
  std::vector<std::string> stored() {
    const auto end = read();
    executor_.run_all();
    std::vector<std::string> payloads;
    const auto result = end.wait();
    EXPECT_TRUE(result);
    if (result) {
      for (const model::Message& message : result.value().messages) payloads.push_back(message.payload);
    }
    return payloads;
  }

  using Texts = std::vector<std::string>;
  FakeClock clock_;
  CountingWatcher watcher_;
  ManualExecutor executor_;
  std::shared_ptr<MemoryDisk> disk_ = make_memory_disk();
  std::unique_ptr<MemoryStore> store_;
};

TEST_F(QueuedMemoryStore, DoesNothingInsideTheCall) {
  const auto first = append("a");
  const auto page = read();
  Completion<LogStats> counts;
  store_->stats(kOrders, {}, counts.callback());
  EXPECT_FALSE(first.ready());
  EXPECT_FALSE(page.ready());
  EXPECT_FALSE(counts.ready());
  EXPECT_EQ(watcher_.appended, 0);
  executor_.run_all();
  EXPECT_TRUE(first.ready());
  EXPECT_TRUE(page.ready());
  EXPECT_TRUE(counts.ready());
}

TEST_F(QueuedMemoryStore, NothingIsReadableBeforeItsCommit) {
  const auto before = read();
  const auto first = append("a");
  ASSERT_TRUE(executor_.run_one());
  EXPECT_TRUE(before.wait().value().messages.empty());
  EXPECT_FALSE(first.ready());
  EXPECT_EQ(stored(), (Texts{"a"}));
}

TEST_F(QueuedMemoryStore, OneTaskCommitsAllThatQueued) {
  std::vector<Completion<Appended>> ends;
  for (int i = 0; i < 5; ++i) ends.push_back(append(std::to_string(i)));
  EXPECT_EQ(executor_.pending(), 1u);
  ASSERT_TRUE(executor_.run_one());
  for (std::size_t i = 0; i < 5; ++i) {
    ASSERT_TRUE(ends[i].ready());
    EXPECT_EQ(value_of(ends[i].wait().value().first), i);
  }
  EXPECT_EQ(watcher_.appended, 5);
  EXPECT_EQ(watcher_.commits, 1);
  EXPECT_EQ(executor_.pending(), 0u);
  append("next");
  EXPECT_EQ(executor_.pending(), 1u) << "the next commit is a task of its own";
}

TEST_F(QueuedMemoryStore, AnAppendOfACompletionWaitsForTheNextCommit) {
  Completion<Appended> second;
  store_->append(append_of("a"), [&](Result<Appended>) { store_->append(append_of("b"), second.callback()); });
  ASSERT_TRUE(executor_.run_one());
  EXPECT_FALSE(second.ready());
  EXPECT_EQ(watcher_.commits, 1);
  executor_.run_all();
  EXPECT_EQ(value_of(second.wait().value().first), 1u);
  EXPECT_EQ(watcher_.commits, 2);
}

TEST_F(QueuedMemoryStore, ACrashLosesWhatWasNotCommitted) {
  const auto kept = append("kept");
  executor_.run_all();
  const auto lost = append("lost");
  Completion<void> purge;
  store_->purge(kOrders, purge.callback());
  const auto page = read();
  restart();
  EXPECT_TRUE(kept.wait());
  EXPECT_EQ(lost.wait().error().code, Errc::shutting_down);
  EXPECT_EQ(purge.wait().error().code, Errc::shutting_down);
  EXPECT_EQ(page.wait().error().code, Errc::shutting_down);
  executor_.run_all();  // the tasks of the old store find nothing to do
  EXPECT_EQ(watcher_.appended, 1);
  EXPECT_EQ(stored(), (Texts{"kept"}));
  EXPECT_EQ(value_of(append("next").wait([this] { executor_.run_all(); }).value().first), 1u);
}

TEST_F(QueuedMemoryStore, ACallMadeWhileItCrashesIsAnsweredToo) {
  Completion<Appended> inside;
  Completion<MessageBatch> page;
  MemoryStore& store = *store_;
  store.append(append_of("lost"), [&](Result<Appended> result) {
    ASSERT_FALSE(result);
    store.append(append_of("more"), inside.callback());
    store.read(Read{kOrders, Offset{}, {}, 50, 1 << 20}, page.callback());
  });
  store_.reset();
  EXPECT_EQ(inside.wait().error().code, Errc::shutting_down);
  EXPECT_EQ(page.wait().error().code, Errc::shutting_down);
}

TEST_F(QueuedMemoryStore, ACompletionMayEndTheStore) {
  Completion<Appended> second;
  store_->append(append_of("a"), [&](Result<Appended> result) {
    EXPECT_TRUE(result);
    store_.reset();
  });
  store_->append(append_of("b"), second.callback());
  executor_.run_all();
  EXPECT_TRUE(second.wait()) << "it was committed together with the first";
  restart();
  EXPECT_EQ(stored(), (Texts{"a", "b"}));
}

TEST_F(QueuedMemoryStore, CloseCommitsWithoutTheExecutor) {
  const auto first = append("a");
  const auto page = read();
  store_->close();
  EXPECT_TRUE(first.wait());
  EXPECT_TRUE(page.wait());
  restart();
  EXPECT_EQ(stored(), (Texts{"a"}));
}

TEST_F(QueuedMemoryStore, OutlivesAnExecutorThatStopped) {
  auto executor = std::make_unique<ManualExecutor>();
  MemoryStore::Options options;
  options.disk = disk_;
  options.executor = executor.get();
  Completion<Appended> end;
  {
    MemoryStore store(std::move(options));
    store.append(append_of("a"), end.callback());
    executor.reset();
  }
  EXPECT_EQ(end.wait().error().code, Errc::shutting_down);
}

TEST_F(QueuedMemoryStore, AFailedAppendPoisonsTheRestOfItsCommitAndAllLaterChanges) {
  int appends = 0;
  store_->fault = [&](std::string_view operation) -> std::optional<Error> {
    if (operation == "append" && ++appends == 2) return make_error(Errc::storage_failed, "sync failed");
    return std::nullopt;
  };
  const auto before = append("before");
  const auto failed = append("failed");
  const auto after = append("after");
  executor_.run_all();
  EXPECT_TRUE(before.wait());
  EXPECT_EQ(failed.wait().error().code, Errc::storage_failed);
  EXPECT_EQ(after.wait().error().code, Errc::storage_failed);
  EXPECT_EQ(after.wait().error().detail, "sync failed");
  EXPECT_EQ(store_->health().state, Health::State::failed);
  EXPECT_NE(store_->health().reason, "");

  store_->fault = nullptr;
  const auto run = [this] { executor_.run_all(); };
  EXPECT_EQ(append("x").wait(run).error().code, Errc::storage_failed);
  Completion<void> purge;
  store_->purge(kOrders, purge.callback());
  EXPECT_EQ(purge.wait(run).error().code, Errc::storage_failed);
  Completion<void> trim;
  store_->trim(kOrders, Offset{1}, trim.callback());
  EXPECT_EQ(trim.wait(run).error().code, Errc::storage_failed);
  Completion<void> drop;
  store_->drop_log(kOrders, drop.callback());
  EXPECT_EQ(drop.wait(run).error().code, Errc::storage_failed);
  EXPECT_EQ(store_->create_log(TopicId{9}).error().code, Errc::storage_failed);
  EXPECT_EQ(store_->write({}).error().code, Errc::storage_failed);
  EXPECT_EQ(stored(), (Texts{"before"})) << "reading goes on";

  restart();
  EXPECT_EQ(store_->health().state, Health::State::ok);
  EXPECT_EQ(value_of(append("again").wait(run).value().first), 1u);
  EXPECT_EQ(stored(), (Texts{"before", "again"}));
}

TEST_F(QueuedMemoryStore, AFullDeviceRefusesAndComesBack) {
  bool full = true;
  store_->fault = [&](std::string_view operation) -> std::optional<Error> {
    if (full && operation == "append") return make_error(Errc::storage_full);
    return std::nullopt;
  };
  const auto run = [this] { executor_.run_all(); };
  EXPECT_EQ(append("a").wait(run).error().code, Errc::storage_full);
  EXPECT_EQ(store_->health().state, Health::State::full);
  EXPECT_TRUE(stored().empty());
  full = false;
  EXPECT_EQ(value_of(append("a").wait(run).value().first), 0u);
  EXPECT_EQ(store_->health().state, Health::State::ok);
  EXPECT_EQ(watcher_.appended, 1);
}

TEST_F(QueuedMemoryStore, AFailureOfAnotherOperationPoisonsNothing) {
  store_->fault = [](std::string_view operation) -> std::optional<Error> {
    if (operation == "append") return std::nullopt;
    return make_error(Errc::storage_failed);
  };
  const auto run = [this] { executor_.run_all(); };
  Completion<void> purge;
  store_->purge(kOrders, purge.callback());
  EXPECT_EQ(purge.wait(run).error().code, Errc::storage_failed);
  EXPECT_EQ(watcher_.trimmed, 0);
  EXPECT_TRUE(append("a").wait(run));
}

// Each operation asks the hook under its own name and answers what the hook says, before it does anything.
TEST(MemoryStoreFault, ReachesEveryOperationUnderItsName) {
  MemoryStore store;
  ASSERT_TRUE(store.create_log(kOrders));
  std::string_view failing;
  std::map<std::string, int, std::less<>> asked;
  store.fault = [&](std::string_view operation) -> std::optional<Error> {
    ++asked[std::string(operation)];
    if (operation == failing) return make_error(Errc::overloaded, "injected");
    return std::nullopt;
  };
  const auto expect_injected = [](const auto& result) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::overloaded);
    EXPECT_EQ(result.error().detail, "injected");
  };
  const auto call = [&]<class T>(std::string_view name, Completion<T> end, auto operation) {
    SCOPED_TRACE(name);
    failing = name;
    operation(end);
    expect_injected(end.wait());
    EXPECT_EQ(asked[std::string(name)], 1);
    failing = {};
  };
  call("append", Completion<Appended>{}, [&](auto& end) { store.append(append_of("a"), end.callback()); });
  call("read", Completion<MessageBatch>{}, [&](auto& end) {
    store.read(Read{kOrders, Offset{}, {}, 50, 1 << 20}, end.callback());
  });
  call("stats", Completion<LogStats>{}, [&](auto& end) { store.stats(kOrders, {}, end.callback()); });
  call("find_claim", Completion<std::optional<Appended>>{},
       [&](auto& end) { store.find_claim(kOrders, Digest{}, Digest{}, end.callback()); });
  call("purge", Completion<void>{}, [&](auto& end) { store.purge(kOrders, end.callback()); });
  call("trim", Completion<void>{}, [&](auto& end) { store.trim(kOrders, Offset{}, end.callback()); });
  call("drop_log", Completion<void>{}, [&](auto& end) { store.drop_log(kOrders, end.callback()); });
  const auto call_blocking = [&](std::string_view name, auto operation) {
    SCOPED_TRACE(name);
    failing = name;
    expect_injected(operation());
    EXPECT_EQ(asked[std::string(name)], 1);
    failing = {};
  };
  call_blocking("create_log", [&] { return store.create_log(TopicId{2}); });
  call_blocking("logs", [&] { return store.logs(); });
  call_blocking("get", [&] { return store.get(Table::meta, "a"); });
  call_blocking("list", [&] { return store.list(Table::meta, ""); });
  call_blocking("write", [&] { return store.write({{Table::meta, "a", "1", std::nullopt}}); });
  EXPECT_EQ(asked.size(), 12u);

  EXPECT_EQ(store.get(Table::meta, "a").value(), std::nullopt);
  const auto logs = store.logs();
  ASSERT_TRUE(logs);
  ASSERT_EQ(logs.value().size(), 1u) << "neither dropped nor created";
  EXPECT_EQ(logs.value()[0].log_end, Offset{});
}

TEST(MemoryStoreAfterRead, RunsBetweenTheDataAndTheCompletion) {
  MemoryStore store;
  ASSERT_TRUE(store.create_log(kOrders));
  Completion<Appended> late;
  store.after_read = [&] {
    store.after_read = nullptr;
    store.append(append_of("late"), late.callback());
  };
  Completion<MessageBatch> first;
  store.read(Read{kOrders, Offset{}, {}, 50, 1 << 20}, first.callback());
  EXPECT_TRUE(late.ready());
  EXPECT_TRUE(first.wait().value().messages.empty());
  Completion<MessageBatch> second;
  store.read(Read{kOrders, Offset{}, {}, 50, 1 << 20}, second.callback());
  EXPECT_EQ(second.wait().value().messages.size(), 1u);
}

TEST(MemoryStoreInline, CompletesBeforeTheCallReturns) {
  MemoryStore store;
  ASSERT_TRUE(store.create_log(kOrders));
  Completion<Appended> first;
  Completion<Appended> second;
  store.append(append_of("a"), [&](Result<Appended> result) {
    store.append(append_of("b"), second.callback());
    EXPECT_FALSE(second.ready()) << "it joins the commit that is at work";
    first.callback()(std::move(result));
  });
  EXPECT_TRUE(first.ready());
  EXPECT_TRUE(second.ready());
  EXPECT_EQ(value_of(second.wait().value().first), 1u);
}

TEST(MemoryStoreInline, UsesTheMachinesClockUnlessGivenOne) {
  MemoryStore store;
  ASSERT_TRUE(store.create_log(kOrders));
  const WallTime before = SystemClock().wall_now();
  Completion<Appended> end;
  store.append(append_of("a"), end.callback());
  const WallTime time = end.wait().value().time;
  EXPECT_GE(time, before);
  EXPECT_LE(time, SystemClock().wall_now());
}

TEST(MemoryStoreInline, StoresWithoutACommonDiskShareNothing) {
  MemoryStore one;
  MemoryStore other;
  ASSERT_TRUE(one.create_log(kOrders));
  ASSERT_TRUE(one.write({{Table::meta, "a", "1", std::nullopt}}));
  EXPECT_TRUE(other.logs().value().empty());
  EXPECT_EQ(other.get(Table::meta, "a").value(), std::nullopt);
}

}  // namespace
}  // namespace weir::storage
