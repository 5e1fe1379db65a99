// Answering: from a Response to bytes that the kernel has taken.
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "weir/base/assert.h"
#include "weir/base/random.h"

#include "http/connection.h"

namespace weir::http {

namespace {
/// Up to here copying the parts of an answer into one buffer is cheaper than handing them to the kernel one by one.
constexpr std::size_t kCopyBytesMax = 32 * 1024;
/// What the scratch buffers of a loop keep after a large round.
constexpr std::size_t kScratchBytesKept = 512 * 1024;
constexpr std::chrono::milliseconds kLingerTime{2000};
constexpr std::size_t kLoggedTargetBytesMax = 256;
constexpr std::size_t kRequestIdBytesMax = 64;

bool usable_request_id(std::string_view id) noexcept {
  return !id.empty() && id.size() <= kRequestIdBytesMax && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' ||
           c == '-';
  });
}
}  // namespace

void Connection::new_exchange() {
  exchange_ = context_->acquire_exchange();
  exchange_->method = Method::other;
  exchange_->http10 = exchange_->keep_alive = false;
  ++request_;
  context_->request_begun();
  if (context_->shared->options.access_log != ServerOptions::AccessLog::off) exchange_->started = context_->loop.time();
}

void Connection::set_request_id(std::string_view wanted) {
  std::string& text = exchange_->text;
  if (usable_request_id(wanted)) {
    text = wanted;
  } else {
    // Unique by the process's random prefix, the loop and a counter: no randomness per request.
    char digits[2][20];
    text = context_->shared->id_prefix;
    text.push_back('-');
    text.append(digits[0], std::to_chars(digits[0], digits[0] + 20, context_->loop.index(), 16).ptr);
    text.push_back('-');
    text.append(digits[1], std::to_chars(digits[1], digits[1] + 20, ++context_->next_id, 16).ptr);
  }
  exchange_->id_bytes = static_cast<std::uint8_t>(text.size());
}

void Connection::begin_exchange(const ParsedHead& head) {
  new_exchange();
  exchange_->method = head.method;
  exchange_->http10 = head.http10;
  exchange_->keep_alive = head.keep_alive;
  set_request_id(head.header("x-request-id"));
  if (context_->shared->options.access_log != ServerOptions::AccessLog::off) {
    exchange_->text += head.target.substr(0, kLoggedTargetBytesMax);
  }
  context_->head.request_id = exchange_->id();
}

void Connection::end_exchange() {
  context_->release_exchange(std::move(exchange_));
}

Response Connection::server_error(std::string_view what) {
  const std::string id = random_uuid(context_->shared->random);
  context_->shared->log.error("request failed error=\"{}\" error_id={} id={}", what, id,
                              exchange_ != nullptr ? exchange_->id() : std::string_view{});
  Response response;
  response.status = 500;
  response.body = R"({"message":"Server error","code":"internal_error","id":")" + id + "\"}";
  return response;
}

void Connection::log_access(std::uint16_t status, std::size_t bytes) const {
  const Shared& shared = *context_->shared;
  using AccessLog = ServerOptions::AccessLog;
  if (shared.options.access_log == AccessLog::off) return;
  if (shared.options.access_log == AccessLog::errors && status < 400) return;
  const auto latency = std::chrono::duration_cast<std::chrono::microseconds>(context_->loop.now() - exchange_->started);
  const std::string_view target = exchange_->target();
  shared.log.info("request method={} target={} status={} latency_us={} id={} peer={} bytes={}",
                  to_string(exchange_->method), target.empty() ? "-" : target, status, latency.count(), exchange_->id(),
                  peer_, bytes);
}

void Connection::answer(Response response) {
  const Exchange& exchange = *exchange_;
  if (response.close || !exchange.keep_alive || context_->shared->draining.load(std::memory_order_relaxed)) {
    close_after_ = true;
  }
  std::string& bytes = out();
  append_head(bytes, response,
              {.date = context_->date(),
               .request_id = exchange.id(),
               .headers = exchange.headers,
               .close = close_after_,
               .say_keep_alive = exchange.http10});
  const bool with_body = exchange.method != Method::head && has_body(response.status);
  const std::size_t body_bytes = with_body ? response.body_bytes() : 0;
  log_access(response.status, body_bytes);
  end_exchange();
  ++answers_unsent_;
  if (body_bytes == 0) return;
  if (body_bytes <= kCopyBytesMax) {
    bytes += response.body;
    if (response.shared) bytes += *response.shared;
    bytes += response.tail;
  } else {
    transmit(bytes, std::move(response.body), std::move(response.shared), response.tail);
  }
}

void Connection::flush(std::string& bytes) {
  if (!bytes.empty()) transmit(bytes, {}, nullptr, {});
  if (state_ != State::closed && !output_pending()) output_done();
}

