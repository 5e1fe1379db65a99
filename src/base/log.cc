#include "weir/base/log.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include "log_format.h"

namespace weir::log {
namespace {

constexpr std::size_t kQueuedLinesMax = 4096;
/// How long stop() keeps trying to hand lines to a reader that does not read.
constexpr std::chrono::milliseconds kStopPatience{2000};
/// After a poll() that says writable, a write of at most this much to a pipe does not block.
constexpr std::size_t kChunkBytes = 4096;

/// Lines given up at the end, or that could not be formatted; overrun ones are counted by the queue.
std::atomic<std::uint64_t> lost_lines{0};

/// Writes lines to standard error. Called by the background thread only. While the process runs it waits for a slow
/// reader as long as it takes (the queue overruns meanwhile); once stopping, no longer than kStopPatience in all.
class StderrSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit StderrSink(std::unique_ptr<spdlog::formatter> formatter) : base_sink(std::move(formatter)) {}

  void watch_overruns(spdlog::details::thread_pool* queue) { queue_ = queue; }
  void begin_stop() {
    give_up_at_.store((std::chrono::steady_clock::now() + kStopPatience).time_since_epoch().count(),
                      std::memory_order_relaxed);
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (queue_ != nullptr) {
      const std::size_t overrun = queue_->overrun_counter();
      const bool told = overrun != overrun_reported_ &&
                        write_line({message.time,
                                    {},
                                    "log",
                                    spdlog::level::warn,
                                    fmt::format("log lines dropped count={}", overrun - overrun_reported_)});
      if (told) overrun_reported_ = overrun;
    }
    if (!write_line(message)) lost_lines.fetch_add(1, std::memory_order_relaxed);
  }
  void flush_() override {}

 private:
  /// False when not all of the line could be written.
  bool write_line(const spdlog::details::log_msg& message) {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    std::string_view rest(line.data(), line.size());
    while (!rest.empty()) {
      if (!wait_writable()) return false;
      const ssize_t written = ::write(STDERR_FILENO, rest.data(), std::min(rest.size(), kChunkBytes));
      if (written > 0) {
        rest.remove_prefix(static_cast<std::size_t>(written));
      } else if (written < 0 && errno != EINTR && errno != EAGAIN) {
        return false;
      }
    }
    return true;
  }

  /// False when standard error is gone, or when stopping takes too long.
  bool wait_writable() const {
    for (;;) {
      const std::int64_t give_up_at = give_up_at_.load(std::memory_order_relaxed);
      const bool give_up = give_up_at != 0 && std::chrono::steady_clock::now().time_since_epoch().count() >= give_up_at;
      pollfd target{STDERR_FILENO, POLLOUT, 0};
      // A finite wait even before stop, so that a stop that comes while we wait is seen.
      const int ready = ::poll(&target, 1, give_up ? 0 : 100);
      if (ready > 0) return (target.revents & POLLOUT) != 0 && (target.revents & (POLLERR | POLLNVAL)) == 0;
      if (ready < 0 && errno != EINTR) return false;
      if (give_up) return false;
    }
  }

  spdlog::details::thread_pool* queue_ = nullptr;
  std::size_t overrun_reported_ = 0;
  std::atomic<std::int64_t> give_up_at_{0};  ///< steady clock; 0: not stopping
};

/// What start() makes and stop() takes away.
struct Backend {
  std::shared_ptr<StderrSink> sink;
  std::shared_ptr<spdlog::async_logger> writer;
  std::shared_ptr<spdlog::details::thread_pool> queue;
};

/// Stands behind every logger for the life of the process and passes lines on while there is a backend.
class Dispatch final : public spdlog::sinks::sink {
 public:
  void log(const spdlog::details::log_msg& message) override {
    const std::shared_lock lock(mutex_);
    if (backend_.queue == nullptr) return;
    backend_.queue->post_log(std::shared_ptr<spdlog::async_logger>(backend_.writer), message,
                             spdlog::async_overflow_policy::overrun_oldest);
  }
  void flush() override {}
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

  void attach(Backend backend) {
    const std::unique_lock lock(mutex_);
    std::swap(backend_, backend);
  }
  Backend detach() {
    const std::unique_lock lock(mutex_);
    return std::exchange(backend_, {});
  }
  std::uint64_t overruns() const {
    const std::shared_lock lock(mutex_);
    return backend_.queue == nullptr ? 0 : backend_.queue->overrun_counter();
  }

 private:
  mutable std::shared_mutex mutex_;
  Backend backend_;
};

struct Registry {
  std::shared_ptr<Dispatch> dispatch = std::make_shared<Dispatch>();
  std::mutex mutex;
  spdlog::level::level_enum level = spdlog::level::off;
  std::map<std::string, std::unique_ptr<spdlog::logger>, std::less<>> loggers;

  void set_level(spdlog::level::level_enum wanted) {
    const std::lock_guard lock(mutex);
    level = wanted;
    for (auto& [name, made] : loggers) made->set_level(wanted);
  }
};

/// Never destroyed: threads and statics may log until the very end.
Registry& registry() {
  static Registry* const instance = new Registry;
  return *instance;
}

spdlog::level::level_enum level_from(std::string_view name) {
  if (name == "trace") return spdlog::level::trace;
  if (name == "debug") return spdlog::level::debug;
  if (name == "warn") return spdlog::level::warn;
  if (name == "error") return spdlog::level::err;
  if (name == "off") return spdlog::level::off;
  return spdlog::level::info;
}

}  // namespace

void start(const Settings& settings) {
  stop();
  Backend backend;
  backend.sink = std::make_shared<StderrSink>(settings.json ? make_json_formatter() : make_text_formatter());
  backend.queue = std::make_shared<spdlog::details::thread_pool>(kQueuedLinesMax, 1, [] {
    // Signals are for the threads that wait for them; a reader that went away must not end the process.
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    ::pthread_setname_np(::pthread_self(), "log");
  });
  backend.sink->watch_overruns(backend.queue.get());
  backend.writer = std::make_shared<spdlog::async_logger>("writer", backend.sink, backend.queue);
  backend.writer->set_level(spdlog::level::trace);  // each module's logger has decided already
  registry().dispatch->attach(std::move(backend));
  registry().set_level(level_from(settings.level));
}

void stop() {
  registry().set_level(spdlog::level::off);
  Backend backend = registry().dispatch->detach();
  if (backend.queue == nullptr) return;
  backend.sink->begin_stop();
  const std::uint64_t overruns = backend.queue->overrun_counter();
  backend.queue.reset();  // writes what is queued, joins the thread
  lost_lines.fetch_add(overruns, std::memory_order_relaxed);
}

spdlog::logger& logger(std::string_view module) {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  auto found = all.loggers.find(module);
  if (found == all.loggers.end()) {
    auto made = std::make_unique<spdlog::logger>(std::string(module), all.dispatch);
    made->set_level(all.level);
    made->set_error_handler([](const std::string&) { lost_lines.fetch_add(1, std::memory_order_relaxed); });
    found = all.loggers.emplace(module, std::move(made)).first;
  }
  return *found->second;
}

std::uint64_t dropped_lines() {
  return lost_lines.load(std::memory_order_relaxed) + registry().dispatch->overruns();
}

}  // namespace weir::log
