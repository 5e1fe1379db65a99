#include <map>
#include <memory>

#include <sys/resource.h>

#include "support/api.h"

// Consume with timeout_secs: who waits, who is woken, and what cannot be missed.
namespace weir::test {
namespace {

using Clock = std::chrono::steady_clock;

void raise_descriptor_limit() {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = limit.rlim_max;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  ASSERT_GE(limit.rlim_cur, 3000u) << "the machine allows too few descriptors for this test";
}

TEST(LongPoll, AnswersAtOnceWithWhatIsThere) {
  Api api;
  const auto topic = api.topic();
  api.publish_numbers(topic, 3);
  const auto start = Clock::now();
  EXPECT_EQ(api.messages(topic, R"({"timeout_secs":60,"batch_size":50})").size(), 3u);  // fewer than batch_size
  EXPECT_LT(Clock::now() - start, 10s);
}

TEST(LongPoll, AnswersAtOnceWithoutTimeout) {
  Api api;
  const auto topic = api.topic();
  const auto start = Clock::now();
  EXPECT_TRUE(api.messages(topic, R"({"timeout_secs":0})").empty());
  EXPECT_TRUE(api.messages(topic, "{}").empty());
  EXPECT_LT(Clock::now() - start, 10s);
}

TEST(LongPoll, AnswersEmptyListAfterTheTimeout) {
  Api api;
  const auto topic = api.topic();
  const auto start = Clock::now();
  EXPECT_TRUE(is_ok(api.consume(topic, R"({"timeout_secs":1})"), {{"messages", Json::array()}}));
  EXPECT_GE(Clock::now() - start, 1s);
  EXPECT_LT(Clock::now() - start, 10s);
}

TEST(LongPoll, IsWokenByPublishAndDoesNotFillUp) {
  Api api;
  const auto topic = api.topic();
  Waiter waiter(api, topic, R"({"timeout_secs":60,"batch_size":50})");
  ASSERT_TRUE(api.polls_waiting(1));
  EXPECT_FALSE(waiter.answered());
  const auto id = api.publish(topic, R"({"late":true})");
  const auto response = waiter.answer();
  ASSERT_TRUE(is_ok(response));
  const auto read = split_messages(response.body);
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read[0].id, id);
  EXPECT_EQ(read[0].payload, R"({"late":true})");
  ASSERT_TRUE(api.polls_waiting(0));
}

TEST(LongPoll, IsWokenByBatchWithAllItsMessages) {
  Api api;
  const auto topic = api.topic();
  Waiter waiter(api, topic);
  ASSERT_TRUE(api.polls_waiting(1));
  const auto ids = api.publish_numbers(topic, 30);
  const auto read = split_messages(waiter.answer().body);
  ASSERT_EQ(read.size(), 30u);  // one append: all or nothing is seen
  for (std::size_t i = 0; i < read.size(); ++i) EXPECT_EQ(read[i].id, ids[i]);
}

TEST(LongPoll, GivesABatchPublishInPagesOfBatchSize) {
  Api api;
  const auto topic = api.topic();
  Waiter waiter(api, topic, R"({"timeout_secs":60,"batch_size":7})");
  ASSERT_TRUE(api.polls_waiting(1));
  const auto ids = api.publish_numbers(topic, 30);
  const auto read = split_messages(waiter.answer().body);
  ASSERT_EQ(read.size(), 7u);
  EXPECT_EQ(read[6].id, ids[6]);
}

TEST(LongPoll, IsWokenThroughEveryPublishPath) {
  Api api;
  const auto topic = api.topic();
  const std::string id = std::to_string(topic);
  const std::vector<std::pair<std::string, std::string>> paths{
      {Api::publish_path(topic), R"({"a":1})"},
      {Api::batch_path(topic), R"({"payloads":[{"a":1}]})"},
      {"/api/pubsub/topics/" + id + "/publish", R"({"a":1})"},
      {"/api/pubsub/batch/topics/" + id + "/publish", R"({"payloads":[{"a":1}]})"},
  };
  std::string cursor;
  for (const auto& [path, body] : paths) {
    const Json poll =
        cursor.empty() ? Json{{"timeout_secs", 60}} : Json{{"timeout_secs", 60}, {"after_message_id", cursor}};
    Waiter waiter(api, topic, poll.dump());
    Waiter legacy(api, topic, poll.dump(), "/api/pubsub/topics/");
    ASSERT_TRUE(api.polls_waiting(2)) << path;
    EXPECT_TRUE(is_ok(api.post(path, body))) << path;
    const auto read = split_messages(waiter.answer().body);
    ASSERT_EQ(read.size(), 1u) << path;
    ASSERT_EQ(split_messages(legacy.answer().body).size(), 1u) << path;
    cursor = read[0].id;
  }
}

TEST(LongPoll, WaitsAfterTheNewestMessage) {
  Api api;
  const auto topic = api.topic();
  const auto ids = api.publish_numbers(topic, 5);
  Waiter waiter(api, topic, Json{{"after_message_id", ids.back()}, {"timeout_secs", 60}}.dump());
  ASSERT_TRUE(api.polls_waiting(1));
  const auto id = api.publish(topic, "{}");
  EXPECT_EQ(split_messages(waiter.answer().body).at(0).id, id);
}

TEST(LongPoll, WaitsForMessagesFromNowOnWithFutureSinceTime) {
  Api api;
  const auto topic = api.topic();
  api.publish_numbers(topic, 5);
  Waiter waiter(api, topic, R"({"since_time":"2999-01-01T00:00:00Z","timeout_secs":60})");
  ASSERT_TRUE(api.polls_waiting(1));
  // The future counts as the moment of the request: a message of a later millisecond is after it.
  std::string id;
  ASSERT_TRUE(eventually([&] {
    id = api.publish(topic, R"({"new":1})");
    return waiter.answered();
  }));
  const auto read = split_messages(waiter.answer().body);
  ASSERT_FALSE(read.empty());
  EXPECT_EQ(read[0].payload, R"({"new":1})");
}

TEST(LongPoll, IsNotWokenByAnotherTopic) {
  Api api;
  const auto topic = api.topic();
  const auto other = api.topic();
  Waiter waiter(api, topic);
  ASSERT_TRUE(api.polls_waiting(1));
  api.publish_numbers(other, 10);
  EXPECT_EQ(api.status()["polls_waiting"], 1);
  EXPECT_FALSE(waiter.answered());
  api.publish(topic, R"({"mine":1})");
  EXPECT_EQ(split_messages(waiter.answer().body).at(0).payload, R"({"mine":1})");
}

TEST(LongPoll, IsNotWokenByRefusedPublish) {
  Api api;
  const auto topic = api.topic({.schema = R"([{"name":"a","type":"string","optional":false}])"});
  Waiter waiter(api, topic);
  ASSERT_TRUE(api.polls_waiting(1));
  EXPECT_TRUE(is_error(api.post(Api::publish_path(topic), "{}"), 400, "schema_violation"));
  EXPECT_TRUE(is_ok(api.post(Api::batch_path(topic), R"({"payloads":[{},{"a":1}]})")));  // all items fail
  EXPECT_EQ(api.status()["polls_waiting"], 1);
  EXPECT_FALSE(waiter.answered());
}

TEST(LongPoll, AnswersNotFoundWhenTheTopicIsDeleted) {
  Api api;
  const auto topic = api.topic();
  const auto other = api.topic();
  std::vector<std::unique_ptr<Waiter>> waiters;
  for (int i = 0; i < 20; ++i) waiters.push_back(std::make_unique<Waiter>(api, topic));
  Waiter spared(api, other);
  ASSERT_TRUE(api.polls_waiting(21));
  EXPECT_TRUE(is_ok(api.erase(Api::topic_path(topic))));
  for (auto& waiter : waiters) EXPECT_TRUE(is_error(waiter->answer(), 404, "not_found", "Not found"));
  ASSERT_TRUE(api.polls_waiting(1));
  EXPECT_FALSE(spared.answered());
}

TEST(LongPoll, GoesOnWaitingWhenTheTopicIsPurged) {
  Api api;
  const auto topic = api.topic();
  const auto ids = api.publish_numbers(topic, 3);
  Waiter at_end(api, topic, Json{{"after_message_id", ids.back()}, {"timeout_secs", 60}}.dump());
  ASSERT_TRUE(api.polls_waiting(1));
  EXPECT_TRUE(is_ok(api.put(Api::purge_path(topic), "")));
  Waiter from_start(api, topic);
  ASSERT_TRUE(api.polls_waiting(2));
  EXPECT_FALSE(at_end.answered());
  const auto id = api.publish(topic, R"({"after":"purge"})");
  for (Waiter* waiter : {&at_end, &from_start}) {
    const auto response = waiter->answer();
    ASSERT_TRUE(is_ok(response));
    EXPECT_EQ(split_messages(response.body).at(0).id, id);
  }
}

TEST(LongPoll, FreesTheSlotWhenTheClientGoesAway) {
  Api api;
  const auto topic = api.topic();
  std::vector<std::unique_ptr<Waiter>> waiters;
  for (int i = 0; i < 40; ++i) waiters.push_back(std::make_unique<Waiter>(api, topic));
  ASSERT_TRUE(api.polls_waiting(40));
  for (int i = 0; i < 20; ++i) waiters[i]->leave(i % 2 == 0);  // by FIN and by RST
  ASSERT_TRUE(api.polls_waiting(20));
  const auto id = api.publish(topic, "{}");
  for (int i = 20; i < 40; ++i) EXPECT_EQ(split_messages(waiters[i]->answer().body).at(0).id, id);
  ASSERT_TRUE(api.polls_waiting(0));
}

TEST(LongPoll, WakesAThousandWaitersByOnePublish) {
  raise_descriptor_limit();
  Api api;
  const auto topic = api.topic();
  constexpr int kWaiters = 1000;
  std::vector<std::unique_ptr<Waiter>> waiters;
  for (int i = 0; i < kWaiters; ++i) waiters.push_back(std::make_unique<Waiter>(api, topic));
  ASSERT_TRUE(api.polls_waiting(kWaiters));
  const auto id = api.publish(topic, R"({"to":"everyone"})");
  std::string first;
  for (auto& waiter : waiters) {
    const auto response = waiter->answer();
    ASSERT_EQ(response.status, 200);
    if (first.empty()) first = response.body;
    ASSERT_EQ(response.body, first);
  }
  EXPECT_EQ(split_messages(first).at(0).id, id);
  ASSERT_TRUE(api.polls_waiting(0));
}

TEST(LongPoll, WakesAllWaitersOfManyTopics) {
  raise_descriptor_limit();
  Api api;
  std::vector<std::int64_t> topics;
  std::vector<std::unique_ptr<Waiter>> waiters;
  for (int i = 0; i < 50; ++i) topics.push_back(api.topic());
  for (int round = 0; round < 6; ++round) {
    for (const auto topic : topics) waiters.push_back(std::make_unique<Waiter>(api, topic));
  }
  ASSERT_TRUE(api.polls_waiting(waiters.size()));
  run_together(5, [&](std::size_t part) {
    Client client(api.server());
    for (std::size_t i = part; i < topics.size(); i += 5) {
      EXPECT_TRUE(is_ok(client.post(Api::publish_path(topics[i]), "{\"t\":" + std::to_string(topics[i]) + "}")));
    }
  });
  for (std::size_t i = 0; i < waiters.size(); ++i) {
    const auto read = split_messages(waiters[i]->answer().body);
    ASSERT_EQ(read.size(), 1u);
    EXPECT_EQ(read[0].payload, "{\"t\":" + std::to_string(topics[i % topics.size()]) + "}");
  }
}

TEST(LongPoll, NeverMissesAPublishThatRacesWithThePoll) {
  Api api;
  const auto topic = api.topic();
  constexpr int kRounds = 200;
  std::string cursor;
  Client publisher(api.server());
  Client reader(api.server());
  const auto start = Clock::now();
  for (int round = 0; round < kRounds; ++round) {
    const Json poll =
        cursor.empty() ? Json{{"timeout_secs", 60}} : Json{{"timeout_secs", 60}, {"after_message_id", cursor}};
    HttpResponse published;
    HttpResponse polled;
    run_together(2, [&](std::size_t side) {
      if (side == 0) {
        published = publisher.post(Api::publish_path(topic), "{\"round\":" + std::to_string(round) + "}");
      } else {
        polled = reader.post(Api::consume_path(topic), poll.dump());
      }
    });
    ASSERT_TRUE(is_ok(published));
    ASSERT_TRUE(is_ok(polled));
    const auto read = split_messages(polled.body);
    ASSERT_EQ(read.size(), 1u) << "round " << round;
    ASSERT_EQ(read[0].id, published.json()["message_id"]);
    cursor = read[0].id;
  }
  EXPECT_LT(Clock::now() - start, 60s) << "some poll was woken by its timeout only";
}

TEST(LongPoll, ShowsOneOrderWithoutGapToAllTailingReaders) {
  Api api;
  const auto topic = api.topic();
  constexpr int kWriters = 16;
  constexpr int kReaders = 16;
  constexpr int kEach = 40;
  constexpr std::size_t kTotal = kWriters * kEach;
  std::vector<std::vector<ReadMessage>> seen(kReaders);
  std::vector<std::vector<std::string>> acknowledged(kWriters);
  run_together(kWriters + kReaders, [&](std::size_t i) {
    Client client(api.server());
    if (i < kWriters) {
      for (int n = 0; n < kEach; ++n) {
        const std::string payload = R"({"w":)" + std::to_string(i) + R"(,"n":)" + std::to_string(n) + "}";
        const auto response = client.post(Api::publish_path(topic), payload);
        ASSERT_TRUE(is_ok(response));
        acknowledged[i].push_back(response.json()["message_id"]);
      }
      return;
    }
    auto& mine = seen[i - kWriters];
    while (mine.size() < kTotal) {
      Json poll{{"timeout_secs", 20}};
      if (!mine.empty()) poll["after_message_id"] = mine.back().id;
      const auto response = client.post(Api::consume_path(topic), poll.dump());
      ASSERT_TRUE(is_ok(response));
      const auto page = split_messages(response.body);
      ASSERT_FALSE(page.empty()) << "nothing came in 20 s after " << mine.size();
      mine.insert(mine.end(), page.begin(), page.end());
    }
  });
  const auto all = api.all_messages(topic);
  ASSERT_EQ(all.size(), kTotal);
  for (const auto& reader : seen) {
    ASSERT_EQ(reader.size(), kTotal);
    for (std::size_t i = 0; i < kTotal; ++i) {
      ASSERT_EQ(reader[i].id, all[i].id);
      ASSERT_EQ(reader[i].payload, all[i].payload);
      ASSERT_EQ(reader[i].time, all[i].time);
    }
  }
  std::map<std::string, std::string> by_id;
  for (const auto& message : all) by_id[message.id] = message.payload;
  for (int w = 0; w < kWriters; ++w) {
    for (int n = 0; n < kEach; ++n) {
      EXPECT_EQ(by_id[acknowledged[w].at(n)], R"({"w":)" + std::to_string(w) + R"(,"n":)" + std::to_string(n) + "}");
      if (n > 0) {
        EXPECT_LT(acknowledged[w][n - 1], acknowledged[w][n]);
      }
    }
  }
}

TEST(LongPoll, RefusesMorePollsThanTheLimit) {
  Api api({.settings = {"limits.polls_waiting_max=3"}});
  const auto topic = api.topic();
  std::vector<std::unique_ptr<Waiter>> waiters;
  for (int i = 0; i < 3; ++i) waiters.push_back(std::make_unique<Waiter>(api, topic));
  ASSERT_TRUE(api.polls_waiting(3));
  const auto refused = api.consume(topic, R"({"timeout_secs":60})");
  EXPECT_EQ(refused.status, 503) << refused;
  EXPECT_TRUE(refused.header("Retry-After").has_value());
  EXPECT_TRUE(api.messages(topic, R"({"timeout_secs":0})").empty());  // one that does not wait is no burden
  waiters.front()->leave();
  ASSERT_TRUE(api.polls_waiting(2));
  Waiter next(api, topic);
  ASSERT_TRUE(api.polls_waiting(3));
}

TEST(LongPoll, IsWokenByAnOldWaitAfterAShorterOneTimedOut) {
  Api api;
  const auto topic = api.topic();
  Waiter patient(api, topic);
  EXPECT_TRUE(api.messages(topic, R"({"timeout_secs":1})").empty());
  ASSERT_TRUE(api.polls_waiting(1));
  api.publish(topic, "{}");
  EXPECT_EQ(split_messages(patient.answer().body).size(), 1u);
}

}  // namespace
}  // namespace weir::test
