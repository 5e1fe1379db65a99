// Reading: from the bytes on the socket to a handler that has its body.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/socket.h>

#include "weir/base/assert.h"

#include "http/connection.h"

namespace weir::http {

namespace {
/// A refused request's body up to this long is read and dropped, so that the connection can go on.
constexpr std::uint64_t kDiscardBytesMax = 64 * 1024;
/// A body buffer grows at least by this much, and no further than the body has come: a length is only a claim.
constexpr std::size_t kBodyStepBytes = 64 * 1024;
/// Answers to pipelined requests are sent together up to about this size.
constexpr std::size_t kCoalesceBytesMax = 256 * 1024;
constexpr std::uint32_t kLingerBytesMax = 8 << 20;
constexpr int kBlankLinesMax = 2;
/// A read brings at most a block, or what is missing of a body: a client that sends without end waits for the others.
constexpr int kReadsPerTurn = 2;
}  // namespace

// Reads once. 0: nothing there; empty: the end, or the connection is broken. With send_some() the only place that knows
// what bytes travel on.
std::optional<std::size_t> Connection::receive(char* into, std::size_t size) {
  ssize_t got = 0;
  do {
    got = ::recv(socket_.get(), into, size, 0);
  } while (got < 0 && errno == EINTR);
  // Less than was asked for means that there is no more, and what comes later is an event of its own: so a request
  // costs one recv. Only an end that has been announced already stands behind the bytes without one.
  readable_ = got == static_cast<ssize_t>(size) || (got >= 0 && peer_shut_);
  if (got > 0) return static_cast<std::size_t>(got);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
  return std::nullopt;
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

bool Connection::may_read() const {
  return readable_ && state_ != State::handling && state_ != State::closed && !output_pending();
}

// Works through what has been read and what can be, for a while: others have their turn too.
void Connection::turn() {
  if (!buffered().empty()) pump();
  for (int reads = 0; reads < kReadsPerTurn && may_read(); ++reads) read_once();
  if (may_read()) post_turn();
}

void Connection::post_turn() {
  if (std::exchange(turn_posted_, true)) return;
  context_->loop.post([self = boost::intrusive_ptr<Connection>(this)] {
    self->turn_posted_ = false;
    if (self->state_ != State::closed && !self->output_pending()) self->turn();
  });
}

void Connection::read_once() {
  const bool into_body = state_ == State::body && !incoming_->chunked;
  const bool into_trash = state_ == State::lingering || state_ == State::discard;
  char* into = nullptr;
  std::size_t size = 0;
  if (into_trash) {
    into = context_->trash.data();
    size = context_->trash.size();
    if (state_ == State::discard) size = std::min<std::size_t>(size, discard_left_);
  } else if (into_body) {
    into = incoming_->body.data() + incoming_->received;
    size = incoming_->body.size() - static_cast<std::size_t>(incoming_->received);
  } else {
    ensure_block();
    into = block_.get() + end_;
    size = context_->block_bytes - end_;
  }
  WEIR_ASSERT(size > 0);
  const auto got = receive(into, size);
  if (!got) {
    close();  // nothing is owed: what had come whole has been answered
    return;
  }
  if (state_ == State::lingering) {
    lingered_bytes_ += static_cast<std::uint32_t>(*got);
    if (lingered_bytes_ > kLingerBytesMax) close();
    return;
  }
  if (into_trash) {
    discard_left_ -= static_cast<std::uint32_t>(*got);
  } else if (into_body) {
    incoming_->received += *got;
  } else {
    end_ += static_cast<std::uint32_t>(*got);
  }
  if (incoming_ != nullptr) incoming_->window += *got;
  pump();
}

// Works through what has been read.
void Connection::pump() {
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

// Nothing more can be done with what has been read: what is kept of it, and how long to wait for what.
void Connection::settle() {
  if (state_ == State::closed || state_ == State::lingering) return;
  if (buffered().empty()) {
    release_block();
  } else if (state_ != State::handling && begin_ != 0) {
    std::memmove(block_.get(), block_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (output_pending()) return;
  if (state_ == State::handling) {
    wait_ = Wait::none;  // a timer that is still armed finds that
    return;
  }
  if (close_after_) return;
  const ServerOptions& options = context_->shared->options;
  if (state_ != State::head) {
    // A send deadline may have taken its place meanwhile.
    if (wait_ != Wait::body) wait_for(Wait::body, options.body_timeout);
  } else if (buffered().empty()) {
    wait_for(Wait::idle, options.idle_timeout);
  } else if (wait_ != Wait::head) {
    wait_for(Wait::head, options.head_timeout);
  }
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
  receive_body(accepted, head, match.route->body_bytes_max);
}

void Connection::receive_body(Accepted& accepted, const ParsedHead& head, std::uint64_t bytes_max) {
  const std::string_view here = buffered();
  const std::uint64_t length = head.content_length.value_or(0);
  if (!head.chunked && length <= here.size()) {
    begin_ += static_cast<std::uint32_t>(length);
    hand_over(accepted.handler, std::string(here.substr(0, static_cast<std::size_t>(length))));
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
  hand_over(handler, std::move(body));
}

void Connection::hand_over(BodyHandler& handler, std::string body) {
  state_ = State::handling;
  const std::uint32_t request = request_;
  std::string what;
  try {
    handler(std::move(body), Responder(boost::intrusive_ptr<Connection>(this), request));
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
      discard_left_ = static_cast<std::uint32_t>(length - here);
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
    if (!output_pending()) wait_for(Wait::body, context_->shared->options.body_timeout);  // else settle() does it later
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
