#include <deque>
#include <utility>

#include "weir/base/executor.h"

namespace weir {

struct ManualExecutor::Queue {
  std::deque<Task> tasks;
  bool stopped = false;
};

ManualExecutor::ManualExecutor(std::size_t index, SteadyTime start)
    : index_(index), timers_(start), queue_(std::make_unique<Queue>()) {}

ManualExecutor::~ManualExecutor() {
  queue_->stopped = true;
  // One at a time and off the queue first: what a task holds may post while it is destroyed.
  while (!queue_->tasks.empty()) {
    const Task unrun = std::move(queue_->tasks.front());
    queue_->tasks.pop_front();
  }
}

void ManualExecutor::post(Task task) {
  if (!queue_->stopped) queue_->tasks.push_back(std::move(task));
}

bool ManualExecutor::run_one() {
  if (queue_->tasks.empty()) return false;
  Task task = std::move(queue_->tasks.front());
  queue_->tasks.pop_front();
  task();
  return true;
}

std::size_t ManualExecutor::run_all() {
  std::size_t ran = 0;
  while (run_one()) ++ran;
  return ran;
}

std::size_t ManualExecutor::pending() const {
  return queue_->tasks.size();
}

}  // namespace weir
