#include <atomic>
#include <csignal>
#include <map>
#include <memory>

#include "support/api.h"

// SIGTERM: held polls are answered, publishes in flight are finished, exit code 0.
namespace weir::test {
namespace {

TEST(Shutdown, AnswersEveryWaitingPollWithAnEmptyList) {
  for (const int signal : {SIGTERM, SIGINT}) {
    Api api;
    const auto a = api.topic();
    const auto b = api.topic();
    std::vector<std::unique_ptr<Waiter>> waiters;
    for (int i = 0; i < 300; ++i) waiters.push_back(std::make_unique<Waiter>(api, i % 2 == 0 ? a : b));
    ASSERT_TRUE(api.polls_waiting(300));
    const auto start = std::chrono::steady_clock::now();
    api.server().process().signal(signal);
    for (auto& waiter : waiters) {
      const auto response = waiter->answer();
      ASSERT_TRUE(is_ok(response, {{"messages", Json::array()}}));
      ASSERT_EQ(response.header("Connection"), "close");
    }
    api.server().expect_clean_exit();
    EXPECT_LT(std::chrono::steady_clock::now() - start, 9s) << "it waited for the drain timeout";
  }
}

TEST(Shutdown, FinishesPublishesInFlight) {
  Api api;
  const auto topic = api.topic();
  std::atomic<int> acknowledged{0};
  std::atomic<bool> told{false};
  std::vector<std::vector<std::string>> ids(16);
  run_together(17, [&](std::size_t i) {
    if (i == 16) {
      // In the middle of the load.
      ASSERT_TRUE(eventually([&] { return acknowledged.load() >= 200; }));
      told = true;
      api.server().process().signal(SIGTERM);
      return;
    }
    Client client(api.server());
    for (int n = 0;; ++n) {
      try {
        const auto response = client.post(Api::publish_path(topic), R"({"w":)" + std::to_string(i) + "}");
        if (response.status == 503) {
          EXPECT_TRUE(told.load()) << response;
          break;
        }
        ASSERT_TRUE(is_ok(response));
        ids[i].push_back(response.json()["message_id"]);
        ++acknowledged;
        if (response.header("Connection").value_or("") == "close") break;
      } catch (const HttpFailure& closed) {
        EXPECT_TRUE(told.load()) << closed.what();
        break;
      }
    }
  });
  api.server().expect_clean_exit();
  api.client().close();
  api.server().start();
  api.client() = Client(api.server());
  std::map<std::string, std::string> stored;
  for (const auto& message : api.all_messages(topic)) stored[message.id] = message.payload;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    for (const auto& id : ids[i]) EXPECT_EQ(stored[id], R"({"w":)" + std::to_string(i) + "}");
  }
  EXPECT_GE(stored.size(), 200u);
}

TEST(Shutdown, ReadsTheRestOfARequestThatHasBegun) {
  Api api;
  const auto topic = api.topic();
  auto connection = api.connect();
  const std::string body = R"({"slow":true})";
  // Its head has been read for certain once the interim answer is there.
  connection.send("POST " + Api::publish_path(topic) +
                  " HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nAuthorization: Bearer " + std::string(kAdminToken) +
                  "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  ASSERT_EQ(connection.read().status, 100);
  Waiter waiter(api, topic);
  ASSERT_TRUE(api.polls_waiting(1));
  api.server().process().signal(SIGTERM);
  EXPECT_TRUE(is_ok(waiter.answer()));  // the stop has begun
  connection.send(body);
  const auto response = connection.read();
  EXPECT_TRUE(is_ok(response));
  EXPECT_EQ(response.header("Connection"), "close");
  api.server().expect_clean_exit();
}

TEST(Shutdown, ClosesIdleConnectionsAndAcceptsNoMore) {
  Api api;
  std::vector<HttpConnection> idle;
  for (int i = 0; i < 20; ++i) {
    idle.push_back(api.connect());
    idle.back().send(http_request("GET", "/healthz"));
    ASSERT_EQ(idle.back().read().status, 200);
  }
  api.server().process().signal(SIGTERM);
  for (auto& connection : idle) EXPECT_TRUE(connection.closed_by_server());
  api.server().expect_clean_exit();
  EXPECT_THROW(api.connect(), HttpFailure);
}

TEST(Shutdown, EndsWithinTheDrainTimeWhenAClientStalls) {
  Api api({.settings = {"server.drain_timeout_seconds=1"}});
  const auto topic = api.topic();
  auto stalled = api.connect();
  stalled.send("POST " + Api::publish_path(topic) +
               " HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nAuthorization: Bearer " + std::string(kAdminToken) +
               "\r\nContent-Length: 100\r\n\r\n");
  ASSERT_EQ(stalled.read().status, 100);
  const auto start = std::chrono::steady_clock::now();
  api.server().stop();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 8s);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 900ms);
}

TEST(Shutdown, AnswersPipelinedRequestsThatWereReceived) {
  Api api;
  const auto topic = api.topic();
  const Headers auth{{"Authorization", "Bearer " + std::string(kAdminToken)}};
  auto connection = api.connect();
  connection.send(http_request("POST", Api::consume_path(topic), R"({"timeout_secs":60})", auth));
  ASSERT_TRUE(api.polls_waiting(1));
  api.server().process().signal(SIGTERM);
  EXPECT_TRUE(is_ok(connection.read(), {{"messages", Json::array()}}));
  EXPECT_TRUE(connection.closed_by_server());
  api.server().expect_clean_exit();
}

TEST(Shutdown, KeepsWhatItAcknowledgedInEveryMode) {
  for (const char* durability : {"fsync", "os"}) {
    Api api({.settings = {std::string("storage.durability=") + durability}});
    const auto topic = api.topic();
    const auto ids = api.publish_numbers(topic, 500);
    api.restart();
    const auto all = api.all_messages(topic);
    ASSERT_EQ(all.size(), ids.size()) << durability;
    for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(all[i].id, ids[i]);
  }
}

TEST(Shutdown, TakesASecondSignalWithoutHarm) {
  Api api;
  const auto topic = api.topic();
  api.publish_numbers(topic, 10);
  api.server().process().signal(SIGTERM);
  if (!api.server().process().exited()) api.server().process().signal(SIGTERM);
  api.server().expect_clean_exit();
  api.client().close();
  api.server().start();
  api.client() = Client(api.server());
  EXPECT_EQ(api.messages(topic).size(), 10u);
}

}  // namespace
}  // namespace weir::test
