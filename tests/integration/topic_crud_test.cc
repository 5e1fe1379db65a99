#include <regex>

#include "support/api.h"

// Create, read, update, purge and delete topics.
namespace weir::test {
namespace {

constexpr const char* kTopics = "/api/event_streams/topics";
const Json kSuccess{{"data", {{"status", "success"}}}};

std::string without_schema(const Json& extra) {
  Json body{{"name", "t"}, {"schema", Json::array()}};
  body.update(extra);
  return body.dump();
}

TEST(TopicCreate, AnswersTheTopicInTheDocumentedShape) {
  Api api;
  const std::string schema =
      R"([{"control_type":"text","label":"Shipment ID","name":"ShipmentId","optional":false,"type":"string"},)"
      R"({"control_type":"number","label":"Weight","name":"WeightKg","optional":true,"type":"number"}])";
  const auto response = api.post(kTopics, R"({"name":"Shipment dispatched","schema":)" + schema +
                                              R"(,"retention":172800,"description":"One message per parcel."})");
  ASSERT_TRUE(is_ok(response));
  const Json body = response.json();
  EXPECT_EQ(body.size(), 1u);
  const Json& topic = body["data"];
  EXPECT_EQ(topic.size(), 7u) << topic;
  EXPECT_TRUE(topic["id"].is_number_integer());
  EXPECT_GT(topic["id"], 0);
  EXPECT_EQ(topic["name"], "Shipment dispatched");
  EXPECT_EQ(topic["retention"], 172800);
  EXPECT_EQ(topic["description"], "One message per parcel.");
  EXPECT_EQ(topic["schema"], Json::parse(schema));
  const std::regex time(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00)");
  EXPECT_TRUE(std::regex_match(topic["created_at"].get<std::string>(), time)) << topic;
  EXPECT_EQ(topic["updated_at"], topic["created_at"]);
  EXPECT_EQ(api.get(Api::topic_path(topic["id"])).body, response.body);
}

TEST(TopicCreate, ShowsTimesInTheConfiguredZone) {
  Api api({.settings = {"api.time_zone=-08:00"}});
  const auto topic = api.get(Api::topic_path(api.topic())).json()["data"];
  EXPECT_TRUE(topic["created_at"].get<std::string>().ends_with("-08:00")) << topic;
}

TEST(TopicCreate, RefusesMissingOrBlankName) {
  Api api;
  for (const char* body :
       {R"({"schema":[]})", R"({"name":"","schema":[]})", R"({"name":"  \t","schema":[]})",
        R"({"name":null,"schema":[]})", R"({"name":5,"schema":[]})", R"({"name":["a"],"schema":[]})"}) {
    EXPECT_TRUE(is_field_error(api.post(kTopics, body), "name")) << body;
  }
  EXPECT_EQ(api.post(kTopics, R"({"schema":[]})").json()["message"], "Validation failed");
  EXPECT_EQ(api.get(kTopics).json()["count"], 0);
}

TEST(TopicCreate, LimitsTheNameTo255Characters) {
  Api api;
  std::string umlauts;
  for (int i = 0; i < 255; ++i) umlauts += "ü";  // characters, not bytes
  EXPECT_TRUE(is_ok(api.post(kTopics, Json{{"name", umlauts}, {"schema", Json::array()}}.dump())));
  EXPECT_TRUE(is_field_error(api.post(kTopics, Json{{"name", umlauts + "x"}, {"schema", Json::array()}}.dump()), "name",
                             "255"));
}

TEST(TopicCreate, RefusesNameThatIsTaken) {
  Api api;
  api.topic({.name = "Orders"});
  const auto response = api.post(kTopics, R"({"name":"Orders","schema":[]})");
  EXPECT_TRUE(is_field_error(response, "name"));
  EXPECT_EQ(response.json()["errors"]["name"], Json::array({"has already been taken"}));
  EXPECT_TRUE(is_ok(api.post(kTopics, R"({"name":"orders","schema":[]})")));  // case matters
}

TEST(TopicCreate, LetsADeletedTopicsNameBeUsedAgain) {
  Api api;
  const auto first = api.topic({.name = "Orders"});
  EXPECT_TRUE(is_ok(api.erase(Api::topic_path(first))));
  EXPECT_GT(api.topic({.name = "Orders"}), first);
}

TEST(TopicCreate, MakesANameOnceUnderConcurrentCalls) {
  Api api;
  std::vector<int> statuses(16);
  run_together(16, [&](std::size_t i) {
    statuses[i] = Client(api.server()).post(kTopics, R"({"name":"one","schema":[]})").status;
  });
  EXPECT_EQ(std::count(statuses.begin(), statuses.end(), 200), 1);
  EXPECT_EQ(std::count(statuses.begin(), statuses.end(), 400), 15);
  EXPECT_EQ(api.get(kTopics).json()["count"], 1);
}

TEST(TopicCreate, RefusesMissingSchema) {
  Api api;
  for (const char* body : {R"({"name":"t"})", R"({"name":"t","schema":null})", R"({"name":"t","schema":{}})",
                           R"({"name":"t","schema":"[]"})"}) {
    EXPECT_TRUE(is_field_error(api.post(kTopics, body), "schema")) << body;
  }
}

TEST(TopicCreate, TakesEmptySchemaForAnyObject) {
  Api api;
  const auto topic = api.topic({.schema = "[]"});
  api.publish(topic, R"({"any":[{"thing":1}]})");
  EXPECT_EQ(api.get(Api::topic_path(topic)).json()["data"]["schema"], Json::array());
}

TEST(TopicCreate, RequiresOnlyTheNameOfAField) {
  Api api;
  const auto topic = api.topic({.schema = R"([{"name":"a"}])"});
  api.publish(topic, R"({"a":"a string, by default"})");
  api.publish(topic, "{}");
  EXPECT_TRUE(is_error(api.post(Api::publish_path(topic), R"({"a":5})"), 400, "schema_violation", "a"));
  EXPECT_TRUE(is_field_error(api.post(kTopics, R"({"name":"u","schema":[{"type":"string","label":"L"}]})"), "schema"));
  EXPECT_TRUE(is_field_error(api.post(kTopics, R"({"name":"u","schema":[{"name":""}]})"), "schema"));
  EXPECT_TRUE(is_field_error(api.post(kTopics, R"({"name":"u","schema":[{"name":5}]})"), "schema"));
  EXPECT_TRUE(is_field_error(api.post(kTopics, R"({"name":"u","schema":["a"]})"), "schema"));
}

TEST(TopicCreate, EchoesTheSchemaExactlyAsSent) {
  Api api;
  const std::string schema =
      R"([{"zz":1.50,"name":"a","parse_output":"float_conversion","render_input":"x","type":"number",)"
      R"("custom":{"b":[1,2,{"c":null}],"a":"é"},"pick_list":[["One","1"]],"big":12345678901234567890123}])";
  const auto topic = api.topic({.schema = schema});
  EXPECT_NE(api.get(Api::topic_path(topic)).body.find(schema), std::string::npos);
  EXPECT_NE(api.get(std::string(kTopics) + "?include_schema=1").body.find(schema), std::string::npos);
  api.restart();
  EXPECT_NE(api.get(Api::topic_path(topic)).body.find(schema), std::string::npos);
}

TEST(TopicCreate, RefusesUnknownTypeWithItsPath) {
  Api api;
  const auto response = api.post(
      kTopics,
      R"({"name":"t","schema":[{"name":"Dock","type":"object","properties":[{"name":"Code","type":"uuid"}]}]})");
  EXPECT_TRUE(is_field_error(response, "schema", "Dock.Code"));
  EXPECT_TRUE(is_field_error(api.post(kTopics, R"({"name":"t","schema":[{"name":"a","type":5}]})"), "schema", "a"));
  EXPECT_TRUE(is_field_error(api.post(kTopics, R"({"name":"t","schema":[{"name":"a","type":"array","of":"uuid"}]})"),
                             "schema", "a"));
}

TEST(TopicCreate, RefusesTwoFieldsOfOneNameOnOneLevel) {
  Api api;
  EXPECT_TRUE(is_field_error(api.post(kTopics, R"({"name":"t","schema":[{"name":"a"},{"name":"a"}]})"), "schema", "a"));
  EXPECT_TRUE(is_ok(api.post(kTopics, R"({"name":"t","schema":[{"name":"a"},{"name":"A"},
      {"name":"o","type":"object","properties":[{"name":"a"}]}]})")));
}

TEST(TopicCreate, DefaultsTheRetentionToAWeek) {
  Api api;
  EXPECT_EQ(api.get(Api::topic_path(api.topic())).json()["data"]["retention"], 604800);
}

TEST(TopicCreate, TakesRetentionFromOneSecondToNinetyDays) {
  Api api;
  EXPECT_EQ(api.get(Api::topic_path(api.topic({.retention = 1}))).json()["data"]["retention"], 1);
  EXPECT_EQ(api.get(Api::topic_path(api.topic({.retention = 7776000}))).json()["data"]["retention"], 7776000);
  const auto over = api.post(kTopics, without_schema({{"retention", 7776001}}));
  EXPECT_TRUE(is_field_error(over, "retention"));
  EXPECT_EQ(over.json(), (Json{{"message", "Validation failed"},
                               {"code", "invalid_parameter"},
                               {"errors", {{"retention", Json::array({"must be at most 7776000"})}}}}));
  for (const char* value : {"0", "-1", "1.5", R"("86400")", "true", "[]", "1e30", "99999999999999999999"}) {
    EXPECT_TRUE(is_field_error(api.post(kTopics, std::string(R"({"name":"t","schema":[],"retention":)") + value + "}"),
                               "retention"))
        << value;
  }
}

TEST(TopicCreate, RefusesTopicOverTheQuota) {
  Api api({.settings = {"limits.topics_per_workspace=3"}});
  for (int i = 0; i < 3; ++i) api.topic();
  EXPECT_TRUE(
      is_error(api.post(kTopics, without_schema(Json::object())), 400, "invalid_parameter", "topic limit reached"));
  EXPECT_TRUE(is_ok(api.erase(Api::topic_path(api.get(kTopics).json()["data"][0]["id"]))));
  EXPECT_TRUE(is_ok(api.post(kTopics, without_schema(Json::object()))));
}

TEST(TopicCreate, ReturnsNullForAbsentDescription) {
  Api api;
  const auto topic = api.get(Api::topic_path(api.topic())).json()["data"];
  ASSERT_TRUE(topic.contains("description"));
  EXPECT_EQ(topic["description"], nullptr);
  EXPECT_TRUE(is_field_error(api.post(kTopics, without_schema({{"description", 5}})), "description"));
}

TEST(TopicCreate, ReportsAllMistakesTogether) {
  Api api;
  const auto response = api.post(kTopics, R"({"name":"","schema":{},"retention":0,"description":[]})");
  for (const char* field : {"name", "schema", "retention", "description"}) {
    EXPECT_TRUE(is_field_error(response, field));
  }
}

TEST(TopicCreate, IgnoresUnknownKeys) {
  Api api;
  EXPECT_TRUE(is_ok(api.post(kTopics, without_schema({{"folder_id", 17}, {"id", 5}, {"x", {{"y", 1}}}}))));
}

TEST(TopicCreate, TakesQueryKeysWhereTheBodyLacksThem) {
  Api api;
  const auto made = api.post(std::string(kTopics) + "?name=From%20the+URL&retention=3600&description=d&schema=%5B5%5D",
                             R"({"schema":[]})");
  ASSERT_TRUE(is_ok(made));
  const Json topic = made.json()["data"];
  EXPECT_EQ(topic["name"], "From the URL");
  EXPECT_EQ(topic["retention"], 3600);
  EXPECT_EQ(topic["description"], "d");
  EXPECT_EQ(topic["schema"], Json::array());
  // The body wins; the schema is taken from the body only.
  const auto body_wins =
      api.post(std::string(kTopics) + "?name=url&retention=1", R"({"name":"body","retention":2,"schema":[]})");
  EXPECT_EQ(body_wins.json()["data"]["name"], "body");
  EXPECT_EQ(body_wins.json()["data"]["retention"], 2);
  EXPECT_TRUE(is_field_error(api.post(std::string(kTopics) + "?name=n&schema=%5B%5D", "{}"), "schema"));
  EXPECT_TRUE(is_field_error(api.post(std::string(kTopics) + "?name=n&retention=x", R"({"schema":[]})"), "retention"));
  const auto updated = api.put(Api::topic_path(topic["id"]) + "?name=Renamed&retention=7200", "{}");
  EXPECT_EQ(updated.json()["data"]["name"], "Renamed");
  EXPECT_EQ(updated.json()["data"]["retention"], 7200);
  EXPECT_EQ(updated.json()["data"]["description"], "d");
}

TEST(TopicCreate, RefusesBodyThatIsNoJsonObject) {
  Api api;
  for (const char* body : {"[]", "5", "null", R"("x")"}) {
    EXPECT_TRUE(is_error(api.post(kTopics, body), 400, "invalid_parameter")) << body;
  }
  for (const char* body : {"{", "name=t", R"({"name":"t","schema":[])"}) {
    EXPECT_TRUE(is_error(api.post(kTopics, body), 400, "invalid_json")) << body;
  }
}

TEST(TopicRead, AnswersNotFoundForUnknownAndOddIds) {
  Api api;
  const auto topic = api.topic();
  const std::string id = std::to_string(topic);
  for (const std::string& odd :
       std::vector<std::string>{"999999", "0", "-1", "abc", "1.0", "+" + id, "0x1", "99999999999999999999",
                                "18446744073709551617", std::string(400, '9'), "%C3%A9", "%20" + id, "1e0", "1,2"}) {
    EXPECT_TRUE(is_error(api.get(std::string(kTopics) + "/" + odd), 404, "not_found")) << odd;
    EXPECT_EQ(api.get(std::string(kTopics) + "/" + odd).json(),
              (Json{{"message", "Not found"}, {"code", "not_found"}}));
    EXPECT_TRUE(is_error(api.put(std::string(kTopics) + "/" + odd, "{}"), 404, "not_found")) << odd;
    EXPECT_TRUE(is_error(api.put(std::string(kTopics) + "/" + odd + "/purge", ""), 404, "not_found")) << odd;
    EXPECT_TRUE(is_error(api.erase(std::string(kTopics) + "/" + odd), 404, "not_found")) << odd;
  }
  EXPECT_TRUE(is_ok(api.get(Api::topic_path(topic))));
}

TEST(TopicRead, AcceptsTrailingSlashAndPercentEscapes) {
  Api api;
  const auto topic = api.topic();
  EXPECT_TRUE(is_ok(api.get(Api::topic_path(topic) + "/")));
  EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic) + "/", "{}")));
  EXPECT_TRUE(is_ok(api.get(Api::topic_path(topic) + "?x=y")));
}

