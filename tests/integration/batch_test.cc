#include "support/api.h"

// POST /api/v1/batch/topics/:topic_id/publish
namespace weir::test {
namespace {

constexpr const char* kStrictSchema = R"([{"name":"ShipmentId","type":"string","optional":false}])";

std::string payloads(int count) {
  std::string body = R"({"payloads":[)";
  for (int i = 0; i < count; ++i) body += (i == 0 ? "" : ",") + std::string(R"({"n":)") + std::to_string(i) + "}";
  return body + "]}";
}

TEST(Batch, AnswersEveryIndexWhenAllAreGood) {
  Api api;
  const auto topic = api.topic();
  const auto response =
      api.post(Api::batch_path(topic), R"({"payloads":[{"ShipmentId":"S-121"},{"ShipmentId":"S-122"}]})");
  ASSERT_TRUE(is_ok(response));
  const auto read = api.messages(topic);
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(response.json(), (Json{{"is_partial_error", false},
                                   {"message_ids",
                                    {{"0", {{"message_id", read[0].id}, {"result", "success"}}},
                                     {"1", {{"message_id", read[1].id}, {"result", "success"}}}}}}));
  EXPECT_EQ(read[0].payload, R"({"ShipmentId":"S-121"})");
  EXPECT_EQ(read[1].payload, R"({"ShipmentId":"S-122"})");
}

TEST(Batch, TakesTheSingularKeyAsAlias) {
  Api api;
  const auto topic = api.topic();
  EXPECT_TRUE(is_ok(api.post(Api::batch_path(topic), R"({"payload":[{"a":1},{"a":2}]})")));
  EXPECT_EQ(api.messages(topic).size(), 2u);
}

TEST(Batch, RefusesBothKeys) {
  Api api;
  const auto topic = api.topic();
  EXPECT_TRUE(is_error(api.post(Api::batch_path(topic), R"({"payload":[{"a":1}],"payloads":[{"a":2}]})"), 400,
                       "invalid_parameter", "payload"));
  EXPECT_TRUE(api.messages(topic).empty());
}

TEST(Batch, RefusesBodyWithoutAnArrayOfPayloads) {
  Api api;
  const auto topic = api.topic();
  for (const char* body :
       {"{}", R"({"messages":[{}]})", R"({"payloads":{"a":1}})", R"({"payloads":"x"})", R"({"payloads":null})",
        R"({"payloads":5})", R"({"payload":{"a":1}})", R"([{"a":1}])", "[]", "5", R"("x")", "null"}) {
    EXPECT_TRUE(is_error(api.post(Api::batch_path(topic), body), 400, "invalid_parameter")) << body;
  }
  EXPECT_TRUE(api.messages(topic).empty());
}

TEST(Batch, RefusesInvalidJson) {
  Api api;
  const auto topic = api.topic();
  for (const char* body : {"", "{", R"({"payloads":[{"a":1},]})", R"({"payloads":[{"a":1}}])",
                           R"({"payloads":[{"a":}]})", "{\"payloads\":[{\"a\":\"\xff\"}]}", R"({"payloads":[{}]} x)"}) {
    EXPECT_TRUE(is_error(api.post(Api::batch_path(topic), body), 400, "invalid_json")) << body;
  }
  EXPECT_TRUE(api.messages(topic).empty());
}

TEST(Batch, RefusesEmptyArray) {
  Api api;
  const auto topic = api.topic();
  EXPECT_TRUE(is_error(api.post(Api::batch_path(topic), R"({"payloads":[]})"), 400, "invalid_parameter", "payloads"));
}

TEST(Batch, TakesAHundredMessagesAndRefusesMore) {
  Api api;
  const auto topic = api.topic();
  EXPECT_TRUE(is_error(api.post(Api::batch_path(topic), payloads(101)), 400, "invalid_parameter", "100"));
  EXPECT_TRUE(api.messages(topic).empty());
  const auto response = api.post(Api::batch_path(topic), payloads(100));
  ASSERT_TRUE(is_ok(response));
  EXPECT_EQ(response.json()["message_ids"].size(), 100u);
  EXPECT_EQ(api.all_messages(topic).size(), 100u);
}

TEST(Batch, FollowsTheConfiguredCount) {
  Api api({.settings = {"limits.batch_messages_max=5"}});
  const auto topic = api.topic();
  EXPECT_TRUE(is_ok(api.post(Api::batch_path(topic), payloads(5))));
  EXPECT_TRUE(is_error(api.post(Api::batch_path(topic), payloads(6)), 400, "invalid_parameter", "5"));
}

TEST(Batch, KeepsTheArrayOrderWithoutGap) {
  Api api;
  const auto topic = api.topic();
  run_together(8, [&](std::size_t writer) {
    Client client(api.server());
    for (int round = 0; round < 5; ++round) {
      std::string body = R"({"payloads":[)";
      for (int i = 0; i < 20; ++i) {
        body += (i == 0 ? "" : ",") + std::string(R"({"w":)") + std::to_string(writer) + R"(,"r":)" +
                std::to_string(round) + R"(,"i":)" + std::to_string(i) + "}";
      }
      EXPECT_TRUE(is_ok(client.post(Api::batch_path(topic), body + "]}")));
    }
  });
  const auto all = api.all_messages(topic);
  ASSERT_EQ(all.size(), 800u);
  for (std::size_t i = 0; i < all.size(); i += 20) {
    const Json first = Json::parse(all[i].payload);
    for (std::size_t k = 0; k < 20; ++k) {
      EXPECT_EQ(Json::parse(all[i + k].payload), (Json{{"w", first["w"]}, {"r", first["r"]}, {"i", k}}));
      EXPECT_EQ(all[i + k].time, all[i].time);
    }
  }
}

TEST(Batch, StoresGoodItemsAndReportsBadOnes) {
  Api api;
  const auto topic = api.topic({.schema = kStrictSchema});
  const auto response =
      api.post(Api::batch_path(topic), R"({"payloads":[{"ShipmentId":"a"},{},{"ShipmentId":"b"},{"ShipmentId":5}]})");
  ASSERT_TRUE(is_ok(response));
  const Json body = response.json();
  EXPECT_EQ(body["is_partial_error"], true);
  const auto read = api.messages(topic);
  ASSERT_EQ(read.size(), 2u);
  ASSERT_EQ(body["message_ids"].size(), 4u);
  EXPECT_EQ(body["message_ids"]["0"], (Json{{"message_id", read[0].id}, {"result", "success"}}));
  EXPECT_EQ(
      body["message_ids"]["1"],
      (Json{{"result", "error"}, {"code", "schema_violation"}, {"message", "ShipmentId: required field is missing"}}));
  EXPECT_EQ(body["message_ids"]["2"], (Json{{"message_id", read[1].id}, {"result", "success"}}));
  const Json& last = body["message_ids"]["3"];
  EXPECT_EQ(last["result"], "error");
  EXPECT_EQ(last["code"], "schema_violation");
  EXPECT_NE(last["message"].get<std::string>().find("ShipmentId"), std::string::npos);
  EXPECT_FALSE(last.contains("message_id"));
  EXPECT_EQ(read[0].payload, R"({"ShipmentId":"a"})");
  EXPECT_EQ(read[1].payload, R"({"ShipmentId":"b"})");
}

TEST(Batch, AnswersOkWhenAllItemsFail) {
  Api api;
  const auto topic = api.topic({.schema = kStrictSchema});
  const auto response = api.post(Api::batch_path(topic), R"({"payloads":[{},{"ShipmentId":null}]})");
  ASSERT_TRUE(is_ok(response));
  EXPECT_EQ(response.json()["is_partial_error"], true);
  EXPECT_EQ(response.json()["message_ids"].size(), 2u);
  const Json ids = response.json()["message_ids"];
  for (const auto& item : ids) EXPECT_EQ(item["result"], "error");
  EXPECT_TRUE(api.messages(topic).empty());
}

TEST(Batch, ReportsItemsThatAreNotObjects) {
  Api api;
  const auto topic = api.topic();
  const auto response = api.post(Api::batch_path(topic), R"({"payloads":[{"a":1},[],"x",5,null,true,{"a":2}]})");
  ASSERT_TRUE(is_ok(response));
  const Json ids = response.json()["message_ids"];
  ASSERT_EQ(ids.size(), 7u);
  for (const char* good : {"0", "6"}) EXPECT_EQ(ids[good]["result"], "success");
  for (const char* bad : {"1", "2", "3", "4", "5"}) {
    EXPECT_EQ(ids[bad]["result"], "error") << bad;
    EXPECT_EQ(ids[bad]["code"], "schema_violation") << bad;
  }
  EXPECT_EQ(api.messages(topic).size(), 2u);
}

TEST(Batch, ReportsItemOverTheMessageLimit) {
  Api api;
  const auto topic = api.topic();
  const std::string at_limit = R"({"p":")" + std::string(1'048'576 - 8, 'x') + "\"}";
  const std::string over = R"({"p":")" + std::string(1'048'576 - 7, 'x') + "\"}";
  const auto response = api.post(Api::batch_path(topic), R"({"payloads":[)" + at_limit + "," + over + R"(,{"a":1}]})");
  ASSERT_TRUE(is_ok(response));
  const Json ids = response.json()["message_ids"];
  EXPECT_EQ(ids["0"]["result"], "success");
  EXPECT_EQ(ids["1"]["result"], "error");
  EXPECT_EQ(ids["1"]["code"], "payload_too_large");
  EXPECT_EQ(ids["2"]["result"], "success");
  const auto read = api.messages(topic);
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].payload, at_limit);
}

