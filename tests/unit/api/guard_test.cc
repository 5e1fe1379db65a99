#include "weir/api/guard.h"

#include <string>

#include <gtest/gtest.h>

#include "weir/api/problem.h"

#include "unit/api/rig.h"

namespace weir::api {
namespace {

using core::RateGroup;
using model::Privilege;
using test::FakeHead;
using test::has_line;
using test::refusal;
using test::Rig;

constexpr std::size_t kBodyMax = 10;

/// A route behind the guard whose door always answers 418.
http::Route teapot(const Guard& guard, RateGroup group = RateGroup::management) {
  return guard.protect(http::Method::post, "/x/:id", kBodyMax, Privilege::publish, group,
                       [](const http::RequestHead&, const core::CallerPtr&) -> http::Admission {
                         return plain_error(418, "teapot", "short and stout");
                       });
}

FakeHead head_with(const std::string& authorization, std::uint64_t length) {
  FakeHead head;
  if (!authorization.empty()) head.with("authorization", authorization);
  head.content_length = length;
  return head;
}

TEST(Guard, ChecksInOneOrder) {
  Config config;
  config.rate_limit.management_per_minute = 2;
  Rig rig(config);
  const http::Route route = teapot(rig.guard);
  const std::string reader = rig.token({Privilege::consume});
  const std::string writer = rig.token({Privilege::publish});

  // Everything is wrong: the token is what counts.
  EXPECT_EQ(refusal(route.begin(head_with("", kBodyMax + 1))).status, 401);
  // Then the privilege, without spending the allowance.
  for (int i = 0; i < 5; ++i) EXPECT_EQ(refusal(route.begin(head_with(reader, kBodyMax + 1))).status, 403);
  // Then the rate; here it still holds, so the length is next …
  EXPECT_EQ(refusal(route.begin(head_with(writer, kBodyMax + 1))).status, 413);
  // … then the door.
  EXPECT_EQ(refusal(route.begin(head_with(writer, kBodyMax))).status, 418);
  // The allowance is spent: before the length.
  EXPECT_EQ(refusal(route.begin(head_with(writer, kBodyMax + 1))).status, 429);
}

TEST(Guard, AnswersAlikeForEveryKindOfBadToken) {
  Rig rig;
  const http::Route route = teapot(rig.guard);
  const std::string good = rig.token({Privilege::publish});
  const std::string expiring = rig.token({Privilege::publish}, {}, model::kDefaultWorkspace, std::chrono::seconds{5});
  EXPECT_EQ(refusal(route.begin(head_with(expiring, 0))).status, 418);
  rig.clock.advance(std::chrono::seconds{5});
  for (const std::string& bad :
       {std::string(), std::string("Bearer"), std::string("Bearer weir_x_y"), "Basic" + good.substr(6), good + "x",
        good.substr(0, good.size() - 1), good.substr(7), expiring}) {
    const http::Response response = refusal(route.begin(head_with(bad, 0)));
    EXPECT_EQ(response.status, 401) << bad;
    EXPECT_EQ(response.body, R"({"message":"Unauthorized","code":"unauthorized"})");
    EXPECT_TRUE(has_line(response.headers, "WWW-Authenticate: Bearer"));
  }
  EXPECT_EQ(refusal(route.begin(head_with("bEaReR" + good.substr(6), 0))).status, 418);
}

TEST(Guard, RefusesARevokedTokenOnEveryLoopThatKnewIt) {
  Rig rig;
  const http::Route route = teapot(rig.guard);
  const std::string token = rig.token({Privilege::publish});
  FakeHead head = head_with(token, 0);
  for (const std::size_t loop : {0u, 1u, 63u}) {
    head.loop = loop;
    EXPECT_EQ(refusal(route.begin(head)).status, 418);
  }
  ASSERT_TRUE(rig.access.revoke(rig.access.list().at(0).id));
  for (const std::size_t loop : {0u, 1u, 63u}) {
    head.loop = loop;
    EXPECT_EQ(refusal(route.begin(head)).status, 401);
  }
}

TEST(Guard, NamesThePrivilegeRefusal) {
  Rig rig;
  const http::Response response =
      refusal(teapot(rig.guard).begin(head_with(rig.token({Privilege::consume, Privilege::topics_write}), 0)));
  EXPECT_EQ(response.status, 403);
  EXPECT_EQ(response.body, R"({"message":"Forbidden","code":"forbidden"})");
}

TEST(Guard, LetsAnAdminDoEverything) {
  Rig rig;
  EXPECT_EQ(refusal(teapot(rig.guard).begin(head_with(rig.token({Privilege::admin}), 0))).status, 418);
}

TEST(Guard, CountsPerTokenAndGroupAndTellsTheAllowance) {
  Config config;
  config.rate_limit.management_per_minute = 2;
  config.rate_limit.legacy_per_minute = 1;
  Rig rig(config);
  const http::Route management = teapot(rig.guard);
  const http::Route legacy = teapot(rig.guard, RateGroup::legacy);
  const std::string one = rig.token({Privilege::publish});
  const std::string two = rig.token({Privilege::publish});

  http::Response response = refusal(management.begin(head_with(one, 0)));
  EXPECT_EQ(response.status, 418);
  EXPECT_TRUE(has_line(response.headers, "X-RateLimit-Limit: 2"));
  EXPECT_TRUE(has_line(response.headers, "X-RateLimit-Remaining: 1"));
  EXPECT_NE(response.headers.find("X-RateLimit-Reset: "), std::string::npos);
  EXPECT_EQ(response.headers.find("Retry-After"), std::string::npos);
  EXPECT_EQ(refusal(management.begin(head_with(one, 0))).status, 418);

  response = refusal(management.begin(head_with(one, 0)));
  EXPECT_EQ(response.status, 429);
  EXPECT_EQ(response.body, R"({"message":"Too many requests","code":"rate_limited"})");
  EXPECT_TRUE(has_line(response.headers, "X-RateLimit-Limit: 2"));
  EXPECT_TRUE(has_line(response.headers, "X-RateLimit-Remaining: 0"));
  EXPECT_NE(response.headers.find("Retry-After: "), std::string::npos);

  EXPECT_EQ(refusal(management.begin(head_with(two, 0))).status, 418);
  EXPECT_EQ(refusal(legacy.begin(head_with(one, 0))).status, 418);
  EXPECT_EQ(refusal(legacy.begin(head_with(one, 0))).status, 429);

  rig.clock.advance(std::chrono::minutes{2});
  EXPECT_EQ(refusal(management.begin(head_with(one, 0))).status, 418);
}

TEST(Guard, HasNoRateHeadersWithoutALimit) {
  Rig rig;
  const std::string token = rig.token({Privilege::publish});
  for (const RateGroup group : {RateGroup::public_api, RateGroup::none}) {
    const http::Response response = refusal(teapot(rig.guard, group).begin(head_with(token, 0)));
    EXPECT_EQ(response.status, 418);
    EXPECT_EQ(response.headers, "");
  }
}

TEST(Guard, NamesTheBodyLimitAndWhatWasSent) {
  Rig rig;
  const http::Route route = teapot(rig.guard, RateGroup::none);
  const std::string token = rig.token({Privilege::publish});
  const http::Response response = refusal(route.begin(head_with(token, 11)));
  EXPECT_EQ(response.status, 413);
  EXPECT_EQ(response.body,
            R"x({"message":"The request body is larger than 10 bytes (got 11)","code":"payload_too_large"})x");
  EXPECT_EQ(route.body_bytes_max, kBodyMax);
  FakeHead chunked;
  chunked.with("authorization", token);
  EXPECT_EQ(refusal(route.begin(chunked)).status, 418);
}

TEST(Guard, AddsItsHeadersToWhateverTheDoorAnswersLater) {
  Config config;
  config.api.cors_origin = "https://console.example";
  Rig rig(config);
  const http::Route route =
      rig.guard.protect(http::Method::post, "/x", kBodyMax, Privilege::publish, RateGroup::management,
                        [](const http::RequestHead&, const core::CallerPtr&) -> http::Admission {
                          return http::Accepted{[](const std::string&, http::Responder) {}, "X-Own: 1\r\n"};
                        });
  const http::Response accepted = refusal(route.begin(head_with(rig.token({Privilege::publish}), 0)));
  EXPECT_EQ(accepted.status, 0);
  EXPECT_TRUE(has_line(accepted.headers, "X-Own: 1"));
  EXPECT_TRUE(has_line(accepted.headers, "X-RateLimit-Limit: 60"));
  EXPECT_TRUE(has_line(accepted.headers, "Access-Control-Allow-Origin: https://console.example"));
}

TEST(GuardCors, IsOffWithoutAnOrigin) {
  Rig rig;
  EXPECT_TRUE(rig.guard.preflights({teapot(rig.guard)}).empty());
  EXPECT_EQ(refusal(teapot(rig.guard).begin(head_with("", 0))).headers.find("Access-Control"), std::string::npos);
}

TEST(GuardCors, LetsBrowsersReadRefusals) {
  Config config;
  config.api.cors_origin = "*";
  Rig rig(config);
  const http::Route route = teapot(rig.guard);
  for (const std::string& token : {std::string(), rig.token({Privilege::consume}), rig.token({Privilege::publish})}) {
    const http::Response response = refusal(route.begin(head_with(token, 0)));
    EXPECT_TRUE(has_line(response.headers, "Access-Control-Allow-Origin: *")) << response.status;
    EXPECT_EQ(response.headers.find("Vary"), std::string::npos);
  }
}

TEST(GuardCors, AnswersThePreflightOfEachPathOnce) {
  Config config;
  config.api.cors_origin = "https://console.example";
  Rig rig(config);
  http::Route get = teapot(rig.guard);
  get.method = http::Method::get;
  http::Route other = teapot(rig.guard);
  other.pattern = "/y";
  const auto preflights = rig.guard.preflights({teapot(rig.guard), get, other});
  ASSERT_EQ(preflights.size(), 2U);
  EXPECT_EQ(preflights[0].method, http::Method::options);
  EXPECT_EQ(preflights[0].pattern, "/x/:id");
  const http::Response response = refusal(preflights[0].begin(FakeHead{}));
  EXPECT_EQ(response.status, 204);
  EXPECT_TRUE(has_line(response.headers, "Allow: POST, GET, HEAD, OPTIONS"));
  EXPECT_TRUE(has_line(response.headers, "Access-Control-Allow-Methods: POST, GET, HEAD, OPTIONS"));
  EXPECT_TRUE(has_line(response.headers, "Access-Control-Allow-Origin: https://console.example"));
  EXPECT_TRUE(has_line(response.headers, "Vary: Origin"));
  EXPECT_NE(response.headers.find("Idempotency-Key"), std::string::npos);
}

TEST(TopicIdInAPath, IsAPlainPositiveNumber) {
  EXPECT_EQ(parse_topic_id("1"), model::TopicId{1});
  EXPECT_EQ(parse_topic_id("18446744073709551615"), model::TopicId{18446744073709551615ULL});
  for (const char* text : {"", "0", "01", "-1", "+1", "1.0", "1a", "a", " 1", "1 ", "18446744073709551616",
                           "99999999999999999999", "100000000000000000000", "１"}) {
    EXPECT_EQ(parse_topic_id(text), std::nullopt) << text;
  }
}

TEST(FindTopic, HidesForeignTopicsAndForbidsThoseNotListed) {
  Rig rig;
  constexpr model::WorkspaceId kForeign{2};
  const model::TopicId listed = rig.topic("listed");
  const model::TopicId other = rig.topic("other");
  const model::TopicId foreign = rig.topic("foreign", kForeign);
  const auto caller = [&](std::vector<model::TopicId> only) {
    return rig.access.authenticate(rig.token({Privilege::publish}, std::move(only))).value();
  };
  const auto code = [&](const core::CallerPtr& who, const std::string& id) -> std::optional<Errc> {
    const auto topic = find_topic(rig.topics, *who, 0, id);
    return topic ? std::nullopt : std::optional(topic.error().code);
  };
  const auto text = [](model::TopicId id) { return std::to_string(value_of(id)); };

  const auto free = caller({});
  EXPECT_EQ(code(free, text(listed)), std::nullopt);
  EXPECT_EQ(code(free, text(other)), std::nullopt);
  EXPECT_EQ(code(free, text(foreign)), Errc::topic_not_found);
  EXPECT_EQ(code(free, "999"), Errc::topic_not_found);
  EXPECT_EQ(code(free, "orders"), Errc::topic_not_found);

  const auto bound = caller({listed});
  EXPECT_EQ(code(bound, text(listed)), std::nullopt);
  EXPECT_EQ(code(bound, text(other)), Errc::forbidden);
  EXPECT_EQ(code(bound, text(foreign)), Errc::topic_not_found);
  EXPECT_EQ(code(bound, "999"), Errc::topic_not_found);
}

TEST(ZoneOffset, ReadsTheConfiguredForm) {
  EXPECT_EQ(parse_zone_offset("+00:00"), std::chrono::minutes{0});
  EXPECT_EQ(parse_zone_offset("-08:00"), std::chrono::minutes{-480});
  EXPECT_EQ(parse_zone_offset("+05:45"), std::chrono::minutes{345});
  for (const char* text : {"", "Z", "+24:00", "+05:60", "+0545", "+a5:45", "05:45"}) {
    EXPECT_EQ(parse_zone_offset(text), std::chrono::minutes{0}) << text;
  }
}

}  // namespace
}  // namespace weir::api
