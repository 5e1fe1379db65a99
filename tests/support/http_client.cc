#include "support/http_client.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ostream>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

namespace weir::test {

namespace {

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Parses a head without its final empty line.
HttpResponse parse_head(std::string_view head) {
  HttpResponse response;
  const auto line_end = head.find("\r\n");
  const std::string_view line = head.substr(0, line_end);
  if (line.size() < 13 || line.substr(0, 5) != "HTTP/" || line[8] != ' ' || line[12] != ' ') {
    throw HttpFailure("not a status line: " + std::string(line));
  }
  response.version = line.substr(0, 8);
  const auto [end, error] = std::from_chars(line.data() + 9, line.data() + 12, response.status);
  if (error != std::errc{} || end != line.data() + 12) throw HttpFailure("bad status: " + std::string(line));
  std::string_view rest = line_end == std::string_view::npos ? std::string_view{} : head.substr(line_end + 2);
  while (!rest.empty()) {
    const auto next = rest.find("\r\n");
    const std::string_view field = rest.substr(0, next);
    rest = next == std::string_view::npos ? std::string_view{} : rest.substr(next + 2);
    const auto colon = field.find(':');
    if (colon == std::string_view::npos) throw HttpFailure("bad header line: " + std::string(field));
    response.headers.emplace_back(field.substr(0, colon), trimmed(field.substr(colon + 1)));
  }
  return response;
}

}  // namespace

std::optional<std::string> HttpResponse::header(std::string_view name) const {
  std::optional<std::string> found;
  for (const auto& [key, value] : headers) {
    if (!same_name(key, name)) continue;
    if (found) throw HttpFailure("header twice: " + std::string(name));
    found = value;
  }
  return found;
}

std::ostream& operator<<(std::ostream& to, const HttpResponse& response) {
  to << response.version << ' ' << response.status << '\n';
  for (const auto& [name, value] : response.headers) to << name << ": " << value << '\n';
  return to << '\n' << response.body.substr(0, 2000) << '\n';
}

HttpConnection::HttpConnection(const std::string& host, std::uint16_t port) {
  std::string plain = host;
  if (!plain.empty() && plain.front() == '[') plain = plain.substr(1, plain.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (::getaddrinfo(plain.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
    throw HttpFailure("bad address " + host);
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  fd_ = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0) throw HttpFailure(std::string("socket: ") + std::strerror(errno));
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const timeval patience{kServerPatience.count(), 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (::connect(fd_, found->ai_addr, found->ai_addrlen) != 0) {
    const std::string reason = std::strerror(errno);
    ::close(fd_);
    fd_ = -1;
    throw HttpFailure("connect: " + reason);
  }
}

HttpConnection::HttpConnection(HttpConnection&& from) noexcept
    : fd_(std::exchange(from.fd_, -1)), buffer_(std::move(from.buffer_)) {}

HttpConnection& HttpConnection::operator=(HttpConnection&& from) noexcept {
  if (this != &from) {
    close();
    fd_ = std::exchange(from.fd_, -1);
    buffer_ = std::move(from.buffer_);
  }
  return *this;
}

HttpConnection::~HttpConnection() {
  close();
}

void HttpConnection::close(bool reset) {
  if (fd_ < 0) return;
  if (reset) {
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  ::close(fd_);
  fd_ = -1;
}

void HttpConnection::shutdown_send() {
  ::shutdown(fd_, SHUT_WR);
}

bool HttpConnection::try_send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void HttpConnection::send(std::string_view bytes) {
  if (!try_send(bytes)) throw HttpFailure(std::string("send: ") + std::strerror(errno));
}

bool HttpConnection::readable(std::chrono::milliseconds timeout) {
  if (!buffer_.empty()) return true;
  pollfd watched{fd_, POLLIN, 0};
  return ::poll(&watched, 1, static_cast<int>(timeout.count())) > 0;
}

/// False at the end of the stream (a reset counts as one).
bool HttpConnection::fill(std::chrono::steady_clock::time_point deadline) {
  std::array<char, 65536> chunk{};
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd watched{fd_, POLLIN, 0};
    const int ready = ::poll(&watched, 1, static_cast<int>(std::max<std::int64_t>(0, left.count())));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) throw HttpFailure("no answer in time; so far: " + buffer_.substr(0, 500));
    const ssize_t bytes = ::recv(fd_, chunk.data(), chunk.size(), 0);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes <= 0) return false;
    buffer_.append(chunk.data(), static_cast<std::size_t>(bytes));
    return true;
  }
}

HttpResponse HttpConnection::read(bool head_only, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  std::size_t head_end = 0;
  while ((head_end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill(deadline)) throw HttpFailure("closed before an answer; so far: " + buffer_.substr(0, 500));
  }
  HttpResponse response = parse_head(std::string_view(buffer_).substr(0, head_end));
  buffer_.erase(0, head_end + 4);
  if (head_only || response.status < 200 || response.status == 204 || response.status == 304) return response;
  const auto length_text = response.header("Content-Length");
  if (!length_text) throw HttpFailure("no Content-Length");
  std::size_t length = 0;
  const auto [end, error] = std::from_chars(length_text->data(), length_text->data() + length_text->size(), length);
  if (error != std::errc{} || end != length_text->data() + length_text->size()) throw HttpFailure("bad Content-Length");
  while (buffer_.size() < length) {
    if (!fill(deadline)) throw HttpFailure("closed inside an answer's body");
  }
  response.body = buffer_.substr(0, length);
  buffer_.erase(0, length);
  return response;
}

bool HttpConnection::closed_by_server(std::chrono::milliseconds timeout) {
  if (!buffer_.empty()) return false;
  try {
    return !fill(std::chrono::steady_clock::now() + timeout);
  } catch (const HttpFailure&) {
    return false;
  }
}

std::string HttpConnection::read_to_end(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (fill(deadline)) {
  }
  return std::exchange(buffer_, {});
}

std::string http_request(std::string_view method, std::string_view target, std::string_view body,
                         const Headers& headers) {
  std::string request;
  request.reserve(256 + body.size());
  request.append(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: localhost\r\n");
  for (const auto& [name, value] : headers) request.append(name).append(": ").append(value).append("\r\n");
  if (!body.empty() || method == "POST" || method == "PUT") {
    request.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
  }
  return request.append("\r\n").append(body);
}

HttpConnection& Client::connection() {
  if (!connection_) connection_.emplace(host_, port_);
  return *connection_;
}

void Client::begin(std::string_view method, std::string_view target, std::string_view body, const Headers& headers) {
  Headers all = headers;
  if (!token_.empty()) all.emplace_back("Authorization", "Bearer " + token_);
  head_ = method == "HEAD";
  connection().send(http_request(method, target, body, all));
}

HttpResponse Client::finish(std::chrono::milliseconds timeout) {
  auto response = connection().read(head_, timeout);
  if (response.header("Connection").value_or("") == "close") close();
  return response;
}

HttpResponse Client::call(std::string_view method, std::string_view target, std::string_view body,
                          const Headers& headers) {
  begin(method, target, body, headers);
  return finish();
}

}  // namespace weir::test
