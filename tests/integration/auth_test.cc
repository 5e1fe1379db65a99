#include <map>

#include "support/api.h"

// Who may do what: 401, 403 and 404 by one rule on every route.
namespace weir::test {
namespace {

const std::vector<std::string> kPrivileges{"publish",      "consume",      "topics:read",
                                           "topics:write", "topics:purge", "admin"};

/// A route that works on one topic; `:id` stands for the topic.
struct TopicRoute {
  std::string method;
  std::string path;
  std::string body;
  std::string privilege;
};

void PrintTo(const TopicRoute& route, std::ostream* to) {
  *to << route.method << ' ' << route.path;
}

const std::vector<TopicRoute> kTopicRoutes{
    {"POST", "/api/v1/topics/:id/consume", "{}", "consume"},
    {"POST", "/api/v1/topics/:id/publish", R"({"a":1})", "publish"},
    {"POST", "/api/v1/batch/topics/:id/publish", R"({"payloads":[{"a":1}]})", "publish"},
    {"POST", "/api/pubsub/topics/:id/consume", "{}", "consume"},
    {"POST", "/api/pubsub/topics/:id/publish", R"({"a":1})", "publish"},
    {"POST", "/api/pubsub/batch/topics/:id/publish", R"({"payloads":[{"a":1}]})", "publish"},
    {"GET", "/api/event_streams/topics/:id", "", "topics:read"},
    {"PUT", "/api/event_streams/topics/:id", "{}", "topics:write"},
    {"PUT", "/api/event_streams/topics/:id/purge", "", "topics:purge"},
    {"GET", "/api/admin/topics/:id/stats", "", "topics:read"},
    {"DELETE", "/api/event_streams/topics/:id", "", "topics:write"},  // last: its topic is gone afterwards
};
const std::vector<TopicRoute> kOtherRoutes{
    {"GET", "/api/event_streams/topics", "", "topics:read"},
    {"POST", "/api/event_streams/topics", "{}", "topics:write"},
    {"GET", "/api/admin/tokens", "", "admin"},
    {"POST", "/api/admin/tokens", "{}", "admin"},
    {"DELETE", "/api/admin/tokens/none", "", "admin"},
    {"GET", "/api/admin/status", "", "admin"},
};

std::string with_id(const TopicRoute& route, const std::string& id) {
  std::string path = route.path;
  if (const auto at = path.find(":id"); at != std::string::npos) path.replace(at, 3, id);
  return path;
}

bool allows(const std::string& held, const std::string& needed) {
  return held == needed || held == "admin";
}

std::vector<TopicRoute> all_routes() {
  auto routes = kTopicRoutes;
  routes.insert(routes.end(), kOtherRoutes.begin(), kOtherRoutes.end());
  return routes;
}

class Matrix : public ::testing::TestWithParam<TopicRoute> {};

TEST_P(Matrix, AllowsOnlyTheRightPrivilegeOnTopicsOfTheList) {
  const TopicRoute& route = GetParam();
  Api api;
  for (const auto& privilege : kPrivileges) {
    const auto own = api.topic();
    const auto other = api.topic();
    const std::string unknown = "987654321";
    const bool limitable = privilege != "admin";  // a list of topics cannot limit who may make tokens
    Client unlimited(api.server(), api.token({privilege}));
    std::vector<Client> clients;
    clients.emplace_back(api.server(), api.token({privilege}));
    if (limitable) clients.emplace_back(api.server(), api.token({privilege}, {own}));
    const auto cell = [&](Client& client, const std::string& id) {
      return client.call(route.method, with_id(route, id), route.body);
    };
    SCOPED_TRACE(privilege);
    if (!allows(privilege, route.privilege)) {
      // Not even the existence of a topic shows to someone without the privilege.
      for (Client& client : clients) {
        for (const auto& id : {std::to_string(own), std::to_string(other), unknown, std::string("x")}) {
          EXPECT_TRUE(is_error(cell(client, id), 403, "forbidden", "Forbidden")) << id;
        }
      }
      continue;
    }
    if (limitable) {
      EXPECT_TRUE(is_error(cell(clients.back(), std::to_string(other)), 403, "forbidden", "Forbidden"));
    }
    for (Client& client : clients) {
      for (const auto& id : {unknown, std::string("x"), std::string("-1"), std::string(200, '1'), std::string("1.5"),
                             std::string("%E2%82%AC"), "+" + std::to_string(own), "0" + std::to_string(own)}) {
        EXPECT_TRUE(is_error(cell(client, id), 404, "not_found", "Not found")) << id;
      }
    }
    EXPECT_TRUE(is_ok(cell(clients.back(), std::to_string(own))));
    EXPECT_TRUE(is_ok(cell(unlimited, std::to_string(other))));
  }
}

INSTANTIATE_TEST_SUITE_P(Auth, Matrix, ::testing::ValuesIn(kTopicRoutes), [](const auto& row) {
  std::string name = row.param.method + row.param.path;
  for (auto& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
});

TEST(Auth, AllowsOnlyTheRightPrivilegeOnRoutesWithoutTopic) {
  Api api;
  for (const auto& privilege : kPrivileges) {
    Client client(api.server(), api.token({privilege}));
    for (const auto& route : kOtherRoutes) {
      const auto response = client.call(route.method, route.path, route.body);
      if (allows(privilege, route.privilege)) {
        EXPECT_NE(response.status, 401) << privilege << ' ' << route.path;
        EXPECT_NE(response.status, 403) << privilege << ' ' << route.path;
      } else {
        EXPECT_TRUE(is_error(response, 403, "forbidden", "Forbidden")) << privilege << ' ' << route.path;
      }
    }
  }
}

TEST(Auth, AnswersUnauthorizedOnEveryRouteWithoutValidToken) {
  Api api;
  const auto topic = std::to_string(api.topic());
  auto connection = api.connect();
  const std::string good(kAdminToken);
  const std::vector<std::optional<std::string>> credentials{std::nullopt,
                                                            "",
                                                            "Bearer",
                                                            "Bearer ",
                                                            good,
                                                            "Basic " + good,
                                                            "Token " + good,
                                                            "Bearer x" + good,
                                                            "Bearer " + good + "x",
                                                            "Bearer " + good.substr(1),
                                                            "Bearer weir_0_0",
                                                            "Bearer weir_unknown_secretsecretsecretsecretse",
                                                            "Bearer " + good + " " + good,
                                                            "Bearer,"};
  for (const auto& route : all_routes()) {
    for (const auto& value : credentials) {
      Headers headers;
      if (value) headers.emplace_back("Authorization", *value);
      connection.send(http_request(route.method, with_id(route, topic), route.body, headers));
      const auto response = connection.read();
      EXPECT_TRUE(is_error(response, 401, "unauthorized", "Unauthorized"))
          << route.path << " with " << value.value_or("-");
      EXPECT_EQ(response.json(), (Json{{"message", "Unauthorized"}, {"code", "unauthorized"}}));
      EXPECT_EQ(response.header("WWW-Authenticate"), "Bearer");
    }
  }
  EXPECT_EQ(api.get("/api/event_streams/topics").json()["count"], 1);
}

TEST(Auth, TakesTheSchemeInAnyCase) {
  Api api;
  auto connection = api.connect();
  for (const char* scheme : {"Bearer", "bearer", "BEARER", "bEaReR"}) {
    connection.send(http_request("GET", "/api/event_streams/topics", {},
                                 {{"Authorization", std::string(scheme) + " " + std::string(kAdminToken)}}));
    EXPECT_TRUE(is_ok(connection.read())) << scheme;
  }
}

TEST(Auth, DoesNotTakeTheOldSchemes) {
  Api api;
  auto connection = api.connect();
  const std::string token(kAdminToken);
  connection.send(http_request("GET", "/api/event_streams/topics", {},
                               {{"X-USER-TOKEN", token}, {"X-USER-EMAIL", "a@example.com"}}));
  EXPECT_TRUE(is_error(connection.read(), 401, "unauthorized"));
  connection.send(http_request("GET", "/api/event_streams/topics?user_token=" + token + "&user_email=a%40example.com"));
  EXPECT_TRUE(is_error(connection.read(), 401, "unauthorized"));
}

TEST(Auth, NeedsNoTokenForHealth) {
  Api api;
  Client anonymous(api.server(), "");
  EXPECT_EQ(anonymous.get("/healthz").status, 200);
  EXPECT_EQ(anonymous.get("/readyz").status, 200);
}

TEST(Auth, ShowsOnlyListedTopicsToARestrictedToken) {
  Api api;
  const auto a = api.topic();
  api.topic();
  const auto c = api.topic();
  Client client(api.server(), api.token({"topics:read"}, {a, c}));
  const auto list = client.get("/api/event_streams/topics").json();
  EXPECT_EQ(list["count"], 2);
  EXPECT_EQ(list["data"][0]["id"], a);
  EXPECT_EQ(list["data"][1]["id"], c);
  EXPECT_EQ(client.get("/api/event_streams/topics?per_page=1").json()["count"], 2);
}

TEST(Auth, LetsNoRestrictedTokenCreateTopics) {
  Api api;
  const auto topic = api.topic();
  Client client(api.server(), api.token({"topics:write"}, {topic}));
  EXPECT_TRUE(is_error(client.post("/api/event_streams/topics", R"({"name":"mine","schema":[]})"), 403, "forbidden"));
  EXPECT_EQ(api.get("/api/event_streams/topics").json()["count"], 1);
}

TEST(Auth, CombinesPrivileges) {
  Api api;
  const auto topic = api.topic();
  Client client(api.server(), api.token({"publish", "consume"}));
  EXPECT_TRUE(is_ok(client.post(Api::publish_path(topic), "{}")));
  EXPECT_TRUE(is_ok(client.post(Api::consume_path(topic), "{}")));
  EXPECT_TRUE(is_error(client.get(Api::topic_path(topic)), 403, "forbidden"));
}

TEST(Auth, RefusesARevokedTokenAtOnceOnOpenConnections) {
  Api api;
  const auto topic = api.topic();
  Client client(api.server(), api.token({"publish"}));
  EXPECT_TRUE(is_ok(client.post(Api::publish_path(topic), "{}")));
  const std::string id = api.get("/api/admin/tokens").json()["data"].back()["id"];
  EXPECT_TRUE(is_ok(api.erase("/api/admin/tokens/" + id)));
  EXPECT_TRUE(is_error(client.post(Api::publish_path(topic), "{}"), 401, "unauthorized"));
}

TEST(Auth, KeepsSecretsOutOfTheLog) {
  Api api({.settings = {"log.level=trace", "log.access=all"}});
  const auto topic = api.topic();
  const auto token = api.token({"publish"});
  Client client(api.server(), token);
  EXPECT_TRUE(is_ok(client.post(Api::publish_path(topic), R"({"password":"payload-must-not-be-logged"})")));
  EXPECT_TRUE(is_error(client.get("/api/admin/tokens"), 403, "forbidden"));
  api.server().stop();
  const std::string log = api.server().output();
  EXPECT_EQ(log.find(kAdminToken), std::string::npos);
  EXPECT_EQ(log.find(token.substr(token.rfind('_') + 1)), std::string::npos);
  EXPECT_EQ(log.find("payload-must-not-be-logged"), std::string::npos);
}

}  // namespace
}  // namespace weir::test
