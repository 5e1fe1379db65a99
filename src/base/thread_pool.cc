#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <pthread.h>

#include "weir/base/assert.h"
#include "weir/base/executor.h"

namespace weir {

struct ThreadPool::State {
  explicit State(std::size_t queue_limit) : queue_max(queue_limit) {}

  void run();

  const std::size_t queue_max;

  std::mutex stop_mutex;  // held while joining, so that a second stop() also returns only when all is done
  std::vector<std::thread> threads;

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Task> tasks;
  bool stopping = false;
};

void ThreadPool::State::run() {
  std::unique_lock lock(mutex);
  for (;;) {
    changed.wait(lock, [this] { return stopping || !tasks.empty(); });
    if (tasks.empty()) return;
    {
      Task task = std::move(tasks.front());
      tasks.pop_front();
      lock.unlock();
      task();
    }  // destroyed outside the lock: what it holds may call us
    lock.lock();
  }
}

ThreadPool::ThreadPool(std::string name, std::size_t threads, std::size_t queue_max)
    : state_(std::make_unique<State>(queue_max)) {
  WEIR_ASSERT(threads > 0);
  name.resize(std::min<std::size_t>(name.size(), 12));  // 15 characters is what the kernel keeps
  for (std::size_t i = 0; i < threads; ++i) {
    state_->threads.emplace_back([state = state_.get()] { state->run(); });
    const std::string thread_name = (name + std::to_string(i)).substr(0, 15);
    ::pthread_setname_np(state_->threads.back().native_handle(), thread_name.c_str());
  }
}

ThreadPool::~ThreadPool() {
  stop();
}

bool ThreadPool::try_post(Task& task) {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->stopping || state_->tasks.size() >= state_->queue_max) return false;
    state_->tasks.push_back(std::move(task));
  }
  state_->changed.notify_one();
  return true;
}

void ThreadPool::stop() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->changed.notify_all();
  const std::lock_guard lock(state_->stop_mutex);
  for (std::thread& thread : state_->threads) {
    WEIR_ASSERT(thread.get_id() != std::this_thread::get_id());  // a task cannot wait for itself
    thread.join();
  }
  state_->threads.clear();
}

}  // namespace weir
