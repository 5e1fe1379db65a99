#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "weir/base/clock.h"
#include "weir/base/timer_wheel.h"
#include "weir/base/unique_function.h"

namespace weir {

using Task = UniqueFunction<void()>;

/// Runs tasks in the order in which one thread posted them. Safe to call from any thread.
class Executor {
 public:
  virtual ~Executor() = default;
  /// Never runs `task` before returning. After stop the task is destroyed unrun.
  virtual void post(Task task) = 0;
};

/// One network thread: an executor with timers. Everything that it runs, runs on one thread.
class Loop : public Executor {
 public:
  /// Position among the loops of this process, from 0.
  virtual std::size_t index() const = 0;
  /// Only on the loop's own thread.
  virtual TimerWheel& timers() = 0;
};

/// Threads for work that may block (disk), with a bounded queue.
class ThreadPool {
 public:
  /// `name` shows in the thread list (at most 12 characters count). `queue_max` tasks wait at most.
  ThreadPool(std::string name, std::size_t threads, std::size_t queue_max);
  ~ThreadPool();  ///< stop()
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  /// False when the queue is full or the pool is stopped: `task` was not taken (it is still the caller's).
  [[nodiscard]] bool try_post(Task& task);
  /// Lets the queued tasks finish, then joins. Idempotent.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Runs tasks when told to, on the calling thread: tests and simulation. Not thread-safe.
class ManualExecutor final : public Loop {
 public:
  explicit ManualExecutor(std::size_t index = 0, SteadyTime start = {});
  ~ManualExecutor() override;
  void post(Task task) override;
  std::size_t index() const override { return index_; }
  TimerWheel& timers() override { return timers_; }

  /// Runs the oldest task. False when there is none.
  bool run_one();
  /// Runs until no task is left; returns how many ran.
  std::size_t run_all();
  std::size_t pending() const;

 private:
  std::size_t index_;
  TimerWheel timers_;
  struct Queue;
  std::unique_ptr<Queue> queue_;
};

}  // namespace weir
