#include "support/api.h"

// POST /api/v1/topics/:topic_id/publish
namespace weir::test {
namespace {

constexpr std::size_t kMessageMax = 1'048'576;

/// A JSON object of exactly `bytes` bytes.
std::string object_of(std::size_t bytes) {
  const std::string frame = R"({"p":""})";
  return R"({"p":")" + std::string(bytes - frame.size(), 'x') + "\"}";
}

TEST(Publish, AnswersExactlyTheMessageId) {
  Api api;
  const auto topic = api.topic();
  const auto response = api.post(Api::publish_path(topic), R"({"ShipmentId":"S-120","WeightKg":7})");
  ASSERT_TRUE(is_ok(response));
  const Json body = response.json();
  EXPECT_EQ(body.size(), 1u);
  ASSERT_TRUE(body["message_id"].is_string());
  EXPECT_EQ(api.messages(topic).at(0).id, body["message_id"]);
}

TEST(Publish, RefusesMessageThatIsNotAnObject) {
  Api api;
  const auto topic = api.topic();
  for (const char* body : {"[]", R"([{"a":1}])", R"("x")", "5", "null", "true"}) {
    EXPECT_TRUE(is_error(api.post(Api::publish_path(topic), body), 400, "schema_violation")) << body;
  }
  EXPECT_TRUE(api.messages(topic).empty());
}

TEST(Publish, TakesEmptyObjectOnlyWhenNoFieldIsRequired) {
  Api api;
  const auto open = api.topic({.schema = R"([{"name":"a","type":"string","optional":true}])"});
  const auto strict = api.topic({.schema = R"([{"name":"a","type":"string","optional":false}])"});
  api.publish(open, "{}");
  EXPECT_TRUE(is_error(api.post(Api::publish_path(strict), "{}"), 400, "schema_violation", "a"));
}

TEST(Publish, RefusesEmptyBodyAndInvalidJson) {
  Api api;
  const auto topic = api.topic();
  for (const char* body : {"",
                           "  \n",
                           "{",
                           "}",
                           R"({"a":})",
                           R"({"a":1,})",
                           R"({a:1})",
                           R"({"a":01})",
                           R"({"a":+1})",
                           R"({"a":.5})",
                           R"({"a":1.})",
                           R"({"a":NaN})",
                           R"({"a":"\x"})",
                           R"({"a":"\u12"})",
                           "{} {}",
                           R"({"a":1}x)",
                           "{\"a\":\"line\nbreak\"}",
                           R"({"a":tru})",
                           "nul",
                           "\xef\xbb\xbf{"}) {
    EXPECT_TRUE(is_error(api.post(Api::publish_path(topic), body), 400, "invalid_json")) << "body: " << body;
  }
  EXPECT_TRUE(api.messages(topic).empty());
}

TEST(Publish, RefusesInvalidUtf8) {
  Api api;
  const auto topic = api.topic();
  for (const char* bad : {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\x80"}) {
    EXPECT_TRUE(
        is_error(api.post(Api::publish_path(topic), std::string(R"({"a":")") + bad + "\"}"), 400, "invalid_json"));
    EXPECT_TRUE(
        is_error(api.post(Api::publish_path(topic), std::string(R"({")") + bad + "\":1}"), 400, "invalid_json"));
  }
  EXPECT_TRUE(api.messages(topic).empty());
}

TEST(Publish, RefusesLoneSurrogatesAndKeepsPairs) {
  Api api;
  const auto topic = api.topic();
  for (const char* lone : {R"("\ud800")", R"("\udc00")", R"("\ud800x")", R"("\ud800\ud800")"}) {
    EXPECT_TRUE(is_error(api.post(Api::publish_path(topic), std::string(R"({"a":)") + lone + "}"), 400, "invalid_json"))
        << lone;
  }
  EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), R"({"a":"\ud83d\ude00"})")));
  EXPECT_EQ(api.messages(topic).at(0).payload, R"({"a":"\ud83d\ude00"})");
}

