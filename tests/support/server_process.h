#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "support/temp_dir.h"

/// Starting and stopping the real binary from tests.
namespace weir::test {

using namespace std::chrono_literals;

/// The admin's token of every server that a test starts (unless the options say otherwise).
inline constexpr std::string_view kAdminToken = "integration-test-admin-token";
/// How long a test waits for something that must happen soon, on a loaded machine and under a sanitizer.
inline constexpr std::chrono::seconds kServerPatience{30};

/// How soon a server must be ready after a crash; a sanitizer makes everything several times slower.
inline constexpr std::chrono::seconds kReadyWithin{WEIR_TEST_SANITIZED ? 10 : 2};

using Environment = std::vector<std::pair<std::string, std::string>>;

/// A child process whose output is collected. Killed in the destructor if it still runs. It dies with the thread that
/// made it. Not thread-safe, except output functions and signal().
class ChildProcess {
 public:
  /// Runs `arguments[0]`. The environment is ours without WEIR_* variables, and `environment` added.
  ChildProcess(std::vector<std::string> arguments, const Environment& environment);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const noexcept { return pid_; }
  void signal(int number) const;
  /// The exit code, or minus the number of the signal that ended it; empty if it still runs after `timeout`.
  std::optional<int> wait_exit(std::chrono::milliseconds timeout);
  bool exited() { return wait_exit(0ms).has_value(); }

  /// What it has written so far.
  std::string out() const;
  std::string err() const;
  /// Waits until `found` accepts what standard error holds; false if the output ended or time ran out before.
  bool wait_err(const std::function<bool(const std::string&)>& found, std::chrono::milliseconds timeout) const;
  /// Waits for the end of both outputs (after the end of the process).
  void drain_output();

 private:
  void collect(int fd, std::string& to);

  pid_t pid_ = -1;
  int pid_fd_ = -1;
  std::optional<int> exit_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::string out_;
  std::string err_;
  int open_outputs_ = 2;
  std::thread out_reader_;
  std::thread err_reader_;
};

/// The path of the binary under test; WEIR_BINARY in the environment overrides the built one.
std::string weir_binary();

struct CommandResult {
  int exit_code = 0;  ///< minus the signal if one ended it
  std::string out;
  std::string err;
};
/// Runs `weir ARGUMENTS…` to its end; one that does not end within kServerPatience is killed (exit_code -9).
CommandResult run_weir(std::vector<std::string> arguments, const Environment& environment = {});

struct ServerOptions {
  std::vector<std::string> settings = {};   ///< "section.key=value", each given by --set
  std::vector<std::string> arguments = {};  ///< further arguments
  Environment environment = {};
  bool admin_token = true;   ///< WEIR_ADMIN_TOKEN is kAdminToken
  bool rate_limits = false;  ///< false: all three are switched off
  std::string listen = "127.0.0.1:0";
};

/// A running `weir serve` on a folder of its own. Every end of the process is checked: stopping must give exit code 0,
/// and nothing that a sanitizer reports may stand in its output; failures are failures of the running test.
class ServerProcess {
 public:
  /// Starts and waits for the listening line; throws std::runtime_error with the output if it does not come.
  explicit ServerProcess(ServerOptions options = {});
  /// Stops it (SIGTERM) if it still runs.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const std::string& host() const noexcept { return host_; }
  std::uint16_t port() const noexcept { return port_; }
  std::string url() const { return "http://" + host_ + ":" + std::to_string(port_); }
  const std::filesystem::path& data_dir() const noexcept { return data_dir_; }
  const std::filesystem::path& folder() const noexcept { return folder_.path(); }
  ChildProcess& process() { return *process_; }
  bool running() const noexcept { return process_ != nullptr; }
  ServerOptions& options() noexcept { return options_; }

  /// Starts again on the same folder. It must not be running.
  void start();
  /// Sends `number` and expects exit code 0 within the patience.
  void stop(int number = 15);
  /// SIGKILL, and waits.
  void kill();
  /// Expects that the process, told to end by other means, ends with exit code 0.
  void expect_clean_exit();
  /// Output of all runs so far.
  std::string output() const;

 private:
  void finish();

  ServerOptions options_;
  TempDir folder_;
  std::filesystem::path data_dir_;
  std::string host_;
  std::uint16_t port_ = 0;
  std::unique_ptr<ChildProcess> process_;
  std::string earlier_output_;
};

/// Arguments of `weir serve` for `options` on `data_dir`.
std::vector<std::string> serve_arguments(const ServerOptions& options, const std::filesystem::path& data_dir);
/// HOST:PORT out of the line that tells the address, in text and in JSON logs; empty if it is not there yet.
std::optional<std::string> find_listen_address(const std::string& log);
/// What a sanitizer found, if anything.
std::optional<std::string> find_sanitizer_report(const std::string& log);

/// Calls `condition` until it is true or the patience has run out; the work of `condition` (a request to the server)
/// paces it.
bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds timeout = kServerPatience);

/// Runs `work(0) … work(count-1)`, each on its own thread, all released at the same time, and waits. What a thread
/// throws is a failure of the test.
void run_together(std::size_t count, const std::function<void(std::size_t)>& work);

}  // namespace weir::test
