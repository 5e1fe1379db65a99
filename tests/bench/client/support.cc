#include "support.h"

#include <cerrno>
#include <charconv>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace weir::bench {
namespace {

constexpr std::size_t kReceiveBytes = 256 * 1024;
constexpr std::size_t kEventsMax = 1024;
constexpr std::uint32_t kConnectionsPerAddress = 10'000;  // of about 28,000 ports that one address has
constexpr timeval kConnectTimeout{10, 0};

}  // namespace

void fail(const char* format, ...) {
  std::fflush(stdout);
  std::fputs("weir_bench_client: ", stderr);
  va_list arguments;
  va_start(arguments, format);
  std::vfprintf(stderr, format, arguments);
  va_end(arguments);
  std::fputc('\n', stderr);
  std::exit(1);
}

std::uint64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void report(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::vprintf(format, arguments);
  va_end(arguments);
  std::putchar('\n');
  std::fflush(stdout);
}

std::string quantiles_json(const char* name, const Histogram& histogram) {
  char text[256];
  const auto ms = [&](double share) { return static_cast<double>(histogram.quantile(share)) / 1e6; };
  std::snprintf(text, sizeof text, R"("%s_p50_ms":%.4f,"%s_p99_ms":%.4f,"%s_p999_ms":%.4f,"%s_max_ms":%.4f)", name,
                ms(0.5), name, ms(0.99), name, ms(0.999), name, static_cast<double>(histogram.max()) / 1e6);
  return text;
}

void await_word(const char* word) {
  char line[64];
  if (std::fgets(line, sizeof line, stdin) == nullptr) fail("standard input ended before \"%s\"", word);
  line[std::strcspn(line, "\n")] = '\0';
  if (std::strcmp(line, word) != 0) fail("expected \"%s\" on standard input, got \"%s\"", word, line);
}

Poller::Poller(std::uint16_t port)
    : port_(port), epoll_(epoll_create1(EPOLL_CLOEXEC)), buffer_(kReceiveBytes), events_(kEventsMax) {
  if (epoll_ < 0) fail("epoll_create1: %s", std::strerror(errno));
}

Poller::~Poller() {
  ::close(epoll_);
}

void Poller::connect(Connection& connection) {
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) fail("socket %u: %s", connected_ + 1, std::strerror(errno));
  const int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // The port is chosen at connect(), when the other side is known, so that all of an address' ports can be used.
  setsockopt(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &kConnectTimeout, sizeof kConnectTimeout);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + connected_ / kConnectionsPerAddress);
  if (bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    fail("bind: %s", std::strerror(errno));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port_);
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    fail("connection %u: %s", connected_ + 1, std::strerror(errno));
  ++connected_;
  if (fcntl(descriptor, F_SETFL, O_NONBLOCK) != 0) fail("fcntl: %s", std::strerror(errno));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &connection;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) fail("epoll_ctl: %s", std::strerror(errno));
  connection.descriptor = descriptor;
}

void Poller::watch(int descriptor) {
  epoll_event event{};
  event.events = EPOLLIN;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) fail("epoll_ctl: %s", std::strerror(errno));
}

void Poller::send(const Connection& connection, std::string_view request) {
  const ssize_t sent = ::send(connection.descriptor, request.data(), request.size(), MSG_NOSIGNAL);
  if (sent < 0) fail("send: %s", std::strerror(errno));
  if (static_cast<std::size_t>(sent) != request.size()) fail("send: a request did not fit into the socket");
}

const std::vector<epoll_event>& Poller::wait(int timeout_ms) {
  events_.resize(kEventsMax);
  const int count = epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), timeout_ms);
  if (count < 0 && errno != EINTR) fail("epoll_wait: %s", std::strerror(errno));
  events_.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
  return events_;
}

bool Poller::receive(Connection& connection) {
  const ssize_t received = recv(connection.descriptor, buffer_.data(), buffer_.size(), 0);
  if (received < 0 && errno == EAGAIN) return false;
  if (received < 0) fail("recv: %s", std::strerror(errno));
  if (received == 0) fail("the server closed a connection that waits for an answer");
  const auto state = connection.reader.feed({buffer_.data(), static_cast<std::size_t>(received)});
  if (state == AnswerReader::State::broken) fail("%s", connection.reader.error().c_str());
  return state == AnswerReader::State::complete;
}

void Poller::expect_silence(const Connection& connection) {
  const ssize_t received = recv(connection.descriptor, buffer_.data(), buffer_.size(), 0);
  if (received > 0) {
    fail("a connection got an answer too many: %.200s",
         std::string(buffer_.data(), static_cast<std::size_t>(received)).c_str());
  }
  if (received == 0) fail("the server closed a connection that should be kept");
  if (errno != EAGAIN) fail("recv: %s", std::strerror(errno));
}

void Poller::close(Connection& connection) {
  if (connection.descriptor >= 0) ::close(connection.descriptor);
  connection.descriptor = -1;
}

bool matches(std::string_view pattern, std::string_view text, std::string_view& first) {
  constexpr char kWildcard = 1;
  first = {};
  bool is_first = true;
  for (;;) {
    const std::size_t wildcard = pattern.find(kWildcard);
    const std::string_view literal = pattern.substr(0, wildcard);
    if (!text.starts_with(literal)) return false;
    text.remove_prefix(literal.size());
    if (wildcard == std::string_view::npos) return text.empty();
    pattern.remove_prefix(wildcard + 1);
    const std::string_view value = text.substr(0, text.find('"'));
    if (is_first) first = value;
    is_first = false;
    text.remove_prefix(value.size());
  }
}

std::vector<PlanRecord> read_plan(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) fail("cannot read %s", path.c_str());
  std::vector<PlanRecord> records;
  std::size_t length = 0;
  for (PlanRecord record; file >> record.key >> length; records.push_back(std::move(record))) {
    record.text.resize(length);
    if (file.get() != '\n' || !file.read(record.text.data(), static_cast<std::streamsize>(length)))
      fail("%s ends within a record", path.c_str());
  }
  if (!file.eof()) fail("%s is not a plan", path.c_str());
  return records;
}

Options::Options(int count, char** words) {
  for (int i = 0; i < count; i += 2) {
    const std::string_view name = words[i];
    if (!name.starts_with("--") || i + 1 == count) fail("expected --name value, got \"%s\" (see --help)", words[i]);
    given_.emplace_back(name.substr(2), words[i + 1]);
  }
}

std::string Options::text(const char* name, const char* otherwise) {
  for (auto option = given_.begin(); option != given_.end(); ++option) {
    if (option->first != name) continue;
    std::string value = std::move(option->second);
    given_.erase(option);
    return value;
  }
  if (otherwise == nullptr) fail("--%s is missing (see --help)", name);
  return otherwise;
}

std::uint64_t Options::number(const char* name, std::uint64_t otherwise) {
  const std::string value = text(name, "");
  if (value.empty()) return otherwise;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size()) fail("--%s: not a number: %s", name, value.c_str());
  return number;
}

void Options::expect_no_more() const {
  if (!given_.empty()) fail("unknown option --%s (see --help)", given_.front().first.c_str());
}

}  // namespace weir::bench
