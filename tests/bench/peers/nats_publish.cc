// nats_publish PORT CONNECTIONS SUBJECT MESSAGE SECONDS: publishes to NATS JetStream over CONNECTIONS connections, each
// of which waits for the server's answer before it publishes again. Prints one line of JSON (see tests/bench/loads.py).
//
// One thread and epoll, and the few words of the protocol that this needs: a client library would use a thread or two
// for each connection, and it is the server that is to be measured. The stream must exist.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "nats_publish: %s\n", what.c_str());
  std::exit(1);
}

struct Connection {
  int socket = -1;
  std::string publish;   ///< what is sent for each message
  std::string received;  ///< what came and is not understood yet
  Clock::time_point sent;
};

class Publisher {
 public:
  Publisher(int port, std::size_t connections, const std::string& subject, const std::string& message)
      : epoll_(epoll_create1(EPOLL_CLOEXEC)), connections_(connections) {
    for (std::size_t i = 0; i < connections; ++i) open(i, port, subject, message);
  }

  /// Publishes until `seconds` have passed, and then waits for the answers that are still due.
  void run(double seconds) {
    const auto begin = Clock::now();
    end_ = begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    for (Connection& connection : connections_) publish(connection);
    std::array<epoll_event, 256> events{};
    while (in_flight_ > 0) {
      const int count = epoll_wait(epoll_, events.data(), events.size(), 10'000);
      if (count <= 0) fail("no answer for 10 s");
      for (int i = 0; i < count; ++i) receive(connections_[events[static_cast<std::size_t>(i)].data.u64]);
    }
    elapsed_ = Clock::now() - begin;
  }

  void print() {
    std::sort(microseconds_.begin(), microseconds_.end());
    const auto percentile = [this](double share) {
      const auto last = microseconds_.size() - 1;
      return microseconds_[static_cast<std::size_t>(share * static_cast<double>(last))];
    };
    std::printf("{\"requests\":%zu,\"microseconds\":%lld,\"p50_us\":%u,\"p99_us\":%u,\"p999_us\":%u,\"failed\":%zu}\n",
                microseconds_.size(),
                static_cast<long long>(std::chrono::duration_cast<std::chrono::microseconds>(elapsed_).count()),
                percentile(0.5), percentile(0.99), percentile(0.999), failed_);
  }

 private:
  void open(std::size_t index, int port, const std::string& subject, const std::string& message) {
    Connection& connection = connections_[index];
    connection.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the sockets interface wants it
    if (connect(connection.socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail("connect");
    const int on = 1;
    setsockopt(connection.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const std::string inbox = "_INBOX.bench" + std::to_string(getpid()) + "." + std::to_string(index);
    connection.publish =
        "PUB " + subject + " " + inbox + " " + std::to_string(message.size()) + "\r\n" + message + "\r\n";
    send_all(connection, "CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB " + inbox + " 1\r\n");
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = index;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.socket, &event);
  }

  static void send_all(const Connection& connection, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(connection.socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) fail("the connection was closed");
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  void publish(Connection& connection) {
    ++in_flight_;
    connection.sent = Clock::now();
    send_all(connection, connection.publish);
  }

  void receive(Connection& connection) {
    std::array<char, 16384> bytes{};
    const ssize_t count = recv(connection.socket, bytes.data(), bytes.size(), 0);
    if (count <= 0) fail("the connection was closed");
    connection.received.append(bytes.data(), static_cast<std::size_t>(count));
    while (take_one(connection)) {
    }
  }

  /// Understands one message of the server; false when there is no whole one.
  bool take_one(Connection& connection) {
    const std::size_t end_of_line = connection.received.find("\r\n");
    if (end_of_line == std::string::npos) return false;
    const std::string line = connection.received.substr(0, end_of_line);
    std::size_t length = end_of_line + 2;
    if (line.rfind("MSG ", 0) == 0) {
      const std::size_t size = std::stoul(line.substr(line.rfind(' ') + 1));
      if (connection.received.size() < length + size + 2) return false;
      answered(connection, std::string_view(connection.received).substr(length, size));
      length += size + 2;
    } else if (line.rfind("PING", 0) == 0) {
      send_all(connection, "PONG\r\n");
    } else if (line.rfind("-ERR", 0) == 0) {
      fail(line);
    }
    connection.received.erase(0, length);
    return true;
  }

  void answered(Connection& connection, std::string_view body) {
    const auto now = Clock::now();
    if (body.find("\"seq\":") == std::string_view::npos) ++failed_;
    microseconds_.push_back(
        static_cast<unsigned>(std::chrono::duration_cast<std::chrono::microseconds>(now - connection.sent).count()));
    --in_flight_;
    if (now < end_) publish(connection);
  }

  const int epoll_;
  std::vector<Connection> connections_;
  std::vector<unsigned> microseconds_;
  Clock::time_point end_;
  Clock::duration elapsed_{};
  std::size_t in_flight_ = 0;
  std::size_t failed_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) fail("usage: nats_publish PORT CONNECTIONS SUBJECT MESSAGE SECONDS");
  Publisher publisher(std::atoi(argv[1]), std::stoul(argv[2]), argv[3], argv[4]);
  publisher.run(std::atof(argv[5]));
  publisher.print();
}
