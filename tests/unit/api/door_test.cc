#include <charconv>
#include <chrono>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "weir/api/admin.h"
#include "weir/api/workato.h"
#include "weir/http/server.h"
#include "weir/storage/memory_store.h"

// The doors behind a real listener and before a real core: what the handlers do after a body has come.

namespace weir::api {
namespace {

using Json = nlohmann::json;
using model::Privilege;

constexpr const char* kAdmin = "admin-token-of-the-test";

struct Answer {
  int status = 0;
  std::string head;
  std::string body;
  Json json() const { return Json::parse(body, nullptr, false); }
  bool has(const std::string& line) const { return head.find("\r\n" + line + "\r\n") != std::string::npos; }
};

/// One connection, blocking.
class Client {
 public:
  explicit Client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  }
  ~Client() { close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(const std::string& call, const std::string& body = {}, const std::string& headers = {},
            const std::string& token = kAdmin) {
    const std::string bytes = call + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token +
                              "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body;
    EXPECT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }

  Answer read() {
    Answer answer;
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!fill()) return answer;
    }
    answer.head = buffer_.substr(0, end + 2);
    buffer_.erase(0, end + 4);
    answer.status = std::stoi(answer.head.substr(9, 3));
    const std::size_t at = answer.head.find("Content-Length: ");
    const std::size_t length = at == std::string::npos ? 0 : std::stoul(answer.head.substr(at + 16));
    while (buffer_.size() < length) {
      if (!fill()) return {};
    }
    answer.body = buffer_.substr(0, length);
    buffer_.erase(0, length);
    return answer;
  }

  Answer call(const std::string& call, const std::string& body = {}, const std::string& headers = {},
              const std::string& token = kAdmin) {
    send(call, body, headers, token);
    return read();
  }

  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  bool fill() {
    char bytes[4096];
    const ssize_t count = ::recv(fd_, bytes, sizeof bytes, 0);
    if (count > 0) buffer_.append(bytes, static_cast<std::size_t>(count));
    EXPECT_GT(count, 0) << "the server closed or took too long";
    return count > 0;
  }

  int fd_;
  std::string buffer_;
};

class Worker final : public Executor {
 public:
  void post(Task task) override { ASSERT_TRUE(pool_.try_post(task)); }
  void stop() { pool_.stop(); }

 private:
  ThreadPool pool_{"worker", 1, 1000};
};

class Doors : public ::testing::Test {
 protected:
  Doors() {
    store_.set_watcher(&broker_);
    EXPECT_TRUE(topics_.load());
    EXPECT_TRUE(access_.load(kAdmin));
    auto routes = workato::routes({guard_, broker_, topics_, config_, random_});
    const auto status = [this] { return admin::Status{broker_.polls_waiting(), server_->connections_open(), 1}; };
    for (auto& route : admin::routes({guard_, access_, topics_, config_, random_, worker_, server_->loops(), status})) {
      routes.push_back(std::move(route));
    }
    server_->start(std::move(routes));
    const std::string address = server_->address();
    const std::string port = address.substr(address.rfind(':') + 1);
    std::from_chars(port.data(), port.data() + port.size(), port_);
  }

  ~Doors() override {
    server_->stop();
    worker_.stop();
    store_.close();
    registry_.load({});  // a topic's tail gives its memory back to the broker, which goes before the registry does
  }

  static std::unique_ptr<http::Server> bind(const Clock& clock, Random& random) {
    http::ServerOptions options;
    options.listen = "127.0.0.1:0";
    auto server = http::Server::bind(options, clock, random);
    EXPECT_TRUE(server);
    return std::move(server).value();
  }

  std::string topic(const std::string& schema = "[]") {
    const Answer made = Client(port_).call("POST /api/event_streams/topics",
                                           R"({"name":"t)" + std::to_string(++made_) + R"(","schema":)" + schema + "}");
    EXPECT_EQ(made.status, 200) << made.body;
    return std::to_string(made.json()["data"]["id"].get<int>());
  }

