#include "support/api.h"

// Messages older than the topic's retention are not readable by anyone.
namespace weir::test {
namespace {

Json stats(Api& api, std::int64_t topic) {
  const auto response = api.get("/api/admin/topics/" + std::to_string(topic) + "/stats");
  EXPECT_TRUE(is_ok(response));
  return response.json().at("data");
}

bool empty(Api& api, std::int64_t topic) {
  return api.messages(topic).empty();
}

TEST(Retention, HidesMessagesThatAreTooOld) {
  Api api;
  const auto topic = api.topic({.retention = 1});
  const auto ids = api.publish_numbers(topic, 3);
  ASSERT_TRUE(eventually([&] { return empty(api, topic); }));
  // A cursor of an expired message is refused, and what comes later is readable.
  const auto refused = api.consume(topic, Json{{"after_message_id", ids[0]}}.dump());
  EXPECT_TRUE(is_error(refused, 400, "message_not_found"));
  EXPECT_EQ(refused.json()["oldest_message_id"], nullptr);
  const auto id = api.publish(topic, R"({"later":1})");
  const auto read = api.messages(topic);
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read[0].id, id);
  EXPECT_GT(id, ids.back());
}

TEST(Retention, IsEnforcedBeforeFilesAreDeleted) {
  Api api({.settings = {"storage.reclaim_interval_seconds=86400"}});  // nothing is reclaimed during the test
  const auto topic = api.topic({.retention = 1});
  api.publish_numbers(topic, 10);
  EXPECT_TRUE(eventually([&] { return empty(api, topic); }));
  EXPECT_TRUE(eventually([&] { return api.messages(topic, R"({"since_time":"1970-01-01T00:00:00Z"})").empty(); }));
}

TEST(Retention, HidesOnlyWhatIsTooOld) {
  Api api;
  const auto topic = api.topic({.retention = 2});
  const auto old = api.publish(topic, R"({"age":"old"})");
  std::vector<ReadMessage> read;
  // Publish on until the first one has gone: then the newest must still be there, and in order.
  ASSERT_TRUE(eventually([&] {
    api.publish(topic, R"({"age":"new"})");
    read = api.all_messages(topic);
    return !read.empty() && read.front().id != old;
  }));
  ASSERT_FALSE(read.empty());
  for (std::size_t i = 1; i < read.size(); ++i) EXPECT_LT(read[i - 1].id, read[i].id);
}

TEST(Retention, ShowsEverythingInsideItToANewReader) {
  Api api;
  const auto topic = api.topic({.retention = 3600});
  api.publish_numbers(topic, 120);
  EXPECT_EQ(api.all_messages(topic).size(), 120u);
  EXPECT_EQ(api.all_messages(topic).size(), 120u);  // reading removes nothing
}

TEST(Retention, TakesAShorterValueAtOnce) {
  Api api;
  const auto topic = api.topic({.retention = 3600});
  api.publish_numbers(topic, 3);
  const auto published = std::chrono::steady_clock::now();
  EXPECT_EQ(api.messages(topic).size(), 3u);
  EXPECT_TRUE(is_ok(api.put(Api::topic_path(topic), R"({"retention":1})")));
  EXPECT_TRUE(eventually([&] { return empty(api, topic); }));
  EXPECT_GE(std::chrono::steady_clock::now() - published, 900ms);  // not before its time either
}

TEST(Retention, KeepsMessagesUntilTheirTime) {
  Api api;
  const auto topic = api.topic({.retention = 2});
  const auto before = std::chrono::steady_clock::now();
  api.publish(topic, "{}");
  while (!empty(api, topic)) {
    ASSERT_LT(std::chrono::steady_clock::now() - before, kServerPatience);
  }
  EXPECT_GE(std::chrono::steady_clock::now() - before, 1990ms);
}

TEST(Retention, CountsOnlyReadableMessagesInTheStatistics) {
  Api api;
  const auto topic = api.topic({.retention = 1});
  const auto ids = api.publish_numbers(topic, 4);
  ASSERT_TRUE(eventually([&] { return empty(api, topic); }));
  const Json now = stats(api, topic);
  EXPECT_EQ(now["retained_messages"], 0);
  EXPECT_EQ(now["retained_bytes"], 0);
  EXPECT_EQ(now["published_total"], 4);
  EXPECT_EQ(now["oldest_message_id"], nullptr);
}

TEST(Retention, GoesOnAfterRestart) {
  Api api;
  const auto expiring = api.topic({.retention = 1});
  const auto kept = api.topic({.retention = 3600});
  api.publish_numbers(expiring, 3);
  const auto ids = api.publish_numbers(kept, 3);
  api.restart();
  EXPECT_TRUE(eventually([&] { return empty(api, expiring); }));
  EXPECT_EQ(api.messages(kept).size(), 3u);
}

TEST(Retention, NeverReusesIdsOfExpiredMessages) {
  Api api({.settings = {"storage.reclaim_interval_seconds=0.05", "storage.reclaim_compact_bytes=0"}});
  const auto topic = api.topic({.retention = 1});
  const auto ids = api.publish_numbers(topic, 3);
  ASSERT_TRUE(eventually([&] { return empty(api, topic); }));
  api.crash();
  EXPECT_GT(api.publish(topic, "{}"), ids.back());
}

TEST(Retention, ReclaimsWhileReadingAndPublishingGoOn) {
  Api api({.settings = {"storage.reclaim_interval_seconds=0.02", "storage.reclaim_compact_bytes=0",
                        "storage.tail_bytes_max=65536"}});
  const auto topic = api.topic({.retention = 1});
  const auto kept = api.topic();
  const auto ids = api.publish_numbers(kept, 200);
  std::string last;
  const auto end = std::chrono::steady_clock::now() + 3s;
  while (std::chrono::steady_clock::now() < end) {
    const auto batch = api.publish_numbers(topic, 50);
    EXPECT_LT(last, batch.front());
    last = batch.back();
    const auto read = api.messages(topic);
    for (std::size_t i = 1; i < read.size(); ++i) ASSERT_LT(read[i - 1].id, read[i].id);
  }
  EXPECT_EQ(api.all_messages(kept).size(), 200u);
}

TEST(Statistics, CountMessagesBytesAndActivity) {
  Api api;
  const auto topic = api.topic();
  EXPECT_EQ(stats(api, topic), (Json{{"topic_id", topic},
                                     {"retained_messages", 0},
                                     {"retained_bytes", 0},
                                     {"published_total", 0},
                                     {"oldest_message_id", nullptr},
                                     {"newest_message_id", nullptr},
                                     {"last_activity_at", nullptr}}));
  const auto ids = api.publish_numbers(topic, 10);  // {"n":0} … {"n":9}: 7 bytes each
  Json now = stats(api, topic);
  EXPECT_EQ(now["retained_messages"], 10);
  EXPECT_EQ(now["retained_bytes"], 70);
  EXPECT_EQ(now["published_total"], 10);
  EXPECT_EQ(now["oldest_message_id"], ids.front());
  EXPECT_EQ(now["newest_message_id"], ids.back());
  EXPECT_EQ(now["last_activity_at"], api.messages(topic).back().time);
  const Json before = now;
  api.restart();
  EXPECT_EQ(stats(api, topic), before);
}

TEST(Statistics, AreResetByPurge) {
  Api api;
  const auto topic = api.topic();
  api.publish_numbers(topic, 10);
  EXPECT_TRUE(is_ok(api.put(Api::purge_path(topic), "")));
  Json now = stats(api, topic);
  for (const char* counter : {"retained_messages", "retained_bytes", "published_total"}) EXPECT_EQ(now[counter], 0);
  EXPECT_EQ(now["last_activity_at"], nullptr);
  EXPECT_EQ(now["oldest_message_id"], nullptr);
  EXPECT_EQ(now["newest_message_id"], nullptr);
  api.restart();
  EXPECT_EQ(stats(api, topic), now);
  const auto id = api.publish(topic, "{}");
  now = stats(api, topic);
  EXPECT_EQ(now["published_total"], 1);
  EXPECT_EQ(now["oldest_message_id"], id);
}

}  // namespace
}  // namespace weir::test