TEST(TopicUpdate, ChangesOnlyWhatIsGiven) {
  Api api;
  const auto topic = api.topic({.name = "n", .schema = R"([{"name":"a"}])", .retention = 100, .description = "d"});
  const Json before = api.get(Api::topic_path(topic)).json()["data"];
  const auto check = [&](const char* patch, const char* key, const Json& value) {
    const Json was = api.get(Api::topic_path(topic)).json()["data"];
    const auto response = api.put(Api::topic_path(topic), patch);
    ASSERT_TRUE(is_ok(response)) << patch;
    Json expected = was;
    expected[key] = value;
    expected["updated_at"] = response.json()["data"]["updated_at"];
    EXPECT_EQ(response.json()["data"], expected) << patch;
    EXPECT_EQ(api.get(Api::topic_path(topic)).json()["data"], expected) << patch;
  };
  check(R"({"schema":[{"name":"b"}]})", "schema", Json::parse(R"([{"name":"b"}])"));
  check(R"({"name":"m"})", "name", "m");
  check(R"({"retention":200})", "retention", 200);
  check(R"({"description":"e"})", "description", "e");
  check(R"({"description":null})", "description", nullptr);
  EXPECT_EQ(api.get(Api::topic_path(topic)).json()["data"]["created_at"], before["created_at"]);
}