  /// Asks the server until so many polls wait: what it did before the answer shows in it.
  bool polls_waiting(std::size_t count) {
    Client client(port_);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    while (client.call("GET /api/admin/status").json()["data"]["polls_waiting"] != count) {
      if (std::chrono::steady_clock::now() > deadline) return false;
    }
    return true;
  }

  Config config_;
  SystemClock clock_;
  SystemRandom random_;
  std::unique_ptr<http::Server> server_ = bind(clock_, random_);
  storage::MemoryStore store_;
  Worker worker_;
  core::TopicRegistry registry_;
  core::Broker broker_{store_, registry_, clock_, server_->loops(), {}};
  core::Topics topics_{store_, registry_, broker_, clock_, worker_, server_->loops(), {}};
  core::Access access_{store_, clock_, random_};
  Guard guard_{access_, clock_, config_.rate_limit, config_.api.cors_origin};
  std::uint16_t port_ = 0;
  int made_ = 0;
};

TEST_F(Doors, TakeATopicThroughItsLife) {
  Client client(port_);
  const std::string schema = R"([{"name":"n","type":"number","zeta":1.50,"alpha":[]}])";
  Answer answer = client.call("POST /api/event_streams/topics?retention=60&name=ignored",
                              R"({"name":"Orders","schema":)" + schema + "}");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_TRUE(answer.has("Content-Type: application/json; charset=utf-8"));
  EXPECT_TRUE(answer.has("X-RateLimit-Limit: 60"));
  EXPECT_NE(answer.body.find("\"schema\":" + schema), std::string::npos) << answer.body;
  EXPECT_EQ(answer.json()["data"]["retention"], 60);
  const std::string one = "/api/event_streams/topics/" + std::to_string(answer.json()["data"]["id"].get<int>());

  EXPECT_EQ(client.call("GET " + one).body, answer.body);
  EXPECT_EQ(client.call("GET /api/event_streams/topics?name=rder").json()["count"], 1);
  EXPECT_EQ(client.call("GET /api/event_streams/topics?name=order").body, R"({"count":0,"data":[]})");

  answer = client.call("PUT " + one, R"({"description":"d","retention":null,"schema":5})");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.json()["message"], "Validation failed");
  EXPECT_EQ(answer.json()["errors"].size(), 2U) << answer.body;
  answer = client.call("PUT " + one, R"({"description":"d"})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.json()["data"]["description"], "d");
  EXPECT_EQ(client.call("PUT " + one, "{}").body, answer.body);

  for (const char* call : {"PUT %/purge", "DELETE %"}) {
    std::string text = call;
    EXPECT_EQ(client.call(text.replace(text.find('%'), 1, one)).body, R"({"data":{"status":"success"}})");
  }
  for (const char* call : {"GET %", "PUT %", "PUT %/purge", "DELETE %"}) {
    std::string text = call;
    EXPECT_EQ(client.call(text.replace(text.find('%'), 1, one)).status, 404) << call;
  }
}

TEST_F(Doors, ReportATakenNameTogetherWithOtherMistakes) {
  Client client(port_);
  ASSERT_EQ(client.call("POST /api/event_streams/topics", R"({"name":"Orders","schema":[]})").status, 200);
  const Answer answer = client.call("POST /api/event_streams/topics", R"({"name":"Orders","retention":0})");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(
      answer.json()["errors"],
      (Json{{"name", {"has already been taken"}}, {"schema", {"is required"}}, {"retention", {"must be at least 1"}}}));
  EXPECT_EQ(client.call("POST /api/event_streams/topics", R"({"name":"Orders","schema":[]})").json()["errors"],
            (Json{{"name", {"has already been taken"}}}));
}

