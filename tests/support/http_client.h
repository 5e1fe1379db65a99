#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "support/server_process.h"

/// HTTP/1.1 by hand, so that tests see bytes. Not thread-safe: one connection, one thread.
namespace weir::test {

/// The server did something that the client cannot go on with: closed early, answered too late, or not in HTTP.
class HttpFailure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

using Headers = std::vector<std::pair<std::string, std::string>>;

struct HttpResponse {
  int status = 0;
  std::string version;  ///< "HTTP/1.1"
  Headers headers;      ///< in order, as sent
  std::string body;

  /// The value of a header, name in any case; empty optional if absent. One that stands twice is a failure.
  std::optional<std::string> header(std::string_view name) const;
  /// Throws if the body is not JSON.
  nlohmann::json json() const { return nlohmann::json::parse(body); }
};
std::ostream& operator<<(std::ostream& to, const HttpResponse& response);

class HttpConnection {
 public:
  HttpConnection(const std::string& host, std::uint16_t port);
  explicit HttpConnection(const ServerProcess& server) : HttpConnection(server.host(), server.port()) {}
  HttpConnection(HttpConnection&& from) noexcept;
  HttpConnection& operator=(HttpConnection&& from) noexcept;
  ~HttpConnection();

  /// Throws HttpFailure if the server has closed the connection.
  void send(std::string_view bytes);
  /// Sends what the server still takes; false when it has closed.
  bool try_send(std::string_view bytes);
  /// The next answer, an interim (1xx) one too. `head_only`: it answers a HEAD request.
  HttpResponse read(bool head_only = false, std::chrono::milliseconds timeout = kServerPatience);
  /// True if bytes of an answer are there now.
  bool readable(std::chrono::milliseconds timeout = std::chrono::milliseconds{0});
  /// Waits for the server to close; false if it sends something first or leaves it open.
  bool closed_by_server(std::chrono::milliseconds timeout = kServerPatience);
  /// Everything until the server closes.
  std::string read_to_end(std::chrono::milliseconds timeout = kServerPatience);
  /// Tells the server that nothing more is sent (half close).
  void shutdown_send();
  /// Closes at once; `reset`: with RST.
  void close(bool reset = false);

 private:
  bool fill(std::chrono::steady_clock::time_point deadline);

  int fd_ = -1;
  std::string buffer_;
};

/// Bytes of a request. A Content-Length is added when there is a body or the method usually has one.
std::string http_request(std::string_view method, std::string_view target, std::string_view body = {},
                         const Headers& headers = {});

/// Calls with a bearer token on one kept-alive connection, opened when needed.
class Client {
 public:
  /// An empty token: no Authorization header.
  explicit Client(const ServerProcess& server, std::string_view token = kAdminToken)
      : host_(server.host()), port_(server.port()), token_(token) {}

  HttpResponse call(std::string_view method, std::string_view target, std::string_view body = {},
                    const Headers& headers = {});
  HttpResponse get(std::string_view target) { return call("GET", target); }
  HttpResponse post(std::string_view target, std::string_view body, const Headers& headers = {}) {
    return call("POST", target, body, headers);
  }
  HttpResponse put(std::string_view target, std::string_view body) { return call("PUT", target, body); }
  HttpResponse erase(std::string_view target) { return call("DELETE", target); }
  /// Sends without reading the answer.
  void begin(std::string_view method, std::string_view target, std::string_view body = {}, const Headers& headers = {});
  HttpResponse finish(std::chrono::milliseconds timeout = kServerPatience);
  /// The connection (opened if there is none).
  HttpConnection& connection();
  void close() { connection_.reset(); }

 private:
  std::string host_;
  std::uint16_t port_;
  std::string token_;
  std::optional<HttpConnection> connection_;
  bool head_ = false;
};

}  // namespace weir::test
