#include <regex>

#include "support/api.h"

// HTTP/1.1 as a client sees it: connections, methods, bodies, ids. Limits and hostile requests: http_limits_test.cc.
namespace weir::test {
namespace {

const std::string kAuthorization = "Bearer " + std::string(kAdminToken);
const Headers kAuth{{"Authorization", kAuthorization}};

std::string get_topics() {
  return http_request("GET", "/api/event_streams/topics", {}, kAuth);
}

TEST(Http, KeepsTheConnectionOpen) {
  Api api;
  auto connection = api.connect();
  for (int i = 0; i < 100; ++i) {
    connection.send(get_topics());
    const auto response = connection.read();
    ASSERT_TRUE(is_ok(response));
    ASSERT_EQ(response.version, "HTTP/1.1");
    ASSERT_NE(response.header("Connection").value_or("keep-alive"), "close");
  }
}

TEST(Http, ClosesWhenTheClientAsks) {
  Api api;
  auto connection = api.connect();
  connection.send(http_request("GET", "/healthz", {}, {{"Connection", "close"}}));
  const auto response = connection.read();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.header("Connection"), "close");
  EXPECT_TRUE(connection.closed_by_server());
}

TEST(Http, AnswersAndClosesForHttp10) {
  Api api;
  auto connection = api.connect();
  connection.send("GET /healthz HTTP/1.0\r\n\r\n");
  EXPECT_EQ(connection.read().status, 200);
  EXPECT_TRUE(connection.closed_by_server());
}

TEST(Http, KeepsHttp10OpenWhenAsked) {
  Api api;
  auto connection = api.connect();
  for (int i = 0; i < 3; ++i) {
    connection.send("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const auto response = connection.read();
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.header("Connection"), "keep-alive");
  }
}

TEST(Http, AnswersPipelinedRequestsInOrder) {
  Api api;
  const auto topic = api.topic();
  auto connection = api.connect();
  std::string requests;
  constexpr int kCount = 50;
  for (int i = 0; i < kCount; ++i) {
    Headers headers = kAuth;
    headers.emplace_back("X-Request-Id", "r-" + std::to_string(i));
    requests += i % 2 == 0
                    ? http_request("POST", Api::publish_path(topic), "{\"i\":" + std::to_string(i) + "}", headers)
                    : http_request("GET", Api::topic_path(topic), {}, headers);
  }
  connection.send(requests);
  for (int i = 0; i < kCount; ++i) {
    const auto response = connection.read();
    ASSERT_TRUE(is_ok(response)) << i;
    ASSERT_EQ(response.header("X-Request-Id"), "r-" + std::to_string(i));
  }
  const auto read = api.messages(topic);
  ASSERT_EQ(read.size(), kCount / 2u);
  for (std::size_t i = 0; i < read.size(); ++i) EXPECT_EQ(read[i].payload, "{\"i\":" + std::to_string(2 * i) + "}");
}

TEST(Http, AnswersInOrderBehindALongPoll) {
  Api api;
  const auto topic = api.topic();
  auto connection = api.connect();
  connection.send(http_request("POST", Api::consume_path(topic), R"({"timeout_secs":60})", kAuth) + get_topics() +
                  http_request("GET", "/nowhere") + http_request("GET", "/healthz"));
  ASSERT_TRUE(api.polls_waiting(1));
  EXPECT_FALSE(connection.readable());  // nothing overtakes the poll
  const auto id = api.publish(topic, "{}");
  EXPECT_EQ(split_messages(connection.read().body).at(0).id, id);
  EXPECT_EQ(connection.read().json()["count"], 1);
  EXPECT_TRUE(is_error(connection.read(), 404, "not_found"));
  EXPECT_EQ(connection.read().json(), (Json{{"status", "ok"}}));
}

TEST(Http, AnswersSeveralPollsOfOneConnectionInOrder) {
  Api api;
  const auto topic = api.topic();
  auto connection = api.connect();
  connection.send(http_request("POST", Api::consume_path(topic), R"({"timeout_secs":1})", kAuth) +
                  http_request("POST", Api::consume_path(topic), R"({"timeout_secs":60})", kAuth));
  const auto empty = connection.read();
  EXPECT_TRUE(is_ok(empty, {{"messages", Json::array()}}));
  ASSERT_TRUE(api.polls_waiting(1));
  const auto id = api.publish(topic, "{}");
  EXPECT_EQ(split_messages(connection.read().body).at(0).id, id);
}

TEST(Http, GivesTheSameAnswerForAnyCutOfARequest) {
  Api api;
  const auto topic = api.topic();
  const std::string request = http_request("POST", Api::publish_path(topic), R"({"cut":"anywhere"})", kAuth);
  for (std::size_t cut = 1; cut < request.size(); cut += 3) {
    auto connection = api.connect();
    connection.send(std::string_view(request).substr(0, cut));
    connection.send(std::string_view(request).substr(cut));
    ASSERT_TRUE(is_ok(connection.read())) << "cut at " << cut;
  }
  auto connection = api.connect();
  for (const char byte : request) connection.send(std::string_view(&byte, 1));
  EXPECT_TRUE(is_ok(connection.read()));
}

TEST(Http, AnswersHeadWithoutBody) {
  Api api;
  const auto topic = api.topic();
  auto connection = api.connect();
  for (const auto& target :
       {std::string("/api/event_streams/topics"), Api::topic_path(topic), std::string("/healthz")}) {
    connection.send(http_request("GET", target, {}, kAuth));
    const auto get = connection.read();
    connection.send(http_request("HEAD", target, {}, kAuth));
    const auto head = connection.read(true);
    EXPECT_EQ(head.status, 200) << target;
    EXPECT_EQ(head.header("Content-Length"), std::to_string(get.body.size())) << target;
    EXPECT_EQ(head.header("Content-Type"), get.header("Content-Type"));
  }
  connection.send(http_request("HEAD", "/api/event_streams/topics/999999", {}, kAuth));
  EXPECT_EQ(connection.read(true).status, 404);
  connection.send(http_request("HEAD", "/api/event_streams/topics"));
  EXPECT_EQ(connection.read(true).status, 401);
  connection.send(http_request("GET", "/healthz"));  // nothing is left over from the answers to HEAD
  EXPECT_EQ(connection.read().json(), (Json{{"status", "ok"}}));
}

TEST(Http, AnswersOptionsWithAllow) {
  Api api;
  auto connection = api.connect();
  const auto allowed = [&](const std::string& target) {
    connection.send(http_request("OPTIONS", target));
    const auto response = connection.read();
    EXPECT_EQ(response.status, 204) << response;
    EXPECT_FALSE(response.header("Access-Control-Allow-Origin").has_value());
    return response.header("Allow").value_or("");
  };
  EXPECT_NE(allowed("/api/v1/topics/1/consume").find("POST"), std::string::npos);
  const auto topic = allowed("/api/event_streams/topics/1");
  for (const char* method : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"}) {
    EXPECT_NE(topic.find(method), std::string::npos) << topic;
  }
  const auto topics = allowed("/api/event_streams/topics");
  for (const char* method : {"GET", "HEAD", "POST"}) EXPECT_NE(topics.find(method), std::string::npos) << topics;
  connection.send(http_request("OPTIONS", "/nowhere"));
  EXPECT_TRUE(is_error(connection.read(), 404, "not_found"));
}

TEST(Http, SendsCorsHeadersWhenEnabled) {
  Api api({.settings = {"api.cors_origin=https://console.example"}});
  auto connection = api.connect();
  connection.send(http_request("OPTIONS", "/api/event_streams/topics", {}, {{"Origin", "https://console.example"}}));
  auto response = connection.read();
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(response.header("Access-Control-Allow-Origin"), "https://console.example");
  EXPECT_TRUE(response.header("Access-Control-Allow-Headers").has_value());
  connection.send(get_topics());
  response = connection.read();
  EXPECT_TRUE(is_ok(response));
  EXPECT_EQ(response.header("Access-Control-Allow-Origin"), "https://console.example");
}

TEST(Http, AnswersMethodNotAllowedWithAllow) {
  Api api;
  auto connection = api.connect();
  struct Row {
    const char* method;
    const char* target;
    const char* allow;
  };
  for (const Row& row :
       {Row{"GET", "/api/v1/topics/1/consume", "POST"}, Row{"PUT", "/api/v1/topics/1/publish", "POST"},
        Row{"DELETE", "/api/v1/batch/topics/1/publish", "POST"}, Row{"POST", "/api/event_streams/topics/1", "PUT"},
        Row{"PATCH", "/api/event_streams/topics/1", "DELETE"}, Row{"POST", "/api/event_streams/topics/1/purge", "PUT"},
        Row{"DELETE", "/api/event_streams/topics", "GET"}, Row{"POST", "/healthz", "GET"},
        Row{"BREW", "/api/event_streams/topics", "POST"}, Row{"TRACE", "/healthz", "GET"},
        Row{"get", "/healthz", "GET"}, Row{"GET", "/api/pubsub/topics/1/publish", "POST"}}) {
    connection.send(http_request(row.method, row.target));  // no token needed: the method comes first
    const auto response = connection.read();
    EXPECT_TRUE(is_error(response, 405, "method_not_allowed")) << row.method << ' ' << row.target;
    EXPECT_NE(response.header("Allow").value_or("").find(row.allow), std::string::npos) << response;
  }
}

TEST(Http, AnswersNotFoundForUnknownPaths) {
  Api api;
  auto connection = api.connect();
  for (const char* target :
       {"/", "/api", "/api/", "/api/v1", "/api/v1/topics", "/api/v1/topics/1", "/api/v2/topics/1/publish",
        "/api/v1/topics/1/publish/x", "/api/v1//topics/1/publish", "/API/v1/topics/1/publish",
        "/api/v1/topics/1/../1/publish", "/%61pi%2Fv1/topics/1/publish", "/favicon.ico", "/api/v1/topics//publish",
        "/index.html?x=/api/v1/topics/1/publish"}) {
    connection.send(http_request("POST", target, "{}", kAuth));
    EXPECT_TRUE(is_error(connection.read(), 404, "not_found", "Not found")) << target;
  }
}

TEST(Http, TakesChunkedBodies) {
  Api api;
  const auto topic = api.topic();
  auto connection = api.connect();
  const std::string head = "POST " + Api::publish_path(topic) +
                           " HTTP/1.1\r\nHost: x\r\nAuthorization: " + kAuthorization +
                           "\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char* body : {"7\r\n{\"a\":1}\r\n0\r\n\r\n", "1\r\n{\r\n5;ext=1\r\n\"a\":1\r\n1\r\n}\r\n0\r\n\r\n",
                           "00007\r\n{\"a\":1}\r\n0\r\nX-Check: ignored\r\n\r\n",
                           "3;name=\"quoted\"\r\n{\"a\r\n4\r\n\":1}\r\n000\r\n\r\n"}) {
    connection.send(head + body);
    EXPECT_TRUE(is_ok(connection.read())) << body;
  }
  const auto read = api.messages(topic);
  ASSERT_EQ(read.size(), 4u);
  for (const auto& message : read) EXPECT_EQ(message.payload, R"({"a":1})");
}

