#pragma once

#include <cstdint>
#include <string>

#include <netinet/in.h>
#include <sys/socket.h>

#include "weir/base/result.h"

namespace weir::http {

/// An IP address with a port.
struct Address {
  union {
    sockaddr_in6 v6{};
    sockaddr_in v4;
    sockaddr any;
  };
  socklen_t size = sizeof(sockaddr_in6);

  bool is_v6() const noexcept { return any.sa_family == AF_INET6; }
  std::uint16_t port() const noexcept { return ntohs(is_v6() ? v6.sin6_port : v4.sin_port); }
  /// Without the port: "127.0.0.1", "::1".
  std::string host() const;
  /// "127.0.0.1:8080", "[::1]:8080".
  std::string to_string() const;
};

/// "HOST:PORT" or "[V6]:PORT", resolved to one address. Errors: config_invalid.
Result<Address> resolve_listen_address(const std::string& listen);

/// Why `listen` cannot be used.
Error unusable(const std::string& listen, const std::string& why);

}  // namespace weir::http
