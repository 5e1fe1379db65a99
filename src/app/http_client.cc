#include "app/http_client.h"

#include <chrono>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

namespace weir::app {

namespace {

namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using boost::asio::ip::tcp;

constexpr auto kTimeout = std::chrono::seconds{30};

struct Place {
  std::string host;
  std::string port;
};

Result<Place> parse_url(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return make_error(Errc::bad_request, "the URL must start with http://");
  url.remove_prefix(kScheme.size());
  while (url.ends_with('/')) url.remove_suffix(1);
  const std::size_t colon = url.rfind(':');
  const bool has_port = colon != std::string_view::npos && url.find(']', colon) == std::string_view::npos;
  std::string_view host = has_port ? url.substr(0, colon) : url;
  const std::string_view port = has_port ? url.substr(colon + 1) : "80";
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty() || port.empty() || url.find('/') != std::string_view::npos) {
    return make_error(Errc::bad_request, "the URL must be http://HOST[:PORT]");
  }
  return Place{std::string(host), std::string(port)};
}

Error unreachable(std::string_view url, const beast::error_code& error) {
  return make_error(Errc::overloaded, "no answer from " + std::string(url) + ": " + error.message());
}

}  // namespace

Result<HttpAnswer> http_request(std::string_view url, std::string_view method, std::string_view target,
                                std::string_view token, std::string body) {
  WEIR_TRY(const Place place, parse_url(url));
  boost::asio::io_context io;
  beast::error_code error;
  tcp::resolver resolver(io);
  const auto addresses = resolver.resolve(place.host, place.port, error);
  if (error) return unreachable(url, error);

  // Asynchronous calls, each run to its end: only these know a deadline.
  beast::tcp_stream stream(io);
  stream.expires_after(kTimeout);
  const auto run = [&] {
    io.restart();
    io.run();
  };
  stream.async_connect(addresses, [&](const beast::error_code& ec, const tcp::endpoint&) { error = ec; });
  run();
  if (error) return unreachable(url, error);

  bhttp::request<bhttp::string_body> request;
  request.version(11);
  request.method_string({method.data(), method.size()});
  request.target({target.data(), target.size()});
  request.set(bhttp::field::host, place.host);
  request.set(bhttp::field::user_agent, "weir");
  request.set(bhttp::field::authorization, "Bearer " + std::string(token));
  request.body() = std::move(body);
  request.prepare_payload();
  request.keep_alive(false);
  bhttp::async_write(stream, request, [&](const beast::error_code& ec, std::size_t) { error = ec; });
  run();
  if (error) return unreachable(url, error);

  beast::flat_buffer buffer;
  bhttp::response<bhttp::string_body> response;
  bhttp::async_read(stream, buffer, response, [&](const beast::error_code& ec, std::size_t) { error = ec; });
  run();
  if (error) return unreachable(url, error);
  return HttpAnswer{response.result_int(), std::move(response.body())};
}

}  // namespace weir::app
