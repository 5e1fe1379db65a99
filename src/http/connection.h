#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "weir/base/timer_wheel.h"
#include "weir/http/message.h"

#include "http/context.h"
#include "http/request_parser.h"

namespace weir::http {

/// One client. Everything happens on its loop's thread. Its references are counted: one stands for being open, and each
/// Responder has one; the one for being open is let go with a task of the loop, after the events that may still name
/// the connection.
///
/// States: head (none or part of a request's head has come) → body → handling (a handler owes the answer) → head …
/// An answer that the kernel does not take at once stays in `pending_`; no further request is looked at until it is
/// out. Every way out ends in close(), possibly by way of lingering: the answer is out, our half is shut, and what the
/// client still sends is thrown away for a while, so that it gets to read the answer.
///
/// The socket is watched for everything, edge-triggered, from the beginning: no system call asks for a read. What an
/// event has told and no read has used up is kept in `readable_`.
class Connection final : private EventTarget, private Timer {
 public:
  /// Begins to serve; `refused`: only to answer 503 and close, there are too many connections.
  /// False, and errno says why, when the loop cannot watch it. May throw std::bad_alloc; the client is cut off then.
  static bool open(const std::shared_ptr<LoopContext>& context, Descriptor socket, std::string peer, bool refused);
  ~Connection();

  /// Closes if it is idle; else the answer under way will say so.
  void drain();
  void close();
  /// In the list of its loop.
  Connection* next_in_loop() const { return next_; }

  // For Responder.
  LoopContext& context() { return *context_; }
  void respond(std::uint32_t request, Response response);
  void abandon(std::uint32_t request);
  void set_hook(std::uint32_t request, Responder::CancelHook hook);

 private:
  enum class State : std::uint8_t { head, body, discard, handling, lingering, closed };
  enum class Wait : std::uint8_t { none, idle, head, body, send, linger };
  /// A body that has not come whole with its head.
  struct Incoming {
    BodyHandler handler;
    std::string body;
    std::uint64_t length = 0;     ///< with Content-Length: of the whole body
    std::uint64_t received = 0;   ///< with Content-Length: so far
    std::uint64_t bytes_max = 0;  ///< chunked: the route's limit
    std::uint64_t charged = 0;    ///< of body_bytes_inflight
    std::uint64_t window = 0;     ///< bytes since the deadline was set
    ChunkDecoder chunks;
    bool chunked = false;
  };
  /// The bytes of an answer, in this order.
  using Parts = std::array<std::string_view, 4>;
  /// What the kernel has not taken yet.
  struct Pending {
    std::string head;
    std::string body;
    std::shared_ptr<const std::string> shared;
    std::string_view tail;
    std::size_t sent = 0;
    std::uint64_t charged = 0;       ///< of response_bytes_inflight
    std::int64_t taken_checked = 0;  ///< taken() when the deadline was set
    Parts parts() const { return {head, body, shared ? std::string_view(*shared) : std::string_view{}, tail}; }
    std::size_t size() const { return head.size() + body.size() + (shared ? shared->size() : 0) + tail.size(); }
  };

  friend void intrusive_ptr_add_ref(Connection* connection) noexcept;
  friend void intrusive_ptr_release(Connection* connection) noexcept;

  Connection(std::shared_ptr<LoopContext> context, Descriptor socket, std::string peer);
  void on_events(std::uint32_t events) override;
  void on_deadline() override;
  void wait_for(Wait wait, std::chrono::milliseconds timeout);
  void close_if_gone();

  // Reading (connection_read.cc).
  std::optional<std::size_t> receive(char* into, std::size_t size);
  bool may_read() const;
  void turn();
  void post_turn();
  void read_once();
  void pump();
  void settle();
  bool step_head();
  bool step_body();
  bool step_discard();
  void dispatch(std::string_view head_bytes);
  void receive_body(Accepted& accepted, const ParsedHead& head, std::uint64_t bytes_max);
  void hand_over(BodyHandler& handler, std::string body);
  void finish_body();
  bool charge_body(std::uint64_t bytes);
  void body_too_large(std::uint64_t bytes_max);
  void drop_incoming();
  std::string_view buffered() const { return {block_ ? block_.get() + begin_ : nullptr, end_ - begin_}; }
  void ensure_block();
  void release_block();

  // Answering (connection_write.cc).
  void begin_exchange(const ParsedHead& head);
  void refuse_at_once();
  void refuse(const Refusal& why);
  void reject(Response response, const ParsedHead& head);
  Response server_error(std::string_view what);
  /// Writes the answer to out(); the exchange is over.
  void answer(Response response);
  void new_exchange();
  void set_request_id(std::string_view wanted);
  void end_exchange();
  void log_access(std::uint16_t status, std::size_t bytes) const;
  std::string& out() { return pumping_ ? context_->pump_out : context_->direct_out; }
  void flush(std::string& bytes);
  void transmit(std::string& head, std::string body, std::shared_ptr<const std::string> shared, std::string_view tail);
  void wait_for_client();
  std::int64_t taken();
  void on_writable();
  std::optional<std::size_t> send_some(const Parts& parts, std::size_t skip);
  void output_done();
  bool output_pending() const { return pending_ != nullptr; }
  void drop_pending();
  void linger();

  const std::shared_ptr<LoopContext> context_;
  const std::string peer_;
  Connection* next_ = nullptr;
  Connection** back_ = nullptr;

  std::atomic<std::uint32_t> references_{1};
  Descriptor socket_;
  State state_ = State::head;
  Wait wait_ = Wait::none;
  bool readable_ = false;   // a read may find something: bytes or the end
  bool peer_shut_ = false;  // the client has shut its sending half, or is gone; what it sent before may be unread
  bool pumping_ = false;
  bool turn_posted_ = false;
  bool close_after_ = false;   // the answer being given is the last
  bool linger_after_ = false;  // and the client may still be sending
  std::uint8_t blank_lines_ = 0;
  std::uint32_t request_ = 0;         // number of the request being handled
  std::uint32_t answers_unsent_ = 0;  // answered requests whose answers may not all be with the kernel yet
  std::uint32_t begin_ = 0;           // of what has been read into block_ and not been used
  std::uint32_t end_ = 0;
  HeadScanner scanner_;
  std::uint32_t discard_left_ = 0;  // of a refused request's body
  std::uint32_t lingered_bytes_ = 0;
  std::unique_ptr<char[]> block_;
  std::unique_ptr<Exchange> exchange_;
  std::unique_ptr<Incoming> incoming_;
  std::unique_ptr<Pending> pending_;
  std::unique_ptr<Response> deferred_;  // the answer of the request being handled, while pending_ is not out yet
};

}  // namespace weir::http