void Connection::transmit(std::string& head, std::string body, std::shared_ptr<const std::string> shared,
                          std::string_view tail) {
  WEIR_ASSERT(!output_pending());  // nothing is read, so nothing is answered, until the last answer is out
  const Parts parts = {head, body, shared ? std::string_view(*shared) : std::string_view{}, tail};
  std::size_t total = 0;
  for (const std::string_view part : parts) total += part.size();
  const auto result = send_some(parts, 0);
  if (!result) {
    head.clear();
    close();
    return;
  }
  const std::size_t sent = *result;
  if (sent < total) {
    const std::size_t head_sent = std::min(sent, head.size());
    const std::string_view head_rest = std::string_view(head).substr(head_sent);
    auto rest = std::make_unique<Pending>();
    rest->head = head_rest;
    rest->sent = sent - head_sent;
    rest->body = std::move(body);
    // What several connections hold together is in memory once: each is charged its part.
    rest->charged = rest->head.size() + rest->body.size();
    if (shared) rest->charged += shared->size() / static_cast<std::uint64_t>(std::max(1L, shared.use_count()));
    rest->shared = std::move(shared);
    rest->tail = tail;
    pending_ = std::move(rest);
    context_->shared->response_bytes_inflight.fetch_add(pending_->charged, std::memory_order_relaxed);
    wait_for_client();
  }
  head.clear();
  if (head.capacity() > kScratchBytesKept) head.shrink_to_fit();
}

void Connection::drop_pending() {
  if (pending_ == nullptr) return;
  context_->shared->response_bytes_inflight.fetch_sub(pending_->charged, std::memory_order_relaxed);
  pending_.reset();
}

// Sends what it can of `parts` beyond the first `skip` bytes; empty when the connection is broken. When the
// kernel takes less than it was offered, an event tells when it has room again.
std::optional<std::size_t> Connection::send_some(const Parts& parts, std::size_t skip) {
  std::array<iovec, std::tuple_size_v<Parts>> buffers{};
  std::size_t count = 0;
  for (std::string_view part : parts) {
    const std::size_t skipped = std::min(skip, part.size());
    skip -= skipped;
    part.remove_prefix(skipped);
    if (!part.empty()) buffers[count++] = {const_cast<char*>(part.data()), part.size()};
  }
  ssize_t result = 0;
  do {
    if (count == 1) {
      result = ::send(socket_.get(), buffers[0].iov_base, buffers[0].iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    } else {
      msghdr message{};
      message.msg_iov = buffers.data();
      message.msg_iovlen = count;
      result = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
  } while (result < 0 && errno == EINTR);
  if (result < 0 && errno != EAGAIN && errno != EWOULDBLOCK) return std::nullopt;
  return static_cast<std::size_t>(std::max<ssize_t>(result, 0));
}

void Connection::wait_for_client() {
  pending_->taken_checked = taken();
  wait_for(Wait::send, context_->shared->options.send_timeout);
}

// Bytes that the client has acknowledged, counted from wherever the pending answer began. The kernel asks for more only
// when a good part of its buffer, which can be megabytes, is free again: that is too coarse to tell slow from stalled.
std::int64_t Connection::taken() {
  int queued = 0;
  if (::ioctl(socket_.get(), SIOCOUTQ, &queued) != 0) queued = 0;
  return static_cast<std::int64_t>(pending_->sent) - queued;
}

void Connection::on_writable() {
  const auto sent = send_some(pending_->parts(), pending_->sent);
  if (!sent) {
    close();
    return;
  }
  pending_->sent += *sent;
  if (pending_->sent < pending_->size()) return;  // the deadline stands: what counts is how much the client takes
  drop_pending();
  wait_ = Wait::none;
  output_done();
  if (state_ == State::closed || state_ == State::lingering) return;
  if (deferred_ != nullptr) {
    const auto response = std::exchange(deferred_, nullptr);
    respond(request_, std::move(*response));
  } else if (state_ == State::handling) {
    close_if_gone();
  } else {
    pump();  // what stands still since the answer stood in the way, a body without room for its next bytes too
    turn();
  }
}

void Connection::output_done() {
  context_->requests_done(std::exchange(answers_unsent_, 0));
  if (!close_after_ || state_ == State::lingering) return;
  // Closing with bytes unread would reset the connection, and take the answer away from the client.
  int unread = 0;
  if (!linger_after_ && buffered().empty() && (::ioctl(socket_.get(), FIONREAD, &unread) != 0 || unread == 0)) {
    close();
  } else {
    linger();
  }
}

void Connection::linger() {
  state_ = State::lingering;
  drop_incoming();
  release_block();
  ::shutdown(socket_.get(), SHUT_WR);
  wait_for(Wait::linger, kLingerTime);
  if (readable_) post_turn();
}

}  // namespace weir::http
