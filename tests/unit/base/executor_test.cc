#include "weir/base/executor.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <pthread.h>

namespace weir {
namespace {

using namespace std::chrono_literals;

/// A task that holds a thread of the pool until it is let go.
class Gate {
 public:
  Task task() {
    return [this] {
      entered_.set_value();
      released_.get_future().wait();
    };
  }
  void wait_entered() { entered_.get_future().wait(); }
  void release() { released_.set_value(); }

 private:
  std::promise<void> entered_;
  std::promise<void> released_;
};

bool post(ThreadPool& pool, Task task) {
  return pool.try_post(task);
}

TEST(ThreadPool, RunsEveryTaskBeforeStopReturns) {
  std::atomic<int> ran{0};
  ThreadPool pool("test", 3, 1000);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(post(pool, [&] { ran.fetch_add(1); }));
    if (i % 100 == 0) std::this_thread::yield();
  }
  pool.stop();
  EXPECT_EQ(ran, 1000);
  pool.stop();
}

TEST(ThreadPool, RefusesWhenTheQueueIsFullAndLeavesTheTaskWithTheCaller) {
  Gate gate;
  std::atomic<int> ran{0};
  ThreadPool pool("test", 1, 2);
  ASSERT_TRUE(post(pool, gate.task()));
  gate.wait_entered();  // it runs now, so it no longer waits in the queue
  EXPECT_TRUE(post(pool, [&] { ran.fetch_add(1); }));
  EXPECT_TRUE(post(pool, [&] { ran.fetch_add(1); }));
  Task third = [&] { ran.fetch_add(10); };
  EXPECT_FALSE(pool.try_post(third));
  ASSERT_TRUE(third);
  gate.release();
  pool.stop();
  EXPECT_EQ(ran, 2);
  third();
  EXPECT_EQ(ran, 12);
}

TEST(ThreadPool, RefusesAfterStop) {
  ThreadPool pool("test", 1, 2);
  pool.stop();
  Task task = [] {};
  EXPECT_FALSE(pool.try_post(task));
  EXPECT_TRUE(task);
}

TEST(ThreadPool, RunsAsManyTasksAtOnceAsItHasThreads) {
  Gate gates[3];
  ThreadPool pool("test", 3, 3);
  for (Gate& gate : gates) ASSERT_TRUE(post(pool, gate.task()));
  for (Gate& gate : gates) gate.wait_entered();  // would wait for ever with fewer threads
  for (Gate& gate : gates) gate.release();
  pool.stop();
}

TEST(ThreadPool, KeepsTheOrderOfOneCallerOnOneThread) {
  std::vector<int> order;
  ThreadPool pool("test", 1, 100);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(post(pool, [&order, i] { order.push_back(i); }));
  pool.stop();
  EXPECT_EQ(order.size(), 100u);
  EXPECT_TRUE(std::ranges::is_sorted(order));
}

TEST(ThreadPool, DestroysATaskOutsideItsLock) {
  // What a task holds may itself post while it goes away.
  ThreadPool pool("test", 1, 10);
  std::promise<void> posted;
  auto post_when_destroyed = [&pool, &posted](int*) { EXPECT_TRUE(post(pool, [&posted] { posted.set_value(); })); };
  int anything = 0;
  std::unique_ptr<int, decltype(post_when_destroyed)> holder(&anything, post_when_destroyed);
  ASSERT_TRUE(post(pool, [holder = std::move(holder)] {}));
  posted.get_future().wait();
  pool.stop();
}

TEST(ThreadPool, StopFromSeveralThreadsWaitsInAll) {
  std::atomic<bool> done{false};
  Gate gate;
  ThreadPool pool("test", 2, 10);
  ASSERT_TRUE(post(pool, gate.task()));
  gate.wait_entered();
  ASSERT_TRUE(post(pool, [&] { done = true; }));
  std::vector<std::thread> stoppers;
  for (int i = 0; i < 3; ++i) {
    stoppers.emplace_back([&] {
      pool.stop();
      EXPECT_TRUE(done);
    });
  }
  gate.release();
  for (std::thread& stopper : stoppers) stopper.join();
}

TEST(ThreadPool, NamesItsThreads) {
  ThreadPool pool("a-name-that-is-too-long", 1, 1);
  std::promise<std::string> name;
  ASSERT_TRUE(post(pool, [&] {
    char buffer[16] = {};
    ::pthread_getname_np(::pthread_self(), buffer, sizeof(buffer));
    name.set_value(buffer);
  }));
  EXPECT_EQ(name.get_future().get(), "a-name-that-0");
}

TEST(ThreadPool, TakesTasksFromManyThreads) {
  std::atomic<int> ran{0};
  std::atomic<int> refused{0};
  {
    ThreadPool pool("test", 2, 16);
    std::vector<std::thread> callers;
    for (int i = 0; i < 4; ++i) {
      callers.emplace_back([&] {
        for (int round = 0; round < 500; ++round) {
          if (!post(pool, [&] { ran.fetch_add(1); })) refused.fetch_add(1);
        }
      });
    }
    for (std::thread& caller : callers) caller.join();
  }
  EXPECT_EQ(ran + refused, 2000);
}

TEST(ManualExecutor, RunsTasksInOrderAndOnlyWhenTold) {
  ManualExecutor executor(3);
  EXPECT_EQ(executor.index(), 3u);
  std::vector<int> order;
  executor.post([&] {
    order.push_back(1);
    executor.post([&] { order.push_back(3); });
  });
  executor.post([&] { order.push_back(2); });
  EXPECT_TRUE(order.empty());
  EXPECT_EQ(executor.pending(), 2u);
  EXPECT_TRUE(executor.run_one());
  EXPECT_EQ(order, (std::vector<int>{1}));
  EXPECT_EQ(executor.run_all(), 2u);
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
  EXPECT_FALSE(executor.run_one());
  EXPECT_EQ(executor.run_all(), 0u);
}

TEST(ManualExecutor, DestroysUnrunTasksEvenWhenTheyPost) {
  int destroyed = 0;
  {
    ManualExecutor executor;
    auto post_when_destroyed = [&](int* count) {
      ++*count;
      executor.post([] { FAIL() << "ran after stop"; });
    };
    for (int i = 0; i < 3; ++i) {
      std::unique_ptr<int, decltype(post_when_destroyed)> holder(&destroyed, post_when_destroyed);
      executor.post([holder = std::move(holder)] { FAIL() << "ran"; });
    }
    EXPECT_EQ(destroyed, 0);
  }
  EXPECT_EQ(destroyed, 3);
}

TEST(ManualExecutor, HasTimersThatStartAtItsTime) {
  struct Flag final : Timer {
    bool fired = false;
    void on_deadline() override { fired = true; }
  };
  ManualExecutor executor(0, SteadyTime{5s});
  Flag flag;
  executor.timers().arm(flag, SteadyTime{6s});
  executor.timers().advance(SteadyTime{5990ms});
  EXPECT_FALSE(flag.fired);
  executor.timers().advance(SteadyTime{6s});
  EXPECT_TRUE(flag.fired);
}

}  // namespace
}  // namespace weir
