#include "support/api.h"

// 429 and its headers. The tests set small limits; windows last a minute, so none of them waits for one to end.
namespace weir::test {
namespace {

ServerOptions limited(std::vector<std::string> settings) {
  return {.settings = std::move(settings), .rate_limits = true};
}

int number(const HttpResponse& response, std::string_view header) {
  const auto text = response.header(header);
  EXPECT_TRUE(text.has_value()) << header << " is missing:\n" << response;
  return text ? std::stoi(*text) : -1;
}

::testing::AssertionResult is_rate_limited(const HttpResponse& response, int limit) {
  if (auto error = is_error(response, 429, "rate_limited"); !error) return error;
  if (response.json() != (Json{{"message", "Too many requests"}, {"code", "rate_limited"}})) {
    return ::testing::AssertionFailure() << response;
  }
  const int retry = number(response, "Retry-After");
  const int reset = number(response, "X-RateLimit-Reset");
  if (retry < 1 || retry > 60 || reset < 1 || reset > 60) return ::testing::AssertionFailure() << response;
  if (number(response, "X-RateLimit-Limit") != limit || number(response, "X-RateLimit-Remaining") != 0) {
    return ::testing::AssertionFailure() << response;
  }
  return ::testing::AssertionSuccess();
}

TEST(RateLimit, AllowsSixtyManagementCallsAMinuteByDefault) {
  Api api(limited({}));
  int allowed = 0;
  HttpResponse response;
  while ((response = api.get("/api/event_streams/topics")).status == 200) {
    ++allowed;
    EXPECT_EQ(number(response, "X-RateLimit-Limit"), 60);
    EXPECT_EQ(number(response, "X-RateLimit-Remaining"), 60 - allowed);
    ASSERT_LE(allowed, 60);
  }
  EXPECT_EQ(allowed, 60);
  EXPECT_TRUE(is_rate_limited(response, 60));
}

TEST(RateLimit, CountsAllManagementCallsTogether) {
  Api api(limited({"rate_limit.management_per_minute=6"}));
  const auto topic = api.topic();                                      // 1
  EXPECT_TRUE(is_ok(api.get("/api/event_streams/topics")));            // 2
  EXPECT_TRUE(is_ok(api.get(Api::topic_path(topic))));                 // 3
  EXPECT_TRUE(is_ok(api.put(Api::topic_path(topic), "{}")));           // 4
  EXPECT_TRUE(is_ok(api.put(Api::purge_path(topic), "")));             // 5
  EXPECT_EQ(api.get("/api/event_streams/topics/999999").status, 404);  // 6
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(is_rate_limited(api.erase(Api::topic_path(topic)), 6));
}

TEST(RateLimit, AllowsAThousandLegacyCallsAMinuteByDefault) {
  Api api(limited({}));
  const auto topic = api.topic();
  const std::string path = "/api/pubsub/topics/" + std::to_string(topic) + "/consume";
  for (int i = 1; i <= 1000; ++i) {
    const auto response = api.post(path, "{}");
    ASSERT_TRUE(is_ok(response)) << i;
    ASSERT_EQ(number(response, "X-RateLimit-Remaining"), 1000 - i);
  }
  EXPECT_TRUE(is_rate_limited(api.post(path, "{}"), 1000));
  EXPECT_TRUE(is_rate_limited(api.post("/api/pubsub/topics/" + std::to_string(topic) + "/publish", "{}"), 1000));
}

TEST(RateLimit, LeavesThePublicPathsUnlimitedByDefault) {
  Api api(limited({}));
  const auto topic = api.topic();
  for (int i = 0; i < 1100; ++i) {
    const auto response = api.consume(topic);
    ASSERT_EQ(response.status, 200) << i;
    ASSERT_FALSE(response.header("X-RateLimit-Limit").has_value());
  }
}

TEST(RateLimit, LimitsThePublicPathsWhenTold) {
  Api api(limited({"rate_limit.public_per_minute=3"}));
  const auto topic = api.topic();
  EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), "{}")));
  EXPECT_TRUE(is_ok(api.post(Api::batch_path(topic), R"({"payloads":[{}]})")));
  EXPECT_TRUE(is_ok(api.consume(topic)));
  EXPECT_TRUE(is_rate_limited(api.consume(topic), 3));
  EXPECT_TRUE(is_rate_limited(api.post(Api::publish_path(topic), "{}"), 3));
}

