#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sys/epoll.h>

#include "answer_reader.h"
#include "histogram.h"

namespace weir::bench {

/// Ends the process with one line on standard error; a benchmark that went wrong has no numbers to give.
[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

/// CLOCK_MONOTONIC in nanoseconds.
std::uint64_t now_ns();
/// User and system time of this process in seconds.
double cpu_seconds();

/// One line of JSON for the person or script that started us, at once.
void report(const char* format, ...) __attribute__((format(printf, 1, 2)));
/// `"<name>_p50_ms":…,"<name>_p99_ms":…,"<name>_p999_ms":…,"<name>_max_ms":…` of nanoseconds.
std::string quantiles_json(const char* name, const Histogram& histogram);
/// Waits for one line on standard input; fails unless it is `word`.
void await_word(const char* word);

/// One connection and what is awaited on it. Its owner gives it a meaning by `kind` and `index`.
struct Connection {
  int descriptor = -1;
  std::uint32_t kind = 0;
  std::uint32_t index = 0;
  AnswerReader reader;
};

/// epoll, one buffer to receive into, and the loopback addresses that connections come from.
class Poller {
 public:
  explicit Poller(std::uint16_t port);
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  /// Connects (waits for it, at most 10 s) from the next of the source addresses 127.0.0.2, 127.0.0.3, … and registers
  /// for reading; `connection` must stay where it is.
  void connect(Connection& connection);
  /// Registers a descriptor that is no connection; events of it come with a null pointer.
  void watch(int descriptor);
  /// Fails unless the kernel takes the whole request at once: one is under way at a time, so there is room.
  static void send(const Connection& connection, std::string_view request);
  /// Waits at most `timeout_ms` (negative: for ever); the events are valid until the next call.
  const std::vector<epoll_event>& wait(int timeout_ms);
  /// Receives once; true: an answer is whole and connection.reader has it. Fails when the connection is gone or broken.
  bool receive(Connection& connection);
  /// Fails if anything has come on a connection on which nothing is awaited.
  void expect_silence(const Connection& connection);
  static void close(Connection& connection);

 private:
  std::uint16_t port_;
  int epoll_;
  std::uint32_t connected_ = 0;
  std::vector<char> buffer_;
  std::vector<epoll_event> events_;
};

/// True if `text` is `pattern`, in which each byte 1 stands for any characters other than '"'. What the first of them
/// stands for goes to `first`.
bool matches(std::string_view pattern, std::string_view text, std::string_view& first);

/// One record of a plan: see read_plan().
struct PlanRecord {
  std::string key;
  std::string text;
};
/// Reads a file of records `KEY LENGTH\n` and as many bytes and `\n`.
std::vector<PlanRecord> read_plan(const std::string& path);

/// `--name value` pairs of the command line; fails on anything that is not asked for.
class Options {
 public:
  Options(int count, char** words);
  std::string text(const char* name, const char* otherwise = nullptr);
  std::uint64_t number(const char* name, std::uint64_t otherwise);
  /// Call after the last text() or number().
  void expect_no_more() const;

 private:
  std::vector<std::pair<std::string, std::string>> given_;
};

}  // namespace weir::bench
