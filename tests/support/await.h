#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <gtest/gtest.h>

#include "weir/base/result.h"

namespace weir::test {

/// How long a test waits for what must happen before it fails; far more than any machine needs.
inline constexpr std::chrono::seconds kPatience{60};

/// The end of one asynchronous call: hand `callback()` to it, then `wait()`. Copies share one end. A second call of the
/// callback fails the test. Safe to use from any thread.
template <class T>
class Completion {
 public:
  Completion() : state_(std::make_shared<State>()) {}

  auto callback() const {
    return [state = state_](Result<T> result) { state->complete(std::move(result)); };
  }
  bool ready() const {
    const std::lock_guard lock(state_->mutex);
    return state_->result.has_value();
  }
  /// The result; fails the test and gives `internal` when none comes. `run` is called while there is none, for code
  /// under test that has no thread of its own.
  Result<T> wait(const std::function<void()>& run = {}) const {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    const auto ended = [this] { return state_->result.has_value(); };
    std::unique_lock lock(state_->mutex);
    while (!ended()) {
      auto until = deadline;
      if (run) {
        lock.unlock();
        run();
        lock.lock();
        until = std::min(deadline, std::chrono::steady_clock::now() + std::chrono::milliseconds{2});
      }
      if (!state_->changed.wait_until(lock, until, ended) && std::chrono::steady_clock::now() >= deadline) {
        ADD_FAILURE() << "a completion was never called";
        return make_error(Errc::internal, "no completion");
      }
    }
    return *state_->result;
  }

 private:
  struct State {
    void complete(Result<T> value) {
      const std::lock_guard lock(mutex);
      if (result) {
        ADD_FAILURE() << "a completion was called twice";
        return;
      }
      result.emplace(std::move(value));
      changed.notify_all();
    }
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<Result<T>> result;
  };
  std::shared_ptr<State> state_;
};

}  // namespace weir::test