TEST(Publish, RefusesJsonNestedTooDeeply) {
  Api api;
  const auto topic = api.topic();
  const auto nested = [](int depth) {
    std::string text = R"({"a":)";
    for (int i = 1; i < depth; ++i) text += '[';
    text += '1';
    for (int i = 1; i < depth; ++i) text += ']';
    return text + "}";
  };
  EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), nested(64))));
  EXPECT_EQ(api.post(Api::publish_path(topic), nested(65)).status, 400);
  EXPECT_EQ(api.post(Api::publish_path(topic), nested(100'000)).status, 400);
  EXPECT_EQ(api.messages(topic).size(), 1u);
}

TEST(Publish, LetsTheLastOfDuplicateKeysWin) {
  Api api;
  const auto topic = api.topic({.schema = R"([{"name":"a","type":"string","optional":false}])"});
  EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), R"({"a":1,"a":"text"})")));
  EXPECT_TRUE(is_error(api.post(Api::publish_path(topic), R"({"a":"text","a":1})"), 400, "schema_violation", "a"));
  const auto read = api.messages(topic);
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(Json::parse(read[0].payload)["a"], "text");
}

TEST(Publish, RefusesMessageThatBreaksTheSchemaAndNamesEveryPath) {
  Api api;
  const auto topic = api.topic({.schema = R"([{"name":"Id","type":"string","optional":false},
      {"name":"Weight","type":"number","optional":false},{"name":"Fragile","type":"boolean"}])"});
  const auto response = api.post(Api::publish_path(topic), R"({"Weight":"heavy","Fragile":1})");
  ASSERT_TRUE(is_error(response, 400, "schema_violation"));
  const Json errors = response.json().at("errors");
  EXPECT_TRUE(errors.contains("Id"));
  EXPECT_TRUE(errors.contains("Weight"));
  EXPECT_TRUE(errors.contains("Fragile"));
  EXPECT_EQ(errors.size(), 3u);
  EXPECT_NE(errors["Id"].dump().find("required field is missing"), std::string::npos) << errors;
  EXPECT_NE(errors["Weight"].dump().find("number"), std::string::npos) << errors;  // the expected type
  EXPECT_NE(errors["Fragile"].dump().find("true or false"), std::string::npos) << errors;
  EXPECT_TRUE(api.messages(topic).empty());
}

TEST(Publish, KeepsKeysThatAreNotInTheSchema) {
  Api api;
  const auto topic = api.topic({.schema = R"([{"name":"a","type":"string"}])"});
  const std::string payload = R"({"z":[1,{"y":null}],"a":"x","b":2})";
  api.publish(topic, payload);
  EXPECT_EQ(api.messages(topic).at(0).payload, payload);
}

TEST(Publish, RefusesUnknownKeysWhenToldTo) {
  Api api({.settings = {"publish.unknown_fields=reject"}});
  const auto topic = api.topic({.schema = R"([{"name":"a","type":"string"}])"});
  EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), R"({"a":"x"})")));
  const auto response = api.post(Api::publish_path(topic), R"({"a":"x","b":2})");
  EXPECT_TRUE(is_error(response, 400, "schema_violation", "b"));
}

TEST(Publish, IgnoresContentType) {
  Api api;
  const auto topic = api.topic();
  for (const char* type : {"application/json", "application/x-www-form-urlencoded", "text/plain",
                           "application/json; charset=utf-8", "application/json;charset=\"UTF-8\"", "garbage"}) {
    EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), R"({"a":1})", {{"Content-Type", type}}))) << type;
  }
  EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), R"({"a":1})")));
  EXPECT_EQ(api.messages(topic).size(), 7u);
}

TEST(Publish, RefusesACompressedBodyInWords) {
  Api api;
  const auto topic = api.topic();
  EXPECT_TRUE(is_error(api.post(Api::publish_path(topic), "\x1f\x8b", {{"Content-Encoding", "gzip"}}), 415,
                       "unsupported_media_type", "Content-Encoding"));
  EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), "{}", {{"Content-Encoding", "identity"}})));
}

TEST(Publish, RefusesMultipart) {
  Api api;
  const auto topic = api.topic();
  for (const char* type : {"multipart/form-data; boundary=x", "Multipart/Mixed"}) {
    EXPECT_EQ(api.post(Api::publish_path(topic), R"({"a":1})", {{"Content-Type", type}}).status, 415) << type;
    EXPECT_EQ(api.post(Api::batch_path(topic), R"({"payloads":[{}]})", {{"Content-Type", type}}).status, 415) << type;
  }
  EXPECT_TRUE(api.messages(topic).empty());
}

