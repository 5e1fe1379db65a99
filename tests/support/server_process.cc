#include "support/server_process.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <latch>
#include <regex>
#include <stdexcept>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace weir::test {

namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

std::vector<std::string> child_environment(const Environment& added) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    // A setting in the caller's shell must not change what is tested.
    if (std::strncmp(*entry, "WEIR_", 5) != 0) result.emplace_back(*entry);
  }
  for (const auto& [name, value] : added) result.push_back(name + "=" + value);
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (auto& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace

ChildProcess::ChildProcess(std::vector<std::string> arguments, const Environment& environment) {
  std::array<int, 2> out{};
  std::array<int, 2> err{};
  if (::pipe2(out.data(), O_CLOEXEC) != 0 || ::pipe2(err.data(), O_CLOEXEC) != 0) fail("pipe");
  auto variables = child_environment(environment);
  const auto argv = pointers(arguments);
  const auto envp = pointers(variables);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) fail("fork");
  if (pid_ == 0) {
    // Only calls that are safe between fork and exec in a program with threads.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(126);
    const int null = ::open("/dev/null", O_RDONLY);
    ::dup2(null, STDIN_FILENO);
    ::dup2(out[1], STDOUT_FILENO);
    ::dup2(err[1], STDERR_FILENO);
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  ::close(out[1]);
  ::close(err[1]);
  pid_fd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  if (pid_fd_ < 0) fail("pidfd_open");
  out_reader_ = std::thread([this, fd = out[0]] { collect(fd, out_); });
  err_reader_ = std::thread([this, fd = err[0]] { collect(fd, err_); });
}

ChildProcess::~ChildProcess() {
  if (!exit_) {
    ::kill(pid_, SIGKILL);
    (void)wait_exit(kServerPatience);
  }
  drain_output();
  ::close(pid_fd_);
}

void ChildProcess::collect(int fd, std::string& to) {
  std::array<char, 16384> buffer{};
  for (;;) {
    const ssize_t bytes = ::read(fd, buffer.data(), buffer.size());
    if (bytes < 0 && errno == EINTR) continue;
    const std::lock_guard lock(mutex_);
    if (bytes <= 0) {
      --open_outputs_;
      changed_.notify_all();
      break;
    }
    to.append(buffer.data(), static_cast<std::size_t>(bytes));
    changed_.notify_all();
  }
  ::close(fd);
}

void ChildProcess::signal(int number) const {
  if (::kill(pid_, number) != 0) fail("kill");
}

std::optional<int> ChildProcess::wait_exit(std::chrono::milliseconds timeout) {
  if (exit_) return exit_;
  pollfd watched{pid_fd_, POLLIN, 0};
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    const int ready = ::poll(&watched, 1, static_cast<int>(std::max<std::int64_t>(0, left.count())));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return std::nullopt;
    break;
  }
  int status = 0;
  if (::waitpid(pid_, &status, 0) != pid_) fail("waitpid");
  exit_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return exit_;
}

std::string ChildProcess::out() const {
  const std::lock_guard lock(mutex_);
  return out_;
}

std::string ChildProcess::err() const {
  const std::lock_guard lock(mutex_);
  return err_;
}

bool ChildProcess::wait_err(const std::function<bool(const std::string&)>& found,
                            std::chrono::milliseconds timeout) const {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  std::unique_lock lock(mutex_);
  for (;;) {
    if (found(err_)) return true;
    if (open_outputs_ == 0) return false;
    if (changed_.wait_until(lock, deadline) == std::cv_status::timeout) return found(err_);
  }
}

void ChildProcess::drain_output() {
  if (out_reader_.joinable()) out_reader_.join();
  if (err_reader_.joinable()) err_reader_.join();
}

std::string weir_binary() {
  if (const char* path = std::getenv("WEIR_BINARY"); path != nullptr && *path != '\0') return path;
  return WEIR_TEST_BINARY;
}

CommandResult run_weir(std::vector<std::string> arguments, const Environment& environment) {
  arguments.insert(arguments.begin(), weir_binary());
  ChildProcess process(std::move(arguments), environment);
  CommandResult result;
  if (!process.wait_exit(kServerPatience)) process.signal(SIGKILL);
  result.exit_code = process.wait_exit(kServerPatience).value_or(-SIGKILL);
  process.drain_output();
  result.out = process.out();
  result.err = process.err();
  if (const auto report = find_sanitizer_report(result.err)) ADD_FAILURE() << *report;
  return result;
}

