#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "weir/base/log.h"
#include "weir/http/server.h"

#include "http/loop.h"
#include "http/request_parser.h"
#include "http/response_writer.h"
#include "http/router.h"

namespace weir::http {

class Connection;

/// What all loops of one server share.
struct Shared {
  Shared(ServerOptions server_options, const Clock& server_clock, Random& server_random)
      : options(std::move(server_options)),
        limits{options.header_bytes_max, options.header_fields_max, options.target_bytes_max},
        clock(server_clock),
        random(server_random),
        log(weir::log::logger("http")),
        id_prefix(random_base62(server_random, 8)) {}

  const ServerOptions options;
  const HeadLimits limits;
  const Clock& clock;
  Random& random;
  spdlog::logger& log;
  const std::string id_prefix;  ///< of request ids made here
  Router router;                ///< set before the threads start

  std::atomic<std::size_t> connections{0};
  std::atomic<std::uint64_t> body_bytes_inflight{0};
  std::atomic<std::uint64_t> response_bytes_inflight{0};
  std::atomic<bool> draining{false};

  std::mutex drain_mutex;
  std::condition_variable drain_changed;
  std::size_t loops_drained = 0;  ///< guarded by drain_mutex: loops that have stopped taking requests
};

/// One request from the end of its head until its answer has been handed to the kernel. Pooled: its strings keep
/// their memory from one request to the next.
struct Exchange {
  Method method = Method::other;
  bool http10 = false;
  bool keep_alive = false;
  std::uint8_t id_bytes = 0;
  std::string text;     ///< the request id (id_bytes), then the target for the log (cut off at 256 bytes, or empty)
  std::string headers;  ///< lines for whatever answer follows
  SteadyTime started{};
  Responder::CancelHook hook;

  std::string_view id() const { return std::string_view(text).substr(0, id_bytes); }
  std::string_view target() const { return std::string_view(text).substr(id_bytes); }
};

/// One loop and what its connections use together. Everything but the counters and `loop.post` belongs to its thread.
struct LoopContext {
  LoopContext(std::shared_ptr<Shared> server, std::size_t index);
  ~LoopContext();

  /// A block of block_bytes; may throw std::bad_alloc.
  std::unique_ptr<char[]> acquire_block();
  void release_block(std::unique_ptr<char[]> block);
  std::unique_ptr<Exchange> acquire_exchange();
  void release_exchange(std::unique_ptr<Exchange> exchange);

  void request_begun() { requests_open.store(requests_open.load(std::memory_order_relaxed) + 1); }
  /// `count` requests are over: answered and handed to the kernel, or their client has gone.
  void requests_done(std::size_t count);

  const std::shared_ptr<Shared> shared;
  LoopImpl loop;
  const std::size_t block_bytes;

  /// The Date of answers: of the loop's time, so that the clock is read once a round.
  std::string_view date();

  std::string pump_out;    ///< answers given while a connection works through what it has read
  std::string direct_out;  ///< an answer given at any other time
  std::string trash;       ///< what is read only to be thrown away
  ParsedHead head;
  std::uint64_t next_id = 0;
  Connection* connections = nullptr;  ///< all of this loop, linked through themselves
  std::atomic<std::size_t> requests_open{0};

 private:
  DateCache date_;
  std::string_view date_text_;
  SteadyTime date_time_ = SteadyTime::min();

  static constexpr std::size_t kBlocksKept = 256;
  static constexpr std::size_t kExchangesKept = 256;
  std::vector<std::unique_ptr<char[]>> blocks_;
  std::vector<std::unique_ptr<Exchange>> exchanges_;
};

}  // namespace weir::http