TEST(Batch, TakesAHundredLargeMessages) {
  Api api({.settings = {"limits.message_bytes_max=1048576"}});
  const auto topic = api.topic();
  const std::string item = R"({"p":")" + std::string(1'000'000, 'x') + "\"}";
  std::string body = R"({"payloads":[)";
  for (int i = 0; i < 60; ++i) body += (i == 0 ? "" : ",") + item;  // 60 MB in one request
  const auto response = api.post(Api::batch_path(topic), body + "]}");
  ASSERT_TRUE(is_ok(response));
  EXPECT_EQ(response.json()["is_partial_error"], false);
  EXPECT_EQ(response.json()["message_ids"].size(), 60u);
  EXPECT_EQ(api.messages(topic, R"({"batch_size":1})").at(0).payload, item);
}

TEST(Batch, RefusesBodyOverItsCap) {
  Api api({.settings = {"limits.batch_body_bytes_max=4096", "limits.message_bytes_max=2048"}});
  const auto topic = api.topic();
  EXPECT_TRUE(is_ok(api.post(Api::batch_path(topic), R"({"payloads":[{"p":")" + std::string(1900, 'x') + "\"}]}")));
  Client client(api.server());
  (void)client.connection().try_send(http_request("POST", Api::batch_path(topic),
                                                  R"({"payloads":[{"p":")" + std::string(5000, 'x') + "\"}]}",
                                                  {{"Authorization", "Bearer " + std::string(kAdminToken)}}));
  EXPECT_TRUE(is_error(client.finish(), 413, "payload_too_large"));
  EXPECT_EQ(api.messages(topic).size(), 1u);
}