TEST(TopicUpdate, KeepsEverythingForEmptyPatch) {
  Api api;
  const auto topic = api.topic({.retention = 100});
  const auto before = api.get(Api::topic_path(topic)).body;
  for (const char* patch : {"{}", R"({"unknown":1})", R"({"retention":100})"}) {
    EXPECT_EQ(api.put(Api::topic_path(topic), patch).body, before) << patch;
  }
}

TEST(TopicUpdate, MovesUpdatedAtOnEveryEffectiveChange) {
  Api api;
  const auto topic = api.topic();
  const Json before = api.get(Api::topic_path(topic)).json()["data"];
  int retention = 1000;
  ASSERT_TRUE(eventually([&] {  // until the clock shows a later millisecond
    const auto response = api.put(Api::topic_path(topic), Json{{"retention", ++retention}}.dump());
    EXPECT_GE(response.json()["data"]["updated_at"].get<std::string>(), before["updated_at"].get<std::string>());
    return response.json()["data"]["updated_at"] > before["updated_at"];
  }));
}

TEST(TopicUpdate, RefusesNullForAllButDescription) {
  Api api;
  const auto topic = api.topic();
  for (const char* key : {"name", "schema", "retention"}) {
    EXPECT_TRUE(is_field_error(api.put(Api::topic_path(topic), Json{{key, nullptr}}.dump()), key)) << key;
  }
}