TEST(Publish, RefusesOtherCharsets) {
  Api api;
  const auto topic = api.topic();
  for (const char* type : {"application/json; charset=iso-8859-1", "application/json; charset=utf-16"}) {
    EXPECT_EQ(api.post(Api::publish_path(topic), R"({"a":1})", {{"Content-Type", type}}).status, 400) << type;
  }
  EXPECT_TRUE(api.messages(topic).empty());
}

TEST(Publish, TakesExactlyTheLargestMessage) {
  Api api;
  const auto topic = api.topic();
  const std::string largest = object_of(kMessageMax);
  EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), largest)));
  EXPECT_EQ(api.messages(topic).at(0).payload, largest);
}

TEST(Publish, RefusesOneByteMoreThanTheLargestMessage) {
  Api api;
  const auto topic = api.topic();
  auto connection = api.connect();
  const auto request = http_request("POST", Api::publish_path(topic), object_of(kMessageMax + 1),
                                    {{"Authorization", "Bearer " + std::string(kAdminToken)}});
  (void)connection.try_send(request);  // the refusal may come while the body is still on its way
  EXPECT_TRUE(is_error(connection.read(), 413, "payload_too_large"));
  // White space counts: the limit is on the bytes as received.
  Client client(api.server());
  client.begin("POST", Api::publish_path(topic), "{}" + std::string(kMessageMax, ' '));
  EXPECT_TRUE(is_error(client.finish(), 413, "payload_too_large"));
  EXPECT_TRUE(api.messages(topic).empty());
}

TEST(Publish, FollowsTheConfiguredMessageLimit) {
  Api api({.settings = {"limits.message_bytes_max=2048"}});
  const auto topic = api.topic();
  EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), object_of(2048))));
  EXPECT_TRUE(
      is_error(Client(api.server()).post(Api::publish_path(topic), object_of(2049)), 413, "payload_too_large", "2048"));
}

TEST(Publish, KeepsTheBytesOfThePayload) {
  Api api;
  const auto topic = api.topic();
  const std::vector<std::string> payloads{
      R"({"n":12345678901234567890123456789})",
      R"({"n":1.0})",
      R"({"n":1.10e+05,"m":-0,"k":-0.0,"x":1E400})",
      R"({"z":1,"a":2,"m":{"y":1,"b":2}})",
      R"({"s":"\u00e9\n\/\"\\ é € 😀 \ud83d\ude00"})",
      R"({"":"","\u0000":"\u0000"})",
      R"({"a":[],"b":{},"c":[[],{}],"d":null,"e":true,"f":false})",
      R"({"message_id":"x","payload":{"payload":1},"time":"now"})",
  };
  for (const auto& payload : payloads) api.publish(topic, payload);
  const auto read = api.messages(topic);
  ASSERT_EQ(read.size(), payloads.size());
  for (std::size_t i = 0; i < payloads.size(); ++i) EXPECT_EQ(read[i].payload, payloads[i]);
}

TEST(Publish, DropsInsignificantWhiteSpaceOnly) {
  Api api;
  const auto topic = api.topic();
  api.publish(topic, " {\r\n\t\"a b\" : [ 1 , 2 ] , \"c\" : \"x  y\\t\" }\n ");
  EXPECT_EQ(api.messages(topic).at(0).payload, R"({"a b":[1,2],"c":"x  y\t"})");
}

TEST(Publish, StoresADuplicateForARetryWithoutKey) {
  Api api;
  const auto topic = api.topic();
  EXPECT_NE(api.publish(topic, R"({"same":1})"), api.publish(topic, R"({"same":1})"));
  EXPECT_EQ(api.messages(topic).size(), 2u);
}

TEST(Publish, StoresOneMessageWhateverItsKeys) {
  Api api;
  const auto topic = api.topic();
  const std::string payload = R"({"payload":[{"a":1},{"a":2}],"payloads":[{"a":3}]})";
  api.publish(topic, payload);
  const auto read = api.messages(topic);
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read[0].payload, payload);
}

TEST(Publish, IsReadableAsSoonAsItIsAnswered) {
  Api api;
  const auto topic = api.topic();
  for (int i = 0; i < 50; ++i) {
    const auto id = api.publish(topic, R"({"i":)" + std::to_string(i) + "}");
    Client other(api.server());  // another connection, perhaps served by another thread
    const auto read = split_messages(other.post(Api::consume_path(topic), "{}").body);
    ASSERT_EQ(read.size(), static_cast<std::size_t>(i + 1));
    EXPECT_EQ(read.back().id, id);
  }
}

