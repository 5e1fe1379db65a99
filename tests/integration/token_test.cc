#include "support/api.h"

// Tokens: through the admin API, and with `weir token` against a running and a stopped server.
namespace weir::test {
namespace {

constexpr const char* kTokens = "/api/admin/tokens";

CommandResult weir_token(const ServerProcess& server, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "token");
  arguments.insert(arguments.end(), {"--url", server.url(), "--token", std::string(kAdminToken), "--json"});
  return run_weir(std::move(arguments));
}

CommandResult weir_token_offline(const ServerProcess& server, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "token");
  arguments.insert(arguments.end(), {"--data-dir", server.data_dir().string(), "--json"});
  return run_weir(std::move(arguments));
}

/// Output of a command that must have succeeded.
Json output(const CommandResult& result) {
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const Json parsed = Json::parse(result.out, nullptr, false);
  EXPECT_FALSE(parsed.is_discarded()) << result.out << result.err;
  return parsed;
}

/// Commands and API say the same; the command's JSON may come with or without the "data" around it.
Json unwrapped(const Json& value) {
  return value.is_object() && value.contains("data") ? value.at("data") : value;
}

TEST(Token, IsShownOnceAndListedWithoutSecret) {
  Api api;
  const auto topic = api.topic();
  const auto made =
      api.post(kTokens, Json{{"name", "shop"}, {"privileges", {"publish", "consume"}}, {"topics", {topic}}}.dump());
  ASSERT_TRUE(is_ok(made));
  const Json token = made.json()["data"];
  const std::string text = token["token"];
  EXPECT_EQ(text.substr(0, 5), "weir_");
  EXPECT_EQ(text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"),
            std::string::npos);
  EXPECT_GE(text.substr(text.rfind('_') + 1).size(), 27u);  // 160 bits in base 62
  EXPECT_EQ(token["name"], "shop");
  EXPECT_EQ(token["privileges"], (Json{"publish", "consume"}));
  EXPECT_EQ(token["topics"], Json{topic});
  EXPECT_EQ(token["expires_at"], nullptr);

  const auto list = api.get(kTokens);
  ASSERT_TRUE(is_ok(list));
  EXPECT_EQ(list.json()["count"], 1);
  EXPECT_EQ(list.json()["data"][0]["id"], token["id"]);
  EXPECT_FALSE(list.json()["data"][0].contains("token"));
  EXPECT_EQ(list.body.find(text.substr(text.rfind('_') + 1)), std::string::npos);
}

TEST(Token, WorksAtOnceAndIsRefusedAfterRevocation) {
  Api api;
  const auto topic = api.topic();
  const auto made = api.post(kTokens, R"({"name":"t","privileges":["publish"]})").json()["data"];
  Client client(api.server(), made["token"].get<std::string>());
  EXPECT_TRUE(is_ok(client.post(Api::publish_path(topic), "{}")));
  EXPECT_TRUE(is_ok(api.erase(std::string(kTokens) + "/" + made["id"].get<std::string>()),
                    {{"data", {{"status", "success"}}}}));
  EXPECT_TRUE(is_error(client.post(Api::publish_path(topic), "{}"), 401, "unauthorized"));
  EXPECT_EQ(api.get(kTokens).json()["count"], 0);
  EXPECT_TRUE(is_error(api.erase(std::string(kTokens) + "/" + made["id"].get<std::string>()), 404, "not_found"));
}

TEST(Token, ReadsNothingMoreOnceRevokedNotEvenThroughAWaitingPoll) {
  Api api;
  const auto topic = api.topic();
  const auto made = api.post(kTokens, R"({"name":"reader","privileges":["consume"]})");
  ASSERT_TRUE(is_ok(made));
  Client reader = api.client_with(made.json()["data"]["token"].get<std::string>());
  reader.begin("POST", Api::consume_path(topic), R"({"timeout_secs":60})");
  ASSERT_TRUE(api.polls_waiting(1));
  ASSERT_TRUE(is_ok(api.erase(std::string(kTokens) + "/" + made.json()["data"]["id"].get<std::string>())));
  api.publish(topic, R"({"secret":1})");
  EXPECT_TRUE(is_error(reader.finish(), 401, "unauthorized"));
}