TEST(TopicUpdate, ChecksValuesAsCreateDoes) {
  Api api;
  const auto topic = api.topic({.name = "mine"});
  api.topic({.name = "taken"});
  const auto path = Api::topic_path(topic);
  const auto taken = api.put(path, R"({"name":"taken"})");
  EXPECT_TRUE(is_field_error(taken, "name"));
  EXPECT_EQ(taken.json()["errors"]["name"], Json::array({"has already been taken"}));
  EXPECT_TRUE(is_ok(api.put(path, R"({"name":"mine"})")));  // its own name is free for it
  EXPECT_TRUE(is_field_error(api.put(path, R"({"name":" "})"), "name"));
  EXPECT_TRUE(is_field_error(api.put(path, R"({"retention":0})"), "retention"));
  EXPECT_TRUE(is_field_error(api.put(path, R"({"retention":7776001})"), "retention", "must be at most 7776000"));
  EXPECT_TRUE(is_field_error(api.put(path, R"({"schema":[{"name":"a","type":"x"}]})"), "schema", "a"));
  EXPECT_TRUE(is_error(api.put(path, "[]"), 400, "invalid_parameter"));
  EXPECT_TRUE(is_error(api.put(path, "{"), 400, "invalid_json"));
}

TEST(TopicUpdate, ChangesNothingWhenOneValueIsBad) {
  Api api;
  const auto topic = api.topic({.name = "n"});
  EXPECT_TRUE(is_field_error(api.put(Api::topic_path(topic), R"({"name":"m","retention":0})"), "retention"));
  EXPECT_EQ(api.get(Api::topic_path(topic)).json()["data"]["name"], "n");
}

