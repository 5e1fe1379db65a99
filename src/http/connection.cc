#include "http/connection.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <sys/ioctl.h>
#include <sys/socket.h>

#include "weir/base/assert.h"

namespace weir::http {

namespace {
// What a client has to send or take in a time that it is given.
std::int64_t bytes_expected(const ServerOptions& options, std::chrono::milliseconds time) {
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(options.body_bytes_per_second_min) * time.count() / 1000);
}
}  // namespace

void intrusive_ptr_add_ref(Connection* connection) noexcept {
  connection->references_.fetch_add(1, std::memory_order_relaxed);
}

void intrusive_ptr_release(Connection* connection) noexcept {
  if (connection->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete connection;
}

Connection::Connection(std::shared_ptr<LoopContext> context, Descriptor socket, std::string peer)
    : context_(std::move(context)), peer_(std::move(peer)), socket_(std::move(socket)) {
  context_->shared->connections.fetch_add(1, std::memory_order_relaxed);
  next_ = context_->connections;
  if (next_ != nullptr) next_->back_ = &next_;
  back_ = &context_->connections;
  context_->connections = this;
}

Connection::~Connection() {
  WEIR_ASSERT(state_ == State::closed);
}

bool Connection::open(const std::shared_ptr<LoopContext>& context, Descriptor socket, std::string peer, bool refused) {
  const boost::intrusive_ptr<Connection> connection(new Connection(context, std::move(socket), std::move(peer)));
  constexpr std::uint32_t kEvents = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  if (!context->loop.watch(connection->socket_.get(), kEvents, *connection)) {
    const int error = errno;
    connection->close();
    errno = error;
    return false;
  }
  try {
    if (refused) {
      connection->refuse_at_once();
    } else {
      connection->settle();
    }
  } catch (...) {
    connection->close();
    context->direct_out.clear();
    throw;
  }
  return true;
}

void Connection::refuse_at_once() {
  new_exchange();
  set_request_id({});
  close_after_ = linger_after_ = true;
  answer(unavailable_response("The server has too many connections, try again later"));
  flush(context_->direct_out);
}

void Connection::on_events(std::uint32_t events) {
  if (state_ == State::closed) return;
  if ((events & EPOLLPRI) != 0) {
    close();  // urgent data is no part of HTTP, and would break the rule of the short read: recv() stops before it
    return;
  }
  const bool broken = (events & (EPOLLHUP | EPOLLERR)) != 0;
  if (broken || (events & EPOLLRDHUP) != 0) peer_shut_ = true;
  if (peer_shut_ || (events & EPOLLIN) != 0) readable_ = true;
  if (output_pending() || state_ == State::handling) {
    // Nothing is read now. Of a client that only shut its sending half the answer is still owed.
    if (broken) {
      close();
    } else if (output_pending()) {
      if ((events & EPOLLOUT) != 0) on_writable();
    } else {
      close_if_gone();
    }
    return;
  }
  turn();
}

// Who asked to be told when the client is gone is a request that may wait for long: it does not wait for a client that
// will send nothing more.
void Connection::close_if_gone() {
  if (peer_shut_ && state_ == State::handling && exchange_->hook.call != nullptr && !output_pending()) close();
}

void Connection::drain() {
  if (state_ != State::head || output_pending() || !buffered().empty()) return;
  // A request that waits in the kernel still gets its answer (503, by dispatch()).
  int waiting = 0;
  if (::ioctl(socket_.get(), FIONREAD, &waiting) == 0 && waiting > 0) return;
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
  socket_.close();
  *back_ = next_;
  if (next_ != nullptr) next_->back_ = back_;
  next_ = nullptr;
  context_->shared->connections.fetch_sub(1, std::memory_order_relaxed);

  const std::size_t over = std::exchange(answers_unsent_, 0) + (exchange_ != nullptr ? 1 : 0);
  const Responder::CancelHook hook = exchange_ != nullptr ? exchange_->hook : Responder::CancelHook{};
  context_->release_exchange(std::move(exchange_));
  context_->requests_done(over);
  if (hook.call != nullptr) hook.call(hook.context, hook.id);
  // The reference for being open.
  context_->loop.post([self = boost::intrusive_ptr<Connection>(this, false)] {});
}

void Connection::wait_for(Wait wait, std::chrono::milliseconds timeout) {
  wait_ = wait;
  context_->loop.timers().arm(*this, context_->loop.time() + timeout);
}

void Connection::on_deadline() {
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
  if (!buffered().empty() || readable_) {
    post_turn();  // not from here: the caller may be in the middle of waking others
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
  if (state_ == State::handling && peer_shut_) {
    context_->loop.post([self = boost::intrusive_ptr<Connection>(this)] { self->close_if_gone(); });
  } else if (state_ == State::closed && hook.call != nullptr) {
    context_->loop.post([hook] { hook.call(hook.context, hook.id); });
  }
}

Responder::Responder(boost::intrusive_ptr<Connection> connection, std::uint32_t request)
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
