#include "support/api.h"

// What happens to a cursor whose message has expired or was purged.
namespace weir::test {
namespace {

constexpr const char* kPolicies[] = {"strict", "lossless", "earliest"};

ServerOptions with_policy(const std::string& policy) {
  return {.settings = {"consume.cursor_policy=" + policy}};
}

std::string after(const std::string& id, const char* policy = nullptr) {
  Json body{{"after_message_id", id}};
  if (policy != nullptr) body["cursor_policy"] = policy;
  return body.dump();
}

::testing::AssertionResult is_refused(const HttpResponse& response, const Json& oldest) {
  if (auto error = is_error(response, 400, "message_not_found"); !error) return error;
  if (response.json().at("oldest_message_id") != oldest) {
    return ::testing::AssertionFailure() << "expected oldest " << oldest << ":\n" << response;
  }
  return ::testing::AssertionSuccess();
}

/// A topic with five purged messages and three retained ones behind them.
struct Purged {
  explicit Purged(Api& api) : topic(api.topic()), gone(api.publish_numbers(topic, 5)) {
    EXPECT_TRUE(is_ok(api.put(Api::purge_path(topic), "")));
    kept = api.publish_numbers(topic, 3, 5);
  }
  std::int64_t topic;
  std::vector<std::string> gone;
  std::vector<std::string> kept;
};

TEST(CursorPolicy, StrictRefusesEveryLostCursor) {
  Api api;  // the default
  const Purged purged(api);
  for (const auto& id : purged.gone) EXPECT_TRUE(is_refused(api.consume(purged.topic, after(id)), purged.kept[0]));
  EXPECT_EQ(api.messages(purged.topic, after(purged.kept[0])).size(), 2u);
}

TEST(CursorPolicy, LosslessGoesOnOnlyWhenNothingIsMissing) {
  Api api(with_policy("lossless"));
  const Purged purged(api);
  // The last purged message is directly before the oldest retained one: nothing is lost by going on.
  const auto read = api.messages(purged.topic, after(purged.gone[4]));
  ASSERT_EQ(read.size(), 3u);
  EXPECT_EQ(read[0].id, purged.kept[0]);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(is_refused(api.consume(purged.topic, after(purged.gone[i])), purged.kept[0]));
}

TEST(CursorPolicy, EarliestResumesAtTheOldest) {
  Api api(with_policy("earliest"));
  const Purged purged(api);
  for (const auto& id : purged.gone) {
    const auto read = api.messages(purged.topic, after(id));
    ASSERT_EQ(read.size(), 3u);
    EXPECT_EQ(read[0].id, purged.kept[0]);
  }
}

TEST(CursorPolicy, IsTakenFromTheRequestToo) {
  Api api;
  const Purged purged(api);
  EXPECT_TRUE(is_refused(api.consume(purged.topic, after(purged.gone[4], "strict")), purged.kept[0]));
  EXPECT_EQ(api.messages(purged.topic, after(purged.gone[4], "lossless")).size(), 3u);
  EXPECT_TRUE(is_refused(api.consume(purged.topic, after(purged.gone[0], "lossless")), purged.kept[0]));
  EXPECT_EQ(api.messages(purged.topic, after(purged.gone[0], "earliest")).size(), 3u);
  EXPECT_TRUE(
      is_error(api.consume(purged.topic, after(purged.gone[0], "any")), 400, "invalid_parameter", "cursor_policy"));
}

TEST(CursorPolicy, NeverAcceptsACursorThatWasNeverGiven) {
  for (const char* policy : kPolicies) {
    Api api(with_policy(policy));
    const Purged purged(api);
    const auto other = api.topic();
    api.publish_numbers(other, 100);
    const auto foreign = api.messages(other, R"({"batch_size":50})").back().id;
    for (const std::string& id : {foreign, std::string("nonsense"), std::string(), std::string("Czzz")}) {
      EXPECT_TRUE(is_refused(api.consume(purged.topic, after(id)), purged.kept[0])) << policy << " '" << id << "'";
    }
  }
}

TEST(CursorPolicy, ResumesAfterRetentionTookTheCursor) {
  Api api(with_policy("lossless"));
  const auto topic = api.topic({.retention = 1});
  const auto id = api.publish(topic, R"({"n":0})");
  ASSERT_TRUE(eventually([&] { return api.messages(topic).empty(); }));
  // The reader had everything: it goes on without loss, with an empty answer or by waiting.
  EXPECT_TRUE(api.messages(topic, after(id)).empty());
  Waiter waiter(api, topic, Json{{"after_message_id", id}, {"timeout_secs", 60}}.dump());
  ASSERT_TRUE(api.polls_waiting(1));
  const auto next = api.publish(topic, R"({"n":1})");
  EXPECT_EQ(split_messages(waiter.answer().body).at(0).id, next);
}

TEST(CursorPolicy, StrictNamesNullWhenNothingIsRetained) {
  Api api;
  const auto topic = api.topic();
  const auto ids = api.publish_numbers(topic, 2);
  EXPECT_TRUE(is_ok(api.put(Api::purge_path(topic), "")));
  EXPECT_TRUE(is_refused(api.consume(topic, after(ids[0])), nullptr));
  EXPECT_TRUE(is_refused(api.consume(topic, after(ids[0], "lossless")), nullptr));
  EXPECT_TRUE(api.messages(topic, after(ids[1], "lossless")).empty());
  EXPECT_TRUE(api.messages(topic, after(ids[0], "earliest")).empty());
}

TEST(CursorPolicy, AppliesAfterRestart) {
  Api api(with_policy("lossless"));
  const Purged purged(api);
  api.crash();
  EXPECT_EQ(api.messages(purged.topic, after(purged.gone[4])).size(), 3u);
  EXPECT_TRUE(is_refused(api.consume(purged.topic, after(purged.gone[3])), purged.kept[0]));
}

}  // namespace
}  // namespace weir::test
