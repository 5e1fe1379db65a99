#include "http/listener.h"

#include <cerrno>
#include <charconv>
#include <utility>

#include <boost/asio/ip/v6_only.hpp>
#include <sys/socket.h>

#include "http/connection.h"

namespace weir::http {

namespace net = boost::asio;

namespace {

constexpr std::chrono::milliseconds kAcceptPause{50};
constexpr std::chrono::seconds kReportInterval{1};
constexpr int kBacklog = 4096;  // the kernel cuts it down to net.core.somaxconn
/// Refused connections are kept until they have read why; only so many beyond connections_max.
constexpr std::size_t kRefusedMax = 256;

Error unusable(const std::string& listen, const std::string& why) {
  return make_error(Errc::config_invalid, "cannot listen on " + listen + ": " + why);
}

}  // namespace

std::string to_string(const Tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(endpoint.port());
}

Result<Tcp::endpoint> resolve_listen_address(const std::string& listen) {
  const std::size_t colon = listen.rfind(':');
  if (colon == std::string::npos || colon == 0) return unusable(listen, "HOST:PORT is expected");
  std::string host = listen.substr(0, colon);
  const std::string port_text = listen.substr(colon + 1);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (!bracketed && host.find(':') != std::string::npos) return unusable(listen, "write [ADDRESS]:PORT for IPv6");
  std::uint16_t port = 0;
  const char* const end = port_text.data() + port_text.size();
  const auto [stop, wrong] = std::from_chars(port_text.data(), end, port);
  if (port_text.empty() || wrong != std::errc{} || stop != end) return unusable(listen, "the port is 0 to 65535");

  boost::system::error_code error;
  const auto address = net::ip::make_address(host, error);
  if (!error) {
    if (bracketed && !address.is_v6()) return unusable(listen, "brackets are for IPv6 addresses");
    return Tcp::endpoint(address, port);
  }
  if (bracketed) return unusable(listen, "this is not an IPv6 address");
  net::io_context io;
  Tcp::resolver resolver(io);
  const auto found = resolver.resolve(host, port_text, error);
  if (error || found.empty()) return unusable(listen, "the host name is unknown");
  // "localhost" and the like: IPv4 first, as most clients try it.
  for (const auto& entry : found) {
    if (entry.endpoint().address().is_v4()) return entry.endpoint();
  }
  return found.begin()->endpoint();
}

Result<> probe_listen_address(const Tcp::endpoint& endpoint, const std::string& listen) {
  net::io_context io;
  Tcp::acceptor probe(io);
  boost::system::error_code error;
  probe.open(endpoint.protocol(), error);
  if (!error) probe.set_option(net::socket_base::reuse_address(true), error);
  if (!error && endpoint.address().is_v6()) probe.set_option(net::ip::v6_only(true), error);
  if (!error) probe.bind(endpoint, error);
  if (error) return unusable(listen, error.message());
  return ok();
}

Result<> Listener::open(const Tcp::endpoint& endpoint, bool shared_port, const std::string& listen) {
  boost::system::error_code error;
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(net::socket_base::reuse_address(true), error);
  if (!error && endpoint.address().is_v6()) acceptor_.set_option(net::ip::v6_only(true), error);
  const int on = 1;
  if (!error && shared_port && ::setsockopt(acceptor_.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
    error.assign(errno, boost::system::system_category());
  }
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(kBacklog, error);
  if (error) return unusable(listen, error.message());
  return ok();
}

Tcp::endpoint Listener::local_endpoint() const {
  boost::system::error_code error;
  return acceptor_.local_endpoint(error);
}

void Listener::close() {
  disarm();
  boost::system::error_code ignored;
  acceptor_.close(ignored);
}

void Listener::accept() {
  if (!acceptor_.is_open()) return;
  acceptor_.async_accept(
      context_->loop.io().get_executor(), peer_,
      [this](const boost::system::error_code& error, Socket socket) { on_accept(error, std::move(socket)); });
}

void Listener::on_accept(const boost::system::error_code& error, Socket socket) {
  if (!acceptor_.is_open()) return;
  if (error) {
    if (error != net::error::connection_aborted) {
      report(error);
      context_->loop.timers().arm(*this, context_->loop.now() + kAcceptPause);
      return;
    }
    accept();
    return;
  }
  const Shared& shared = *context_->shared;
  const std::size_t open = shared.connections.load(std::memory_order_relaxed);
  try {
    if (open < shared.options.connections_max + kRefusedMax) {
      auto connection = std::make_shared<Connection>(context_, std::move(socket), peer_.address().to_string());
      if (open < shared.options.connections_max) {
        connection->start();
      } else {
        connection->start_refused();
      }
    }
  } catch (const std::exception& failure) {
    context_->shared->log.error("connection failed error=\"{}\"", failure.what());
  }
  accept();
}

void Listener::report(const boost::system::error_code& error) {
  const SteadyTime now = context_->loop.now();
  if (reported_ && now - *reported_ < kReportInterval) {
    ++unreported_;
    return;
  }
  reported_ = now;
  context_->shared->log.error("accept failed error=\"{}\" not_reported={}", error.message(),
                              std::exchange(unreported_, 0));
}

}  // namespace weir::http