TEST(Token, LetsTwoLiveForRotation) {
  Api api;
  const auto topic = api.topic();
  const auto first = api.post(kTokens, R"({"name":"same","privileges":["publish"]})").json()["data"];
  const auto second = api.post(kTokens, R"({"name":"same","privileges":["publish"]})").json()["data"];
  EXPECT_NE(first["id"], second["id"]);
  Client a(api.server(), first["token"].get<std::string>());
  Client b(api.server(), second["token"].get<std::string>());
  EXPECT_TRUE(is_ok(a.post(Api::publish_path(topic), "{}")));
  EXPECT_TRUE(is_ok(b.post(Api::publish_path(topic), "{}")));
  api.erase(std::string(kTokens) + "/" + first["id"].get<std::string>());
  EXPECT_TRUE(is_error(a.post(Api::publish_path(topic), "{}"), 401, "unauthorized"));
  EXPECT_TRUE(is_ok(b.post(Api::publish_path(topic), "{}")));
}

TEST(Token, ExpiresAfterItsLifetime) {
  Api api;
  const auto topic = api.topic();
  const auto made = api.post(kTokens, R"({"name":"short","privileges":["consume"],"expires_in":1})").json()["data"];
  EXPECT_TRUE(made["expires_at"].is_string());
  Client client(api.server(), made["token"].get<std::string>());
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(eventually([&] { return client.post(Api::consume_path(topic), "{}").status == 401; }));
  EXPECT_GE(std::chrono::steady_clock::now() - start, 500ms);
}

TEST(Token, SurvivesRestartAndStaysRevoked) {
  Api api;
  const auto topic = api.topic();
  const auto kept = api.post(kTokens, R"({"name":"kept","privileges":["consume"]})").json()["data"];
  const auto gone = api.post(kTokens, R"({"name":"gone","privileges":["consume"]})").json()["data"];
  EXPECT_TRUE(is_ok(api.erase(std::string(kTokens) + "/" + gone["id"].get<std::string>())));
  api.crash();
  EXPECT_TRUE(is_ok(Client(api.server(), kept["token"].get<std::string>()).post(Api::consume_path(topic), "{}")));
  EXPECT_TRUE(is_error(Client(api.server(), gone["token"].get<std::string>()).post(Api::consume_path(topic), "{}"), 401,
                       "unauthorized"));
}

TEST(Token, RefusesBadInputFieldByField) {
  Api api;
  const auto bad = [&](const char* body, const char* field) {
    EXPECT_TRUE(is_field_error(api.post(kTokens, body), field)) << body;
  };
  bad(R"({"privileges":["publish"]})", "name");
  bad(R"({"name":"","privileges":["publish"]})", "name");
  bad(R"({"name":5,"privileges":["publish"]})", "name");
  bad(R"({"name":"t"})", "privileges");
  bad(R"({"name":"t","privileges":[]})", "privileges");
  bad(R"({"name":"t","privileges":["fly"]})", "privileges");
  bad(R"({"name":"t","privileges":"publish"})", "privileges");
  bad(R"({"name":"t","privileges":["publish"],"topics":[999999]})", "topics");
  bad(R"({"name":"t","privileges":["publish"],"topics":["x"]})", "topics");
  bad(R"({"name":"t","privileges":["publish"],"topics":[]})", "topics");
  bad(R"({"name":"t","privileges":["publish"],"expires_in":0})", "expires_in");
  bad(R"({"name":"t","privileges":["publish"],"expires_in":"1h"})", "expires_in");
  const auto topic = std::to_string(api.topic());
  bad((R"({"name":"t","privileges":["admin"],"topics":[)" + topic + "]}").c_str(), "topics");
  EXPECT_TRUE(is_error(api.post(kTokens, "{"), 400, "invalid_json"));
  EXPECT_TRUE(is_error(api.post(kTokens, "[]"), 400, "invalid_parameter"));
  EXPECT_EQ(api.get(kTokens).json()["count"], 0);
}

TEST(Token, AnswersNotFoundForUnknownIds) {
  Api api;
  for (const char* id : {"none", "%20", "0", "weir_x_y"}) {
    EXPECT_TRUE(is_error(api.erase(std::string(kTokens) + "/" + id), 404, "not_found")) << id;
  }
}

TEST(Token, RemembersItsLastUse) {
  Api api;
  const auto topic = api.topic();
  const auto made = api.post(kTokens, R"({"name":"t","privileges":["consume"]})").json()["data"];
  EXPECT_EQ(api.get(kTokens).json()["data"][0]["last_used_at"], nullptr);
  EXPECT_TRUE(is_ok(Client(api.server(), made["token"].get<std::string>()).post(Api::consume_path(topic), "{}")));
  const Json used = api.get(kTokens).json()["data"][0]["last_used_at"];
  EXPECT_TRUE(used.is_string());
  api.restart();  // a clean stop writes it
  EXPECT_TRUE(api.get(kTokens).json()["data"][0]["last_used_at"].is_string());
}