std::optional<std::string> find_listen_address(const std::string& log) {
  static const std::regex pattern(R"re(address"?\s*[=:]\s*"?(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z.-]+):([0-9]+))re");
  std::size_t start = 0;
  for (;;) {
    const std::size_t end = log.find('\n', start);
    if (end == std::string::npos) return std::nullopt;
    const std::string line = log.substr(start, end - start);
    start = end + 1;
    if (line.find("listening") == std::string::npos) continue;
    std::smatch match;
    if (std::regex_search(line, match, pattern)) return match[1].str() + ":" + match[2].str();
  }
}

std::optional<std::string> find_sanitizer_report(const std::string& log) {
  for (const char* mark : {"ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer",
                           "ERROR: ThreadSanitizer", "FATAL: ThreadSanitizer", "runtime error: ", "ERROR: "}) {
    if (const auto at = log.find(mark); at != std::string::npos) return log.substr(at, 8000);
  }
  return std::nullopt;
}

std::vector<std::string> serve_arguments(const ServerOptions& options, const std::filesystem::path& data_dir) {
  std::vector<std::string> arguments{weir_binary(), "serve", "--data-dir", data_dir.string()};
  if (!options.listen.empty()) arguments.insert(arguments.end(), {"--listen", options.listen});
  if (!options.rate_limits) {
    for (const char* group : {"management", "legacy", "public"}) {
      arguments.insert(arguments.end(), {"--set", std::string("rate_limit.") + group + "_per_minute=0"});
    }
  }
  for (const auto& setting : options.settings) arguments.insert(arguments.end(), {"--set", setting});
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  return arguments;
}

ServerProcess::ServerProcess(ServerOptions options) : options_(std::move(options)), data_dir_(folder_.path() / "data") {
  start();
}

ServerProcess::~ServerProcess() {
  if (!running()) return;
  try {
    stop();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "stopping the server: " << error.what();
  }
}

void ServerProcess::start() {
  Environment environment = options_.environment;
  if (options_.admin_token) environment.emplace_back("WEIR_ADMIN_TOKEN", kAdminToken);
  process_ = std::make_unique<ChildProcess>(serve_arguments(options_, data_dir_), environment);
  const bool listening =
      process_->wait_err([](const std::string& log) { return find_listen_address(log).has_value(); }, kServerPatience);
  if (!listening) {
    const std::string log = process_->out() + process_->err();
    process_.reset();
    throw std::runtime_error("the server did not come up; its output:\n" + log);
  }
  const std::string address = *find_listen_address(process_->err());
  const auto colon = address.rfind(':');
  host_ = address.substr(0, colon);
  port_ = static_cast<std::uint16_t>(std::stoul(address.substr(colon + 1)));
}

void ServerProcess::stop(int number) {
  process_->signal(number);
  expect_clean_exit();
}

void ServerProcess::expect_clean_exit() {
  const auto code = process_->wait_exit(kServerPatience);
  if (!code) {
    ADD_FAILURE() << "the server does not end; its output:\n" << process_->err();
    process_->signal(SIGKILL);
    (void)process_->wait_exit(kServerPatience);
  } else {
    EXPECT_EQ(*code, 0) << "the server's output:\n" << process_->err();
  }
  finish();
}

void ServerProcess::kill() {
  // It may have ended by itself, which a caller that kills it never wants.
  const auto before = process_->wait_exit(0ms);
  EXPECT_FALSE(before.has_value()) << "the server had ended with " << before.value_or(0) << "; its output:\n"
                                   << process_->err();
  if (!before) process_->signal(SIGKILL);
  (void)process_->wait_exit(kServerPatience);
  finish();
}

void ServerProcess::finish() {
  process_->drain_output();
  const std::string log = process_->out() + process_->err();
  if (const auto report = find_sanitizer_report(log)) ADD_FAILURE() << *report;
  earlier_output_ += log;
  process_.reset();
}

std::string ServerProcess::output() const {
  if (!process_) return earlier_output_;
  return earlier_output_ + process_->out() + process_->err();
}

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
  }
  return true;
}

void run_together(std::size_t count, const std::function<void(std::size_t)>& work) {
  std::latch start(static_cast<std::ptrdiff_t>(count));
  std::vector<std::jthread> threads;
  threads.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      try {
        work(i);
      } catch (const std::exception& error) {
        ADD_FAILURE() << "thread " << i << ": " << error.what();
      }
    });
  }
}

}  // namespace weir::test
