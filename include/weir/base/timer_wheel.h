#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "weir/base/clock.h"

namespace weir {

/// One deadline of one object. Derive from it (or hold it); destroying it disarms it.
/// A timer belongs to one thread: the one that owns the wheel.
class Timer {
 public:
  Timer() noexcept = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  bool armed() const noexcept { return next_ != nullptr; }
  /// Idempotent. O(1).
  void disarm() noexcept;

 protected:
  ~Timer() { disarm(); }
  /// Called once, disarmed, at or up to one tick after the deadline. May arm again, and may destroy this object.
  virtual void on_deadline() = 0;

 private:
  friend class TimerWheel;
  Timer* next_ = nullptr;
  Timer* previous_ = nullptr;
  SteadyTime deadline_{};
};

/// Deadlines of one thread: arming and disarming cost a few pointer writes, so that a request can set several
/// (head, body, send, poll) without a system call. Not thread-safe.
class TimerWheel {
 public:
  static constexpr std::chrono::milliseconds kTick{10};

  explicit TimerWheel(SteadyTime now);
  ~TimerWheel();  ///< disarms what is left
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  /// (Re)arms. A deadline in the past fires at the next advance().
  void arm(Timer& timer, SteadyTime deadline) noexcept;
  /// Fires everything due at `now`.
  void advance(SteadyTime now);
  /// When advance() has something to do next, at the earliest; empty when nothing is armed.
  std::optional<SteadyTime> next_wakeup() const noexcept;

 private:
  struct Head final : Timer {
    void on_deadline() override {}
  };
  std::size_t slot_of(SteadyTime deadline) const noexcept;

  SteadyTime origin_;
  std::uint64_t current_tick_ = 0;
  std::unique_ptr<Head[]> slots_;  // circular lists; a timer more than one turn away stays for the next
};

}  // namespace weir
