#include "http/listener.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include <netinet/tcp.h>
#include <sys/socket.h>

#include "http/connection.h"

namespace weir::http {

namespace {

constexpr std::chrono::milliseconds kAcceptPause{50};
constexpr std::chrono::seconds kReportInterval{1};
constexpr int kBacklog = 4096;  // the kernel cuts it down to net.core.somaxconn
/// Between two looks at the other descriptors; the listening socket is level-triggered, so the rest is not forgotten.
constexpr int kAcceptsPerEvent = 64;
/// Refused connections are kept until they have read why; only so many beyond connections_max.
constexpr std::size_t kRefusedMax = 256;

bool set(const Descriptor& socket, int level, int option) {
  const int on = 1;
  return ::setsockopt(socket.get(), level, option, &on, sizeof on) == 0;
}

// A socket that is bound; errno is set when it is not open.
Descriptor bound_socket(const Address& address, bool shared_port) {
  Descriptor socket(::socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  const bool ready = socket.open() && set(socket, SOL_SOCKET, SO_REUSEADDR) &&
                     (!address.is_v6() || set(socket, IPPROTO_IPV6, IPV6_V6ONLY)) &&
                     (!shared_port || set(socket, SOL_SOCKET, SO_REUSEPORT)) &&
                     ::bind(socket.get(), &address.any, address.size) == 0;
  if (ready) return socket;
  const int error = errno;
  socket.close();
  errno = error;
  return socket;
}

Error unusable_now(const std::string& listen) {
  return unusable(listen, std::system_category().message(errno));
}

}  // namespace

Result<> probe_listen_address(const Address& address, const std::string& listen) {
  if (!bound_socket(address, false).open()) return unusable_now(listen);
  return ok();
}

Result<> Listener::open(const Address& address, bool shared_port, const std::string& listen) {
  socket_ = bound_socket(address, shared_port);
  // Accepted sockets inherit TCP_NODELAY: a system call less for each.
  if (!socket_.open() || !set(socket_, IPPROTO_TCP, TCP_NODELAY) || ::listen(socket_.get(), kBacklog) != 0 ||
      !context_->loop.watch(socket_.get(), EPOLLIN, *this)) {
    return unusable_now(listen);
  }
  return ok();
}

Address Listener::local_address() const {
  Address address;
  ::getsockname(socket_.get(), &address.any, &address.size);
  return address;
}

void Listener::close() {
  disarm();
  socket_.close();
}

void Listener::on_events(std::uint32_t /*events*/) {
  for (int i = 0; i < kAcceptsPerEvent && socket_.open() && accept_one(); ++i) {
  }
}

void Listener::on_deadline() {
  if (socket_.open()) context_->loop.change_watch(socket_.get(), EPOLLIN, *this);
}

bool Listener::accept_one() {
  Address peer;
  Descriptor socket(::accept4(socket_.get(), &peer.any, &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket.open()) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
    if (errno == ECONNABORTED || errno == EINTR) return true;
    pause(errno);
    return false;
  }
  const Shared& shared = *context_->shared;
  const std::size_t open = shared.connections.load(std::memory_order_relaxed);
  try {
    if (open < shared.options.connections_max + kRefusedMax) {
      if (!Connection::open(context_, std::move(socket), peer.host(), open >= shared.options.connections_max)) {
        pause(errno);
        return false;
      }
    }
  } catch (const std::exception& failure) {
    context_->shared->log.error("connection failed error=\"{}\"", failure.what());
  }
  return true;
}

// The socket stays readable, and would be told to us for ever.
void Listener::pause(int error) {
  report(error);
  context_->loop.change_watch(socket_.get(), 0, *this);
  context_->loop.timers().arm(*this, context_->loop.time() + kAcceptPause);
}

void Listener::report(int error) {
  const SteadyTime now = context_->loop.time();
  if (reported_ && now - *reported_ < kReportInterval) {
    ++unreported_;
    return;
  }
  reported_ = now;
  context_->shared->log.error("accept failed error=\"{}\" not_reported={}", std::system_category().message(error),
                              std::exchange(unreported_, 0));
}

}  // namespace weir::http
