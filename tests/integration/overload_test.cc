#include <atomic>

#include "support/api.h"

// Out of disk, queue or memory: publishing is refused with a clear answer, reading goes on, nothing acknowledged is
// lost.
namespace weir::test {
namespace {

const std::string kAuthorization = "Authorization: Bearer " + std::string(kAdminToken) + "\r\n";

int retry_after(const HttpResponse& response) {
  const auto text = response.header("Retry-After");
  EXPECT_TRUE(text.has_value()) << response;
  return text ? std::stoi(*text) : 0;
}

TEST(Overload, RefusesPublishingWhileTheDiskIsFullAndReadsOn) {
  Api api;
  const auto topic = api.topic();
  const auto ids = api.publish_numbers(topic, 3);
  // More free space demanded than any disk has: full.
  api.server().options().settings = {"storage.free_bytes_min=1TiB"};
  api.restart();
  for (int i = 0; i < 3; ++i) {
    const auto single = api.post(Api::publish_path(topic), "{}");
    EXPECT_TRUE(is_error(single, 507, "storage_full"));
    EXPECT_GE(retry_after(single), 1);
    const auto batch = api.post(Api::batch_path(topic), R"({"payloads":[{"a":1}]})");
    EXPECT_TRUE(is_error(batch, 507, "storage_full"));
  }
  EXPECT_EQ(api.messages(topic).size(), 3u);
  EXPECT_TRUE(is_ok(api.get(Api::topic_path(topic))));
  EXPECT_EQ(api.get("/healthz").status, 200);
  const auto ready = api.get("/readyz");
  EXPECT_TRUE(is_error(ready, 503, "unavailable"));
  EXPECT_GE(retry_after(ready), 1);

  api.server().options().settings = {};
  api.restart();
  EXPECT_GT(api.publish(topic, "{}"), ids.back());
  EXPECT_EQ(api.messages(topic).size(), 4u);  // nothing of the refused ones
  EXPECT_EQ(api.get("/readyz").status, 200);
}

TEST(Overload, WakesNobodyByARefusedPublish) {
  Api api({.settings = {"storage.free_bytes_min=1TiB"}});
  // Topics are small: they may still be made, or not; without one there is nothing to wait for.
  const auto made = api.post("/api/event_streams/topics", R"({"name":"t","schema":[]})");
  if (made.status != 200) {
    EXPECT_TRUE(is_error(made, 507, "storage_full"));
    return;
  }
  const std::int64_t topic = made.json()["data"]["id"];
  Waiter waiter(api, topic);
  ASSERT_TRUE(api.polls_waiting(1));
  EXPECT_TRUE(is_error(api.post(Api::publish_path(topic), "{}"), 507, "storage_full"));
  EXPECT_FALSE(waiter.answered());
  EXPECT_EQ(api.status()["polls_waiting"], 1);
}

TEST(Overload, RefusesPublishesOverTheQueueAndKeepsTheRest) {
  Api api({.settings = {"storage.queue_appends_max=1"}});
  const auto topic = api.topic();
  std::atomic<std::size_t> stored{0};
  std::atomic<std::size_t> refused{0};
  run_together(16, [&](std::size_t i) {
    Client client(api.server());
    for (int n = 0; n < 40; ++n) {
      const auto response = client.post(Api::publish_path(topic), R"({"w":)" + std::to_string(i) + "}");
      if (response.status == 200) {
        ++stored;
      } else {
        EXPECT_TRUE(is_error(response, 503, "unavailable"));
        EXPECT_GE(retry_after(response), 1);
        ++refused;
      }
    }
  });
  EXPECT_GT(stored.load(), 0u);
  EXPECT_GT(refused.load(), 0u) << "sixteen writers never met in a queue of one";
  EXPECT_EQ(api.all_messages(topic).size(), stored.load());
  EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), "{}")));
}

TEST(Overload, RefusesBodiesOverTheMemoryBudget) {
  Api api(
      {.settings = {"server.body_bytes_inflight_max=1MiB", "limits.batch_body_bytes_max=1MiB", "server.threads=1"}});
  const auto topic = api.topic();
  // Bodies that have begun and stay unfinished fill the budget; each is refused or held.
  std::vector<HttpConnection> held;
  for (int i = 0; i < 6; ++i) {
    held.push_back(api.connect());
    (void)held.back().try_send("POST " + Api::publish_path(topic) + " HTTP/1.1\r\nHost: x\r\n" + kAuthorization +
                               "Content-Length: 400000\r\n\r\n{\"a\":\"" + std::string(390'000, 'x'));
  }
  std::size_t refusals = 0;
  ASSERT_TRUE(eventually([&] {
    EXPECT_EQ(api.get("/healthz").status, 200);
    refusals = 0;
    for (auto& connection : held) refusals += connection.readable() ? 1 : 0;
    return refusals >= 1;
  }));
  for (auto& connection : held) {
    if (!connection.readable()) continue;
    const auto response = connection.read();
    EXPECT_TRUE(is_error(response, 503, "unavailable"));
    EXPECT_GE(retry_after(response), 1);
  }
  held.clear();
  EXPECT_TRUE(eventually([&] {
    Client client(api.server());
    return client.post(Api::publish_path(topic), R"({"a":")" + std::string(390'000, 'x') + "\"}").status == 200;
  }));
}

TEST(Overload, RefusesFurtherAnswersWhileClientsTakeNone) {
  // A page is longer than what the kernel may take for both ends of a connection, and two are more than the budget.
  Api api({.settings = {"server.response_bytes_inflight_max=16MiB", "limits.consume_response_bytes_max=16MiB",
                        "server.threads=1"}});
  const auto topic = api.topic();
  const std::string payload = R"({"p":")" + std::string(1'000'000, 'x') + "\"}";
  for (int i = 0; i < 30; ++i) api.publish(topic, payload);
  std::vector<HttpConnection> lazy;
  for (int i = 0; i < 4; ++i) {  // 16 MB each, none read
    lazy.push_back(api.connect());
    lazy.back().send("POST " + Api::consume_path(topic) + " HTTP/1.1\r\nHost: x\r\n" + kAuthorization +
                     "Content-Length: 2\r\n\r\n{}");
  }
  Client client(api.server());
  EXPECT_TRUE(eventually([&] {
    const auto response = client.post(Api::consume_path(topic), R"({"batch_size":1})");
    if (response.status == 200) return false;
    EXPECT_TRUE(is_error(response, 503, "unavailable"));
    EXPECT_GE(retry_after(response), 1);
    return true;
  }));
  lazy.clear();
  EXPECT_TRUE(eventually([&] { return client.post(Api::consume_path(topic), R"({"batch_size":1})").status == 200; }))
      << "the budget was not given back";
}

TEST(Overload, GoesOnAfterClientsThatNeverReadTheirAnswers) {
  Api api({.settings = {"server.send_timeout_seconds=0.3"}});
  const auto topic = api.topic();
  const std::string payload = R"({"p":")" + std::string(1'000'000, 'x') + "\"}";
  for (int i = 0; i < 20; ++i) api.publish(topic, payload);
  for (int round = 0; round < 5; ++round) {
    std::vector<HttpConnection> lazy;
    for (int i = 0; i < 10; ++i) {
      lazy.push_back(api.connect());
      lazy.back().send("POST " + Api::consume_path(topic) + " HTTP/1.1\r\nHost: x\r\n" + kAuthorization +
                       "Content-Length: 2\r\n\r\n{}");
    }
    EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), R"({"round":1})")));
  }
  EXPECT_TRUE(eventually([&] { return api.status()["connections"] == 1; })) << api.status();
}

}  // namespace
}  // namespace weir::test
