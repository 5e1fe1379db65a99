#pragma once

#include <array>
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
  virtual ~Timer() { disarm(); }
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
  /// Fires everything due at `now`; a jump of any length is fine. The order among timers that are due in one call is
  /// not promised. What a callback arms fires in a later call, even if it is due already.
  void advance(SteadyTime now);
  /// When advance() has something to do next, at the earliest; empty when nothing is armed. It may be early by whole
  /// turns of the wheel (a far deadline shares its slot with nearer times), never late. Cheap: reads a bitmap.
  std::optional<SteadyTime> next_wakeup() const noexcept;

 private:
  /// One turn is 41 s: most deadlines of a request lie within it. A power of two.
  static constexpr std::size_t kSlots = 4096;
  static_assert((kSlots & (kSlots - 1)) == 0);

  struct Head final : Timer {
    void on_deadline() override {}
  };

  /// The first tick that does not lie before `deadline`.
  std::uint64_t due_tick(SteadyTime deadline) const noexcept;
  /// Moves what is due at current_tick_ from a slot to firing().
  void collect(std::size_t slot) noexcept;
  Head& late() const noexcept { return lists_[kSlots]; }        ///< armed when already due
  Head& firing() const noexcept { return lists_[kSlots + 1]; }  ///< taken by advance(), not yet called
  static bool empty(const Head& list) noexcept { return list.next_ == &list; }
  static void append(Head& list, Timer& timer) noexcept;

  SteadyTime origin_;
  std::uint64_t current_tick_ = 0;  ///< everything due at this tick or before has left the slots
  std::unique_ptr<Head[]> lists_;   ///< circular lists; a timer more than one turn away stays in its slot
  /// A bit for each slot that may hold timers; a bit without timers is cleared when it is met.
  mutable std::array<std::uint64_t, kSlots / 64> occupied_{};
};

}  // namespace weir
