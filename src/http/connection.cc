#include "http/connection.h"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace weir::http {

namespace net = boost::asio;

namespace {
// What a client has to send or take in a time that it is given.
std::int64_t bytes_expected(const ServerOptions& options, std::chrono::milliseconds time) {
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(options.body_bytes_per_second_min) * time.count() / 1000);
}
}  // namespace

Connection::Connection(std::shared_ptr<LoopContext> context, Socket socket, std::string peer)
    : context_(std::move(context)), socket_(std::move(socket)), peer_(std::move(peer)) {
  context_->shared->connections.fetch_add(1, std::memory_order_relaxed);
  next_ = context_->connections;
  if (next_ != nullptr) next_->back_ = &next_;
  back_ = &context_->connections;
  context_->connections = this;
}

Connection::~Connection() {
  close();
}

void Connection::start() {
  boost::system::error_code ignored;
  socket_->set_option(Tcp::no_delay(true), ignored);
  settle();
}

void Connection::start_refused() {
  new_exchange();
  set_request_id({});
  close_after_ = linger_after_ = true;
  answer(unavailable_response("The server has too many connections, try again later"));
  flush(context_->direct_out);
}

void Connection::drain() {
  if (state_ != State::head || output_pending() || inline_bytes_ != 0 || !buffered().empty()) return;
  // A request that waits in the kernel still gets its answer (503, by dispatch()).
  int waiting = 0;
  if (::ioctl(socket_->native_handle(), FIONREAD, &waiting) == 0 && waiting > 0) return;
  close();
}

void Connection::close() {
  if (state_ == State::closed) return;
  state_ = State::closed;
  disarm();
  wait_ = Wait::none;
  drop_pending();
  deferred_.reset();
  drop_incoming();
  release_block();
  if (pumping_) context_->pump_out.clear();
  boost::system::error_code ignored;
  socket_->close(ignored);
  socket_.reset();
  *back_ = next_;
  if (next_ != nullptr) next_->back_ = back_;
  next_ = nullptr;
  context_->shared->connections.fetch_sub(1, std::memory_order_relaxed);

  const std::size_t over = std::exchange(answers_unsent_, 0) + (exchange_ != nullptr ? 1 : 0);
  const Responder::CancelHook hook = exchange_ != nullptr ? exchange_->hook : Responder::CancelHook{};
  context_->release_exchange(std::move(exchange_));
  context_->requests_done(over);
  if (hook.call != nullptr) hook.call(hook.context, hook.id);
}

void Connection::wait_for(Wait wait, std::chrono::milliseconds timeout) {
  wait_ = wait;
  context_->loop.timers().arm(*this, context_->loop.now() + timeout);
}

void Connection::on_deadline() {
  const auto self = shared_from_this();
  const ServerOptions& options = context_->shared->options;
  switch (std::exchange(wait_, Wait::none)) {
    case Wait::none: return;
    case Wait::idle:
    case Wait::linger: close(); return;
    case Wait::send:
      if (taken() - pending_->taken_checked >= bytes_expected(options, options.send_timeout)) {
        wait_for_client();
      } else {
        close();
      }
      return;
    case Wait::head:
      refuse({408, "request_timeout",
              "The request head took longer than " + std::to_string(options.head_timeout.count()) + " ms"});
      return;
    case Wait::body: {
      if (incoming_ == nullptr) {
        close();  // the rest of a refused body: its answer has been given
        return;
      }
      if (static_cast<std::int64_t>(incoming_->window) >= bytes_expected(options, options.body_timeout)) {
        incoming_->window = 0;
        wait_for(Wait::body, options.body_timeout);
        return;
      }
      refuse({408, "request_timeout",
              "The request body took longer than " + std::to_string(options.body_timeout.count()) +
                  " ms at less than " + std::to_string(options.body_bytes_per_second_min) + " bytes per second"});
      return;
    }
  }
}

void Connection::respond(std::uint32_t request, Response response) {
  if (state_ != State::handling || request != request_) return;
  if (output_pending()) {
    // Answers to requests that were pipelined before this one are still on their way: this one follows them.
    exchange_->hook = {};
    deferred_ = std::make_unique<Response>(std::move(response));
    return;
  }
  state_ = State::head;
  answer(std::move(response));
  if (pumping_) return;
  flush(context_->direct_out);
  if (state_ != State::head || output_pending()) return;
  if (inline_bytes_ != 0 || !buffered().empty()) {
    // Not from here: the caller may be in the middle of waking others.
    post_pump();
  } else {
    settle();
  }
}

void Connection::abandon(std::uint32_t request) {
  if (state_ != State::handling || request != request_) return;
  respond(request, server_error("a request was dropped without an answer"));
}

void Connection::set_hook(std::uint32_t request, Responder::CancelHook hook) {
  if (request != request_) return;
  if (state_ == State::handling) exchange_->hook = hook;
  if (state_ == State::handling && eof_seen_) {
    net::post(context_->loop.io(), [self = shared_from_this(), request] {
      if (self->state_ == State::handling && self->request_ == request) self->close();
    });
  } else if (state_ == State::closed && hook.call != nullptr) {
    context_->loop.post([hook] { hook.call(hook.context, hook.id); });
  }
}

void Connection::post_pump() {
  if (std::exchange(pump_posted_, true)) return;
  net::post(context_->loop.io(), [self = shared_from_this()] {
    self->pump_posted_ = false;
    if (self->state_ != State::closed && self->state_ != State::lingering && !self->output_pending()) self->pump();
  });
}

Responder::Responder(std::shared_ptr<Connection> connection, std::uint32_t request)
    : connection_(std::move(connection)), request_(request) {}

Responder& Responder::operator=(Responder&& other) noexcept {
  if (this != &other) {
    Responder dropped(std::move(*this));
    connection_ = std::move(other.connection_);
    request_ = other.request_;
  }
  return *this;
}

Responder::~Responder() {
  if (connection_ == nullptr) return;
  LoopImpl& loop = connection_->context().loop;
  if (loop.on_thread()) {
    connection_->abandon(request_);
  } else {
    loop.post([connection = std::move(connection_), request = request_] { connection->abandon(request); });
  }
}

void Responder::send(Response response) && {
  if (const auto connection = std::move(connection_)) connection->respond(request_, std::move(response));
}

void Responder::on_client_gone(CancelHook hook) {
  if (connection_ != nullptr) connection_->set_hook(request_, hook);
}

}  // namespace weir::http