TEST(TokenCommand, WorksAgainstARunningServer) {
  Api api;
  const auto topic = api.topic();
  const auto other = api.topic();
  const Json made = unwrapped(output(weir_token(api.server(), {"create", "--name", "shop", "--privileges",
                                                               "publish,consume", "--topics", std::to_string(topic)})));
  Client client(api.server(), made.at("token").get<std::string>());
  EXPECT_TRUE(is_ok(client.post(Api::publish_path(topic), "{}")));
  EXPECT_TRUE(is_error(client.post(Api::publish_path(other), "{}"), 403, "forbidden"));
  EXPECT_TRUE(is_error(client.get(Api::topic_path(topic)), 403, "forbidden"));

  const Json list = unwrapped(output(weir_token(api.server(), {"list"})));
  ASSERT_EQ(list.size(), 1u) << list;
  EXPECT_EQ(list[0].at("name"), "shop");
  EXPECT_EQ(list[0].at("id"), made.at("id"));

  output(weir_token(api.server(), {"revoke", made.at("id").get<std::string>()}));
  EXPECT_TRUE(is_error(client.post(Api::publish_path(topic), "{}"), 401, "unauthorized"));
  EXPECT_TRUE(unwrapped(output(weir_token(api.server(), {"list"}))).empty());
}

TEST(TokenCommand, WorksOnAStoppedServersFolder) {
  Api api;
  const auto topic = api.topic();
  api.server().stop();
  const Json made =
      unwrapped(output(weir_token_offline(api.server(), {"create", "--name", "offline", "--privileges", "publish"})));
  const Json list = unwrapped(output(weir_token_offline(api.server(), {"list"})));
  ASSERT_EQ(list.size(), 1u) << list;
  EXPECT_EQ(list[0].at("id"), made.at("id"));
  api.server().start();
  EXPECT_TRUE(is_ok(Client(api.server(), made.at("token").get<std::string>()).post(Api::publish_path(topic), "{}")));
  api.server().stop();
  output(weir_token_offline(api.server(), {"revoke", made.at("id").get<std::string>()}));
  EXPECT_TRUE(unwrapped(output(weir_token_offline(api.server(), {"list"}))).empty());
  api.server().start();
  EXPECT_TRUE(is_error(Client(api.server(), made.at("token").get<std::string>()).post(Api::publish_path(topic), "{}"),
                       401, "unauthorized"));
}

TEST(TokenCommand, TakesExpiry) {
  Api api;
  const Json made = unwrapped(
      output(weir_token(api.server(), {"create", "--name", "t", "--privileges", "consume", "--expires-in", "3600"})));
  EXPECT_TRUE(made.at("expires_at").is_string());
}

TEST(TokenCommand, FailsWithReasonAndExitCode) {
  Api api;
  const auto fails = [](const CommandResult& result) {
    EXPECT_NE(result.exit_code, 0) << result.out;
    EXPECT_FALSE(result.err.empty() && result.out.empty());
  };
  fails(weir_token(api.server(), {"create", "--name", "t", "--privileges", "fly"}));
  fails(weir_token(api.server(), {"create", "--privileges", "publish"}));
  fails(weir_token(api.server(), {"revoke", "none"}));
  fails(weir_token(api.server(), {"revoke"}));
  fails(run_weir({"token", "list", "--url", api.server().url(), "--token", "not-the-admin-token-at-all"}));
  fails(run_weir({"token", "list", "--url", "http://127.0.0.1:1", "--token", std::string(kAdminToken)}));
  fails(run_weir({"token", "list", "--data-dir", (api.server().folder() / "nowhere").string()}));
  EXPECT_FALSE(std::filesystem::exists(api.server().folder() / "nowhere"));
  EXPECT_EQ(api.get(kTokens).json()["count"], 0);
}

TEST(TokenCommand, ShowsTheTokenWithoutJsonToo) {
  Api api;
  const auto topic = api.topic();
  const auto result = run_weir({"token", "create", "--name", "t", "--privileges", "consume", "--url",
                                api.server().url(), "--token", std::string(kAdminToken)});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto at = result.out.find("weir_");
  ASSERT_NE(at, std::string::npos) << result.out;
  const auto end = result.out.find_first_of(" \n\"'", at);
  Client client(api.server(), result.out.substr(at, end - at));
  EXPECT_TRUE(is_ok(client.post(Api::consume_path(topic), "{}")));
}

}  // namespace
}  // namespace weir::test