TEST(TopicUpdate, KeepsRetentionWhenAbsent) {
  Api api;
  const auto topic = api.topic({.retention = 1234});
  api.put(Api::topic_path(topic), R"({"name":"renamed"})");
  EXPECT_EQ(api.get(Api::topic_path(topic)).json()["data"]["retention"], 1234);
}

TEST(TopicUpdate, ReplacesTheSchemaAsAWhole) {
  Api api;
  const auto topic = api.topic({.schema = R"([{"name":"a","type":"string","optional":false}])"});
  EXPECT_TRUE(is_error(api.post(Api::publish_path(topic), R"({"b":1})"), 400, "schema_violation", "a"));
  EXPECT_TRUE(is_ok(api.put(Api::topic_path(topic), R"({"schema":[{"name":"b","type":"integer","optional":false}]})")));
  EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), R"({"b":1})")));  // not merged by name
  EXPECT_TRUE(is_error(api.post(Api::publish_path(topic), R"({"a":"x"})"), 400, "schema_violation", "b"));
}

TEST(TopicUpdate, KeepsStoredMessagesReadableAfterSchemaChange) {
  Api api;
  const auto topic = api.topic({.schema = R"([{"name":"a","type":"string"}])"});
  const auto id = api.publish(topic, R"({"a":"old"})");
  EXPECT_TRUE(is_ok(api.put(Api::topic_path(topic), R"({"schema":[{"name":"a","type":"integer","optional":false}]})")));
  api.publish(topic, R"({"a":5})");
  const auto read = api.messages(topic);
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].id, id);
  EXPECT_EQ(read[0].payload, R"({"a":"old"})");
}

TEST(TopicUpdate, FreesTheOldName) {
  Api api;
  const auto topic = api.topic({.name = "before"});
  EXPECT_TRUE(is_ok(api.put(Api::topic_path(topic), R"({"name":"after"})")));
  api.topic({.name = "before"});
  EXPECT_TRUE(is_field_error(api.post(kTopics, R"({"name":"after","schema":[]})"), "name", "taken"));
}

