// Slow clients are cut, fast ones are not; every wait here is for what the server does.
#include "support.h"

namespace weir::http::test {
namespace {

ServerOptions quick() {
  ServerOptions options;
  options.head_timeout = 60ms;
  options.body_timeout = 60ms;
  options.body_bytes_per_second_min = 1'000'000;
  options.idle_timeout = 60ms;
  options.send_timeout = 60ms;
  return options;
}

TEST(Deadlines, AnIdleConnectionIsClosedInSilence) {
  TestServer server(quick());
  Client fresh(server.address());
  EXPECT_EQ(fresh.read_all(), "");
  Client used(server.address());
  EXPECT_EQ(used.ask(get("/ping")).status, 200);
  EXPECT_EQ(used.read_all(), "");
}

TEST(Deadlines, ASlowHeadIsAnswered408) {
  ServerOptions options = quick();
  options.idle_timeout = 60'000ms;
  TestServer server(options);
  Client client(server.address());
  client.send("GET /ping HTTP/1.1\r\nHost: x\r\n");
  const Answer answer = client.read_answer();
  EXPECT_EQ(answer.status, 408);
  EXPECT_NE(answer.body.find("request_timeout"), std::string::npos);
  EXPECT_EQ(answer.header("Connection"), "close");
  client.shut_sending();
  EXPECT_TRUE(client.closed_by_server());
}

TEST(Deadlines, TheHeadsDeadlineIsNotMovedByMoreBytes) {
  ServerOptions options = quick();
  options.idle_timeout = 60'000ms;
  TestServer server(options);
  Client client(server.address());
  client.send("GET /ping HTTP/1.1\r\nHost: x\r\nX: ");
  // A byte for every round of the loop; the server ends this, not we.
  std::size_t sent = 0;
  for (; sent < 100'000; ++sent) {
    pollfd ready{client.fd(), POLLIN, 0};
    if (::poll(&ready, 1, 1) > 0) break;
    if (!client.send("x")) break;
  }
  EXPECT_EQ(client.read_answer().status, 408);
}

TEST(Deadlines, ASlowBodyIsAnswered408) {
  TestServer server(quick());
  Client client(server.address());
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nstart");
  EXPECT_EQ(client.read_answer().status, 408);
  client.shut_sending();
  EXPECT_TRUE(client.closed_by_server());
  Client chunked(server.address());
  chunked.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe");
  EXPECT_EQ(chunked.read_answer().status, 408);
}

TEST(Deadlines, ABodyThatComesFastEnoughMayTakeLonger) {
  ServerOptions options = quick();
  options.body_bytes_per_second_min = 1;
  TestServer server(options);
  Client client(server.address());
  client.send("POST /big HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
  const auto start = std::chrono::steady_clock::now();
  std::size_t left = 1'000'000;
  // A byte at a time until well past the timeout, then the rest.
  while (std::chrono::steady_clock::now() - start < 200ms) {
    ASSERT_TRUE(client.send("b"));
    --left;
    server.on_loop([] {});
  }
  client.send(std::string(left, 'b'));
  EXPECT_EQ(client.read_answer().body, "1000000");
}

TEST(Deadlines, TheRestOfARefusedBodyIsNotAwaitedForEver) {
  TestServer server(quick());
  Client client(server.address());
  EXPECT_EQ(client.ask("POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n").status, 401);
  EXPECT_TRUE(client.closed_by_server());
}

TEST(Deadlines, AClientThatDoesNotReadIsCut) {
  TestServer server(quick());
  Client client(server.address(), 4096);
  client.send(get("/large"));
  ASSERT_TRUE(client.receive());
  // Not reading on: the server gives up, frees the answer and the connection.
  while (server->connections_open() != 0) server.on_loop([] {});
  server.on_loop([] {});
  EXPECT_EQ(server.shared_body.use_count(), 1);
}

// Takes up to `sip_bytes` of an answer each 5 ms while `go_on()`; returns how much that was.
template <class F>
std::size_t sip(TestServer& server, Client& client, std::size_t sip_bytes, F go_on) {
  std::size_t taken = 0;
  std::string bytes(sip_bytes, '\0');
  for (auto next = std::chrono::steady_clock::now(); go_on(); next += 5ms) {
    const ssize_t got = ::recv(client.fd(), bytes.data(), bytes.size(), 0);
    if (got <= 0) break;
    taken += static_cast<std::size_t>(got);
    while (std::chrono::steady_clock::now() < next) server.on_loop([] {});
  }
  return taken;
}

TEST(Deadlines, AClientThatTakesItsAnswerTooSlowlyIsCut) {
  ServerOptions options = quick();
  options.send_timeout = 400ms;
  options.body_bytes_per_second_min = 100'000'000;  // we take less than a seventh of that, but more whenever asked
  TestServer server(options);
  server.on_loop([&] { server.shared_body = std::make_shared<const std::string>(32 << 20, 's'); });
  Client client(server.address(), 64 * 1024);
  client.send(get("/large"));
  ASSERT_TRUE(client.receive());
  const std::size_t taken = sip(server, client, 65536, [&] { return server->connections_open() != 0; });
  EXPECT_EQ(server->connections_open(), 0u);
  EXPECT_LT(taken, server.shared_body->size() / 2);
}

TEST(Deadlines, AClientThatTakesItsAnswerFastEnoughMayTakeLonger) {
  ServerOptions options = quick();
  options.send_timeout = 400ms;
  options.body_bytes_per_second_min = 1000;
  TestServer server(options);
  Client client(server.address(), 64 * 1024);
  client.send(get("/large"));
  // In 400 ms far less than makes the kernel ask for more.
  const auto until = std::chrono::steady_clock::now() + 1s;
  const std::size_t taken = sip(server, client, 2048, [&] { return std::chrono::steady_clock::now() < until; });
  while (client.receive()) {
  }
  EXPECT_GT(taken + client.received().size(), server.shared_body->size());
}

TEST(Deadlines, AParkedRequestHasNone) {
  TestServer server(quick());
  Client parked(server.address());
  parked.send(get("/park"));
  ASSERT_TRUE(server.parked_count.wait_for(1));
  // Others come, idle and are closed meanwhile.
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Client(server.address()).read_all(), "");
  server.answer_parked("still here");
  EXPECT_EQ(parked.read_answer().body, "still here");
}

}  // namespace
}  // namespace weir::http::test