TEST(RateLimit, KeepsAWindowForEachGroup) {
  Api api(limited(
      {"rate_limit.public_per_minute=2", "rate_limit.legacy_per_minute=2", "rate_limit.management_per_minute=2"}));
  const auto topic = api.topic();
  const std::string legacy = "/api/pubsub/topics/" + std::to_string(topic) + "/consume";
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(is_ok(api.consume(topic)));
    EXPECT_TRUE(is_ok(api.post(legacy, "{}")));
  }
  EXPECT_TRUE(is_rate_limited(api.consume(topic), 2));
  EXPECT_TRUE(is_rate_limited(api.post(legacy, "{}"), 2));
  EXPECT_TRUE(is_ok(api.get(Api::topic_path(topic))));
  EXPECT_TRUE(is_rate_limited(api.get(Api::topic_path(topic)), 2));
}

TEST(RateLimit, KeepsAWindowForEachToken) {
  Api api(limited({"rate_limit.public_per_minute=2"}));
  const auto topic = api.topic();
  Client a(api.server(), api.token({"consume"}));
  Client b(api.server(), api.token({"consume"}));
  for (Client* client : {&a, &b}) {
    EXPECT_TRUE(is_ok(client->post(Api::consume_path(topic), "{}")));
    EXPECT_TRUE(is_ok(client->post(Api::consume_path(topic), "{}")));
    EXPECT_TRUE(is_rate_limited(client->post(Api::consume_path(topic), "{}"), 2));
  }
}

TEST(RateLimit, CountsOnAllConnectionsAndThreadsTogether) {
  Api api(limited({"rate_limit.public_per_minute=100", "server.threads=2"}));
  const auto topic = api.topic();
  std::vector<int> allowed(8);
  run_together(8, [&](std::size_t i) {
    for (int n = 0; n < 30; ++n) {
      Client client(api.server());
      const auto response = client.post(Api::consume_path(topic), "{}");
      if (response.status == 200)
        ++allowed[i];
      else
        EXPECT_EQ(response.status, 429);
    }
  });
  int total = 0;
  for (const int count : allowed) total += count;
  EXPECT_EQ(total, 100);
}

TEST(RateLimit, CountsAWaitingPollOnce) {
  Api api(limited({"rate_limit.public_per_minute=3"}));
  const auto topic = api.topic();
  Waiter waiter(api, topic);
  ASSERT_TRUE(api.polls_waiting(1));
  EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), "{}")));  // 2
  const auto woken = waiter.answer();
  EXPECT_TRUE(is_ok(woken));
  EXPECT_EQ(number(woken, "X-RateLimit-Remaining"), 2);  // as it was when the request came
  const auto last = api.consume(topic);                  // 3
  EXPECT_TRUE(is_ok(last));
  EXPECT_EQ(number(last, "X-RateLimit-Remaining"), 0);
  EXPECT_TRUE(is_rate_limited(api.consume(topic), 3));
}

TEST(RateLimit, IsCheckedAfterPrivilegeAndBeforeTopicAndBody) {
  Api api(limited({"rate_limit.public_per_minute=1"}));
  Client client(api.server(), api.token({"consume"}));
  EXPECT_TRUE(is_error(client.post(Api::publish_path(1), "{}"), 403, "forbidden"));  // not counted
  EXPECT_EQ(client.post(Api::consume_path(999999), "x").status, 404);                // counted
  EXPECT_TRUE(is_rate_limited(client.post(Api::consume_path(999999), "x"), 1));
  EXPECT_TRUE(is_error(client.post(Api::publish_path(1), "{}"), 403, "forbidden"));
}

TEST(RateLimit, TakesZeroAsUnlimited) {
  Api api(limited({"rate_limit.management_per_minute=0"}));
  for (int i = 0; i < 100; ++i) {
    const auto response = api.get("/api/event_streams/topics");
    ASSERT_EQ(response.status, 200);
    ASSERT_FALSE(response.header("X-RateLimit-Limit").has_value());
  }
}

}  // namespace
}  // namespace weir::test
