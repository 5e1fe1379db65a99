#include "http/loop.h"

#include <atomic>
#include <future>
#include <thread>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "support.h"

namespace weir::http::test {
namespace {

/// A loop on a thread of its own.
class RunningLoop {
 public:
  explicit RunningLoop(UniqueFunction<bool()> hook = {}) : loop_(3, clock_) {
    loop_.set_end_of_round(std::move(hook));
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~RunningLoop() { stop(); }
  void stop() {
    if (!thread_.joinable()) return;
    loop_.post([this] { loop_.quit(); });
    thread_.join();
  }
  LoopImpl& operator*() { return loop_; }
  LoopImpl* operator->() { return &loop_; }

 private:
  SystemClock clock_;
  LoopImpl loop_;
  std::thread thread_;
};

TEST(Loop, RunsTasksInOrderAndNeverInsidePost) {
  RunningLoop loop;
  EXPECT_EQ(loop->index(), 3u);
  EXPECT_FALSE(loop->on_thread());
  std::promise<std::vector<int>> done;
  std::vector<int> order;
  loop->post([&] {
    EXPECT_TRUE(loop->on_thread());
    loop->post([&] { order.push_back(2); });
    loop->post([&] {
      order.push_back(3);
      done.set_value(order);
    });
    order.push_back(1);
  });
  EXPECT_EQ(done.get_future().get(), (std::vector<int>{1, 2, 3}));
}

TEST(Loop, TakesTasksFromManyThreads) {
  RunningLoop loop;
  constexpr int kThreads = 4;
  constexpr int kTasks = 5000;
  std::vector<int> last(kThreads, -1);  // written by the loop only
  std::atomic<int> ran{0};
  std::atomic<bool> ordered{true};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kTasks; ++i) {
        loop->post([&, t, i] {
          if (last[static_cast<std::size_t>(t)] != i - 1) ordered = false;
          last[static_cast<std::size_t>(t)] = i;
          ++ran;
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::promise<void> done;
  loop->post([&] { done.set_value(); });
  done.get_future().wait();
  EXPECT_EQ(ran, kThreads * kTasks);
  EXPECT_TRUE(ordered);
}

TEST(Loop, RunsAllThatWasPostedBeforeInOneRound) {
  SystemClock clock;
  LoopImpl loop(0, clock);
  int ran = 0;
  for (int i = 0; i < 1000; ++i) loop.post([&ran] { ++ran; });
  int ran_before_hook = 0;
  loop.set_end_of_round([&]() -> bool {
    ran_before_hook = ran;
    loop.quit();
    return false;
  });
  std::thread([&] { loop.run(); }).join();
  EXPECT_EQ(ran_before_hook, 1000);
}

TEST(Loop, TellsOfDescriptorsUntilTheyAreClosed) {
  struct Target final : EventTarget {
    void on_events(std::uint32_t events) override {
      EXPECT_NE(events & EPOLLIN, 0u);
      count.add();
    }
    Counter count;
  };
  RunningLoop loop;
  Target target;
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
  Descriptor ours(ends[0]);
  const Descriptor theirs(ends[1]);
  ASSERT_TRUE(loop->watch(ours.get(), EPOLLIN | EPOLLET, target));
  for (int i = 1; i <= 3; ++i) {
    ASSERT_EQ(::send(theirs.get(), "x", 1, 0), 1);  // each is an edge, though nobody reads
    ASSERT_TRUE(target.count.wait_for(i));
  }
  std::promise<void> closed;
  loop->post([&] {
    ours.close();
    loop->post([&] { closed.set_value(); });
  });
  closed.get_future().wait();
  EXPECT_EQ(target.count.value(), 3);
}

TEST(Loop, CallsTheHookAfterAllThatWasReadyAndAgainWhenItMadeWork) {
  std::vector<std::string> events;  // on the loop only
  bool made = false;
  std::promise<std::vector<std::string>> seen;
  LoopImpl* address = nullptr;
  RunningLoop loop([&]() -> bool {
    if (events.empty()) return false;
    events.emplace_back("hook");
    if (std::exchange(made, true)) {
      seen.set_value(std::exchange(events, {}));
      return false;
    }
    address->post([&] { events.emplace_back("made"); });
    return true;
  });
  loop->post([&] {
    address = &*loop;
    // All three wait when the next round begins, so they come before its hook.
    for (const char* name : {"a", "b", "c"}) {
      loop->post([&events, name] { events.emplace_back(name); });
    }
  });
  EXPECT_EQ(seen.get_future().get(), (std::vector<std::string>{"a", "b", "c", "hook", "made", "hook"}));
  loop.stop();
}

struct TestTimer final : Timer {
  explicit TestTimer(UniqueFunction<void()> f) : call(std::move(f)) {}
  UniqueFunction<void()> call;

 private:
  void on_deadline() override { call(); }
};

TEST(Loop, FiresTimersWhileNothingElseHappens) {
  RunningLoop loop;
  std::promise<SteadyTime> fired;
  const SteadyTime start = std::chrono::steady_clock::now();
  TestTimer timer([&] { fired.set_value(std::chrono::steady_clock::now()); });
  loop->post([&] { loop->timers().arm(timer, start + 30ms); });
  EXPECT_GE(fired.get_future().get() - start, 30ms);
}

TEST(Loop, DestroysTasksUnrunAfterStop) {
  RunningLoop loop;
  loop.stop();
  auto held = std::make_shared<int>(1);
  bool ran = false;
  loop->post([held, &ran] { ran = true; });
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_FALSE(ran);
}

TEST(Server, CallsItsEndOfRoundHookAfterTheRequestsOfARound) {
  SystemClock clock;
  SystemRandom random;
  auto bound = Server::bind({.listen = "127.0.0.1:0"}, clock, random);
  ASSERT_TRUE(bound);
  Server& server = *bound.value();
  // A commit at the end of the round: requests are answered there, not where they are handled.
  std::vector<Responder> waiting;
  server.set_end_of_round(0, [&waiting]() -> bool {
    const bool any = !waiting.empty();
    for (Responder& responder : std::exchange(waiting, {})) std::move(responder).send({.body = "committed"});
    return any;
  });
  std::vector<Route> routes;
  routes.push_back({Method::post, "/publish", 100, [&waiting](const RequestHead&) -> Admission {
                      return Accepted{[&waiting](std::string, Responder r) { waiting.push_back(std::move(r)); }};
                    }});
  server.start(std::move(routes));
  Client client(server.address());
  for (int i = 0; i < 20; ++i) ASSERT_EQ(client.ask(post("/publish", "x")).body, "committed");
  client.send(post("/publish", "x") + post("/publish", "y"));
  EXPECT_EQ(client.read_answer().body, "committed");
  EXPECT_EQ(client.read_answer().body, "committed");
  server.stop();
}

}  // namespace
}  // namespace weir::http::test
