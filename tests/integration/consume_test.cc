#include <regex>
#include <set>

#include "support/api.h"

// POST /api/v1/topics/:topic_id/consume without waiting (long_poll_test.cc waits).
namespace weir::test {
namespace {

constexpr const char* kNoSuchMessage = "after_message_id does not match a message in this topic";

std::string params(const Json& body) {
  return body.dump();
}

TEST(Consume, StartsAtOldestMessageWithoutParameters) {
  Api api;
  const auto topic = api.topic();
  const auto ids = api.publish_numbers(topic, 60);
  for (const char* body : {"{}", "", "  {}\n"}) {
    const auto read = api.messages(topic, body);
    ASSERT_EQ(read.size(), 50u) << "body: '" << body << "'";
    for (std::size_t i = 0; i < read.size(); ++i) {
      EXPECT_EQ(read[i].id, ids[i]);
      EXPECT_EQ(read[i].payload, "{\"n\":" + std::to_string(i) + "}");
    }
  }
}

TEST(Consume, AcceptsRequestWithoutAnyBody) {
  Api api;
  const auto topic = api.topic();
  api.publish(topic, R"({"a":1})");
  auto connection = api.connect();
  connection.send("POST " + Api::consume_path(topic) + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " +
                  std::string(kAdminToken) + "\r\n\r\n");
  const auto response = connection.read();
  ASSERT_TRUE(is_ok(response));
  EXPECT_EQ(split_messages(response.body).size(), 1u);
}

TEST(Consume, AnswersExactlyTheDocumentedShape) {
  Api api;
  const auto topic = api.topic();
  const auto id = api.publish(topic, R"({"ShipmentId":"S-118","WeightKg":12.5})");
  const auto response = api.consume(topic);
  ASSERT_TRUE(is_ok(response));
  const Json body = response.json();
  ASSERT_EQ(body.size(), 1u);
  ASSERT_EQ(body["messages"].size(), 1u);
  const Json& message = body["messages"][0];
  EXPECT_EQ(message.size(), 3u);
  EXPECT_EQ(message["message_id"], id);
  EXPECT_EQ(message["payload"], (Json{{"ShipmentId", "S-118"}, {"WeightKg", 12.5}}));
  EXPECT_TRUE(std::regex_match(message["time"].get<std::string>(),
                               std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00)")))
      << message["time"];
}

TEST(Consume, AnswersEmptyListForEmptyTopic) {
  Api api;
  EXPECT_TRUE(is_ok(api.consume(api.topic()), {{"messages", Json::array()}}));
}

TEST(Consume, RefusesBodyThatIsNotAnObject) {
  Api api;
  const auto topic = api.topic();
  for (const char* body : {"[]", R"("x")", "5", "null", "true", "[{}]"}) {
    EXPECT_TRUE(is_error(api.consume(topic, body), 400, "invalid_parameter")) << body;
  }
}

TEST(Consume, RefusesBodyThatIsNotJson) {
  Api api;
  const auto topic = api.topic();
  for (const char* body : {"{", "x", R"({"batch_size":})", "{}{}", "{} x", "{\"a\":\"\xff\"}", R"({'a':1})"}) {
    EXPECT_TRUE(is_error(api.consume(topic, body), 400, "invalid_json")) << body;
  }
}

TEST(Consume, LetsMessageIdWinOverSinceTime) {
  Api api;
  const auto topic = api.topic();
  const auto ids = api.publish_numbers(topic, 5);
  for (const char* since : {"2001-01-01T00:00:00Z", "2999-01-01T00:00:00Z"}) {
    const auto read = api.messages(topic, params({{"after_message_id", ids[2]}, {"since_time", since}}));
    ASSERT_EQ(read.size(), 2u) << since;
    EXPECT_EQ(read[0].id, ids[3]);
  }
}

TEST(Consume, ChecksSinceTimeEvenWhenMessageIdWins) {
  Api api;
  const auto topic = api.topic();
  const auto ids = api.publish_numbers(topic, 1);
  EXPECT_TRUE(is_error(api.consume(topic, params({{"after_message_id", ids[0]}, {"since_time", "yesterday"}})), 400,
                       "invalid_parameter", "since_time"));
}

TEST(Consume, TakesNullAsAbsent) {
  Api api;
  const auto topic = api.topic();
  api.publish_numbers(topic, 3);
  EXPECT_EQ(api.messages(topic, R"({"after_message_id":null,"since_time":null,"batch_size":null,"timeout_secs":null})")
                .size(),
            3u);
}

TEST(Consume, IgnoresUnknownKeys) {
  Api api;
  const auto topic = api.topic();
  api.publish_numbers(topic, 3);
  EXPECT_EQ(api.messages(topic, R"({"Batch_Size":1,"limit":1,"x":{"batch_size":[1]}})").size(), 3u);
}

TEST(Consume, TakesBatchSizeFromOneToFifty) {
  Api api;
  const auto topic = api.topic();
  api.publish_numbers(topic, 60);
  EXPECT_EQ(api.messages(topic, R"({"batch_size":1})").size(), 1u);
  EXPECT_EQ(api.messages(topic, R"({"batch_size":49})").size(), 49u);
  EXPECT_EQ(api.messages(topic, R"({"batch_size":50})").size(), 50u);
  EXPECT_EQ(api.messages(topic, "{}").size(), 50u);
  EXPECT_EQ(api.messages(topic, R"({"batch_size":5.0})").size(), 5u);
}

TEST(Consume, RefusesBatchSizeOutOfRange) {
  Api api;
  const auto topic = api.topic();
  const auto response = api.consume(topic, R"({"batch_size":51})");
  EXPECT_TRUE(is_error(response, 400, "invalid_parameter"));
  EXPECT_EQ(response.json()["message"], "batch_size must be an integer from 1 to 50 (got 51)");
  for (const char* value : {"0", "-1", "99999999999999999999", "-9223372036854775809", "1e3"}) {
    EXPECT_TRUE(is_error(api.consume(topic, std::string(R"({"batch_size":)") + value + "}"), 400, "invalid_parameter",
                         "batch_size"))
        << value;
  }
}

TEST(Consume, RefusesBatchSizeThatIsNotAnInteger) {
  Api api;
  const auto topic = api.topic();
  for (const char* value : {R"("5")", "5.5", "true", "[5]", "{}"}) {
    EXPECT_TRUE(is_error(api.consume(topic, std::string(R"({"batch_size":)") + value + "}"), 400, "invalid_parameter",
                         "batch_size"))
        << value;
  }
}

TEST(Consume, TakesNumbersInStringsWhenLenient) {
  Api api({.settings = {"api.lenient_numbers=true"}});
  const auto topic = api.topic();
  api.publish_numbers(topic, 9);
  EXPECT_EQ(api.messages(topic, R"({"batch_size":"5","timeout_secs":"0"})").size(), 5u);
  EXPECT_TRUE(is_error(api.consume(topic, R"({"batch_size":"five"})"), 400, "invalid_parameter", "batch_size"));
}

TEST(Consume, RefusesTimeoutOutOfRangeOrOfWrongType) {
  Api api;
  const auto topic = api.topic();
  api.publish_numbers(topic, 1);
  for (const char* value : {"61", "-1", R"("10")", "1.5", "true", "[]", "1e9"}) {
    EXPECT_TRUE(is_error(api.consume(topic, std::string(R"({"timeout_secs":)") + value + "}"), 400, "invalid_parameter",
                         "timeout_secs"))
        << value;
  }
  for (const char* value : {"0", "60", "60.0"}) {  // something is there: answered at once
    EXPECT_EQ(api.messages(topic, std::string(R"({"timeout_secs":)") + value + "}").size(), 1u) << value;
  }
}

TEST(Consume, FollowsTheCursorThroughThePages) {
  Api api;
  const auto topic = api.topic();
  const auto ids = api.publish_numbers(topic, 230);
  const auto all = api.all_messages(topic);
  ASSERT_EQ(all.size(), ids.size());
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].id, ids[i]);
}

TEST(Consume, GivesMessageIdsThatGrowInByteOrder) {
  Api api;
  const auto topic = api.topic();
  const auto ids = api.publish_numbers(topic, 400);
  for (std::size_t i = 1; i < ids.size(); ++i) EXPECT_LT(ids[i - 1], ids[i]);
  for (const auto& id : ids) EXPECT_TRUE(std::regex_match(id, std::regex("[A-Za-z0-9]+"))) << id;
}

TEST(Consume, GivesTimesThatNeverDecrease) {
  Api api;
  const auto topic = api.topic();
  for (int i = 0; i < 30; ++i) api.publish(topic, "{}");
  const auto read = api.messages(topic);
  for (std::size_t i = 1; i < read.size(); ++i) EXPECT_LE(read[i - 1].time, read[i].time);
}

TEST(Consume, AnswersEmptyListAfterTheNewestMessage) {
  Api api;
  const auto topic = api.topic();
  const auto ids = api.publish_numbers(topic, 3);
  EXPECT_TRUE(is_ok(api.consume(topic, params({{"after_message_id", ids.back()}})), {{"messages", Json::array()}}));
}

TEST(Consume, RefusesUnknownMessageId) {
  Api api;
  const auto topic = api.topic();
  const auto other = api.topic();
  const auto ids = api.publish_numbers(topic, 2);
  const auto foreign = api.publish_numbers(other, 9);
  for (const Json& cursor : {Json(foreign.back()), Json("never"), Json(""), Json("zzzz"), Json("A"), Json("B00"),
                             Json("Kzzzzzzzzzzz"), Json("A1 "), Json("\xc3\xa9"), Json(std::string(5000, 'A')), Json(1),
                             Json(0), Json(1.5), Json(true), Json::array({ids[0]}), Json::object()}) {
    const auto response = api.consume(topic, params({{"after_message_id", cursor}}));
    EXPECT_TRUE(is_error(response, 400, "message_not_found")) << cursor;
    EXPECT_EQ(response.json()["message"], kNoSuchMessage);
    EXPECT_EQ(response.json()["oldest_message_id"], ids[0]) << cursor;
  }
}

TEST(Consume, RefusesPurgedMessageIdAndNamesTheOldest) {
  Api api;
  const auto topic = api.topic();
  const auto ids = api.publish_numbers(topic, 3);
  EXPECT_TRUE(is_ok(api.put(Api::purge_path(topic), "")));
  auto response = api.consume(topic, params({{"after_message_id", ids[1]}}));
  EXPECT_TRUE(is_error(response, 400, "message_not_found"));
  EXPECT_EQ(response.json()["message"], kNoSuchMessage);
  EXPECT_EQ(response.json().at("oldest_message_id"), nullptr);

  const auto fresh = api.publish(topic, "{}");
  response = api.consume(topic, params({{"after_message_id", ids[1]}}));
  EXPECT_TRUE(is_error(response, 400, "message_not_found"));
  EXPECT_EQ(response.json()["oldest_message_id"], fresh);
}

TEST(Consume, TakesFutureSinceTimeAsNow) {
  Api api;
  const auto topic = api.topic();
  api.publish_numbers(topic, 3);
  EXPECT_TRUE(is_ok(api.consume(topic, R"({"since_time":"2999-12-31T23:59:59Z"})"), {{"messages", Json::array()}}));
}

TEST(Consume, StartsAtOldestForSinceTimeBeforeIt) {
  Api api;
  const auto topic = api.topic();
  const auto ids = api.publish_numbers(topic, 3);
  for (const char* since : {"1970-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "2020-05-05T05:05:05+05:30"}) {
    const auto read = api.messages(topic, params({{"since_time", since}}));
    ASSERT_EQ(read.size(), 3u) << since;
    EXPECT_EQ(read[0].id, ids[0]);
  }
}

TEST(Consume, ReadsStrictlyAfterSinceTime) {
  Api api;
  const auto topic = api.topic();
  std::string last_time;
  std::size_t published = 0;
  // Until three different milliseconds have been seen, so that there is something before, at and after.
  std::set<std::string> times;
  ASSERT_TRUE(eventually([&] {
    api.publish(topic, "{}");
    ++published;
    last_time = api.all_messages(topic).back().time;
    times.insert(last_time);
    return times.size() >= 3;
  }));
  const auto all = api.all_messages(topic);
  ASSERT_EQ(all.size(), published);
  for (const auto& time : times) {
    std::size_t after = 0;
    for (const auto& message : all) after += message.time > time ? 1 : 0;
    EXPECT_EQ(api.messages(topic, params({{"since_time", time}})).size(), std::min<std::size_t>(after, 50)) << time;
  }
}

TEST(Consume, ComparesSinceTimeInMilliseconds) {
  Api api;
  const auto topic = api.topic();
  api.publish(topic, "{}");
  const auto time = api.messages(topic).at(0).time;  // …:SS.mmm+00:00
  const std::string to_millisecond = time.substr(0, 23);
  EXPECT_TRUE(api.messages(topic, params({{"since_time", to_millisecond + "000001Z"}})).empty());
  EXPECT_TRUE(api.messages(topic, params({{"since_time", to_millisecond + "Z"}})).empty());
}

// A time is a first cursor, not a running one: what shares its millisecond is skipped, by the documented rule.
TEST(Consume, SkipsMessagesOfTheSameMillisecondWhenATimeIsTheCursor) {
  Api api;
  const auto topic = api.topic();
  api.publish_numbers(topic, 30);  // one batch: one time
  const auto first = api.messages(topic, R"({"batch_size":10})");
  EXPECT_TRUE(api.messages(topic, params({{"since_time", first.back().time}})).empty());
  EXPECT_EQ(api.messages(topic, params({{"after_message_id", first.back().id}})).size(), 20u);
}

TEST(Consume, TakesEveryFormOfRfc3339) {
  Api api;
  const auto topic = api.topic();
  api.publish_numbers(topic, 2);
  for (const char* since :
       {"2020-02-29T12:00:00Z", "2020-02-29T12:00:00.5Z", "2020-02-29T12:00:00.123456789012+05:30",
        "2020-02-29t12:00:00z", "2020-02-29T12:00:00-00:00", "2020-02-29T23:59:60Z", "2020-02-29T12:00:00+23:59"}) {
    EXPECT_EQ(api.messages(topic, params({{"since_time", since}})).size(), 2u) << since;
  }
}

TEST(Consume, RefusesOtherFormsOfSinceTime) {
  Api api;
  const auto topic = api.topic();
  for (const Json& since : {Json("2020-02-29"),
                            Json("2020-02-29T12:00:00"),
                            Json("1583000000"),
                            Json(1583000000),
                            Json(""),
                            Json("2021-02-29T12:00:00Z"),
                            Json("2020-13-01T12:00:00Z"),
                            Json("2020-00-01T12:00:00Z"),
                            Json("2020-02-30T12:00:00Z"),
                            Json("2020-02-29T24:00:00Z"),
                            Json("2020-02-29T12:60:00Z"),
                            Json("2020-02-29 12:00:00Z"),
                            Json("2020-02-29T12:00:00.Z"),
                            Json("2020-02-29T12:00:00+0530"),
                            Json("2020-02-29T12:00:00+24:00"),
                            Json("2020-02-29T12:00Z"),
                            Json("20-02-29T12:00:00Z"),
                            Json(" 2020-02-29T12:00:00Z"),
                            Json("2020-02-29T12:00:00Z "),
                            Json("now"),
                            Json(true),
                            Json::array()}) {
    EXPECT_TRUE(is_error(api.consume(topic, params({{"since_time", since}})), 400, "invalid_parameter", "since_time"))
        << since;
  }
}

TEST(Consume, GivesEveryMessageToEveryReader) {
  Api api;
  const auto topic = api.topic();
  const auto ids = api.publish_numbers(topic, 120);
  run_together(8, [&](std::size_t) {
    Client client(api.server());
    std::string cursor;
    std::size_t seen = 0;
    for (;;) {
      const auto response =
          client.post(Api::consume_path(topic), cursor.empty() ? "{}" : Json{{"after_message_id", cursor}}.dump());
      const auto page = split_messages(response.body);
      if (page.empty()) break;
      for (const auto& message : page) EXPECT_EQ(message.id, ids.at(seen++));
      cursor = page.back().id;
    }
    EXPECT_EQ(seen, ids.size());
  });
}

TEST(Consume, ReadsTheSameAgain) {  // reading removes nothing
  Api api;
  const auto topic = api.topic();
  api.publish_numbers(topic, 7);
  const auto first = api.consume(topic);
  EXPECT_EQ(api.consume(topic).body, first.body);
}

TEST(Consume, StopsAtTheResponseCap) {
  Api api({.settings = {"limits.consume_response_bytes_max=65536"}});
  const auto topic = api.topic();
  const std::string payload = R"({"p":")" + std::string(20'000, 'x') + "\"}";
  for (int i = 0; i < 7; ++i) api.publish(topic, payload);
  const auto response = api.consume(topic);
  ASSERT_TRUE(is_ok(response));
  const auto read = split_messages(response.body);
  EXPECT_GE(read.size(), 3u);
  EXPECT_LT(read.size(), 7u);
  EXPECT_EQ(api.all_messages(topic).size(), 7u);
}

TEST(Consume, GivesOneMessageThatIsOverTheResponseCap) {
  Api api({.settings = {"limits.consume_response_bytes_max=65536"}});
  const auto topic = api.topic();
  const std::string payload = R"({"p":")" + std::string(200'000, 'x') + "\"}";
  for (int i = 0; i < 2; ++i) api.publish(topic, payload);
  const auto read = api.messages(topic);
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read[0].payload, payload);
}