TEST(TopicPurge, DropsAllMessagesAndGoesOnWithTheIds) {
  Api api;
  const auto topic = api.topic();
  const auto ids = api.publish_numbers(topic, 120);
  EXPECT_TRUE(is_ok(api.put(Api::purge_path(topic), ""), kSuccess));
  EXPECT_TRUE(api.messages(topic).empty());
  const auto id = api.publish(topic, R"({"a":1})");
  EXPECT_GT(id, ids.back());
  const auto read = api.messages(topic);
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read[0].id, id);
}

TEST(TopicPurge, SucceedsOnEmptyTopicAndAgain) {
  Api api;
  const auto topic = api.topic();
  EXPECT_TRUE(is_ok(api.put(Api::purge_path(topic), ""), kSuccess));
  EXPECT_TRUE(is_ok(api.put(Api::purge_path(topic), "{}"), kSuccess));
  EXPECT_TRUE(is_ok(api.put(Api::purge_path(topic) + "/", "ignored"), kSuccess));
}

TEST(TopicPurge, KeepsTheTopicItself) {
  Api api;
  const auto topic = api.topic({.schema = R"([{"name":"a"}])", .retention = 99, .description = "d"});
  const auto before = api.get(Api::topic_path(topic)).body;
  EXPECT_TRUE(is_ok(api.put(Api::purge_path(topic), ""), kSuccess));
  EXPECT_EQ(api.get(Api::topic_path(topic)).body, before);
}

TEST(TopicPurge, ClearsTheLastActivity) {
  Api api;
  const auto older = api.topic();
  const auto newer = api.topic();
  ASSERT_TRUE(eventually([&] {
    api.publish(older, "{}");
    return api.get(std::string(kTopics) + "?sort=activity").json()["data"][0]["id"] == older;
  }));
  EXPECT_TRUE(is_ok(api.put(Api::purge_path(older), ""), kSuccess));
  EXPECT_EQ(api.get(std::string(kTopics) + "?sort=activity").json()["data"][0]["id"], newer);
}

TEST(TopicPurge, LeavesOtherTopicsAlone) {
  Api api;
  const auto purged = api.topic();
  const auto kept = api.topic();
  api.publish_numbers(purged, 5);
  api.publish_numbers(kept, 5);
  EXPECT_TRUE(is_ok(api.put(Api::purge_path(purged), ""), kSuccess));
  EXPECT_EQ(api.messages(kept).size(), 5u);
}

TEST(TopicDelete, AnswersNotFoundForEverythingAfterwards) {
  Api api;
  const auto topic = api.topic();
  api.publish_numbers(topic, 5);
  EXPECT_TRUE(is_ok(api.erase(Api::topic_path(topic)), kSuccess));
  EXPECT_TRUE(is_error(api.get(Api::topic_path(topic)), 404, "not_found", "Not found"));
  EXPECT_TRUE(is_error(api.put(Api::topic_path(topic), "{}"), 404, "not_found"));
  EXPECT_TRUE(is_error(api.put(Api::purge_path(topic), ""), 404, "not_found"));
  EXPECT_TRUE(is_error(api.post(Api::publish_path(topic), "{}"), 404, "not_found"));
  EXPECT_TRUE(is_error(api.post(Api::batch_path(topic), R"({"payloads":[{}]})"), 404, "not_found"));
  EXPECT_TRUE(is_error(api.consume(topic), 404, "not_found"));
  EXPECT_TRUE(is_error(api.erase(Api::topic_path(topic)), 404, "not_found"));
  EXPECT_EQ(api.get(kTopics).json()["count"], 0);
}

TEST(TopicDelete, NeverReusesTheId) {
  Api api;
  std::int64_t last = 0;
  for (int i = 0; i < 5; ++i) {
    const auto topic = api.topic();
    EXPECT_GT(topic, last);
    last = topic;
    EXPECT_TRUE(is_ok(api.erase(Api::topic_path(topic)), kSuccess));
  }
}

TEST(TopicDelete, HidesOldMessagesFromANewTopicOfTheSameName) {
  Api api;
  const auto first = api.topic({.name = "t"});
  api.publish_numbers(first, 5);
  EXPECT_TRUE(is_ok(api.erase(Api::topic_path(first)), kSuccess));
  EXPECT_TRUE(api.messages(api.topic({.name = "t"})).empty());
}

TEST(TopicApi, AnswersNotFoundForTheResellerPaths) {
  Api api;
  EXPECT_TRUE(is_error(api.get("/api/managed_users/1/event_streams/topics"), 404, "not_found"));
}

}  // namespace
}  // namespace weir::test
