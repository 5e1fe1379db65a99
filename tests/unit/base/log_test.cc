#include "weir/base/log.h"

#include <array>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <spdlog/details/log_msg.h>
#include <unistd.h>

#include "base/log_format.h"

namespace weir::log {
namespace {

using namespace std::chrono_literals;

/// Standard error led into a pipe for as long as this lives.
class CapturedStderr {
 public:
  CapturedStderr() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    read_end_ = ends[0];
    saved_ = ::dup(STDERR_FILENO);
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[1]);
  }
  ~CapturedStderr() {
    restore();
    if (reader_.joinable()) reader_.join();
    close_reader();
  }
  CapturedStderr(const CapturedStderr&) = delete;
  CapturedStderr& operator=(const CapturedStderr&) = delete;

  void close_reader() {
    if (read_end_ >= 0) ::close(std::exchange(read_end_, -1));
  }
  /// Reads while lines still come; without it nobody reads before finish().
  void read_in_background() {
    reader_ = std::thread([this] { read_all(); });
  }
  /// Gives standard error back and returns what came through the pipe.
  std::string finish() {
    restore();
    if (reader_.joinable()) {
      reader_.join();
    } else {
      read_all();
    }
    return text_;
  }

 private:
  void restore() {
    if (saved_ < 0) return;
    ::dup2(saved_, STDERR_FILENO);
    ::close(std::exchange(saved_, -1));
  }

