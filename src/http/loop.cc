#include "http/loop.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <sys/eventfd.h>

#include "weir/base/assert.h"

namespace weir::http {

LoopImpl::LoopImpl(std::size_t index, const Clock& clock)
    : index_(index),
      clock_(clock),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      timers_(clock.steady_now()),
      time_(clock.steady_now()) {
  WEIR_ASSERT(epoll_.open() && wake_.open());
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = nullptr;
  WEIR_ASSERT(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) == 0);
}

LoopImpl::~LoopImpl() {
  close_mailbox();
}

bool LoopImpl::watch(int fd, std::uint32_t events, EventTarget& target) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &target;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void LoopImpl::change_watch(int fd, std::uint32_t events, EventTarget& target) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &target;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

SteadyTime LoopImpl::time() {
  if (time_stale_) {
    time_ = clock_.steady_now();
    time_stale_ = false;
  }
  return time_;
}

void LoopImpl::post(Task task) {
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;  // `task` is destroyed by the caller's frame, outside the lock
    mailbox_.push_back(std::move(task));
    wake = std::exchange(sleeping_, false);
  }
  // One wake-up for all that is posted until the loop gets to it, and none while it is awake: it looks before it
  // sleeps.
  if (wake) ::eventfd_write(wake_.get(), 1);
}

bool LoopImpl::drain_mailbox() {
  {
    std::lock_guard lock(mutex_);
    sleeping_ = false;
    running_.swap(mailbox_);
  }
  const bool any = !running_.empty();
  for (Task& task : running_) {
    task();
    task.reset();
  }
  running_.clear();
  return any;
}

void LoopImpl::close_mailbox() {
  std::vector<Task> dropped;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    dropped.swap(mailbox_);
  }
}

// How long to wait for events. The wait itself is the timer: no timerfd, no system call for arming one.
int LoopImpl::wait_ms(bool more) {
  if (more) return 0;
  constexpr std::chrono::milliseconds kLongest = std::chrono::minutes(10);
  int wait = -1;
  if (const auto next = timers_.next_wakeup()) {
    const auto left = std::clamp<SteadyTime::duration>(*next - time(), SteadyTime::duration::zero(), kLongest);
    wait = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
    if (wait == 0) return 0;
  }
  std::lock_guard lock(mutex_);
  if (!mailbox_.empty()) return 0;
  sleeping_ = true;
  return wait;
}

void LoopImpl::run() {
  thread_ = std::this_thread::get_id();
  std::array<epoll_event, kEventsPerRound> events{};
  bool more = false;
  while (!quit_) {
    int wait = wait_ms(more);
    int handled = 0;
    for (;;) {
      const int count = ::epoll_wait(epoll_.get(), events.data(), kEventsPerRound - handled, wait);
      if (handled == 0) {
        time_ = clock_.steady_now();
        time_stale_ = false;
      }
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (event.data.ptr != nullptr) static_cast<EventTarget*>(event.data.ptr)->on_events(event.events);
      }
      const bool tasks = drain_mailbox();
      // A hook does for all that came in a round what is dear to do for each (a commit), so what has come meanwhile is
      // taken along, the next requests of those who have just been answered too; without a hook another look costs more
      // than it brings.
      if ((count <= 0 && !tasks) || !end_of_round_) break;
      handled += std::max(count, 1);
      if (handled >= kEventsPerRound || clock_.steady_now() - time_ > kRoundTimeMax) break;
      wait = 0;
    }
    timers_.advance(time_);
    time_stale_ = true;
    more = end_of_round_ && end_of_round_();
  }
  close_mailbox();
  end_of_round_.reset();
}

}  // namespace weir::http
