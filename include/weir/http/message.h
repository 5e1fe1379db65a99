#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <boost/smart_ptr/intrusive_ptr.hpp>

#include "weir/base/unique_function.h"

/// Requests and responses as handlers see them. Nothing here knows of topics.
namespace weir::http {

enum class Method : std::uint8_t { get, head, post, put, delete_, options, patch, other };
std::string_view to_string(Method method) noexcept;

/// A request's head. The views live until the route's begin() returns; copy what is needed later.
class RequestHead {
 public:
  virtual ~RequestHead() = default;
  Method method = Method::other;
  std::string_view target;                      ///< as sent
  std::string_view path;                        ///< before '?', as sent (not percent-decoded)
  std::string_view query;                       ///< after '?', as sent; empty if none
  std::string_view request_id;                  ///< the client's X-Request-Id if it was usable, else a new one
  std::string_view peer;                        ///< the client's address
  std::optional<std::uint64_t> content_length;  ///< empty: chunked, or no body
  /// Captured path segments (`:name` in the pattern), percent-decoded, in order.
  std::vector<std::string> captures;
  std::size_t loop = 0;  ///< index of the loop that serves the connection

  /// The value of a header, surrounding white space removed; empty view if absent. Name in any case.
  virtual std::string_view header(std::string_view name) const = 0;
  virtual bool has_header(std::string_view name) const = 0;
};

/// What is sent back. The server adds Date, Content-Length, X-Request-Id, Connection.
struct Response {
  std::uint16_t status = 200;
  std::string_view content_type = "application/json; charset=utf-8";  ///< must be a literal
  std::string headers{};                                              ///< further header lines, each ending in CRLF
  std::string body{};                                                 ///< first part
  std::shared_ptr<const std::string> shared{};  ///< second part, shared between responses; may be null
  std::string_view tail{};                      ///< third part; must be a literal
  bool close = false;                           ///< close the connection after it

  std::size_t body_bytes() const noexcept { return body.size() + (shared ? shared->size() : 0) + tail.size(); }
};

/// `{"message":…,"code":…}` with the texts escaped.
Response error_response(std::uint16_t status, std::string_view code, std::string_view message);

class Connection;
void intrusive_ptr_add_ref(Connection* connection) noexcept;
void intrusive_ptr_release(Connection* connection) noexcept;

/// The right to answer one request, once; used on the loop of the connection. Dropping it unused answers 500 (unless
/// the client has gone). May be moved to other threads and back.
class Responder {
 public:
  Responder() = default;
  Responder(boost::intrusive_ptr<Connection> connection, std::uint32_t request);
  Responder(Responder&&) noexcept = default;
  Responder& operator=(Responder&&) noexcept;
  ~Responder();

  /// Answers. Ignored when the client has gone. Only on the connection's loop.
  void send(Response response) &&;

  /// What to do if the client goes away before the answer; replaced or dropped by send(). Runs on the loop.
  struct CancelHook {
    void (*call)(void* context, std::uint64_t id) = nullptr;
    void* context = nullptr;
    std::uint64_t id = 0;
  };
  /// With a hook, a client that only shuts its sending half counts as gone too; without one it still gets its answer.
  void on_client_gone(CancelHook hook);

 private:
  boost::intrusive_ptr<Connection> connection_;
  std::uint32_t request_ = 0;
};

/// Takes the whole body (views into it live until it returns) and answers, now or later.
using BodyHandler = UniqueFunction<void(std::string body, Responder responder), 128>;

/// Decision on a request's head: an answer (the body is not read), or who takes the body.
struct Accepted {
  BodyHandler handler;
  std::string headers{};  ///< further header lines for whatever answer follows, each ending in CRLF
};
using Admission = std::variant<Response, Accepted>;

/// One route. `begin` runs when the head has arrived, on the connection's loop.
struct Route {
  Method method = Method::get;     ///< HEAD is served by GET routes
  std::string pattern;             ///< "/api/v1/topics/:topic_id/consume"; a `:name` segment captures
  std::size_t body_bytes_max = 0;  ///< more: 413
  std::function<Admission(const RequestHead& head)> begin;
  /// Its answers may be megabytes: refused with 503 while response_bytes_inflight_max is passed.
  bool large_answers = false;
};

/// Query keys and values, percent-decoded, '+' as space, in order. Empty if the escapes are broken.
std::optional<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query);
/// Empty if an escape is broken or gives NUL.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

}  // namespace weir::http