  void read_all() {
    std::array<char, 4096> buffer;
    for (;;) {
      const ssize_t got = ::read(read_end_, buffer.data(), buffer.size());
      if (got <= 0) return;
      text_.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }

  int read_end_ = -1;
  int saved_ = -1;
  std::string text_;
  std::thread reader_;
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  for (std::size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    lines.push_back(text.substr(begin, end - begin));
  }
  EXPECT_EQ(begin, text.size()) << "a line without an end";
  return lines;
}

std::string formatted(spdlog::formatter& formatter, std::string_view module, std::string_view message) {
  spdlog::details::log_msg line({}, spdlog::string_view_t(module.data(), module.size()), spdlog::level::warn,
                                spdlog::string_view_t(message.data(), message.size()));
  line.time = spdlog::log_clock::time_point(1'772'439'330'042ms);
  spdlog::memory_buf_t buffer;
  formatter.format(line, buffer);
  return std::string(buffer.data(), buffer.size());
}

TEST(LogText, HoldsTimeLevelModuleAndMessage) {
  EXPECT_EQ(formatted(*make_text_formatter(), "core", "append failed topic=7"),
            "2026-03-02T08:15:30.042Z warn core: append failed topic=7\n");
}

TEST(LogText, NeverStartsAnotherLineOrDrivesATerminal) {
  EXPECT_EQ(formatted(*make_text_formatter(), "m", "a\nb\r\tc\x1b[2Jd\x7f\xc2\x9b\"\\"),
            "2026-03-02T08:15:30.042Z warn m: a\\nb\\r\\tc\\u001b[2Jd\\u007f\\u009b\"\\\n");
}

struct JsonCase {
  std::string name;
  std::string message;
  std::string read_back;
};
class LogJson : public testing::TestWithParam<JsonCase> {};

INSTANTIATE_TEST_SUITE_P(
    Messages, LogJson,
    testing::Values(JsonCase{"Plain", "hello", "hello"}, JsonCase{"Empty", "", ""},
                    JsonCase{"Quotes", R"(say "x" \ y)", R"(say "x" \ y)"}, JsonCase{"Lines", "a\nb\r\tc", "a\nb\r\tc"},
                    JsonCase{"Controls", std::string("a\0\x01\x1f\x7f", 5), std::string("a\0\x01\x1f\x7f", 5)},
                    JsonCase{"Utf8", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
                             "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
                    JsonCase{"LoneContinuation", "a\x80z", "a\xef\xbf\xbdz"},
                    JsonCase{"CutOff", "a\xe2\x82", "a\xef\xbf\xbd\xef\xbf\xbd"},
                    JsonCase{"Overlong", "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
                    JsonCase{"OverlongThree", "\xe0\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
                    JsonCase{"Surrogate", "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
                    JsonCase{"AboveUnicode", "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
                    JsonCase{"Highest", "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"}),
    [](const auto& row) { return row.param.name; });

TEST_P(LogJson, IsOneObjectOnOneLineThatReadsBack) {
  const std::string line = formatted(*make_json_formatter(), "http", GetParam().message);
  ASSERT_EQ(lines_of(line).size(), 1u);
  const auto object = nlohmann::json::parse(line, nullptr, false);
  ASSERT_FALSE(object.is_discarded()) << line;
  EXPECT_EQ(object.size(), 4u);
  EXPECT_EQ(object.at("time"), "2026-03-02T08:15:30.042Z");
  EXPECT_EQ(object.at("level"), "warn");
  EXPECT_EQ(object.at("module"), "http");
  EXPECT_EQ(object.at("message"), GetParam().read_back);
}

TEST(Log, WritesLinesOfTheLevelAndAboveBeforeStopReturns) {
  CapturedStderr captured;
  start({.level = "warn", .json = true});
  logger("test").info("not this one");
  logger("test").warn("warned n={}", 1);
  logger("other").error("failed");
  stop();
  const auto lines = lines_of(captured.finish());
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(nlohmann::json::parse(lines[0]).at("message"), "warned n=1");
  EXPECT_EQ(nlohmann::json::parse(lines[1]).at("module"), "other");
  EXPECT_EQ(nlohmann::json::parse(lines[1]).at("level"), "error");
}

TEST(Log, ReferencesStayValidAndDropBeforeStartAndAfterStop) {
  CapturedStderr captured;
  spdlog::logger& kept = logger("kept");
  kept.error("before");
  start({.level = "trace"});
  EXPECT_EQ(&logger("kept"), &kept);
  kept.trace("during");
  stop();
  kept.error("between");
  stop();
  start({.level = "off"});
  kept.critical("off");
  stop();
  start({});
  kept.info("again");
  kept.debug("too fine");
  stop();
  kept.error("after");
  const auto lines = lines_of(captured.finish());
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_TRUE(lines[0].ends_with(" trace kept: during")) << lines[0];
  EXPECT_TRUE(lines[1].ends_with(" info kept: again")) << lines[1];
}

TEST(Log, GoesOnWhenNobodyReadsAndCountsWhatIsLost) {
  const std::uint64_t before = dropped_lines();
  CapturedStderr captured;
  start({});
  const std::string ballast(200, 'x');
  constexpr int kLines = 20'000;  // several times what the pipe and the queue hold
  for (int i = 0; i < kLines; ++i) logger("test").info("n={} {}", i, ballast);
  EXPECT_GT(dropped_lines(), before);
  const auto begin = std::chrono::steady_clock::now();
  stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 30s);  // it gave up on the reader
  const std::uint64_t lost = dropped_lines() - before;
  std::uint64_t whole = 0;
  const std::string text = captured.finish();
  for (std::size_t at = 0; (at = text.find("xxx\n", at)) != std::string::npos; ++at) ++whole;
  EXPECT_EQ(whole + lost, static_cast<std::uint64_t>(kLines));
}

TEST(Log, SaysHowManyLinesWereDroppedOnceTheReaderIsBack) {
  CapturedStderr captured;
  start({});
  const std::string ballast(200, 'x');
  for (int i = 0; i < 20'000; ++i) logger("test").info("{}", ballast);
  captured.read_in_background();
  stop();
  EXPECT_NE(captured.finish().find("warn log: log lines dropped count="), std::string::npos);
}

TEST(Log, SurvivesAReaderThatWentAway) {
  const std::uint64_t before = dropped_lines();
  {
    CapturedStderr captured;
    start({});
    captured.close_reader();
    for (int i = 0; i < 10; ++i) logger("test").info("n={}", i);
    stop();
  }
  EXPECT_EQ(dropped_lines() - before, 10u);
}

TEST(Log, MayBeUsedFromManyThreadsWhileItStops) {
  CapturedStderr captured;
  start({});
  std::vector<std::thread> writers;
  std::atomic<int> begun{0};
  std::atomic<bool> done{false};
  for (int i = 0; i < 3; ++i) {
    writers.emplace_back([&, i] {
      while (!done) {
        logger("thread").info("i={}", i);
        begun.fetch_add(1);
      }
    });
  }
  captured.read_in_background();
  while (begun < 100) std::this_thread::yield();
  stop();
  done = true;
  for (std::thread& writer : writers) writer.join();
  EXPECT_FALSE(lines_of(captured.finish()).empty());
}

}  // namespace
}  // namespace weir::log