TEST(Publish, SaysHowDurableItIs) {
  {
    Api api;
    const auto topic = api.topic();
    EXPECT_EQ(api.post(Api::publish_path(topic), "{}").header("Weir-Durability"), "fsync");
    EXPECT_EQ(api.post(Api::batch_path(topic), R"({"payloads":[{}]})").header("Weir-Durability"), "fsync");
  }
  Api api({.settings = {"storage.durability=os"}});
  const auto topic = api.topic();
  EXPECT_EQ(api.post(Api::publish_path(topic), "{}").header("Weir-Durability"), "os");
  EXPECT_EQ(api.post(Api::batch_path(topic), R"({"payloads":[{}]})").header("Weir-Durability"), "os");
}

TEST(Publish, ServesTheLegacyPathAlike) {
  Api api;
  const auto topic = api.topic({.schema = R"([{"name":"a","type":"string","optional":false}])"});
  const std::string path = "/api/pubsub/topics/" + std::to_string(topic) + "/publish";
  const auto response = api.post(path, R"({"a":"x"})");
  ASSERT_TRUE(is_ok(response));
  EXPECT_EQ(response.json().size(), 1u);
  EXPECT_EQ(api.messages(topic).at(0).id, response.json()["message_id"]);
  EXPECT_TRUE(is_error(api.post(path, "{}"), 400, "schema_violation", "a"));
}

TEST(Publish, WorksWithInlineCommit) {
  Api api({.settings = {"storage.commit=inline", "server.threads=1"}});
  const auto topic = api.topic();
  run_together(8, [&](std::size_t i) {
    Client client(api.server());
    for (int n = 0; n < 20; ++n) {
      EXPECT_TRUE(is_ok(client.post(Api::publish_path(topic), R"({"w":)" + std::to_string(i) + "}")));
    }
  });
  EXPECT_EQ(api.all_messages(topic).size(), 160u);
  api.restart();
  EXPECT_EQ(api.all_messages(topic).size(), 160u);
}

TEST(Publish, ReportsTheFirstFailureInTheAgreedOrder) {
  Api api;
  const auto topic = api.topic({.schema = R"([{"name":"a","type":"string","optional":false}])"});
  const std::string consume_only = api.token({"consume"});
  Client anonymous(api.server(), "");
  Client reader(api.server(), consume_only);
  // route (404) before method (405) before token (401) before privilege (403) before length (413) before topic (404)
  // before JSON before schema
  EXPECT_TRUE(is_error(anonymous.post("/api/v1/topics/1/publishx", "x"), 404, "not_found"));
  EXPECT_TRUE(is_error(anonymous.get("/api/v1/topics/999999/publish"), 405, "method_not_allowed"));
  EXPECT_TRUE(is_error(anonymous.post("/api/v1/topics/999999/publish", "x"), 401, "unauthorized"));
  EXPECT_TRUE(is_error(reader.post("/api/v1/topics/999999/publish", "x"), 403, "forbidden"));
  {
    Client client(api.server());
    client.connection().send("POST /api/v1/topics/999999/publish HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " +
                             std::string(kAdminToken) + "\r\nContent-Length: 99999999\r\n\r\n");
    EXPECT_TRUE(is_error(client.finish(), 413, "payload_too_large"));
  }
  EXPECT_TRUE(is_error(api.post("/api/v1/topics/999999/publish", "x"), 404, "not_found"));
  EXPECT_TRUE(is_error(api.post(Api::publish_path(topic), "x"), 400, "invalid_json"));
  EXPECT_TRUE(is_error(api.post(Api::publish_path(topic), "{}"), 400, "schema_violation"));
}

TEST(Publish, AnswersNotFoundForUnknownTopicAndOddIds) {
  Api api;
  const auto topic = api.topic();
  for (const std::string& id :
       std::vector<std::string>{"999999", "0", "-1", "abc", "1.0", "01" + std::to_string(topic), "99999999999999999999",
                                std::string(300, '1'), "%31x", "+1", "0x1", "%C3%A9"}) {
    EXPECT_TRUE(is_error(api.post("/api/v1/topics/" + id + "/publish", "{}"), 404, "not_found", "Not found")) << id;
  }
}

}  // namespace
}  // namespace weir::test