TEST_F(Doors, PublishAndConsumeOneLog) {
  Client client(port_);
  const std::string at = "/topics/" + topic();
  Answer answer = client.call("POST /api/v1" + at + "/publish", R"({ "a": 1.50, "a": 2 })");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, R"({"message_id":"A0"})");
  EXPECT_TRUE(answer.has("Weir-Durability: fsync"));
  answer = client.call("POST /api/pubsub/batch" + at + "/publish", R"({"payloads":[{"b":1},5,{"c":2}]})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.json()["is_partial_error"], true);
  EXPECT_EQ(answer.json()["message_ids"]["2"], (Json{{"message_id", "A2"}, {"result", "success"}}));
  EXPECT_EQ(answer.json()["message_ids"]["1"]["code"], "schema_violation");

  answer = client.call("POST /api/pubsub" + at + "/consume", R"({"after_message_id":"A0"})");
  EXPECT_EQ(answer.status, 200);
  ASSERT_EQ(answer.json()["messages"].size(), 2U);
  EXPECT_NE(answer.body.find(R"({"message_id":"A1","payload":{"b":1},"time":")"), std::string::npos) << answer.body;
  EXPECT_NE(client.call("POST /api/v1" + at + "/consume").body.find(R"("payload":{"a":1.50,"a":2})"),
            std::string::npos);

  answer = client.call("POST /api/v1" + at + "/consume", R"({"after_message_id":"nonsense"})");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.json()["code"], "message_not_found");
  EXPECT_EQ(answer.json()["oldest_message_id"], "A0");
  EXPECT_EQ(client.call("POST /api/v1" + at + "/consume", R"({"batch_size":51})").body,
            "{\"message\":\"batch_size must be an integer from 1 to 50 (got 51)\",\"code\":\"invalid_parameter\"}");
  EXPECT_EQ(client.call("POST /api/v1" + at + "/publish", "").json()["code"], "invalid_json");
  EXPECT_EQ(client.call("POST /api/v1/batch" + at + "/publish", "[]").json()["code"], "invalid_parameter");
}

TEST_F(Doors, NameEveryPathThatBreaksTheSchema) {
  const std::string at = "/api/v1/topics/" + topic(R"([{"name":"a","optional":false},{"name":"b","type":"integer"}])");
  const Answer answer = Client(port_).call("POST " + at + "/publish", R"({"b":"x"})");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.json()["code"], "schema_violation");
  EXPECT_EQ(answer.json()["errors"].size(), 2U) << answer.body;
}

TEST_F(Doors, RepeatAnAnswerForAKnownKey) {
  Client client(port_);
  const std::string at = "/topics/" + topic();
  const std::string key = "Idempotency-Key: order 17\r\n";
  const Answer first = client.call("POST /api/v1" + at + "/publish", "{}", key);
  const Answer again = client.call("POST /api/v1" + at + "/publish", "{}", key);
  EXPECT_EQ(again.body, first.body);
  EXPECT_FALSE(first.has("Idempotent-Replayed: true"));
  EXPECT_TRUE(again.has("Idempotent-Replayed: true"));
  Answer other = client.call("POST /api/v1" + at + "/publish", "{\"x\":1}", key);
  EXPECT_EQ(other.status, 422);
  EXPECT_EQ(other.json()["code"], "idempotency_conflict");
  EXPECT_EQ(client.call("POST /api/v1/batch" + at + "/publish", R"({"payloads":[{}]})", key).status, 422);
  EXPECT_EQ(client.call("POST /api/v1" + at + "/consume").json()["messages"].size(), 1U);
}

TEST_F(Doors, AnswerAWaitingConsumeWhenAMessageComes) {
  const std::string at = "/api/v1/topics/" + topic();
  Client waiting(port_);
  waiting.send("POST " + at + "/consume", R"({"timeout_secs":60})");
  ASSERT_TRUE(polls_waiting(1));
  ASSERT_EQ(Client(port_).call("POST " + at + "/publish", R"({"late":1})").status, 200);
  const Answer answer = waiting.read();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.json()["messages"][0]["payload"], (Json{{"late", 1}}));
  EXPECT_EQ(broker_.polls_waiting(), 0U);
}

TEST_F(Doors, AnswerAWaitingConsumeWhenItsTopicGoes) {
  const std::string id = topic();
  Client waiting(port_);
  waiting.send("POST /api/v1/topics/" + id + "/consume", R"({"timeout_secs":60})");
  ASSERT_TRUE(polls_waiting(1));
  ASSERT_EQ(Client(port_).call("DELETE /api/event_streams/topics/" + id).status, 200);
  EXPECT_EQ(waiting.read().status, 404);
}

