#pragma once

#include <memory>
#include <optional>
#include <string>

#include "weir/base/result.h"
#include "weir/base/timer_wheel.h"

#include "http/address.h"
#include "http/context.h"

namespace weir::http {

/// Refuses an address that another process listens on. SO_REUSEPORT alone would let two servers share it in silence.
/// Errors: config_invalid.
Result<> probe_listen_address(const Address& address, const std::string& listen);

/// One loop's listening socket. Accepts until closed, whatever accept() says: when descriptors or memory run out it
/// waits a moment, and the clients wait in the kernel's queue.
class Listener final : private EventTarget, private Timer {
 public:
  explicit Listener(std::shared_ptr<LoopContext> context) : context_(std::move(context)) {}

  /// Binds and listens; accepts once the loop runs. `shared_port`: other loops listen on the same port.
  /// Errors: config_invalid.
  Result<> open(const Address& address, bool shared_port, const std::string& listen);
  Address local_address() const;
  /// Before the loop runs, or on it.
  void close();

 private:
  void on_events(std::uint32_t events) override;
  void on_deadline() override;
  /// False when nothing more can be accepted now.
  bool accept_one();
  void pause(int error);
  void report(int error);

  const std::shared_ptr<LoopContext> context_;
  Descriptor socket_;
  std::optional<SteadyTime> reported_;
  std::size_t unreported_ = 0;
};

}  // namespace weir::http
