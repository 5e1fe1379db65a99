#pragma once

#include <chrono>
#include <condition_variable>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "weir/base/clock.h"
#include "weir/base/random.h"
#include "weir/http/server.h"

namespace weir::http::test {

using namespace std::chrono_literals;

/// Nothing that works takes so long, under a sanitizer and on a busy machine either.
constexpr std::chrono::seconds kPatience{20};

struct Answer {
  int status = 0;
  std::string head;  ///< status line and fields, with the empty line
  std::string body;
  std::string header(std::string_view name) const {
    const std::string key = "\r\n" + std::string(name) + ": ";
    const std::size_t start = head.find(key);
    if (start == std::string::npos) return {};
    return head.substr(start + key.size(), head.find("\r\n", start + 2) - start - key.size());
  }
};

/// A plain socket that speaks bytes.
class Client {
 public:
  explicit Client(const std::string& address, int receive_buffer = 0) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0) {
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
      const int segment = 536;  // small ones keep the server's kernel from buffering much, too
      ::setsockopt(fd_, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
    }
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  }
  ~Client() { close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  /// Closes with a reset instead of the orderly way.
  void reset() {
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }
  void shut_sending() { ::shutdown(fd_, SHUT_WR); }
  void send_urgent(char byte) { ::send(fd_, &byte, 1, MSG_OOB | MSG_NOSIGNAL); }
  /// False when the server has closed.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  /// The next final answer; status 0 when the connection ended before one was whole. `bodiless`: to a HEAD.
  Answer read_answer(bool bodiless = false) {
    Answer answer;
    std::size_t end = 0;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
      if (!receive()) return answer;
    }
    answer.head = received_.substr(0, end + 4);
    received_.erase(0, end + 4);
    const int status = std::stoi(answer.head.substr(9, 3));
    const std::string length = answer.header("Content-Length");
    const std::size_t bytes = bodiless || length.empty() ? 0 : std::stoul(length);
    while (received_.size() < bytes) {
      if (!receive()) return answer;
    }
    answer.body = received_.substr(0, bytes);
    received_.erase(0, bytes);
    answer.status = status;
    return answer;
  }
  Answer ask(std::string_view request, bool bodiless = false) {
    send(request);
    return read_answer(bodiless);
  }
  /// True when the server closes in the orderly way or by a reset, and nothing more came; false after kPatience.
  /// Takes what the kernels hold for us until nothing more moves; returns how much there is to read in all.
  std::size_t take_available() {
    char bytes[64 * 1024];
    for (pollfd ready{fd_, POLLIN, 0}; ::poll(&ready, 1, 50) == 1;) {
      const ssize_t got = ::recv(fd_, bytes, sizeof bytes, MSG_DONTWAIT);
      if (got <= 0) break;
      received_.append(bytes, static_cast<std::size_t>(got));
    }
    return received_.size();
  }
  bool closed_by_server() {
    while (receive()) {
    }
    return ended_ && received_.empty();
  }
  /// Everything until the server closes.
  std::string read_all() {
    while (receive()) {
    }
    EXPECT_TRUE(ended_) << "the server did not close";
    return std::exchange(received_, {});
  }
  /// Takes once what has come, waiting for it.
  bool receive() {
    pollfd ready{fd_, POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(std::chrono::milliseconds(kPatience).count())) <= 0) return false;
    char bytes[65536];
    const ssize_t got = ::recv(fd_, bytes, sizeof bytes, 0);
    if (got <= 0) {
      ended_ = true;
      return false;
    }
    received_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }
  const std::string& received() const { return received_; }
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
  bool connected_ = false;
  bool ended_ = false;
  std::string received_;
};

/// A count that threads wait for.
class Counter {
 public:
  void add() {
    std::lock_guard lock(mutex_);
    ++value_;
    changed_.notify_all();
  }
  int value() const {
    std::lock_guard lock(mutex_);
    return value_;
  }
  [[nodiscard]] bool wait_for(int at_least) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return value_ >= at_least; });
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  int value_ = 0;
};

/// A server on a free port with routes for every case.
class TestServer {
 public:
  explicit TestServer(ServerOptions options = {}) {
    options.listen = "127.0.0.1:0";
    options.access_log = ServerOptions::AccessLog::all;
    auto bound = Server::bind(options, clock_, random_);
    if (!bound) ADD_FAILURE() << bound.error().detail;
    server_ = std::move(bound.value());
    parked_.resize(options.threads);
    server_->start(routes());
  }
  ~TestServer() {
    server_->stop();
    parked_.clear();
  }

  Server& operator*() { return *server_; }
  Server* operator->() { return server_.get(); }
  std::string address() const { return server_->address(); }

  /// Runs `f` on loop `index` and waits for it.
  template <class F>
  void on_loop(F f, std::size_t index = 0) {
    std::promise<void> done;
    server_->loops()[index]->post([&] {
      f();
      done.set_value();
    });
    done.get_future().wait();
  }
  /// Answers everything that is parked on loop 0.
  void answer_parked(const std::string& body) {
    on_loop([&] {
      auto waiting = std::move(parked_[0]);
      parked_[0].clear();
      for (Responder& responder : waiting) std::move(responder).send({.body = body});
    });
  }
  void drop_parked() {
    on_loop([&] { parked_[0].clear(); });
  }
  std::vector<Responder>& parked(std::size_t loop = 0) { return parked_[loop]; }