TEST_F(Doors, ForgetAWaitingConsumeWhenItsClientGoes) {
  const std::string at = "/api/v1/topics/" + topic();
  Client waiting(port_);
  waiting.send("POST " + at + "/consume", R"({"timeout_secs":60})");
  ASSERT_TRUE(polls_waiting(1));
  waiting.close();
  EXPECT_TRUE(polls_waiting(0));
}

TEST_F(Doors, IssueListAndRevokeTokens) {
  Client client(port_);
  const std::string id = topic();
  const std::string other = topic();
  Answer answer = client.call("POST /api/admin/tokens",
                              R"({"name":"ci","privileges":["topics:read"],"topics":[)" + id + R"(],"expires_in":60})");
  ASSERT_EQ(answer.status, 200) << answer.body;
  const std::string text = answer.json()["data"]["token"];
  const std::string token_id = answer.json()["data"]["id"];
  EXPECT_TRUE(text.starts_with("weir_" + token_id + "_"));

  answer = client.call("GET /api/admin/tokens");
  EXPECT_EQ(answer.json()["count"], 1);
  EXPECT_EQ(answer.body.find(text.substr(text.rfind('_') + 1)), std::string::npos);

  EXPECT_EQ(client.call("GET /api/event_streams/topics", "", "", text).json()["count"], 1);
  EXPECT_EQ(client.call("GET /api/event_streams/topics/" + id, "", "", text).status, 200);
  EXPECT_EQ(client.call("GET /api/event_streams/topics/" + other, "", "", text).status, 403);
  EXPECT_EQ(client.call("GET /api/admin/tokens", "", "", text).status, 403);

  EXPECT_EQ(client.call("DELETE /api/admin/tokens/" + token_id).body, R"({"data":{"status":"success"}})");
  EXPECT_EQ(client.call("GET /api/event_streams/topics", "", "", text).status, 401);
  EXPECT_EQ(client.call("DELETE /api/admin/tokens/" + token_id).status, 404);
}

TEST_F(Doors, RefuseATokenForTopicsThatAreNotThere) {
  const Answer answer =
      Client(port_).call("POST /api/admin/tokens", R"({"name":"","privileges":["publish"],"topics":[999]})");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.json()["errors"], (Json{{"name", {"can't be blank"}}, {"topics", {"topic 999 does not exist"}}}));
}

TEST_F(Doors, TellStatisticsAndStatus) {
  Client client(port_);
  const std::string id = topic();
  ASSERT_EQ(client.call("POST /api/v1/topics/" + id + "/publish", "{}").status, 200);
  const Json stats = client.call("GET /api/admin/topics/" + id + "/stats").json()["data"];
  EXPECT_EQ(stats["retained_messages"], 1);
  EXPECT_EQ(stats["retained_bytes"], 2);
  EXPECT_EQ(stats["newest_message_id"], "A0");
  EXPECT_EQ(client.call("GET /api/admin/status").json()["data"]["polls_waiting"], 0);
}

TEST_F(Doors, SayHowLongToStayAwayWhenTheStoreIsFullOrBroken) {
  Client client(port_);
  const std::string at = "/api/v1/topics/" + topic();
  store_.fault = [](std::string_view operation) -> std::optional<Error> {
    if (operation == "append") return make_error(Errc::storage_full);
    return std::nullopt;
  };
  const Answer full = client.call("POST " + at + "/publish", "{}");
  EXPECT_EQ(full.status, 507);
  EXPECT_EQ(full.json()["code"], "storage_full");
  EXPECT_TRUE(full.has("Retry-After: 5"));
  store_.fault = [](std::string_view operation) -> std::optional<Error> {
    if (operation == "append") return make_error(Errc::storage_failed);
    return std::nullopt;
  };
  const Answer failed = client.call("POST " + at + "/publish", "{}");
  EXPECT_EQ(failed.status, 503);
  EXPECT_TRUE(failed.has("Retry-After: 30"));
  EXPECT_EQ(client.call("POST " + at + "/consume").status, 200);
}

}  // namespace
}  // namespace weir::api
