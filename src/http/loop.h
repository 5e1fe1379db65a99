#pragma once

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "weir/base/clock.h"
#include "weir/base/executor.h"
#include "weir/base/timer_wheel.h"
#include "weir/base/unique_function.h"

namespace weir::http {

/// One network thread on one io_context. post() is safe from any thread; the rest belongs to the thread in run().
class LoopImpl final : public Loop {
 public:
  LoopImpl(std::size_t index, const Clock& clock);
  ~LoopImpl() override;

  void post(Task task) override;
  std::size_t index() const override { return index_; }
  TimerWheel& timers() override { return timers_; }

  boost::asio::io_context& io() { return io_; }
  /// Time of the monotonic clock, read anew.
  SteadyTime now() const { return clock_.steady_now(); }
  bool on_thread() const { return thread_.load(std::memory_order_relaxed) == std::this_thread::get_id(); }
  /// Before run(), or on the loop.
  void set_end_of_round(UniqueFunction<bool()> hook) { end_of_round_ = std::move(hook); }

  /// Called whenever every handler that was ready has run, before the end-of-round hook, and once at the end of run().
  void set_when_quiet(UniqueFunction<void()> call) { when_quiet_ = std::move(call); }

  /// Serves until quit() was called on the loop, then runs what is ready and destroys what is posted.
  void run();
  void quit() { quit_ = true; }
  /// Drops the tasks that wait and every later one. Any thread; run() does it at its end.
  void close_mailbox();

 private:
  /// So many handlers may run before the hook and the timers get their turn, however busy the sockets are.
  static constexpr int kHandlersPerRound = 256;

  void drain_mailbox();

  const std::size_t index_;
  const Clock& clock_;
  boost::asio::io_context io_;
  TimerWheel timers_;
  UniqueFunction<bool()> end_of_round_;
  UniqueFunction<void()> when_quiet_;
  std::atomic<std::thread::id> thread_{};
  bool quit_ = false;
  std::vector<Task> running_;

  std::mutex mutex_;
  std::vector<Task> mailbox_;  // guarded by mutex_
  bool closed_ = false;        // guarded by mutex_
};

}  // namespace weir::http
