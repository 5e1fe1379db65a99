// Every limit at its edge: n is served, n + 1 refused with the limit in the text.
#include <malloc.h>
#include <sys/resource.h>

#include "support.h"

namespace weir::http::test {
namespace {

ServerOptions small() {
  ServerOptions options;
  options.header_bytes_max = 1000;
  options.header_fields_max = 5;
  options.target_bytes_max = 100;
  return options;
}

std::string head_of(std::size_t bytes) {
  std::string head = "GET /ping HTTP/1.1\r\nHost: x\r\nX-Fill: ";
  head += std::string(bytes - head.size() - 4, 'f');
  return head + "\r\n\r\n";
}

TEST(Limits, HeadBytes) {
  TestServer server(small());
  Client client(server.address());
  EXPECT_EQ(client.ask(head_of(999)).status, 200);
  EXPECT_EQ(client.ask(head_of(1000)).status, 200);
  const Answer answer = client.ask(head_of(1001));
  EXPECT_EQ(answer.status, 431);
  EXPECT_NE(answer.body.find("1000 bytes"), std::string::npos) << answer.body;
  EXPECT_NE(answer.body.find("headers_too_large"), std::string::npos);
  // An endless field is refused before it ends.
  Client endless(server.address());
  EXPECT_EQ(endless.ask("GET /ping HTTP/1.1\r\nHost: x\r\nX: " + std::string(100'000, 'f')).status, 431);
}

TEST(Limits, HeadBytesOfTheDefault) {
  TestServer server;
  Client client(server.address());
  EXPECT_EQ(client.ask(head_of(16384)).status, 200);
  EXPECT_EQ(client.ask(head_of(16385)).status, 431);
}

TEST(Limits, HeaderFields) {
  TestServer server(small());
  Client client(server.address());
  EXPECT_EQ(client.ask(get("/ping", "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n")).status, 200);
  const Answer answer = client.ask(get("/ping", "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\n"));
  EXPECT_EQ(answer.status, 431);
  EXPECT_NE(answer.body.find("5 header fields"), std::string::npos);
}

TEST(Limits, TargetBytes) {
  TestServer server(small());
  Client client(server.address());
  EXPECT_EQ(client.ask(get("/ping?" + std::string(94, 'q'))).status, 200);
  const Answer answer = client.ask(get("/ping?" + std::string(95, 'q')));
  EXPECT_EQ(answer.status, 414);
  EXPECT_NE(answer.body.find("100 bytes"), std::string::npos);
  EXPECT_NE(answer.body.find("uri_too_long"), std::string::npos);
  // Too long is too long before the line ends, and however long it gets.
  Client endless(server.address());
  EXPECT_EQ(endless.ask("GET /" + std::string(50'000, 'q')).status, 414);
}

TEST(Limits, BodyBytes) {
  TestServer server;
  Client client(server.address());
  EXPECT_EQ(client.ask(post("/echo", std::string(1000, 'b'))).status, 200);
  const Answer answer = client.ask(post("/echo", std::string(1001, 'b')));
  EXPECT_EQ(answer.status, 413);
  EXPECT_NE(answer.body.find("1000 bytes"), std::string::npos);
  EXPECT_NE(answer.body.find("payload_too_large"), std::string::npos);
  // It was all here, so the connection goes on.
  EXPECT_EQ(client.ask(get("/ping", "Content-Length: 1\r\n") + "x").status, 413);
  EXPECT_EQ(client.ask(get("/ping")).status, 200);
  const std::string chunked = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(client.ask(chunked + "3e8\r\n" + std::string(1000, 'b') + "\r\n0\r\n\r\n").status, 200);
  EXPECT_EQ(client.ask(chunked + "3e8\r\n" + std::string(1000, 'b') + "\r\n1\r\nb\r\n0\r\n\r\n").status, 413);
}

TEST(Limits, ADeclaredBodyTakesNoMemoryBeforeItComes) {
  ServerOptions options;
  options.body_bytes_inflight_max = 1 << 20;
  TestServer server(options);
  std::vector<std::unique_ptr<Client>> clients;
  // Each claims 60 MB and sends nothing: 64 KiB of room each.
  for (int i = 0; i < 16; ++i) {
    clients.push_back(std::make_unique<Client>(server.address()));
    clients.back()->send("POST /big HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\nExpect: 100-continue\r\n\r\n");
    ASSERT_EQ(clients.back()->read_answer().status, 100);
  }
  Client client(server.address());
  const Answer answer = client.ask("POST /big HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\n\r\n");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.header("Retry-After"), "1");
  EXPECT_NE(answer.body.find("unavailable"), std::string::npos);
  // What fits in one read needs no such room, and the room comes back.
  Client small_body(server.address());
  EXPECT_EQ(small_body.ask(post("/big", "small")).body, "5");
  clients.clear();
  for (;;) {
    Client again(server.address());
    const Answer later = again.ask(post("/big", std::string(200'000, 'b')));
    if (later.status == 200) break;
    ASSERT_EQ(later.status, 503);
  }
}

TEST(Limits, AnswersThatClientsDoNotTakeKeepOutOnlyFurtherLargeOnes) {
  ServerOptions options;
  options.response_bytes_inflight_max = 6 << 20;
  options.send_timeout = 60'000ms;
  TestServer server(options);
  std::vector<std::unique_ptr<Client>> slow;
  Client client(server.address());
  const std::string large = "HEAD /large HTTP/1.1\r\nHost: weir\r\n\r\n";
  int served = 0;
  Answer answer;
  for (; served < 2000; ++served) {
    slow.push_back(std::make_unique<Client>(server.address(), 4096));
    // Its own copy of 4 MB each, so that nothing is shared.
    server.on_loop([&] { server.shared_body = std::make_shared<const std::string>(4 << 20, 's'); });
    slow.back()->send(get("/large"));
    ASSERT_TRUE(slow.back()->receive());
    answer = client.ask(large, true);
    if (answer.status != 200) break;
  }
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.header("Retry-After"), "1");
  EXPECT_LE(served, 10);
  // Health checks and writers are not to pay for readers that stall.
  EXPECT_EQ(client.ask(get("/ping")).status, 200);
  EXPECT_EQ(client.ask(post("/echo", "small")).status, 200);
  slow.clear();
  do {
    answer = client.ask(large, true);
  } while (answer.status == 503);
  EXPECT_EQ(answer.status, 200);
}

// Counts what malloc has given out, our clients' objects included; sanitizers keep their own books and show no growth.
// A busy loop may hold a stock of up to 256 blocks of 17 KiB, so the idle ones are allowed that on top.
TEST(Limits, WaitingConnectionsHoldLittleMemory) {
  constexpr std::size_t kClients = 500;
  for (const bool park : {true, false}) {
    TestServer server;
    std::vector<std::unique_ptr<Client>> clients;
    const auto connect = [&] {
      clients.push_back(std::make_unique<Client>(server.address()));
      if (park) {
        clients.back()->send(get("/park"));
      } else {
        ASSERT_EQ(clients.back()->ask(get("/ping")).status, 200);
      }
    };
    for (int i = 0; i < 20; ++i) connect();
    ASSERT_TRUE(server.parked_count.wait_for(park ? 20 : 0));
    server.on_loop([] {});
    const auto before = ::mallinfo2().uordblks;
    for (std::size_t i = 0; i < kClients; ++i) connect();
    ASSERT_TRUE(server.parked_count.wait_for(park ? 20 + static_cast<int>(kClients) : 0));
    server.on_loop([] {});
    const auto after = ::mallinfo2().uordblks;
    const std::size_t stock = park ? 0 : 256 * (17 * 1024 + 512);
    EXPECT_LT(after, before + kClients * 1536 + stock) << (park ? "parked" : "idle");
  }
}

TEST(Limits, ConnectionsOverTheCapAreToldSo) {
  ServerOptions options;
  options.connections_max = 3;
  options.threads = 2;
  TestServer server(options);
  std::vector<std::unique_ptr<Client>> open;
  for (int i = 0; i < 3; ++i) {
    open.push_back(std::make_unique<Client>(server.address()));
    ASSERT_EQ(open.back()->ask(get("/ping")).status, 200);
  }
  {
    Client refused(server.address());
    refused.send(get("/smuggled"));
    const Answer answer = refused.read_answer();
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.header("Connection"), "close");
    EXPECT_EQ(answer.header("Retry-After"), "1");
    EXPECT_NE(answer.body.find("unavailable"), std::string::npos);
  }
  EXPECT_EQ(server.smuggled_count.value(), 0);
  open.pop_back();
  for (;;) {  // the server notices that one has left, and has room again
    Client next(server.address());
    const Answer answer = next.ask(get("/ping"));
    if (answer.status == 200) break;
    ASSERT_EQ(answer.status, 503);
  }
}

TEST(Limits, AcceptSurvivesDescriptorExhaustion) {
  TestServer server;
  Client before(server.address());
  EXPECT_EQ(before.ask(get("/ping")).status, 200);
  // The client's descriptor first; then none is left for the server's end of it.
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  std::unique_ptr<Client> waiting;
  {
    const int lowest_free = ::dup(0);
    ::close(lowest_free);
    rlimit tight = old;
    tight.rlim_cur = static_cast<rlim_t>(lowest_free) + 1;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
    waiting = std::make_unique<Client>(server.address());
  }
  ASSERT_TRUE(waiting->connected());
  waiting->send(get("/ping"));
  // Who is connected is served meanwhile.
  for (int i = 0; i < 20; ++i) EXPECT_EQ(before.ask(get("/ping")).status, 200);
  EXPECT_EQ(server->connections_open(), 1u);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  EXPECT_EQ(waiting->read_answer().status, 200);
}

}  // namespace
}  // namespace weir::http::test
