#include "weir/base/timer_wheel.h"

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace weir {
namespace {

using namespace std::chrono_literals;

constexpr SteadyTime kStart{1000s};
/// One turn of the wheel.
constexpr auto kTurn = 4096 * TimerWheel::kTick;

class CallbackTimer final : public Timer {
 public:
  explicit CallbackTimer(std::function<void()> callback = {}) : callback_(std::move(callback)) {}
  int fired = 0;

 protected:
  void on_deadline() override {
    ++fired;
    EXPECT_FALSE(armed());
    if (callback_) callback_();
  }

 private:
  std::function<void()> callback_;
};

TEST(TimerWheel, FiresOnceAtTheTickOfTheDeadline) {
  TimerWheel wheel(kStart);
  CallbackTimer timer;
  wheel.arm(timer, kStart + 50ms);
  wheel.advance(kStart + 50ms - 1ns);
  EXPECT_EQ(timer.fired, 0);
  wheel.advance(kStart + 50ms);
  EXPECT_EQ(timer.fired, 1);
  wheel.advance(kStart + 2 * kTurn);
  EXPECT_EQ(timer.fired, 1);
}

TEST(TimerWheel, FiresUpToOneTickLateNeverEarlyBetweenTicks) {
  TimerWheel wheel(kStart);
  CallbackTimer timer;
  wheel.arm(timer, kStart + 51ms);
  ASSERT_EQ(wheel.next_wakeup(), kStart + 60ms);
  wheel.advance(kStart + 59ms);
  EXPECT_EQ(timer.fired, 0);
  wheel.advance(kStart + 60ms);
  EXPECT_EQ(timer.fired, 1);
}

TEST(TimerWheel, FiresPastDeadlinesAtTheNextAdvance) {
  TimerWheel wheel(kStart);
  wheel.advance(kStart + 1s);
  CallbackTimer past;
  CallbackTimer before_origin;
  CallbackTimer smallest;
  wheel.arm(past, kStart + 500ms);
  wheel.arm(before_origin, kStart - 1h);
  wheel.arm(smallest, SteadyTime::min());
  EXPECT_EQ(past.fired, 0);
  ASSERT_TRUE(wheel.next_wakeup());
  EXPECT_LE(*wheel.next_wakeup(), kStart + 1s);
  wheel.advance(kStart + 1s);  // no time has passed
  EXPECT_EQ(past.fired, 1);
  EXPECT_EQ(before_origin.fired, 1);
  EXPECT_EQ(smallest.fired, 1);
  EXPECT_FALSE(wheel.next_wakeup());
}

TEST(TimerWheel, RearmingMovesTheDeadline) {
  TimerWheel wheel(kStart);
  CallbackTimer timer;
  wheel.arm(timer, kStart + 50ms);
  wheel.arm(timer, kStart + 5s);
  wheel.advance(kStart + 4s);
  EXPECT_EQ(timer.fired, 0);
  wheel.arm(timer, kStart + 4500ms);
  wheel.advance(kStart + 4500ms);
  EXPECT_EQ(timer.fired, 1);
}

TEST(TimerWheel, KeepsTimersOfLaterTurns) {
  TimerWheel wheel(kStart);
  CallbackTimer near;
  CallbackTimer far;
  CallbackTimer never;
  wheel.arm(near, kStart + 100ms);
  wheel.arm(far, kStart + 100ms + 2 * kTurn);  // the same slot
  wheel.arm(never, SteadyTime::max());
  wheel.advance(kStart + 100ms);
  EXPECT_EQ(near.fired, 1);
  wheel.advance(kStart + 100ms + kTurn);
  EXPECT_EQ(far.fired, 0);
  wheel.advance(kStart + 90ms + 2 * kTurn);
  EXPECT_EQ(far.fired, 0);
  wheel.advance(kStart + 100ms + 2 * kTurn);
  EXPECT_EQ(far.fired, 1);
  EXPECT_EQ(never.fired, 0);
  EXPECT_TRUE(never.armed());
}

TEST(TimerWheel, FiresEverythingDueWhenTheClockJumpsOverTurns) {
  TimerWheel wheel(kStart);
  std::vector<std::unique_ptr<CallbackTimer>> timers;
  for (int i = 0; i < 1000; ++i) {
    timers.push_back(std::make_unique<CallbackTimer>());
    wheel.arm(*timers.back(), kStart + i * 117ms);
  }
  wheel.advance(kStart + 3 * kTurn);
  for (const auto& timer : timers) EXPECT_EQ(timer->fired, 1);
  CallbackTimer after;
  wheel.arm(after, kStart + 3 * kTurn + 10ms);
  wheel.advance(kStart + 3 * kTurn + 10ms);
  EXPECT_EQ(after.fired, 1);
}

TEST(TimerWheel, IgnoresAClockThatStepsBack) {
  TimerWheel wheel(kStart);
  wheel.advance(kStart + 1s);
  CallbackTimer timer;
  wheel.arm(timer, kStart + 1100ms);
  wheel.advance(kStart);
  wheel.advance(SteadyTime::min());
  EXPECT_EQ(timer.fired, 0);
  wheel.advance(kStart + 1100ms);
  EXPECT_EQ(timer.fired, 1);
}

TEST(TimerWheel, CallbackMayDisarmAndDestroyOthersOfItsSlot) {
  TimerWheel wheel(kStart);
  CallbackTimer disarmed;
  auto destroyed = std::make_unique<CallbackTimer>();
  CallbackTimer first([&] {
    disarmed.disarm();
    destroyed.reset();
  });
  CallbackTimer last;
  for (Timer* timer : std::initializer_list<Timer*>{&first, &disarmed, destroyed.get(), &last}) {
    wheel.arm(*timer, kStart + 10ms);
  }
  wheel.advance(kStart + 10ms);
  EXPECT_EQ(first.fired, 1);
  EXPECT_EQ(disarmed.fired, 0);
  EXPECT_EQ(destroyed, nullptr);
  EXPECT_EQ(last.fired, 1);
}

TEST(TimerWheel, CallbackMayDestroyItself) {
  TimerWheel wheel(kStart);
  std::unique_ptr<CallbackTimer> timer;
  timer = std::make_unique<CallbackTimer>([&] { timer.reset(); });
  wheel.arm(*timer, kStart + 10ms);
  wheel.advance(kStart + 10ms);
  EXPECT_EQ(timer, nullptr);
}

TEST(TimerWheel, CallbackMayPostponeAnotherDueTimer) {
  TimerWheel wheel(kStart);
  CallbackTimer second;
  CallbackTimer first([&] { wheel.arm(second, kStart + 10s); });
  wheel.arm(first, kStart + 10ms);
  wheel.arm(second, kStart + 10ms);
  wheel.advance(kStart + 10ms);
  EXPECT_EQ(second.fired, 0);
  wheel.advance(kStart + 10s);
  EXPECT_EQ(second.fired, 1);
}

TEST(TimerWheel, CallbackThatRearmsInThePastFiresOncePerAdvance) {
  TimerWheel wheel(kStart);
  CallbackTimer* self = nullptr;
  CallbackTimer timer([&] { wheel.arm(*self, kStart); });
  self = &timer;
  wheel.arm(timer, kStart + 10ms);
  for (int round = 1; round <= 3; ++round) {
    wheel.advance(kStart + 10ms);
    EXPECT_EQ(timer.fired, round);
  }
}

TEST(TimerWheel, CallbackThatRearmsAheadFiresAgainAfterAJump) {
  TimerWheel wheel(kStart);
  CallbackTimer* self = nullptr;
  CallbackTimer timer([&] { wheel.arm(*self, kStart + 2 * kTurn); });
  self = &timer;
  wheel.arm(timer, kStart + 10ms);
  wheel.advance(kStart + 2 * kTurn);  // jumps over both, the second is armed only now
  EXPECT_EQ(timer.fired, 1);
  wheel.advance(kStart + 2 * kTurn);
  EXPECT_EQ(timer.fired, 2);
}

TEST(TimerWheel, DestroyedWheelDisarmsItsTimers) {
  CallbackTimer timer;
  CallbackTimer late;
  {
    TimerWheel wheel(kStart);
    wheel.arm(timer, kStart + 10ms);
    wheel.arm(late, kStart);
  }
  EXPECT_FALSE(timer.armed());
  EXPECT_FALSE(late.armed());
  timer.disarm();  // idempotent
}

TEST(TimerWheel, WakeupIsEmptyWhenNothingIsArmed) {
  TimerWheel wheel(kStart);
  EXPECT_FALSE(wheel.next_wakeup());
  CallbackTimer timer;
  for (int i = 0; i < 5000; ++i) {
    wheel.arm(timer, kStart + i * 10ms);
    timer.disarm();
  }
  EXPECT_FALSE(wheel.next_wakeup());
}

TEST(TimerWheel, WakeupFindsEverySlotFromEveryPosition) {
  TimerWheel wheel(kStart);
  CallbackTimer timer;
  std::uint64_t tick = 0;
  for (const std::uint64_t step : {1, 63, 64, 65, 1000, 2047, 4000, 4094, 4095, 4096, 3}) {
    wheel.arm(timer, kStart + (tick + step) * TimerWheel::kTick);
    ASSERT_EQ(wheel.next_wakeup(), kStart + (tick + step) * TimerWheel::kTick) << "step=" << step;
    tick += step;
    wheel.advance(kStart + tick * TimerWheel::kTick);
    ASSERT_FALSE(wheel.next_wakeup());
  }
  EXPECT_EQ(timer.fired, 11);
}

/// Random operations, from outside and from callbacks, against a sorted map.
class TimerModel {
 public:
  explicit TimerModel(std::uint64_t seed) : random_(seed) {
    for (int i = 0; i < kTimers; ++i) renew(i);
  }

  void run(int steps) {
    for (int step = 0; step < steps && !testing::Test::HasFailure(); ++step) {
      switch (below(8)) {
        case 0:
        case 1:
        case 2: arm(below(kTimers)); break;
        case 3: disarm(below(kTimers)); break;
        case 4: renew(below(kTimers)); break;
        default: advance(); break;
      }
    }
    // Whoever sleeps until next_wakeup() each time misses nothing.
    while (!deadlines_.empty() && !testing::Test::HasFailure()) {
      const auto wakeup = wheel_.next_wakeup();
      ASSERT_TRUE(wakeup);
      quiet_ = true;
      advance_to(std::max(now_, *wakeup));
    }
  }

 private:
  static constexpr int kTimers = 60;

  int below(int bound) { return static_cast<int>(random_() % static_cast<std::uint64_t>(bound)); }

  std::chrono::nanoseconds distance() {
    switch (below(4)) {
      case 0: return std::chrono::nanoseconds(below(30'000'000));
      case 1: return std::chrono::milliseconds(below(2000));
      case 2: return std::chrono::milliseconds(below(200'000));  // some turns
      default: return below(10) * TimerWheel::kTick;
    }
  }

  void arm(int index) {
    const SteadyTime deadline = below(10) == 0 ? now_ - distance() : now_ + distance();
    wheel_.arm(*timers_[index], deadline);
    deadlines_[index] = deadline;
    armed_while_firing_.insert(index);
  }
  void disarm(int index) {
    timers_[index]->disarm();
    deadlines_.erase(index);
  }
  void renew(int index) {
    if (index == calling_) return;  // a std::function cannot destroy itself
    timers_[index] = std::make_unique<CallbackTimer>([this, index] { on_fired(index); });
    deadlines_.erase(index);
  }

  void on_fired(int index) {
    const auto found = deadlines_.find(index);
    ASSERT_NE(found, deadlines_.end()) << "fired without being armed";
    EXPECT_LE(found->second, now_) << "fired early";
    EXPECT_FALSE(armed_while_firing_.contains(index)) << "fired in the advance that armed it";
    deadlines_.erase(found);
    if (quiet_) return;
    calling_ = index;
    const int other = below(2) == 0 ? index : below(kTimers);
    switch (below(6)) {
      case 0: arm(other); break;
      case 1: disarm(other); break;
      case 2: renew(other); break;
      default: break;
    }
    calling_ = -1;
  }

  void advance() {
    auto to = now_ + (below(20) == 0 ? std::chrono::nanoseconds(kTurn * below(3)) : std::chrono::nanoseconds(0));
    to += below(3) == 0 ? distance() : std::chrono::nanoseconds(below(25'000'000));
    advance_to(to);
  }
  void advance_to(SteadyTime to) {
    now_ = to;
    armed_while_firing_.clear();
    wheel_.advance(now_);
    for (const auto& [index, deadline] : deadlines_) {
      ASSERT_TRUE(timers_[index]->armed());
      if (armed_while_firing_.contains(index)) continue;
      ASSERT_GT(deadline + TimerWheel::kTick, now_) << "more than one tick late";
    }
    const auto wakeup = wheel_.next_wakeup();
    ASSERT_EQ(wakeup.has_value(), !deadlines_.empty());
    for (const auto& [index, deadline] : deadlines_) ASSERT_LT(*wakeup, std::max(deadline, now_) + TimerWheel::kTick);
    armed_while_firing_.clear();
  }

  std::mt19937_64 random_;
  SteadyTime now_ = kStart;
  TimerWheel wheel_{kStart};
  std::map<int, SteadyTime> deadlines_;
  std::set<int> armed_while_firing_;
  int calling_ = -1;
  bool quiet_ = false;
  std::unique_ptr<CallbackTimer> timers_[kTimers];
};

TEST(TimerWheel, AgreesWithANaiveModelUnderRandomOperations) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed=" + std::to_string(seed));
    TimerModel(seed).run(500);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace weir
