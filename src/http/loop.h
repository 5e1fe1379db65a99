#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include <sys/epoll.h>

#include "weir/base/clock.h"
#include "weir/base/executor.h"
#include "weir/base/timer_wheel.h"
#include "weir/base/unique_function.h"

#include "http/descriptor.h"

namespace weir::http {

/// Hears of what happens on a descriptor that a loop watches. After closing the descriptor it must outlive the task
/// that is posted next: the events that the loop is handling may still name it, and it has to ignore them.
class EventTarget {
 public:
  /// On the loop's thread. `events`: of EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR.
  virtual void on_events(std::uint32_t events) = 0;

 protected:
  ~EventTarget() = default;
};

/// One network thread: descriptors (epoll), timers and tasks in rounds. A round is: what is ready and the tasks posted
/// so far, over again while a hook is set and more has come, up to about kEventsPerRound events or kRoundTimeMax; the
/// timers; the hook. So none of them starves the others. post() is safe from any thread; the rest belongs to the thread
/// in run().
class LoopImpl final : public Loop {
 public:
  /// Without descriptors for itself it ends the process: nothing can be served then.
  LoopImpl(std::size_t index, const Clock& clock);
  ~LoopImpl() override;

  void post(Task task) override;
  std::size_t index() const override { return index_; }
  TimerWheel& timers() override { return timers_; }

  /// Watches `fd` until it is closed. `events` as for epoll: level-triggered unless EPOLLET is among them. False when
  /// the kernel has no room.
  [[nodiscard]] bool watch(int fd, std::uint32_t events, EventTarget& target);
  /// Other events for an `fd` that is watched; none: a level-triggered one pauses.
  void change_watch(int fd, std::uint32_t events, EventTarget& target);

  /// Time of the monotonic clock when this round's events came, or in the hook: when it was first asked for there
  /// (the hook may wait for a disk). Deadlines count from it, and reading it costs nothing.
  SteadyTime time();
  /// Read anew.
  SteadyTime now() const { return clock_.steady_now(); }
  bool on_thread() const { return thread_.load(std::memory_order_relaxed) == std::this_thread::get_id(); }
  /// Before run(), or on the loop. True from the hook: do not sleep, there is more to do.
  void set_end_of_round(UniqueFunction<bool()> hook) { end_of_round_ = std::move(hook); }

  /// Serves until quit() was called on the loop, then destroys what is posted.
  void run();
  void quit() { quit_ = true; }
  /// Drops the tasks that wait and every later one. Any thread; run() does it at its end.
  void close_mailbox();

 private:
  static constexpr int kEventsPerRound = 256;
  /// No further look after this long: the timers and the hook must not wait for clients that never pause.
  static constexpr std::chrono::milliseconds kRoundTimeMax{3};

  int wait_ms(bool more);
  bool drain_mailbox();

  const std::size_t index_;
  const Clock& clock_;
  const Descriptor epoll_;
  const Descriptor wake_;  // an eventfd, edge-triggered: written to, never read
  TimerWheel timers_;
  UniqueFunction<bool()> end_of_round_;
  std::atomic<std::thread::id> thread_{};
  SteadyTime time_;
  bool time_stale_ = true;
  bool quit_ = false;
  std::vector<Task> running_;

  std::mutex mutex_;
  std::vector<Task> mailbox_;  // guarded by mutex_
  bool sleeping_ = false;      // guarded by mutex_: the loop waits for events, whoever posts has to wake it
  bool closed_ = false;        // guarded by mutex_
};

}  // namespace weir::http