  Counter parked_count;
  Counter gone_count;
  Counter smuggled_count;
  Counter refused_count;
  Counter big_count;
  std::shared_ptr<const std::string> shared_body = std::make_shared<const std::string>(4 << 20, 's');

 private:
  static Admission serve(BodyHandler handler) { return Accepted{std::move(handler)}; }

  std::vector<Route> routes() {
    std::vector<Route> all;
    all.push_back({Method::get, "/ping", 0, [](const RequestHead&) {
                     return serve([](std::string, Responder r) { std::move(r).send({.body = "pong"}); });
                   }});
    all.push_back({Method::post, "/echo", 1000, [](const RequestHead&) {
                     return serve([](std::string body, Responder r) { std::move(r).send({.body = std::move(body)}); });
                   }});
    all.push_back({Method::post, "/big", 64 << 20, [this](const RequestHead&) {
                     return serve([this](std::string body, Responder r) {
                       big_count.add();
                       std::move(r).send({.body = std::to_string(body.size())});
                     });
                   }});
    all.push_back({Method::get, "/items/:id/parts/:part", 0, [](const RequestHead& head) -> Admission {
                     return Response{.headers = "X-Query: " + std::string(head.query) + "\r\n",
                                     .body = head.captures.at(0) + "|" + head.captures.at(1)};
                   }});
    all.push_back({Method::get, "/head", 0, [](const RequestHead& head) -> Admission {
                     return Response{.body = std::string(head.header("x-TEST")) + "|" + std::string(head.peer) + "|" +
                                             std::string(head.request_id) + "|" + std::string(head.path)};
                   }});
    for (const Method method : {Method::get, Method::post}) {
      all.push_back({method, "/smuggled", 1000, [this](const RequestHead&) {
                       smuggled_count.add();
                       return serve([](std::string, Responder r) { std::move(r).send({.body = "smuggled"}); });
                     }});
    }
    all.push_back({Method::get, "/smuggled/count", 0, [this](const RequestHead&) -> Admission {
                     return Response{.body = std::to_string(smuggled_count.value())};
                   }});
    all.push_back(
        {Method::get, "/park", 0, [this](const RequestHead& head) {
           return serve([this, loop = head.loop](std::string, Responder r) {
             r.on_client_gone(
                 {[](void* self, std::uint64_t) { static_cast<TestServer*>(self)->gone_count.add(); }, this, 7});
             parked_[loop].push_back(std::move(r));
             parked_count.add();
           });
         }});
    all.push_back({Method::post, "/work", 1000, [this](const RequestHead& head) {
                     return serve([this, loop = head.loop](std::string, Responder r) {
                       parked_[loop].push_back(std::move(r));
                       parked_count.add();
                     });
                   }});
    all.push_back({Method::post, "/refuse", 1 << 20, [this](const RequestHead&) -> Admission {
                     refused_count.add();
                     return error_response(401, "unauthorized", "no");
                   }});
    all.push_back(
        {Method::get, "/throw/begin", 0, [](const RequestHead&) -> Admission { throw std::runtime_error("begin"); }});
    all.push_back({Method::get, "/throw/handler", 0, [](const RequestHead&) {
                     return serve([](std::string, Responder) { throw std::runtime_error("handler"); });
                   }});
    all.push_back({Method::get, "/throw/later", 0, [this](const RequestHead&) {
                     return serve([this](std::string, Responder r) {
                       parked_[0].push_back(std::move(r));
                       throw 7;
                     });
                   }});
    all.push_back({Method::get, "/drop", 0, [](const RequestHead&) { return serve([](std::string, Responder) {}); }});
    all.push_back({Method::get, "/large", 0, [this](const RequestHead&) {
                     return serve([this](std::string, Responder r) {
                       std::move(r).send({.body = "<", .shared = shared_body, .tail = ">"});
                     });
                   }});
    all.back().large_answers = true;
    all.push_back({Method::get, "/empty", 0, [](const RequestHead&) -> Admission { return Response{.status = 204}; }});
    all.push_back({Method::put, "/close", 0,
                   [](const RequestHead&) -> Admission { return Response{.body = "bye", .close = true}; }});
    all.push_back({Method::get, "/headers", 0, [](const RequestHead&) -> Admission {
                     return Accepted{
                         [](std::string, Responder r) { std::move(r).send({.headers = "X-Late: 2\r\n", .body = "x"}); },
                         "X-Early: 1\r\n"};
                   }});
    all.push_back({Method::options, "/own", 0, [](const RequestHead&) -> Admission {
                     return Response{.status = 204, .headers = "X-Own: yes\r\n"};
                   }});
    return all;
  }

  SystemClock clock_;
  SystemRandom random_;
  std::vector<std::vector<Responder>> parked_;  // each on its loop
  std::unique_ptr<Server> server_;
};

inline std::string get(std::string_view path, std::string_view more = {}) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: weir\r\n" + std::string(more) + "\r\n";
}
inline std::string post(std::string_view path, std::string_view body, std::string_view more = {}) {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: weir\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n" + std::string(more) + "\r\n" + std::string(body);
}

}  // namespace weir::http::test
