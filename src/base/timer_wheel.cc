#include "weir/base/timer_wheel.h"

#include <algorithm>
#include <bit>

namespace weir {
namespace {

constexpr std::uint64_t kNanosecondsPerTick =
    std::chrono::duration_cast<std::chrono::nanoseconds>(TimerWheel::kTick).count();
static_assert(std::is_same_v<SteadyTime::duration, std::chrono::nanoseconds>);

}  // namespace

void Timer::disarm() noexcept {
  if (next_ == nullptr) return;
  previous_->next_ = next_;
  next_->previous_ = previous_;
  next_ = previous_ = nullptr;
}

TimerWheel::TimerWheel(SteadyTime now) : origin_(now), lists_(std::make_unique<Head[]>(kSlots + 2)) {
  for (std::size_t i = 0; i < kSlots + 2; ++i) lists_[i].next_ = lists_[i].previous_ = &lists_[i];
}

TimerWheel::~TimerWheel() {
  for (std::size_t i = 0; i < kSlots + 2; ++i) {
    while (!empty(lists_[i])) lists_[i].next_->disarm();
  }
}

void TimerWheel::append(Head& list, Timer& timer) noexcept {
  timer.next_ = &list;
  timer.previous_ = list.previous_;
  list.previous_->next_ = &timer;
  list.previous_ = &timer;
}

std::uint64_t TimerWheel::due_tick(SteadyTime deadline) const noexcept {
  if (deadline <= origin_) return 0;
  // Unsigned, because the distance between two times need not fit the signed duration.
  const auto distance = static_cast<std::uint64_t>(deadline.time_since_epoch().count()) -
                        static_cast<std::uint64_t>(origin_.time_since_epoch().count());
  return distance / kNanosecondsPerTick + (distance % kNanosecondsPerTick != 0 ? 1 : 0);
}

void TimerWheel::arm(Timer& timer, SteadyTime deadline) noexcept {
  timer.disarm();
  timer.deadline_ = deadline;
  const std::uint64_t tick = due_tick(deadline);
  if (tick <= current_tick_) {
    append(late(), timer);  // its slot has been visited already
    return;
  }
  const std::size_t slot = tick % kSlots;
  append(lists_[slot], timer);
  occupied_[slot / 64] |= std::uint64_t{1} << (slot % 64);
}

void TimerWheel::advance(SteadyTime now) {
  // First everything due moves to one list, then it is fired from there: what a callback arms cannot fire in the same
  // call (no endless loop), and what it disarms or destroys leaves whichever list it stands in.
  while (!empty(late())) {
    Timer& timer = *late().next_;
    timer.disarm();
    append(firing(), timer);
  }
  if (now > origin_) {
    const auto distance = static_cast<std::uint64_t>(now.time_since_epoch().count()) -
                          static_cast<std::uint64_t>(origin_.time_since_epoch().count());
    const std::uint64_t now_tick = distance / kNanosecondsPerTick;
    if (now_tick > current_tick_) {
      // After a jump of more than a turn each slot still needs only one visit.
      const std::uint64_t visits = std::min<std::uint64_t>(now_tick - current_tick_, kSlots);
      const std::uint64_t first = current_tick_ + 1;
      current_tick_ = now_tick;
      for (std::uint64_t i = 0; i < visits; ++i) collect((first + i) % kSlots);
    }
  }
  while (!empty(firing())) {
    Timer& timer = *firing().next_;
    timer.disarm();
    timer.on_deadline();
  }
}

void TimerWheel::collect(std::size_t slot) noexcept {
  const std::uint64_t bit = std::uint64_t{1} << (slot % 64);
  if ((occupied_[slot / 64] & bit) == 0) return;
  Head& list = lists_[slot];
  for (Timer* timer = list.next_; timer != &list;) {
    Timer* const next = timer->next_;
    if (due_tick(timer->deadline_) <= current_tick_) {
      timer->disarm();
      append(firing(), *timer);
    }
    timer = next;
  }
  if (empty(list)) occupied_[slot / 64] &= ~bit;
}

std::optional<SteadyTime> TimerWheel::next_wakeup() const noexcept {
  const auto time_of = [this](std::uint64_t tick) {
    return origin_ + std::chrono::nanoseconds(static_cast<std::int64_t>(tick * kNanosecondsPerTick));
  };
  if (!empty(late()) || !empty(firing())) return time_of(current_tick_);
  const std::uint64_t first = current_tick_ + 1;
  for (std::uint64_t ahead = 0; ahead < kSlots;) {
    const std::size_t slot = (first + ahead) % kSlots;
    const std::uint64_t word = occupied_[slot / 64] >> (slot % 64);
    if (word == 0) {
      ahead += 64 - slot % 64;
      continue;
    }
    ahead += static_cast<std::uint64_t>(std::countr_zero(word));
    if (ahead >= kSlots) break;
    const std::size_t candidate = (first + ahead) % kSlots;
    if (!empty(lists_[candidate])) return time_of(first + ahead);
    // Disarming knows no wheel, so a bit outlives its timers until somebody looks.
    occupied_[candidate / 64] &= ~(std::uint64_t{1} << (candidate % 64));
  }
  return std::nullopt;
}

}  // namespace weir
