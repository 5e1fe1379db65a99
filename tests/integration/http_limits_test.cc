#include <sys/resource.h>

#include "support/api.h"

// What HTTP refuses: too much, too slow, and what two servers could read differently.
namespace weir::test {
namespace {

const std::string kAuthorization = "Authorization: Bearer " + std::string(kAdminToken) + "\r\n";

/// An error of the HTTP layer: JSON like all others, whatever its code.
::testing::AssertionResult is_refusal(const HttpResponse& response, int status) {
  const Json body = Json::parse(response.body, nullptr, false);
  const std::string code = body.is_object() ? body.value("code", "") : "";
  if (code.empty()) return ::testing::AssertionFailure() << "no code:\n" << response;
  return is_error(response, status, code);
}

/// The answer to raw bytes; the connection must be closed after it.
HttpResponse refused(Api& api, const std::string& bytes) {
  auto connection = api.connect();
  (void)connection.try_send(bytes);
  auto response = connection.read();
  EXPECT_EQ(response.header("Connection"), "close") << bytes.substr(0, 200) << response;
  EXPECT_TRUE(connection.closed_by_server()) << bytes.substr(0, 200);
  return response;
}

TEST(HttpLimits, RefusesTargetThatIsTooLong) {
  Api api;
  const auto with_target = [](std::size_t bytes) {
    return "GET /" + std::string(bytes - 1, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n";
  };
  EXPECT_TRUE(is_refusal(refused(api, with_target(8193)), 414));
  EXPECT_TRUE(is_refusal(refused(api, with_target(15'000)), 414));
  auto connection = api.connect();
  connection.send(with_target(8192));
  EXPECT_TRUE(is_error(connection.read(), 404, "not_found"));
  EXPECT_TRUE(is_refusal(refused(api, "GET /" + std::string(100'000, 'a')), 414));  // without an end
}

TEST(HttpLimits, RefusesHeadThatIsTooLarge) {
  Api api;
  EXPECT_TRUE(is_refusal(
      refused(api, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Big: " + std::string(16'384, 'b') + "\r\n\r\n"), 431));
  EXPECT_TRUE(is_refusal(refused(api, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Big: " + std::string(60'000, 'b')), 431));
  auto connection = api.connect();
  connection.send("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Big: " + std::string(15'000, 'b') + "\r\n\r\n");
  EXPECT_EQ(connection.read().status, 200);
}

TEST(HttpLimits, RefusesTooManyHeaderFields) {
  Api api;
  const auto with_fields = [](int count) {
    std::string request = "GET /healthz HTTP/1.1\r\nHost: x\r\n";
    for (int i = 1; i < count; ++i) request += "X-" + std::to_string(i) + ": y\r\n";
    return request + "\r\n";
  };
  EXPECT_TRUE(is_refusal(refused(api, with_fields(101)), 431));
  auto connection = api.connect();
  connection.send(with_fields(100));
  EXPECT_EQ(connection.read().status, 200);
}

TEST(HttpLimits, FollowsConfiguredHeadLimits) {
  Api api({.settings = {"limits.header_bytes_max=1024", "limits.header_fields_max=10", "limits.target_bytes_max=100"}});
  EXPECT_TRUE(is_refusal(refused(api, "GET /" + std::string(100, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n"), 414));
  EXPECT_TRUE(is_refusal(
      refused(api, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Big: " + std::string(1024, 'b') + "\r\n\r\n"), 431));
  EXPECT_EQ(api.get("/healthz").status, 200);
}

TEST(HttpLimits, RefusesWhatIsNotARequest) {
  Api api;
  for (const std::string& bytes : std::vector<std::string>{
           "BROKEN\r\n\r\n", "GET\r\n\r\n", "GET /healthz\r\n\r\n", "GET  /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
           "GET /healthz HTTP/1.1 \r\nHost: x\r\n\r\n", " GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
           "GET /healthz HTTP/x.y\r\nHost: x\r\n\r\n", "GET /healthz http/1.1\r\nHost: x\r\n\r\n",
           "GET healthz HTTP/1.1\r\nHost: x\r\n\r\n", "G@T /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
           "GET /health z HTTP/1.1\r\nHost: x\r\n\r\n", std::string("GET /heal\0thz HTTP/1.1\r\nHost: x\r\n\r\n", 40),
           "GET /healthz HTTP/1.1\r\nNo colon here\r\n\r\n", "GET /healthz HTTP/1.1\r\n: empty\r\n\r\n",
           "GET /healthz HTTP/1.1\r\nBad Name: x\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"}) {
    EXPECT_TRUE(is_refusal(refused(api, bytes), 400)) << bytes;
  }
}

TEST(HttpLimits, RefusesOtherVersions) {
  Api api;
  for (const char* version : {"HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "HTTP/3.0"}) {
    const auto response = refused(api, std::string("GET /healthz ") + version + "\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(response.status == 505 || response.status == 400) << version << response;
    EXPECT_TRUE(response.json().contains("code"));
  }
  const auto preface = refused(api, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  EXPECT_TRUE(preface.status == 505 || preface.status == 400) << preface;
}

TEST(HttpLimits, NeedsOneHostInHttp11) {
  Api api;
  EXPECT_TRUE(is_refusal(refused(api, "GET /healthz HTTP/1.1\r\n\r\n"), 400));
  EXPECT_TRUE(is_refusal(refused(api, "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400));
}

/// Forms by which one server sees one request where another sees two.
TEST(HttpLimits, RefusesSmugglingForms) {
  Api api;
  const auto topic = api.topic();
  const std::string start = "POST " + Api::publish_path(topic) + " HTTP/1.1\r\nHost: x\r\n" + kAuthorization;
  const std::string hidden = "DELETE " + Api::topic_path(topic) + " HTTP/1.1\r\nHost: x\r\n" + kAuthorization + "\r\n";
  for (const std::string& headers : std::vector<std::string>{
           "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
           "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
           "Content-Length: 2\r\nContent-Length: 3\r\n",
           "Content-Length: 2, 3\r\n",
           "Content-Length: +2\r\n",
           "Content-Length: -2\r\n",
           "Content-Length: 0x2\r\n",
           "Content-Length: 2 2\r\n",
           "Content-Length: \r\n",
           "Content-Length: two\r\n",
           "Content-Length: 18446744073709551618\r\n",
           "Content-Length: 99999999999999999999999\r\n",
           "Content-Length : 2\r\n",
           "Content-Length\t: 2\r\n",
           " Content-Length: 2\r\n",
           "X: y\r\n Content-Length: 2\r\n",
           "Transfer-Encoding: xchunked\r\n",
           "Transfer-Encoding: chunked, identity\r\n",
           "Transfer-Encoding: identity, chunked\r\n",
           "Transfer-Encoding: chunked, chunked\r\n",
           "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
           "Transfer-Encoding: gzip, chunked\r\n",
           "Transfer-Encoding: \"chunked\"\r\n",
           "Transfer-Encoding : chunked\r\n",
           "Transfer-Encoding:\x0b"
           "chunked\r\n",
           std::string("X: a\0b\r\n", 8),
           "X: a\rb\r\n",
           "X: a\nContent-Length: 2\r\n",
       }) {
    const auto response = refused(api, start + headers + "\r\n{}" + hidden);
    EXPECT_TRUE(response.status == 400 || response.status == 501) << headers << response;
    EXPECT_TRUE(response.json().contains("code"));
  }
  EXPECT_TRUE(is_ok(api.get(Api::topic_path(topic)))) << "the hidden request was served";
  EXPECT_TRUE(api.messages(topic).empty()) << "an ambiguous request was served";
}

TEST(HttpLimits, RefusesBareLineFeeds) {
  Api api;
  EXPECT_TRUE(is_refusal(refused(api, "GET /healthz HTTP/1.1\nHost: x\n\n"), 400));
  EXPECT_TRUE(is_refusal(refused(api, "GET /healthz HTTP/1.1\r\nHost: x\n\r\n"), 400));
}

TEST(HttpLimits, RefusesTransferEncodingInHttp10) {
  Api api;
  const auto topic = api.topic();
  EXPECT_TRUE(is_refusal(refused(api, "POST " + Api::publish_path(topic) + " HTTP/1.0\r\n" + kAuthorization +
                                          "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
                         400));
  EXPECT_TRUE(api.messages(topic).empty());
}

TEST(HttpLimits, RefusesMalformedChunks) {
  Api api;
  const auto topic = api.topic();
  const std::string head = "POST " + Api::publish_path(topic) + " HTTP/1.1\r\nHost: x\r\n" + kAuthorization +
                           "Transfer-Encoding: chunked\r\n\r\n";
  for (const std::string& body : std::vector<std::string>{
           "x\r\n{}\r\n0\r\n\r\n", "-2\r\n{}\r\n0\r\n\r\n", "+2\r\n{}\r\n0\r\n\r\n", "0x2\r\n{}\r\n0\r\n\r\n",
           "2\n{}\r\n0\r\n\r\n", "2\r\n{}0\r\n\r\n", "2\r\n{}}\r\n0\r\n\r\n", "\r\n{}\r\n0\r\n\r\n",
           "FFFFFFFFFFFFFFFFF\r\n{}", " 2\r\n{}\r\n0\r\n\r\n", "2 \r\n{}\r\n0\r\n\r\n",
           "2;" + std::string(20'000, 'x') + "\r\n{}\r\n0\r\n\r\n",
           "2\r\n{}\r\n0\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n"}) {
    const auto response = refused(api, head + body);
    EXPECT_TRUE(response.status == 400 || response.status == 413 || response.status == 431)
        << body.substr(0, 50) << response;
  }
  EXPECT_TRUE(api.messages(topic).empty());
}

TEST(HttpLimits, CutsASlowHead) {
  Api api({.settings = {"server.head_timeout_seconds=0.5"}});
  auto connection = api.connect();
  connection.send("GET /healthz HTTP/1.1\r\nHost: x\r\n");
  EXPECT_TRUE(is_refusal(connection.read(), 408));
  EXPECT_TRUE(connection.closed_by_server());
}

TEST(HttpLimits, CutsASlowBody) {
  Api api({.settings = {"server.body_timeout_seconds=0.5"}});
  const auto topic = api.topic();
  auto connection = api.connect();
  connection.send("POST " + Api::publish_path(topic) + " HTTP/1.1\r\nHost: x\r\n" + kAuthorization +
                  "Content-Length: 100\r\n\r\n{");
  EXPECT_TRUE(is_refusal(connection.read(), 408));
  EXPECT_TRUE(connection.closed_by_server());
  EXPECT_TRUE(api.messages(topic).empty());
}

TEST(HttpLimits, ClosesIdleConnections) {
  Api api({.settings = {"server.idle_timeout_seconds=0.5"}});
  auto fresh = api.connect();
  auto used = api.connect();
  used.send(http_request("GET", "/healthz"));
  EXPECT_EQ(used.read().status, 200);
  EXPECT_TRUE(fresh.closed_by_server());
  EXPECT_TRUE(used.closed_by_server());
}

TEST(HttpLimits, SparesWaitingPollsFromTheDeadlines) {
  Api api({.settings = {"server.idle_timeout_seconds=0.3", "server.head_timeout_seconds=0.3",
                        "server.body_timeout_seconds=0.3", "server.send_timeout_seconds=0.3"}});
  const auto topic = api.topic();
  const auto start = std::chrono::steady_clock::now();
  Client client(api.server());
  EXPECT_TRUE(is_ok(client.post(Api::consume_path(topic), R"({"timeout_secs":2})"), {{"messages", Json::array()}}));
  EXPECT_GE(std::chrono::steady_clock::now() - start, 2s);
}

TEST(HttpLimits, CutsClientsThatDoNotTakeTheirAnswer) {
  Api api({.settings = {"server.send_timeout_seconds=0.5"}});
  const auto topic = api.topic();
  const std::string payload = R"({"p":")" + std::string(1'000'000, 'x') + "\"}";
  for (int i = 0; i < 30; ++i) api.publish(topic, payload);
  auto connection = api.connect();
  connection.send("POST " + Api::consume_path(topic) + " HTTP/1.1\r\nHost: x\r\n" + kAuthorization +
                  "Content-Length: 0\r\n\r\n");
  EXPECT_TRUE(eventually([&] { return api.status()["connections"] == 1; })) << api.status();
}

TEST(HttpLimits, RefusesConnectionsOverTheCap) {
  Api api({.settings = {"server.connections_max=10"}});
  std::vector<HttpConnection> open;
  for (int i = 0; i < 10; ++i) {
    open.push_back(api.connect());
    open.back().send(http_request("GET", "/healthz"));
    ASSERT_EQ(open.back().read().status, 200);
  }
  {
    auto over = api.connect();
    (void)over.try_send(http_request("GET", "/healthz"));
    const auto response = over.read();
    EXPECT_TRUE(is_refusal(response, 503));
    EXPECT_TRUE(response.header("Retry-After").has_value());
    EXPECT_TRUE(over.closed_by_server());
  }
  for (auto& connection : open) {  // those who are in stay in
    connection.send(http_request("GET", "/healthz"));
    EXPECT_EQ(connection.read().status, 200);
  }
  open.pop_back();
  EXPECT_TRUE(eventually([&] {
    auto next = api.connect();
    (void)next.try_send(http_request("GET", "/healthz"));
    return next.read().status == 200;
  }));
}

TEST(HttpLimits, SurvivesDescriptorExhaustion) {
  // The server inherits the limit and raises it no further than the hard one.
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit small{150, 150};
  Api api;
  ASSERT_EQ(::prlimit(api.server().process().pid(), RLIMIT_NOFILE, &small, nullptr), 0);
  const auto topic = api.topic();
  std::vector<HttpConnection> flood;
  for (int i = 0; i < 300; ++i) flood.push_back(api.connect());  // the backlog takes what is not accepted
  EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), "{}")));  // a connection that was there before
  flood.clear();
  EXPECT_TRUE(eventually([&] {
    Client client(api.server());
    return client.get("/readyz").status == 200;
  }));
  EXPECT_TRUE(is_ok(Client(api.server()).post(Api::publish_path(topic), "{}")));
  EXPECT_EQ(api.messages(topic).size(), 2u);
}

TEST(HttpLimits, AnswersOthersWhileManyAreSlow) {
  Api api;
  const auto topic = api.topic();
  std::vector<HttpConnection> slow;
  for (int i = 0; i < 200; ++i) {
    slow.push_back(api.connect());
    slow.back().send(i % 2 == 0 ? "GET /healthz HTTP/1.1\r\nHos"
                                : "POST " + Api::publish_path(topic) + " HTTP/1.1\r\nHost: x\r\n" + kAuthorization +
                                      "Content-Length: 500\r\n\r\n{\"a\":");
  }
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), "{}")));
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
}

}  // namespace
}  // namespace weir::test
