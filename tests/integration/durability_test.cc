#include <map>

#include "support/api.h"

// What survives a restart and a crash of the process.
namespace weir::test {
namespace {

constexpr const char* kTopics = "/api/event_streams/topics";

std::vector<std::string> bytes_of(const std::vector<ReadMessage>& messages) {
  std::vector<std::string> result;
  for (const auto& message : messages) result.push_back(message.id + " " + message.time + " " + message.payload);
  return result;
}

/// Everything that a client can see.
std::map<std::string, std::vector<std::string>> everything(Api& api) {
  std::map<std::string, std::vector<std::string>> seen;
  const auto list = api.get(std::string(kTopics) + "?include_schema=true");
  EXPECT_TRUE(is_ok(list));
  seen["topics"] = {list.body};
  const Json topics = list.json()["data"];
  for (const auto& topic : topics) {
    const std::int64_t id = topic["id"];
    seen["messages " + std::to_string(id)] = bytes_of(api.all_messages(id));
    seen["stats " + std::to_string(id)] = {api.get("/api/admin/topics/" + std::to_string(id) + "/stats").body};
  }
  Json tokens = api.get("/api/admin/tokens").json();
  for (auto& token : tokens["data"]) token.erase("last_used_at");
  seen["tokens"] = {tokens.dump()};
  return seen;
}

void fill(Api& api) {
  const auto a =
      api.topic({.name = "Ä", .schema = R"([ {"name" : "n", "type":"number", "x":1.50} ])", .retention = 3600});
  const auto b = api.topic({.description = "with\nlines"});
  const auto gone = api.topic();
  api.publish_numbers(a, 130);
  for (const char* payload : {R"({"n":1.0})", R"({"n":12345678901234567890123})", R"({"n":1E5,"s":"\u00e9é"})"}) {
    api.publish(a, payload);
  }
  api.publish_numbers(b, 10);
  EXPECT_TRUE(is_ok(api.put(Api::purge_path(b), "")));
  api.publish_numbers(b, 5, 100);
  api.publish_numbers(gone, 5);
  EXPECT_TRUE(is_ok(api.erase(Api::topic_path(gone))));
  EXPECT_TRUE(is_ok(api.put(Api::topic_path(b), R"({"name":"renamed","retention":7000})")));
  api.token({"publish", "consume"}, {a, b});
}

TEST(Durability, KeepsEverythingOverARestart) {
  Api api;
  fill(api);
  const auto before = everything(api);
  api.restart();
  EXPECT_EQ(everything(api), before);
  api.restart();
  EXPECT_EQ(everything(api), before);
}

TEST(Durability, KeepsEverythingOverACrash) {
  Api api;
  fill(api);
  const auto before = everything(api);
  api.crash();
  EXPECT_EQ(everything(api), before);
  api.crash();
  EXPECT_EQ(everything(api), before);
}

TEST(Durability, KeepsEverythingOverACrashInOsMode) {
  Api api({.settings = {"storage.durability=os"}});
  fill(api);
  const auto before = everything(api);
  api.crash();
  EXPECT_EQ(everything(api), before);
}

TEST(Durability, KeepsEverythingOverACrashWithInlineCommit) {
  Api api({.settings = {"storage.commit=inline", "server.threads=1"}});
  fill(api);
  const auto before = everything(api);
  api.crash();
  EXPECT_EQ(everything(api), before);
}

TEST(Durability, KeepsEverythingWhenTablesAreWritten) {
  // Memory tables of the smallest size, so that what is read after the restart comes from table files too.
  Api api({.settings = {"storage.memtable_bytes=65536", "storage.tail_bytes_max=0"}});
  const auto topic = api.topic();
  const std::string filler(2000, 'f');
  for (int i = 0; i < 200; ++i) api.publish(topic, R"({"n":)" + std::to_string(i) + R"(,"f":")" + filler + "\"}");
  const auto before = bytes_of(api.all_messages(topic));
  ASSERT_EQ(before.size(), 200u);
  api.crash();
  EXPECT_EQ(bytes_of(api.all_messages(topic)), before);
}

TEST(Durability, GoesOnWithTheIdsAfterRestart) {
  Api api;
  const auto topic = api.topic();
  auto last = api.publish_numbers(topic, 10).back();
  for (int round = 0; round < 4; ++round) {
    if (round % 2 == 0)
      api.crash();
    else
      api.restart();
    const auto id = api.publish(topic, "{}");
    EXPECT_GT(id, last);
    last = id;
  }
  EXPECT_EQ(api.all_messages(topic).size(), 14u);
}

TEST(Durability, NeverReusesIdsAfterPurgeAndRestart) {
  Api api;
  const auto topic = api.topic();
  const auto before = api.publish_numbers(topic, 100).back();
  EXPECT_TRUE(is_ok(api.put(Api::purge_path(topic), "")));
  api.crash();
  EXPECT_TRUE(api.messages(topic).empty());
  const auto after = api.publish(topic, "{}");
  EXPECT_GT(after, before);
  EXPECT_TRUE(is_ok(api.put(Api::purge_path(topic), "")));
  api.restart();
  EXPECT_TRUE(api.messages(topic).empty());
  EXPECT_GT(api.publish(topic, "{}"), after);
}

TEST(Durability, NeverReusesTopicIdsAfterDeleteAndRestart) {
  Api api;
  std::int64_t last = 0;
  for (int round = 0; round < 4; ++round) {
    const auto topic = api.topic({.name = "same"});
    EXPECT_GT(topic, last);
    last = topic;
    api.publish_numbers(topic, 3);
    EXPECT_TRUE(is_ok(api.erase(Api::topic_path(topic))));
    if (round % 2 == 0)
      api.crash();
    else
      api.restart();
    EXPECT_TRUE(is_error(api.get(Api::topic_path(topic)), 404, "not_found"));
    EXPECT_TRUE(is_error(api.consume(topic), 404, "not_found"));
  }
}

TEST(Durability, KeepsACursorValidOverRestart) {
  Api api;
  const auto topic = api.topic();
  const auto ids = api.publish_numbers(topic, 20);
  api.crash();
  const auto more = api.publish_numbers(topic, 5, 20);
  const auto read = api.messages(topic, Json{{"after_message_id", ids[14]}}.dump());
  ASSERT_EQ(read.size(), 10u);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(read[i].payload, "{\"n\":" + std::to_string(15 + i) + "}");
}

TEST(Durability, GivesTimesThatNeverDecreaseOverRestart) {
  Api api;
  const auto topic = api.topic();
  for (int round = 0; round < 4; ++round) {
    api.publish_numbers(topic, 5);
    api.restart();
  }
  const auto all = api.all_messages(topic);
  for (std::size_t i = 1; i < all.size(); ++i) EXPECT_LE(all[i - 1].time, all[i].time);
}

TEST(Durability, IsReadyWithinTwoSecondsAfterACrash) {
  Api api;
  const auto topic = api.topic();
  const std::string payload = R"({"p":")" + std::string(10'000, 'x') + "\"}";
  std::string batch = R"({"payloads":[)" + payload;
  for (int i = 1; i < 100; ++i) batch += "," + payload;
  for (int i = 0; i < 30; ++i) EXPECT_TRUE(is_ok(api.post(Api::batch_path(topic), batch + "]}")));  // 30 MB unflushed
  api.server().kill();
  api.client().close();
  const auto start = std::chrono::steady_clock::now();
  api.server().start();
  Client client(api.server());
  EXPECT_EQ(client.get("/readyz").status, 200);
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_LT(took, kReadyWithin);
}

}  // namespace
}  // namespace weir::test
