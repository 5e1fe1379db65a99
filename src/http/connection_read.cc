// Reading: from the bytes on the socket to a handler that has its body.
#include <algorithm>
#include <cstring>
#include <utility>

#include <boost/asio/error.hpp>

#include "weir/base/assert.h"

#include "http/connection.h"

namespace weir::http {

namespace net = boost::asio;

namespace {
/// A refused request's body up to this long is read and dropped, so that the connection can go on.
constexpr std::uint64_t kDiscardBytesMax = 64 * 1024;
/// A body buffer grows at least by this much, and no further than the body has come: a length is only a claim.
constexpr std::size_t kBodyStepBytes = 64 * 1024;
/// Answers to pipelined requests are sent together up to about this size.
constexpr std::size_t kCoalesceBytesMax = 256 * 1024;
constexpr std::uint64_t kLingerBytesMax = 8 << 20;
constexpr int kBlankLinesMax = 2;
}  // namespace

/// A buffer that is chosen when the kernel has bytes, not when the read is armed: Asio asks the sequence again for each
/// attempt. So a connection that waits holds no block, and each request still costs one recv. Should an Asio ask only
/// once, it gets the small inline buffer, and the rest comes with the next read.
struct Connection::LazyBuffer {
  using value_type = net::mutable_buffer;
  using const_iterator = const net::mutable_buffer*;
  Connection* connection;
  const_iterator begin() const { return connection->prepare_read(); }
  const_iterator end() const { return connection->prepare_read() + 1; }
};

const net::mutable_buffer* Connection::prepare_read() noexcept {
  net::mutable_buffer& buffer = context_->read_buffer;
  const auto use = [&](Into into, void* data, std::size_t size) {
    into_ = into;
    buffer = net::mutable_buffer(data, size);
    return &buffer;
  };
  switch (state_) {
    case State::handling:
    case State::closed: break;
    case State::lingering: return use(Into::trash, context_->trash.data(), context_->trash.size());
    case State::discard:
      return use(Into::trash, context_->trash.data(),
                 static_cast<std::size_t>(std::min<std::uint64_t>(discard_left_, context_->trash.size())));
    case State::body:
      if (!incoming_->chunked) {
        return use(Into::body, incoming_->body.data() + incoming_->received,
                   incoming_->body.size() - static_cast<std::size_t>(incoming_->received));
      }
      [[fallthrough]];
    case State::head:
      if (block_ == nullptr) {
        if (arming_) break;
        try {
          ensure_block();
          lend_block();  // the event may be stale, and this attempt get nothing
        } catch (const std::bad_alloc&) {
          break;
        }
      }
      return use(Into::block, block_.get() + end_, context_->block_bytes - end_);
  }
  return use(Into::inline_buffer, inline_, sizeof inline_);
}

void Connection::ensure_block() {
  if (block_ != nullptr) return;
  block_ = context_->acquire_block();
  begin_ = end_ = 0;
}

void Connection::release_block() {
  context_->release_block(std::move(block_));
  begin_ = end_ = 0;
}

void Connection::lend_block() {
  if (lent_) return;
  context_->lend(shared_from_this());
  lent_ = true;
}

void Connection::let_go_of_block() {
  lent_ = false;
  const bool between = state_ == State::head || state_ == State::handling;
  if (between && read_armed_ && buffered().empty()) release_block();
}

void Connection::arm_read() {
  if (read_armed_ || eof_seen_) return;
  read_armed_ = true;
  arming_ = true;
  socket_->async_read_some(LazyBuffer{this},
                           [self = shared_from_this()](const boost::system::error_code& error, std::size_t bytes) {
                             self->on_read(error, bytes);
                           });
  arming_ = false;
}

void Connection::on_read(const boost::system::error_code& error, std::size_t bytes) {
  read_armed_ = false;
  if (state_ == State::closed) return;
  if (error) {
    on_read_end(error == net::error::eof);
    return;
  }
  switch (into_) {
    case Into::inline_buffer:
      inline_bytes_ = static_cast<std::uint8_t>(bytes);
      // Pipelined behind a request that is being handled: kept, and no more is read until its answer is out.
      if (state_ == State::handling) return;
      break;
    case Into::block:
      if (state_ == State::lingering) break;
      WEIR_ASSERT(block_ != nullptr);  // bytes that were received are never dropped
      end_ += static_cast<std::uint32_t>(bytes);
      if (incoming_ != nullptr) incoming_->window += bytes;
      break;
    case Into::body:
      if (incoming_ == nullptr) break;
      incoming_->received += bytes;
      incoming_->window += bytes;
      break;
    case Into::trash: discard_left_ -= std::min<std::uint64_t>(discard_left_, bytes); break;
  }
  if (state_ == State::lingering) {
    lingered_bytes_ += bytes;
    if (lingered_bytes_ > kLingerBytesMax) {
      close();
    } else {
      arm_read();
    }
    return;
  }
  pump();
}

void Connection::on_read_end(bool orderly) {
  // A client that only shut its sending half waits for its answer. Who asked to be told when the client is gone is a
  // request that may wait for long, and is told.
  const bool owed = (state_ == State::handling && exchange_->hook.call == nullptr) || output_pending();
  if (orderly && owed) {
    eof_seen_ = true;
  } else {
    close();
  }
}

void Connection::pump() {
  if (inline_bytes_ != 0 && state_ != State::handling) {
    ensure_block();
    std::memcpy(block_.get() + end_, inline_, inline_bytes_);
    end_ += std::exchange(inline_bytes_, std::uint8_t{0});
  }
  pumping_ = true;
  bool more = true;
  while (more && !output_pending() && !close_after_) {
    switch (state_) {
      case State::head: more = step_head(); break;
      case State::body: more = step_body(); break;
      case State::discard: more = step_discard(); break;
      case State::handling:
      case State::lingering:
      case State::closed: more = false; break;
    }
    if (context_->pump_out.size() > kCoalesceBytesMax) flush(context_->pump_out);
  }
  pumping_ = false;
  if (state_ == State::closed) return;
  flush(context_->pump_out);
  settle();
}

void Connection::settle() {
  switch (state_) {
    case State::closed:
    case State::lingering: return;
    case State::handling:
      if (!output_pending()) {
        wait_ = Wait::none;
        disarm();
      }
      if (!buffered().empty()) return;
      if (block_ != nullptr && read_armed_) {
        lend_block();  // the read may have put bytes there that its handler, which has yet to run, will count
      } else {
        release_block();
      }
      if (inline_bytes_ == 0) arm_read();
      return;
    case State::head:
    case State::body:
    case State::discard: break;
  }
  if (output_pending() || close_after_) return;
  if (eof_seen_) {
    close();
    return;
  }
  if (state_ != State::head && wait_ != Wait::body) {
    wait_for(Wait::body, context_->shared->options.body_timeout);  // a send deadline took its place meanwhile
  }
  if (read_armed_) {
    // The read may have put bytes into the block that its handler, which has yet to run, will count: nothing moves.
    if (block_ != nullptr) lend_block();
  } else if (buffered().empty()) {
    if (state_ == State::head && block_ != nullptr) {
      // Asio tries to read at once: a busy client's next request may be here already.
      begin_ = end_ = 0;
      lend_block();
    } else if (state_ == State::head || !incoming_ || !incoming_->chunked) {
      release_block();
    } else {
      begin_ = end_ = 0;
    }
  } else if (begin_ != 0) {
    std::memmove(block_.get(), block_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (state_ == State::head && buffered().empty()) {
    wait_for(Wait::idle, context_->shared->options.idle_timeout);
  } else if (state_ == State::head && wait_ != Wait::head) {
    wait_for(Wait::head, context_->shared->options.head_timeout);
  }
  arm_read();
}

bool Connection::step_head() {
  while (!scanner_.started() && blank_lines_ < kBlankLinesMax && buffered().starts_with("\r\n")) {
    begin_ += 2;
    ++blank_lines_;
  }
  const std::string_view bytes = buffered();
  if (bytes.empty() || (blank_lines_ < kBlankLinesMax && bytes == "\r")) return false;
  Refusal why;
  switch (scanner_.scan(bytes, context_->shared->limits, why)) {
    case HeadScanner::Outcome::need_more: return false;
    case HeadScanner::Outcome::refused: refuse(why); return false;
    case HeadScanner::Outcome::complete: break;
  }
  const std::string_view head = bytes.substr(0, scanner_.head_bytes());
  begin_ += static_cast<std::uint32_t>(head.size());
  scanner_.reset();
  blank_lines_ = 0;
  wait_ = Wait::none;
  dispatch(head);
  return true;
}

void Connection::dispatch(std::string_view head_bytes) {
  ParsedHead& head = context_->head;
  if (const auto why = parse_head(head_bytes, head)) {
    refuse(*why);
    return;
  }
  const Shared& shared = *context_->shared;
  head.loop = context_->loop.index();
  head.peer = peer_;
  begin_exchange(head);
  if (shared.draining.load(std::memory_order_relaxed)) {
    reject(unavailable_response("The server is shutting down"), head);
    return;
  }
  if (head.asterisk) {
    Response response;
    response.status = 204;
    response.headers = "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n";
    reject(std::move(response), head);
    return;
  }
  const Router::Match match = shared.router.find(head.method, head.path, head.captures);
  if (match.route == nullptr) {
    Response response;
    if (match.allow == nullptr) {
      response = error_response(404, "not_found", "Not found");
    } else {
      response = error_response(405, "method_not_allowed", "Method not allowed");
      if (head.method == Method::options) response = Response{.status = 204};
      response.headers = "Allow: " + *match.allow + "\r\n";
    }
    reject(std::move(response), head);
    return;
  }
  if (head.expect_unknown) {
    reject(error_response(417, "expectation_failed", "The only expectation served is 100-continue"), head);
    return;
  }
  if (match.route->large_answers &&
      shared.response_bytes_inflight.load(std::memory_order_relaxed) > shared.options.response_bytes_inflight_max) {
    reject(unavailable_response("Too many answers wait for their clients, try again later"), head);
    return;
  }
  Admission admission;
  try {
    admission = match.route->begin(head);
  } catch (const std::exception& error) {
    admission = server_error(error.what());
  } catch (...) {
    admission = server_error("unknown exception");
  }
  if (auto* response = std::get_if<Response>(&admission)) {
    reject(std::move(*response), head);
    return;
  }
  auto& accepted = std::get<Accepted>(admission);
  exchange_->headers = std::move(accepted.headers);
  if (head.content_length.value_or(0) > match.route->body_bytes_max) {
    reject(error_response(413, "payload_too_large",
                          "The request body is larger than " + std::to_string(match.route->body_bytes_max) + " bytes"),
           head);
    return;
  }
  receive_body(std::move(accepted), head, match.route->body_bytes_max);
}

void Connection::receive_body(Accepted accepted, const ParsedHead& head, std::uint64_t bytes_max) {
  const std::string_view here = buffered();
  const std::uint64_t length = head.content_length.value_or(0);
  if (!head.chunked && length <= here.size()) {
    begin_ += static_cast<std::uint32_t>(length);
    hand_over(std::move(accepted.handler), std::string(here.substr(0, static_cast<std::size_t>(length))));
    return;
  }
  incoming_ = std::make_unique<Incoming>();
  incoming_->handler = std::move(accepted.handler);
  incoming_->chunked = head.chunked;
  incoming_->length = length;
  incoming_->bytes_max = bytes_max;
  if (!charge_body(head.chunked ? 0 : here.size())) {
    drop_incoming();
    reject(unavailable_response("Too many request bodies are coming in, try again later"), head);
    return;
  }
  if (!head.chunked) {
    incoming_->body = here;
    incoming_->received = here.size();
    begin_ = end_;
  }
  state_ = State::body;
  wait_for(Wait::body, context_->shared->options.body_timeout);
  // Nobody needs to be asked for what is coming already.
  if (head.expect_continue && here.empty()) out() += "HTTP/1.1 100 Continue\r\n\r\n";
}

bool Connection::charge_body(std::uint64_t bytes) {
  auto& total = context_->shared->body_bytes_inflight;
  if (total.fetch_add(bytes, std::memory_order_relaxed) + bytes > context_->shared->options.body_bytes_inflight_max) {
    total.fetch_sub(bytes, std::memory_order_relaxed);
    return false;
  }
  incoming_->charged += bytes;
  return true;
}

void Connection::drop_incoming() {
  if (incoming_ == nullptr) return;
  context_->shared->body_bytes_inflight.fetch_sub(incoming_->charged, std::memory_order_relaxed);
  incoming_.reset();
}

bool Connection::step_body() {
  Incoming& incoming = *incoming_;
  const auto out_of_memory = [this] {
    refuse({503, "unavailable", "Too many request bodies are coming in, try again later"});
    return false;
  };
  if (!incoming.chunked) {
    if (incoming.received == incoming.length) {
      finish_body();
      return true;
    }
    if (incoming.body.size() == incoming.received) {
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(
          incoming.length, incoming.received + std::max<std::uint64_t>(incoming.received, kBodyStepBytes)));
      if (!charge_body(size - incoming.received)) return out_of_memory();
      incoming.body.resize(size);
    }
    return false;
  }
  std::string_view bytes = buffered();
  const std::size_t before = incoming.body.size();
  const auto outcome = incoming.chunks.decode(bytes, &incoming.body, incoming.bytes_max);
  begin_ = end_ - static_cast<std::uint32_t>(bytes.size());
  if (!charge_body(incoming.body.size() - before)) return out_of_memory();
  switch (outcome) {
    case ChunkDecoder::Outcome::need_more: return false;
    case ChunkDecoder::Outcome::complete: finish_body(); return true;
    case ChunkDecoder::Outcome::malformed:
      refuse({400, "bad_request", "Bad request: the chunked body is malformed"});
      return false;
    case ChunkDecoder::Outcome::too_large:
      refuse({413, "payload_too_large",
              "The request body is larger than " + std::to_string(incoming.bytes_max) + " bytes"});
      return false;
  }
  __builtin_unreachable();
}

void Connection::finish_body() {
  BodyHandler handler = std::move(incoming_->handler);
  std::string body = std::move(incoming_->body);
  drop_incoming();
  hand_over(std::move(handler), std::move(body));
}

void Connection::hand_over(BodyHandler handler, std::string body) {
  state_ = State::handling;
  const std::uint32_t request = request_;
  std::string what;
  try {
    handler(std::move(body), Responder(shared_from_this(), request));
    return;
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {
    what = "unknown exception";
  }
  // Unwinding dropped the responder, which has answered; unless the handler had given it away before it threw.
  if (state_ == State::handling && request_ == request) {
    respond(request, server_error(what));
  } else {
    context_->shared->log.error("handler threw error=\"{}\"", what);
  }
}

bool Connection::step_discard() {
  const std::string_view here = buffered();
  const auto dropped = static_cast<std::uint32_t>(std::min<std::uint64_t>(here.size(), discard_left_));
  begin_ += dropped;
  discard_left_ -= dropped;
  if (discard_left_ != 0) return false;
  state_ = State::head;
  wait_ = Wait::none;
  return true;
}

void Connection::reject(Response response, const ParsedHead& head) {
  // The body stands between this request and the next: pass over it if its end is known and near.
  bool passed = true;
  if (head.chunked) {
    ChunkDecoder chunks;
    std::string_view bytes = buffered();
    passed = chunks.decode(bytes, nullptr, kDiscardBytesMax) == ChunkDecoder::Outcome::complete;
    if (passed) begin_ = end_ - static_cast<std::uint32_t>(bytes.size());
  } else if (const std::uint64_t length = head.content_length.value_or(0); length > 0) {
    const std::uint64_t here = std::min<std::uint64_t>(length, buffered().size());
    // Who waits for a 100 may send the body after this answer, or not: nobody can tell what comes next.
    passed = here == length || (length <= kDiscardBytesMax && !head.expect_continue);
    if (passed) {
      begin_ += static_cast<std::uint32_t>(here);
      discard_left_ = length - here;
    }
  }
  if (!passed) close_after_ = linger_after_ = true;
  state_ = State::head;
  answer(std::move(response));
  if (state_ == State::closed || discard_left_ == 0) return;
  if (close_after_) {
    linger_after_ = true;
  } else {
    state_ = State::discard;
    wait_for(Wait::body, context_->shared->options.body_timeout);
  }
}

void Connection::refuse(const Refusal& why) {
  if (exchange_ == nullptr) {
    new_exchange();
    set_request_id({});
  }
  drop_incoming();
  close_after_ = linger_after_ = true;
  state_ = State::head;
  Response response = error_response(why.status, why.code, why.message);
  if (why.status == 503) response.headers = "Retry-After: 1\r\n";
  answer(std::move(response));
  if (!pumping_) flush(context_->direct_out);
}

}  // namespace weir::http
