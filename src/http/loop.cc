#include "http/loop.h"

#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

namespace weir::http {

namespace net = boost::asio;

// UNSAFE_IO: sockets are touched by the loop's thread only, so the locks around each of them are left out; posting from
// other threads stays safe.
LoopImpl::LoopImpl(std::size_t index, const Clock& clock)
    : index_(index), clock_(clock), io_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO), timers_(clock.steady_now()) {}

LoopImpl::~LoopImpl() {
  close_mailbox();
}

void LoopImpl::post(Task task) {
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;  // `task` is destroyed by the caller's frame, outside the lock
    wake = mailbox_.empty();
    mailbox_.push_back(std::move(task));
  }
  // One wake-up for all that is posted until the loop gets to it.
  if (wake) net::post(io_, [this] { drain_mailbox(); });
}

void LoopImpl::drain_mailbox() {
  {
    std::lock_guard lock(mutex_);
    running_.swap(mailbox_);
  }
  for (Task& task : running_) {
    task();
    task.reset();
  }
  running_.clear();
}

void LoopImpl::close_mailbox() {
  std::vector<Task> dropped;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    dropped.swap(mailbox_);
  }
}

void LoopImpl::run() {
  thread_ = std::this_thread::get_id();
  {
    const auto work = net::make_work_guard(io_);
    bool more = false;
    while (!quit_) {
      if (more) {
        io_.poll_one();
      } else if (const auto next = timers_.next_wakeup()) {
        // The wait itself is the timer: no timerfd, no system call for arming one.
        const auto wait = *next - now();
        if (wait > SteadyTime::duration::zero()) {
          io_.run_one_for(wait);
        } else {
          io_.poll_one();
        }
      } else {
        io_.run_one();
      }
      bool quiet = false;
      for (int handled = 1; handled < kHandlersPerRound && !quiet; ++handled) quiet = io_.poll_one() == 0;
      if (quiet && when_quiet_) when_quiet_();
      timers_.advance(now());
      more = end_of_round_ && end_of_round_();
    }
  }
  // Closed sockets still owe their handlers; each lets go of what it holds.
  while (io_.poll() != 0) {
  }
  close_mailbox();
  if (when_quiet_) when_quiet_();
  end_of_round_.reset();
  while (io_.poll() != 0) {
  }
}

}  // namespace weir::http