TEST(Consume, FillsOnePageWithFiftyLargeMessages) {
  Api api;
  const auto topic = api.topic();
  const std::string payload = R"({"p":")" + std::string(1'000'000, 'x') + "\"}";
  for (int i = 0; i < 50; ++i) api.publish(topic, payload);
  const auto read = api.messages(topic);
  ASSERT_EQ(read.size(), 50u);
  for (const auto& message : read) EXPECT_EQ(message.payload, payload);
}

TEST(Consume, ServesTheLegacyPathAlike) {
  Api api;
  const auto topic = api.topic();
  api.publish_numbers(topic, 4);
  const auto legacy = api.post("/api/pubsub/topics/" + std::to_string(topic) + "/consume", R"({"batch_size":3})");
  EXPECT_TRUE(is_ok(legacy));
  EXPECT_EQ(legacy.body, api.consume(topic, R"({"batch_size":3})").body);
  EXPECT_TRUE(is_error(api.post("/api/pubsub/topics/" + std::to_string(topic) + "/consume", R"({"batch_size":51})"),
                       400, "invalid_parameter", "batch_size"));
}

TEST(Consume, KeepsReadingBelowTheTailFromTheDisk) {
  // A tail of one page of memory, so that nearly everything comes from the store.
  Api api({.settings = {"storage.tail_bytes_max=65536"}});
  const auto topic = api.topic();
  const std::string filler(1000, 'f');
  for (int i = 0; i < 300; ++i) api.publish(topic, R"({"n":)" + std::to_string(i) + R"(,"f":")" + filler + "\"}");
  const auto all = api.all_messages(topic);
  ASSERT_EQ(all.size(), 300u);
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(all[i].payload, R"({"n":)" + std::to_string(i) + R"(,"f":")" + filler + "\"}");
  }
}

TEST(Consume, FollowsConfiguredLimits) {
  Api api({.settings = {"limits.consume_messages_max=10", "limits.poll_timeout_secs_max=5"}});
  const auto topic = api.topic();
  api.publish_numbers(topic, 20);
  EXPECT_EQ(api.messages(topic).size(), 10u);
  EXPECT_TRUE(is_error(api.consume(topic, R"({"batch_size":11})"), 400, "invalid_parameter", "from 1 to 10"));
  EXPECT_TRUE(is_error(api.consume(topic, R"({"timeout_secs":6})"), 400, "invalid_parameter", "timeout_secs"));
}

}  // namespace
}  // namespace weir::test
