#pragma once

#include <chrono>

namespace weir {

/// Wall time in the unit that messages carry: milliseconds since 1970-01-01 UTC.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;
/// Monotonic time: the only clock for deadlines and timeouts.
using SteadyTime = std::chrono::steady_clock::time_point;

/// Where time comes from; passed in, so that a test can move it. Safe to call from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime wall_now() const = 0;
  virtual SteadyTime steady_now() const = 0;
};

/// The clocks of the machine.
class SystemClock final : public Clock {
 public:
  WallTime wall_now() const override {
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  }
  SteadyTime steady_now() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace weir
