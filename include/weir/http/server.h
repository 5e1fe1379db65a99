#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "weir/base/clock.h"
#include "weir/base/executor.h"
#include "weir/base/random.h"
#include "weir/base/result.h"
#include "weir/http/message.h"

namespace weir::http {

struct ServerOptions {
  std::string listen = "127.0.0.1:8080";            ///< HOST:PORT, [V6]:PORT; port 0: any free one
  std::size_t threads = 1;                          ///< loops, each with a listening socket of its own
  std::size_t connections_max = 100'000;            ///< over all loops; more are answered 503 and closed
  std::size_t header_bytes_max = 16 * 1024;         ///< request line and fields; more: 431
  std::size_t header_fields_max = 100;              ///< more: 431
  std::size_t target_bytes_max = 8 * 1024;          ///< more: 414
  std::size_t body_bytes_inflight_max = 256 << 20;  ///< request bodies being received, over all; more: 503
  /// Answers not yet taken by clients, over all; more: 503 for routes with large answers, the others go on.
  std::size_t response_bytes_inflight_max = 512 << 20;
  std::chrono::milliseconds head_timeout{10'000};  ///< from the first byte of a request to the end of its head: 408
  /// For the body; starts again while it comes at body_bytes_per_second_min or more, else 408.
  std::chrono::milliseconds body_timeout{30'000};
  std::size_t body_bytes_per_second_min = 1024;    ///< of requests' bodies and of answers, both over their timeout
  std::chrono::milliseconds idle_timeout{75'000};  ///< between requests: closed
  /// For an answer that the client does not take at once; starts again while the client has taken (acknowledged) at
  /// least body_bytes_per_second_min * send_timeout since it last started, else the client is cut.
  std::chrono::milliseconds send_timeout{30'000};
  enum class AccessLog : std::uint8_t { off, errors, all } access_log = AccessLog::errors;
};

/// An HTTP/1.1 server: one loop a thread, keep-alive, pipelining in order, chunked bodies, limits and deadlines as
/// above.
class Server {
 public:
  /// Binds and listens at once, so that a mistake shows before anything else starts; serves after start().
  /// Errors: config_invalid (the address is malformed, in use, or not this machine's; options out of range).
  static Result<std::unique_ptr<Server>> bind(ServerOptions options, const Clock& clock, Random& random);
  ~Server();

  /// "127.0.0.1:43521": the address with the real port.
  std::string address() const;
  /// The loops, usable by post() before start() too.
  std::vector<Loop*> loops();
  /// Called on the loop when all that was ready, or a bounded part of it, has been handled; true if it made more work
  /// ready. Before start(), or later from any thread.
  void set_end_of_round(std::size_t loop, UniqueFunction<bool()> hook);

  /// Starts the threads. `routes` must not change afterwards. Errors in a pattern end the process (a defect of ours).
  void start(std::vector<Route> routes);

  /// Stops accepting and closes idle connections; requests under way go on, each answered with `Connection: close`;
  /// new requests on open connections are answered 503. Any thread.
  void begin_drain();
  /// Waits until no request is under way or `deadline` has passed; returns how many were cut off.
  std::size_t wait_drained(SteadyTime deadline);
  /// Closes what is left and joins the threads. Idempotent.
  void stop();

  std::size_t connections_open() const;

 private:
  Server();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::http