TEST(Http, LimitsChunkedBodiesAsItLimitsDeclaredOnes) {
  Api api({.settings = {"limits.message_bytes_max=1024"}});
  const auto topic = api.topic();
  auto connection = api.connect();
  connection.send("POST " + Api::publish_path(topic) + " HTTP/1.1\r\nHost: x\r\nAuthorization: " + kAuthorization +
                  "\r\nTransfer-Encoding: chunked\r\n\r\n");
  connection.send("400\r\n" + std::string(1024, ' ') + "\r\n");
  (void)connection.try_send("1\r\n \r\n0\r\n\r\n");
  EXPECT_TRUE(is_error(connection.read(), 413, "payload_too_large"));
}

TEST(Http, SendsContinueBeforeTheBodyWhenExpected) {
  Api api;
  const auto topic = api.topic();
  auto connection = api.connect();
  const std::string body = R"({"expected":true})";
  connection.send("POST " + Api::publish_path(topic) + " HTTP/1.1\r\nHost: x\r\nAuthorization: " + kAuthorization +
                  "\r\nExpect: 100-continue\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  EXPECT_EQ(connection.read().status, 100);
  connection.send(body);
  EXPECT_TRUE(is_ok(connection.read()));
  EXPECT_EQ(api.messages(topic).at(0).payload, body);
}

TEST(Http, RefusesBeforeContinueWhatItWouldRefuseAnyway) {
  Api api;
  const auto topic = api.topic();
  const auto first_answer = [&](const std::string& headers, const std::string& path) {
    auto connection = api.connect();
    connection.send("POST " + path + " HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n" + headers + "\r\n");
    return connection.read();
  };
  const std::string auth = "Authorization: " + kAuthorization + "\r\n";
  EXPECT_EQ(first_answer("Content-Length: 10\r\n", Api::publish_path(topic)).status, 401);
  EXPECT_EQ(first_answer(auth + "Content-Length: 99999999\r\n", Api::publish_path(topic)).status, 413);
  EXPECT_EQ(first_answer(auth + "Content-Length: 10\r\n", Api::publish_path(999999)).status, 404);
  EXPECT_EQ(first_answer(auth + "Content-Length: 10\r\n", "/nowhere").status, 404);
}

TEST(Http, RefusesOtherExpectations) {
  Api api;
  auto connection = api.connect();
  connection.send(http_request("GET", "/healthz", {}, {{"Expect", "a-miracle"}}));
  const auto response = connection.read();
  EXPECT_EQ(response.status, 417);
  EXPECT_TRUE(response.json().contains("code"));
}

TEST(Http, ReadsTheWholeBodyBeforeTheNextRequestAfterARefusal) {
  Api api;
  auto connection = api.connect();
  const std::string smuggled = http_request("DELETE", "/api/event_streams/topics/1", {}, kAuth);
  const auto topic = api.topic();
  connection.send(http_request("POST", "/nowhere", smuggled, kAuth) + http_request("GET", "/healthz"));
  EXPECT_TRUE(is_error(connection.read(), 404, "not_found"));
  EXPECT_EQ(connection.read().json(), (Json{{"status", "ok"}}));  // or the test ends here with a closed connection
  EXPECT_TRUE(is_ok(api.get(Api::topic_path(topic))));
}

TEST(Http, EchoesAUsableRequestId) {
  Api api;
  auto connection = api.connect();
  for (const char* id : {"abc-123", "A", "550e8400-e29b-41d4-a716-446655440000"}) {
    connection.send(http_request("GET", "/healthz", {}, {{"X-Request-Id", id}}));
    EXPECT_EQ(connection.read().header("X-Request-Id"), id);
  }
}

TEST(Http, MakesARequestIdWhereThereIsNoUsableOne) {
  Api api;
  auto connection = api.connect();
  std::vector<std::string> ids;
  for (const std::string& given :
       std::vector<std::string>{"", "has space", "quote\"", std::string(1000, 'x'), "\xc3\xa9"}) {
    connection.send(http_request("GET", "/healthz", {}, {{"X-Request-Id", given}}));
    ids.push_back(connection.read().header("X-Request-Id").value_or(""));
    EXPECT_NE(ids.back(), given);
  }
  for (int i = 0; i < 2; ++i) {
    connection.send(http_request("GET", "/healthz"));
    ids.push_back(connection.read().header("X-Request-Id").value_or(""));
  }
  for (const auto& id : ids) EXPECT_TRUE(std::regex_match(id, std::regex("[A-Za-z0-9._-]{6,}"))) << id;
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(std::unique(ids.begin(), ids.end()), ids.end()) << "request ids repeat";
}

TEST(Http, PutsTheRequestIdOnEveryKindOfAnswerAndInTheLog) {
  Api api({.settings = {"log.access=all"}});
  const auto topic = api.topic();
  auto connection = api.connect();
  const Headers with_id{{"Authorization", kAuthorization}, {"X-Request-Id", "find-me-42"}};
  for (const auto& [target, status] : std::vector<std::pair<std::string, int>>{
           {Api::publish_path(topic), 200}, {Api::publish_path(999999), 404}, {"/nowhere", 404}, {"/healthz", 405}}) {
    connection.send(http_request("POST", target, "{}", with_id));
    const auto response = connection.read();
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(response.header("X-Request-Id"), "find-me-42");
  }
  auto broken = api.connect();
  broken.send("BROKEN\r\n\r\n");
  EXPECT_FALSE(broken.read().header("X-Request-Id").value_or("").empty());
  api.server().stop();
  EXPECT_NE(api.server().output().find("find-me-42"), std::string::npos);
}

TEST(Http, AnswersHealthAndReadiness) {
  Api api;
  EXPECT_TRUE(is_ok(api.get("/healthz"), {{"status", "ok"}}));
  EXPECT_TRUE(is_ok(api.get("/readyz"), {{"status", "ready"}}));
}

TEST(Http, ServesManyConnectionsAtOnce) {
  Api api;
  const auto topic = api.topic();
  run_together(32, [&](std::size_t i) {
    for (int round = 0; round < 5; ++round) {
      Client client(api.server());
      const auto id = client.post(Api::publish_path(topic), "{\"i\":" + std::to_string(i) + "}");
      ASSERT_TRUE(is_ok(id));
      ASSERT_TRUE(is_ok(client.get(Api::topic_path(topic))));
    }
  });
  EXPECT_EQ(api.all_messages(topic).size(), 160u);
  EXPECT_TRUE(eventually([&] { return api.status()["connections"] == 1; })) << api.status();
}

TEST(Http, SurvivesClientsThatLeaveAtAnyPoint) {
  Api api;
  const auto topic = api.topic();
  const std::string request = http_request("POST", Api::publish_path(topic), R"({"gone":true})", kAuth);
  for (std::size_t cut = 0; cut <= request.size(); cut += 5) {
    auto connection = api.connect();
    connection.send(std::string_view(request).substr(0, cut));
    connection.close(cut % 2 == 0);
  }
  EXPECT_TRUE(eventually([&] { return api.status()["connections"] == 1; })) << api.status();
  EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), "{}")));
}

TEST(Http, AnswersAfterTheClientHalfCloses) {
  Api api;
  const auto topic = api.topic();
  auto connection = api.connect();
  connection.send(http_request("POST", Api::publish_path(topic), "{}", kAuth));
  connection.shutdown_send();
  EXPECT_TRUE(is_ok(connection.read()));
  EXPECT_TRUE(connection.closed_by_server());
}

}  // namespace
}  // namespace weir::test
