#include <set>

#include "support/api.h"

// Idempotency-Key on publish and batch: a retry gets the first answer and stores nothing.
namespace weir::test {
namespace {

Headers key(const std::string& value) {
  return {{"Idempotency-Key", value}};
}

TEST(Idempotency, GivesARetryTheFirstAnswerAndStoresNothing) {
  Api api;
  const auto topic = api.topic();
  const auto first = api.post(Api::publish_path(topic), R"({"a":1})", key("k-1"));
  ASSERT_TRUE(is_ok(first));
  for (int i = 0; i < 3; ++i) {
    const auto retry = api.post(Api::publish_path(topic), R"({"a":1})", key("k-1"));
    EXPECT_TRUE(is_ok(retry));
    EXPECT_EQ(retry.body, first.body);
    EXPECT_EQ(retry.header("Weir-Durability"), "fsync");
  }
  EXPECT_EQ(api.messages(topic).size(), 1u);
}

TEST(Idempotency, StoresTwiceUnderTwoKeys) {
  Api api;
  const auto topic = api.topic();
  api.post(Api::publish_path(topic), R"({"a":1})", key("k-1"));
  api.post(Api::publish_path(topic), R"({"a":1})", key("k-2"));
  EXPECT_EQ(api.messages(topic).size(), 2u);
}

TEST(Idempotency, RefusesAKnownKeyWithAnotherBody) {
  Api api;
  const auto topic = api.topic();
  EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), R"({"a":1})", key("k"))));
  const auto conflict = api.post(Api::publish_path(topic), R"({"a":2})", key("k"));
  EXPECT_TRUE(is_error(conflict, 422, "idempotency_conflict"));
  EXPECT_EQ(api.messages(topic).size(), 1u);
  EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), R"({"a":1})", key("k"))));  // the first is still known
}

TEST(Idempotency, KeepsAKeyToItsTopic) {
  Api api;
  const auto a = api.topic();
  const auto b = api.topic();
  EXPECT_TRUE(is_ok(api.post(Api::publish_path(a), R"({"x":1})", key("same"))));
  EXPECT_TRUE(is_ok(api.post(Api::publish_path(b), R"({"x":2})", key("same"))));
  EXPECT_EQ(api.messages(a).size(), 1u);
  EXPECT_EQ(api.messages(b).size(), 1u);
}

TEST(Idempotency, RepeatsTheWholeAnswerOfABatch) {
  Api api;
  const auto topic = api.topic({.schema = R"([{"name":"a","type":"integer","optional":false}])"});
  const std::string body = R"({"payloads":[{"a":1},{},{"a":2},{"a":"x"}]})";
  const auto first = api.post(Api::batch_path(topic), body, key("batch"));
  ASSERT_TRUE(is_ok(first));
  EXPECT_EQ(first.json()["is_partial_error"], true);
  const auto retry = api.post(Api::batch_path(topic), body, key("batch"));
  EXPECT_TRUE(is_ok(retry));
  EXPECT_EQ(retry.body, first.body);
  EXPECT_EQ(api.messages(topic).size(), 2u);
  EXPECT_TRUE(is_error(api.post(Api::batch_path(topic), R"({"payloads":[{"a":1}]})", key("batch")), 422,
                       "idempotency_conflict"));
  EXPECT_EQ(api.messages(topic).size(), 2u);
}

TEST(Idempotency, RepeatsTheAnswerOfABatchInWhichAllFailed) {
  Api api;
  const auto topic = api.topic({.schema = R"([{"name":"a","type":"integer","optional":false}])"});
  const std::string body = R"({"payloads":[{},{"a":"x"}]})";
  const auto first = api.post(Api::batch_path(topic), body, key("bad batch"));
  ASSERT_TRUE(is_ok(first));
  // Even when the items would pass by now: a retry is the same call, not a new one.
  EXPECT_TRUE(is_ok(api.put(Api::topic_path(topic), R"({"schema":[]})")));
  const auto retry = api.post(Api::batch_path(topic), body, key("bad batch"));
  EXPECT_TRUE(is_ok(retry));
  EXPECT_EQ(retry.body, first.body);
  EXPECT_TRUE(api.messages(topic).empty());
}

TEST(Idempotency, KeepsSingleAndBatchApart) {
  Api api;
  const auto topic = api.topic();
  EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), R"({"payloads":[{"a":1}]})", key("k"))));
  EXPECT_TRUE(
      is_error(api.post(Api::batch_path(topic), R"({"payloads":[{"a":1}]})", key("k")), 422, "idempotency_conflict"));
  EXPECT_EQ(api.messages(topic).size(), 1u);
}

TEST(Idempotency, WorksAcrossTheLegacyPath) {
  Api api;
  const auto topic = api.topic();
  const auto first = api.post(Api::publish_path(topic), R"({"a":1})", key("k"));
  const auto retry = api.post("/api/pubsub/topics/" + std::to_string(topic) + "/publish", R"({"a":1})", key("k"));
  EXPECT_EQ(retry.body, first.body);
  EXPECT_EQ(api.messages(topic).size(), 1u);
}

TEST(Idempotency, TakesNoRefusedPublishForTheFirst) {
  Api api;
  const auto topic = api.topic({.schema = R"([{"name":"a","type":"integer","optional":false}])"});
  EXPECT_TRUE(is_error(api.post(Api::publish_path(topic), R"({"a":"x"})", key("k")), 400, "schema_violation"));
  EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), R"({"a":1})", key("k"))));
  EXPECT_EQ(api.messages(topic).size(), 1u);
}

