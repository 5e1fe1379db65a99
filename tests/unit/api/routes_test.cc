#include <algorithm>
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "weir/api/admin.h"
#include "weir/api/workato.h"

#include "unit/api/rig.h"

namespace weir::api {
namespace {

using http::Method;
using model::Privilege;
using test::FakeHead;
using test::refusal;
using test::Rig;

std::vector<http::Route> all_routes(Rig& rig) {
  std::vector<http::Route> routes = workato::routes({rig.guard, rig.broker, rig.topics, rig.config, rig.random});
  for (http::Route& route :
       admin::routes({rig.guard, rig.access, rig.topics, rig.config, rig.random, rig.worker, {&rig.loop}, [] {
                        return admin::Status{};
                      }})) {
    routes.push_back(std::move(route));
  }
  return routes;
}

std::string name_of(const http::Route& route) {
  const char* method = route.method == Method::get    ? "GET "
                       : route.method == Method::post ? "POST "
                       : route.method == Method::put  ? "PUT "
                                                      : "DELETE ";
  return method + route.pattern;
}

/// What each route needs, as the protocol page says; a new route must be placed here.
struct Needs {
  Privilege privilege;
  std::uint32_t limited_to;  // per minute with the settings below; 0: not limited
  bool names_topic;
};
const std::map<std::string, Needs> kRoutes = {
    {"POST /api/v1/topics/:topic_id/consume", {Privilege::consume, 3, true}},
    {"POST /api/v1/topics/:topic_id/publish", {Privilege::publish, 3, true}},
    {"POST /api/v1/batch/topics/:topic_id/publish", {Privilege::publish, 3, true}},
    {"POST /api/pubsub/topics/:topic_id/consume", {Privilege::consume, 2, true}},
    {"POST /api/pubsub/topics/:topic_id/publish", {Privilege::publish, 2, true}},
    {"POST /api/pubsub/batch/topics/:topic_id/publish", {Privilege::publish, 2, true}},
    {"GET /api/event_streams/topics", {Privilege::topics_read, 1, false}},
    {"POST /api/event_streams/topics", {Privilege::topics_write, 1, false}},
    {"GET /api/event_streams/topics/:topic_id", {Privilege::topics_read, 1, true}},
    {"PUT /api/event_streams/topics/:topic_id", {Privilege::topics_write, 1, true}},
    {"DELETE /api/event_streams/topics/:topic_id", {Privilege::topics_write, 1, true}},
    {"PUT /api/event_streams/topics/:topic_id/purge", {Privilege::topics_purge, 1, true}},
    {"POST /api/admin/tokens", {Privilege::admin, 0, false}},
    {"GET /api/admin/tokens", {Privilege::admin, 0, false}},
    {"DELETE /api/admin/tokens/:id", {Privilege::admin, 0, false}},
    {"GET /api/admin/status", {Privilege::admin, 0, false}},
    {"GET /api/admin/topics/:topic_id/stats", {Privilege::topics_read, 0, true}},
};

constexpr Privilege kEvery[] = {Privilege::publish,      Privilege::consume,      Privilege::topics_read,
                                Privilege::topics_write, Privilege::topics_purge, Privilege::admin};

TEST(Routes, AreExactlyTheDocumentedOnes) {
  Rig rig;
  std::set<std::string> served;
  for (const http::Route& route : all_routes(rig)) served.insert(name_of(route));
  std::set<std::string> documented;
  for (const auto& [name, needs] : kRoutes) documented.insert(name);
  EXPECT_EQ(served, documented);
}

TEST(Routes, LetEachPrivilegeDoWhatItNamesAndNothingElse) {
  Config config;
  config.rate_limit = {0, 0, 0};
  Rig rig(config);
  const model::TopicId topic = rig.topic("t");
  for (const http::Route& route : all_routes(rig)) {
    const Needs& needs = kRoutes.at(name_of(route));
    for (const Privilege privilege : kEvery) {
      FakeHead head;
      head.with("authorization", rig.token({privilege}));
      head.captures = {std::to_string(value_of(topic))};
      const bool allowed = privilege == needs.privilege || privilege == Privilege::admin;
      EXPECT_EQ(refusal(route.begin(head)).status, allowed ? 0 : 403) << name_of(route);
    }
    FakeHead anonymous;
    anonymous.captures = {std::to_string(value_of(topic))};
    EXPECT_EQ(refusal(route.begin(anonymous)).status, 401) << name_of(route);
  }
}

TEST(Routes, AnswerForTopicsByOneRule) {
  Config config;
  config.rate_limit = {0, 0, 0};
  Rig rig(config);
  const model::TopicId listed = rig.topic("listed");
  const model::TopicId other = rig.topic("other");
  const model::TopicId foreign = rig.topic("foreign", model::WorkspaceId{2});
  const std::string free = rig.token({Privilege::admin});
  const std::string bound = rig.token({Privilege::publish, Privilege::consume, Privilege::topics_read,
                                       Privilege::topics_write, Privilege::topics_purge},
                                      {listed});
  for (const http::Route& route : all_routes(rig)) {
    if (!kRoutes.at(name_of(route)).names_topic) continue;
    const auto status = [&](const std::string& token, const std::string& id) {
      FakeHead head;
      head.with("authorization", token);
      head.captures = {id};
      return refusal(route.begin(head)).status;
    };
    SCOPED_TRACE(name_of(route));
    EXPECT_EQ(status(free, std::to_string(value_of(other))), 0);
    EXPECT_EQ(status(bound, std::to_string(value_of(listed))), 0);
    EXPECT_EQ(status(bound, std::to_string(value_of(other))), 403);
    for (const std::string& token : {free, bound}) {
      EXPECT_EQ(status(token, std::to_string(value_of(foreign))), 404);
      for (const char* id : {"999", "0", "-1", "abc", "1e0", "18446744073709551616", "0001"}) {
        EXPECT_EQ(status(token, id), 404) << id;
      }
    }
  }
}

TEST(Routes, BelongToTheirRateGroups) {
  Config config;
  config.rate_limit.management_per_minute = 1;
  config.rate_limit.legacy_per_minute = 2;
  config.rate_limit.public_per_minute = 3;
  Rig rig(config);
  const model::TopicId topic = rig.topic("t");
  for (const http::Route& route : all_routes(rig)) {
    const std::string token = rig.token({Privilege::admin});
    std::uint32_t let_through = 0;
    for (int i = 0; i < 5; ++i) {
      FakeHead head;
      head.with("authorization", token);
      head.captures = {std::to_string(value_of(topic))};
      if (refusal(route.begin(head)).status != 429) ++let_through;
    }
    const std::uint32_t limit = kRoutes.at(name_of(route)).limited_to;
    EXPECT_EQ(let_through, limit == 0 ? 5 : limit) << name_of(route);
  }
}

TEST(Routes, BoundBodiesAsConfigured) {
  Config config;
  config.limits.message_bytes_max = 11;
  config.limits.batch_body_bytes_max = 22;
  config.limits.management_body_bytes_max = 33;
  Rig rig(config);
  for (const http::Route& route : all_routes(rig)) {
    const bool publish = route.pattern.ends_with("/publish");
    const bool batch = route.pattern.find("/batch/") != std::string::npos;
    EXPECT_EQ(route.body_bytes_max, batch ? 22U : publish ? 11U : 33U) << name_of(route);
  }
}

TEST(Routes, LetARestrictedTokenListButNotCreate) {
  Rig rig;
  const std::string bound = rig.token({Privilege::topics_read, Privilege::topics_write}, {rig.topic("t")});
  for (const http::Route& route : all_routes(rig)) {
    if (route.pattern != "/api/event_streams/topics") continue;
    FakeHead head;
    head.with("authorization", bound);
    EXPECT_EQ(refusal(route.begin(head)).status, route.method == Method::get ? 0 : 403);
  }
}

TEST(Routes, RefuseABrokenQueryAndBadPublishHeaders) {
  Rig rig;
  const std::string token = rig.token({Privilege::admin});
  const std::string topic = std::to_string(value_of(rig.topic("t")));
  for (const http::Route& route : all_routes(rig)) {
    FakeHead head;
    head.with("authorization", token);
    head.captures = {topic};
    const std::string name = name_of(route);
    if (name == "GET /api/event_streams/topics" || name == "POST /api/event_streams/topics" ||
        name == "PUT /api/event_streams/topics/:topic_id") {
      head.query = "name=%zz";
      EXPECT_EQ(refusal(route.begin(head)).status, 400) << name;
    } else if (name.ends_with("/publish")) {
      FakeHead form = head;
      form.with("content-type", "multipart/form-data; boundary=x");
      EXPECT_EQ(refusal(route.begin(form)).status, 415) << name;
      FakeHead latin = head;
      latin.with("content-type", "application/json; charset=latin1");
      EXPECT_EQ(refusal(route.begin(latin)).status, 400) << name;
      FakeHead key = head;
      key.with("idempotency-key", std::string(256, 'k'));
      EXPECT_EQ(refusal(route.begin(key)).status, 400) << name;
    }
  }
}

TEST(HealthRoutes, TellAliveAndReadyApart) {
  std::optional<std::string> reason;
  const auto routes = admin::health_routes([&] { return reason; });
  ASSERT_EQ(routes.size(), 2U);
  const auto answer = [&](const std::string& path) {
    const auto at =
        std::find_if(routes.begin(), routes.end(), [&](const auto& route) { return route.pattern == path; });
    http::Response response = refusal(at->begin(FakeHead{}));
    response.body += response.tail;
    return response;
  };
  EXPECT_EQ(answer("/healthz").status, 200);
  EXPECT_EQ(answer("/healthz").body, R"({"status":"ok"})");
  EXPECT_EQ(answer("/readyz").status, 200);
  EXPECT_EQ(answer("/readyz").body, R"({"status":"ready"})");
  reason = "the \"disk\" is full";
  EXPECT_EQ(answer("/healthz").status, 200);
  EXPECT_EQ(answer("/readyz").status, 503);
  EXPECT_EQ(answer("/readyz").body, R"({"message":"Not ready: the \"disk\" is full","code":"unavailable"})");
}

}  // namespace
}  // namespace weir::api
