#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "weir/base/result.h"
#include "weir/base/timer_wheel.h"

#include "http/context.h"

namespace weir::http {

/// "HOST:PORT" or "[V6]:PORT", resolved to one address. Errors: config_invalid.
Result<Tcp::endpoint> resolve_listen_address(const std::string& listen);

/// Refuses an address that another process listens on. SO_REUSEPORT alone would let two servers share it in silence.
/// Errors: config_invalid.
Result<> probe_listen_address(const Tcp::endpoint& endpoint, const std::string& listen);

/// "127.0.0.1:8080", "[::1]:8080".
std::string to_string(const Tcp::endpoint& endpoint);

/// One loop's listening socket. Accepts until closed, whatever accept() says: when descriptors or memory run out it
/// waits a moment, and the clients wait in the kernel's queue.
class Listener final : private Timer {
 public:
  explicit Listener(std::shared_ptr<LoopContext> context)
      : context_(std::move(context)), acceptor_(context_->loop.io()) {}

  /// Binds and listens. `shared_port`: other loops listen on the same port. Errors: config_invalid.
  Result<> open(const Tcp::endpoint& endpoint, bool shared_port, const std::string& listen);
  Tcp::endpoint local_endpoint() const;
  void start() { accept(); }
  void close();

 private:
  void on_deadline() override { accept(); }
  void accept();
  void on_accept(const boost::system::error_code& error, Socket socket);
  void report(const boost::system::error_code& error);

  const std::shared_ptr<LoopContext> context_;
  Acceptor acceptor_;
  Tcp::endpoint peer_;
  std::optional<SteadyTime> reported_;
  std::size_t unreported_ = 0;
};

}  // namespace weir::http