TEST(Batch, RefusesDeclaredBodyOverTheDefaultCapBeforeItIsSent) {
  Api api;
  const auto topic = api.topic();
  auto connection = api.connect();
  connection.send("POST " + Api::batch_path(topic) + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " +
                  std::string(kAdminToken) + "\r\nContent-Length: 106954753\r\n\r\n");
  EXPECT_TRUE(is_error(connection.read(), 413, "payload_too_large"));
}

TEST(Batch, KeepsTheBytesOfItems) {
  Api api;
  const auto topic = api.topic();
  api.post(Api::batch_path(topic),
           R"({ "payloads" : [ { "n" : 1.50e3 , "z" : "]},{" } , {"b":12345678901234567890123} ] })");
  const auto read = api.messages(topic);
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].payload, R"({"n":1.50e3,"z":"]},{"})");
  EXPECT_EQ(read[1].payload, R"({"b":12345678901234567890123})");
}

TEST(Batch, ServesTheLegacyPathAlike) {
  Api api;
  const auto topic = api.topic();
  const auto response =
      api.post("/api/pubsub/batch/topics/" + std::to_string(topic) + "/publish", R"({"payloads":[{"a":1}]})");
  ASSERT_TRUE(is_ok(response));
  EXPECT_EQ(response.json()["message_ids"]["0"]["message_id"], api.messages(topic).at(0).id);
}

TEST(Batch, IgnoresUnknownKeys) {
  Api api;
  const auto topic = api.topic();
  EXPECT_TRUE(is_ok(api.post(Api::batch_path(topic), R"({"x":[{}],"payloads":[{"a":1}],"y":{"payloads":5}})")));
  EXPECT_EQ(api.messages(topic).size(), 1u);
}

TEST(Batch, AnswersNotFoundForUnknownTopic) {
  Api api;
  EXPECT_TRUE(is_error(api.post(Api::batch_path(999999), R"({"payloads":[{"a":1}]})"), 404, "not_found", "Not found"));
}

}  // namespace
}  // namespace weir::test
