#include "http/address.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>

#include <arpa/inet.h>
#include <netdb.h>

namespace weir::http {

std::string Address::host() const {
  // With the scope of a link-local address, which inet_ntop() leaves out.
  char text[NI_MAXHOST];
  if (::getnameinfo(&any, size, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) return "?";
  return text;
}

std::string Address::to_string() const {
  return (is_v6() ? "[" + host() + "]" : host()) + ":" + std::to_string(port());
}

Error unusable(const std::string& listen, const std::string& why) {
  return make_error(Errc::config_invalid, "cannot listen on " + listen + ": " + why);
}

Result<Address> resolve_listen_address(const std::string& listen) {
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

  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_family = bracketed ? AF_INET6 : AF_UNSPEC;
  hints.ai_flags = AI_PASSIVE | (bracketed ? AI_NUMERICHOST : 0);
  addrinfo* results = nullptr;
  if (::getaddrinfo(host.c_str(), port_text.c_str(), &hints, &results) != 0 || results == nullptr) {
    return unusable(listen, bracketed ? "this is not an IPv6 address" : "the host name is unknown");
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(results, &::freeaddrinfo);
  // "localhost" and the like: IPv4 first, as most clients try it.
  const addrinfo* chosen = results;
  for (const addrinfo* found = results; found != nullptr; found = found->ai_next) {
    if (found->ai_family == AF_INET) {
      chosen = found;
      break;
    }
  }
  Address address;
  if (chosen->ai_addrlen > sizeof address.v6) return unusable(listen, "this is not an IP address");
  std::memcpy(&address.v6, chosen->ai_addr, chosen->ai_addrlen);
  address.size = chosen->ai_addrlen;
  return address;
}

}  // namespace weir::http
