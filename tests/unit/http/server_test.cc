// Addresses, threads, drain and stop.
#include "weir/http/server.h"

#include <set>

#include "support.h"

namespace weir::http::test {
namespace {

Result<std::unique_ptr<Server>> bind_to(const std::string& listen, std::size_t threads = 1) {
  static SystemClock clock;
  static SystemRandom random;
  ServerOptions options;
  options.listen = listen;
  options.threads = threads;
  return Server::bind(options, clock, random);
}

TEST(Bind, TellsTheRealAddress) {
  auto v4 = bind_to("127.0.0.1:0", 3);
  ASSERT_TRUE(v4);
  EXPECT_EQ(v4.value()->address().rfind("127.0.0.1:", 0), 0u);
  EXPECT_NE(v4.value()->address(), "127.0.0.1:0");
  EXPECT_EQ(v4.value()->loops().size(), 3u);
  auto name = bind_to("localhost:0");
  ASSERT_TRUE(name);
  auto v6 = bind_to("[::1]:0");
  if (v6) {
    EXPECT_EQ(v6.value()->address().rfind("[::1]:", 0), 0u);
  } else {
    EXPECT_EQ(v6.error().code, Errc::config_invalid);  // a machine without IPv6
  }
}

TEST(Bind, RefusesAnAddressThatIsInUse) {
  for (const std::size_t threads : {std::size_t{1}, std::size_t{2}}) {
    auto first = bind_to("127.0.0.1:0", threads);
    ASSERT_TRUE(first);
    auto second = bind_to(first.value()->address(), threads);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::config_invalid);
    EXPECT_NE(second.error().detail.find(first.value()->address()), std::string::npos) << second.error().detail;
    // Free again once the first has gone.
    const std::string address = first.value()->address();
    first.value().reset();
    EXPECT_TRUE(bind_to(address, threads));
  }
}

TEST(Bind, RefusesWhatIsNoAddress) {
  for (const char* listen :
       {"", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80",
        "[::1:80", "[127.0.0.1]:0", "[nonsense]:0", "203.0.113.7:0", "no.such.host.invalid:0"}) {
    auto bound = bind_to(listen);
    ASSERT_FALSE(bound) << listen;
    EXPECT_EQ(bound.error().code, Errc::config_invalid);
  }
  EXPECT_FALSE(bind_to("127.0.0.1:0", 0));
}

TEST(Server, MayBeDroppedWithoutHavingStarted) {
  auto bound = bind_to("127.0.0.1:0");
  ASSERT_TRUE(bound);
  auto held = std::make_shared<int>(0);
  bound.value()->loops()[0]->post([held] {});
  bound.value().reset();
  EXPECT_EQ(held.use_count(), 1);
}

TEST(Server, ServesOnAllItsLoops) {
  ServerOptions options;
  options.threads = 2;
  TestServer server(options);
  std::vector<std::unique_ptr<Client>> clients;
  std::set<std::string> loops;  // the second part of a request id
  for (int i = 0; i < 200 && loops.size() < 2; ++i) {
    clients.push_back(std::make_unique<Client>(server.address()));
    const Answer answer = clients.back()->ask(get("/ping"));
    ASSERT_EQ(answer.status, 200);
    const std::string id = answer.header("X-Request-Id");
    loops.insert(id.substr(id.find('-'), id.rfind('-') - id.find('-')));
  }
  EXPECT_EQ(loops.size(), 2u);
}

TEST(Drain, ClosesIdleConnectionsAndLetsRequestsFinish) {
  TestServer server;
  Client idle(server.address());
  EXPECT_EQ(idle.ask(get("/ping")).status, 200);
  Client busy(server.address());
  busy.send(get("/park") + get("/smuggled"));
  ASSERT_TRUE(server.parked_count.wait_for(1));
  Client sending(server.address());
  sending.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(sending.read_answer().status, 100);
  Client half(server.address());
  EXPECT_EQ(half.ask(get("/ping")).status, 200);  // accepted; otherwise the drain may come before that
  half.send("GET /ping HTTP/1.1\r\n");

  server->begin_drain();
  EXPECT_TRUE(idle.closed_by_server());
  EXPECT_EQ(server->wait_drained(std::chrono::steady_clock::now()), 2u);
  // What has begun is answered, with the word that it is the last.
  const Answer sent = sending.ask("hello");
  EXPECT_EQ(sent.body, "hello");
  EXPECT_EQ(sent.header("Connection"), "close");
  // What had not become a request is told to come again.
  const Answer late = half.ask("Host: x\r\n\r\n");
  EXPECT_EQ(late.status, 503);
  EXPECT_EQ(late.header("Retry-After"), "1");
  EXPECT_EQ(late.header("Connection"), "close");
  server.answer_parked("held");
  const Answer held = busy.read_answer();
  EXPECT_EQ(held.body, "held");
  EXPECT_EQ(held.header("Connection"), "close");
  busy.shut_sending();
  EXPECT_TRUE(busy.closed_by_server());
  EXPECT_EQ(server.smuggled_count.value(), 0);
  EXPECT_EQ(server->wait_drained(std::chrono::steady_clock::now() + kPatience), 0u);
  Client refused(server.address());
  EXPECT_TRUE(!refused.connected() || refused.read_all().empty());
}

TEST(Drain, WaitsUntilTheLastAnswerIsWithTheKernel) {
  TestServer server;
  Client client(server.address(), 4096);
  client.send(get("/large"));
  ASSERT_TRUE(client.receive());
  server->begin_drain();
  EXPECT_EQ(server->wait_drained(std::chrono::steady_clock::now()), 1u);
  EXPECT_EQ(client.read_answer().body.size(), server.shared_body->size() + 2);
  EXPECT_EQ(server->wait_drained(std::chrono::steady_clock::now() + kPatience), 0u);
}

TEST(Stop, ClosesWhatIsLeftAndTellsParkedRequests) {
  TestServer server;
  Client parked(server.address());
  parked.send(get("/park"));
  ASSERT_TRUE(server.parked_count.wait_for(1));
  Client half(server.address());
  half.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n");
  server.on_loop([] {});
  server->stop();
  EXPECT_EQ(server.gone_count.value(), 1);
  EXPECT_EQ(server->connections_open(), 0u);
  EXPECT_TRUE(parked.closed_by_server());
  EXPECT_TRUE(half.closed_by_server());
  server->stop();
}

TEST(Stop, LeavesRespondersHarmless) {
  std::vector<Responder> kept;
  {
    TestServer server;
    Client client(server.address());
    client.send(get("/park"));
    ASSERT_TRUE(server.parked_count.wait_for(1));
    server.on_loop([&] { kept = std::move(server.parked()); });
    server->stop();
  }
  // The server is gone; its connection's remains are ours, and let go in peace.
  ASSERT_EQ(kept.size(), 1u);
  std::move(kept[0]).send({.body = "nobody"});
  kept.clear();
}

}  // namespace
}  // namespace weir::http::test
