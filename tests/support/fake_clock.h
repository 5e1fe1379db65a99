#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "weir/base/clock.h"

namespace weir::test {

/// A clock that moves only when told to. Safe to call from any thread.
class FakeClock final : public Clock {
 public:
  /// 2026-01-01 00:00:00 UTC.
  static constexpr WallTime kStart{std::chrono::milliseconds{1'767'225'600'000}};

  explicit FakeClock(WallTime wall = kStart, SteadyTime steady = SteadyTime{std::chrono::hours{1}})
      : wall_(wall.time_since_epoch().count()), steady_(steady.time_since_epoch().count()) {}

  WallTime wall_now() const override { return WallTime{std::chrono::milliseconds{wall_.load()}}; }
  SteadyTime steady_now() const override { return SteadyTime{SteadyTime::duration{steady_.load()}}; }

  /// Time passes: both clocks move. `by` must not be negative.
  void advance(std::chrono::milliseconds by) {
    wall_.fetch_add(by.count());
    steady_.fetch_add(std::chrono::duration_cast<SteadyTime::duration>(by).count());
  }
  /// Somebody sets the wall clock, forwards or backwards; the monotonic clock does not notice.
  void set_wall(WallTime to) { wall_.store(to.time_since_epoch().count()); }
  void step_wall(std::chrono::milliseconds by) { wall_.fetch_add(by.count()); }

 private:
  std::atomic<std::int64_t> wall_;    // milliseconds
  std::atomic<std::int64_t> steady_;  // ticks of SteadyTime
};

}  // namespace weir::test