TEST(Idempotency, RefusesBadKeys) {
  Api api;
  const auto topic = api.topic();
  for (const std::string& bad : std::vector<std::string>{"", std::string(256, 'k'), "caf\xc3\xa9"}) {
    const auto response = api.post(Api::publish_path(topic), "{}", key(bad));
    EXPECT_TRUE(is_error(response, 400, "invalid_parameter", "Idempotency-Key")) << bad;
  }
  EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), "{}", key(std::string(255, 'k')))));
  EXPECT_EQ(api.messages(topic).size(), 1u);
}

TEST(Idempotency, SurvivesRestartAndCrash) {
  Api api;
  const auto topic = api.topic();
  const auto single = api.post(Api::publish_path(topic), R"({"a":1})", key("single"));
  const auto batch = api.post(Api::batch_path(topic), R"({"payloads":[{"b":1},5,{"b":2}]})", key("batch"));
  ASSERT_TRUE(is_ok(single));
  ASSERT_TRUE(is_ok(batch));
  for (int round = 0; round < 2; ++round) {
    if (round == 0)
      api.crash();
    else
      api.restart();
    EXPECT_EQ(api.post(Api::publish_path(topic), R"({"a":1})", key("single")).body, single.body);
    EXPECT_EQ(api.post(Api::batch_path(topic), R"({"payloads":[{"b":1},5,{"b":2}]})", key("batch")).body, batch.body);
    EXPECT_TRUE(is_error(api.post(Api::publish_path(topic), R"({"a":2})", key("single")), 422, "idempotency_conflict"));
    EXPECT_EQ(api.messages(topic).size(), 3u);
  }
}

TEST(Idempotency, StoresOneOfManyConcurrentCalls) {
  Api api;
  const auto topic = api.topic();
  for (int round = 0; round < 10; ++round) {
    std::vector<HttpResponse> answers(16);
    run_together(16, [&](std::size_t i) {
      answers[i] = Client(api.server())
                       .post(Api::publish_path(topic), "{\"round\":" + std::to_string(round) + "}",
                             key("round-" + std::to_string(round)));
    });
    std::set<std::string> bodies;
    for (const auto& answer : answers) {
      ASSERT_TRUE(is_ok(answer));
      bodies.insert(answer.body);
    }
    EXPECT_EQ(bodies.size(), 1u);
  }
  EXPECT_EQ(api.all_messages(topic).size(), 10u);
}

TEST(Idempotency, StoresOneBatchOfManyConcurrentCalls) {
  Api api;
  const auto topic = api.topic();
  std::vector<HttpResponse> answers(16);
  run_together(16, [&](std::size_t i) {
    answers[i] = Client(api.server()).post(Api::batch_path(topic), R"({"payloads":[{"a":1},{"a":2}]})", key("k"));
  });
  for (const auto& answer : answers) EXPECT_EQ(answer.body, answers[0].body);
  EXPECT_EQ(api.all_messages(topic).size(), 2u);
}

TEST(Idempotency, LetsOneBodyWinWhenTwoRaceUnderOneKey) {
  Api api;
  const auto topic = api.topic();
  std::vector<int> statuses(16);
  run_together(16, [&](std::size_t i) {
    statuses[i] = Client(api.server())
                      .post(Api::publish_path(topic), i % 2 == 0 ? R"({"side":"even"})" : R"({"side":"odd"})", key("k"))
                      .status;
  });
  EXPECT_EQ(std::count(statuses.begin(), statuses.end(), 200), 8);
  EXPECT_EQ(std::count(statuses.begin(), statuses.end(), 422), 8);
  EXPECT_EQ(api.messages(topic).size(), 1u);
}

TEST(Idempotency, ForgetsAKeyAfterTheWindow) {
  Api api({.settings = {"publish.idempotency_window_seconds=1"}});
  const auto topic = api.topic();
  const auto first = api.post(Api::publish_path(topic), "{}", key("k"));
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(eventually([&] { return api.post(Api::publish_path(topic), "{}", key("k")).body != first.body; }));
  EXPECT_GE(std::chrono::steady_clock::now() - start, 900ms);
  EXPECT_EQ(api.messages(topic).size(), 2u);
}

TEST(Idempotency, KnowsKeysOfPurgedMessages) {
  Api api;
  const auto topic = api.topic();
  const auto first = api.post(Api::publish_path(topic), R"({"a":1})", key("k"));
  EXPECT_TRUE(is_ok(api.put(Api::purge_path(topic), "")));
  EXPECT_EQ(api.post(Api::publish_path(topic), R"({"a":1})", key("k")).body, first.body);
  EXPECT_TRUE(api.messages(topic).empty());
}

TEST(Idempotency, WakesNobodyByARetry) {
  Api api;
  const auto topic = api.topic();
  const auto id = api.post(Api::publish_path(topic), R"({"a":1})", key("k")).json()["message_id"];
  Waiter waiter(api, topic, Json{{"after_message_id", id}, {"timeout_secs", 60}}.dump());
  ASSERT_TRUE(api.polls_waiting(1));
  EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), R"({"a":1})", key("k"))));
  EXPECT_EQ(api.status()["polls_waiting"], 1);
  EXPECT_FALSE(waiter.answered());
}

}  // namespace
}  // namespace weir::test
