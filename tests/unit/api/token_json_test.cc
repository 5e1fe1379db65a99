#include "api/admin/token_json.h"

#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "weir/model/time.h"

namespace weir::api::admin {
namespace {

using Json = nlohmann::json;
using model::Privilege;

TokenInput parse(std::string_view body) {
  auto input = parse_token(body, 64);
  EXPECT_TRUE(input) << body;
  return input ? std::move(input).value() : TokenInput{};
}

TEST(ParseToken, ReadsEveryKey) {
  const TokenInput input =
      parse(R"({"name":"ci","privileges":["publish","topics:read"],"topics":[7,9],"expires_in":3600})");
  EXPECT_TRUE(input.errors.empty());
  EXPECT_EQ(input.given.name, "ci");
  EXPECT_EQ(input.given.privileges, (model::Privileges{Privilege::publish, Privilege::topics_read}));
  EXPECT_EQ(input.given.topics, (std::vector<model::TopicId>{model::TopicId{7}, model::TopicId{9}}));
  EXPECT_EQ(input.given.lifetime, std::chrono::seconds{3600});
}

TEST(ParseToken, NeedsNoTopicsAndNoExpiry) {
  for (const char* body : {R"({"name":"a","privileges":["admin"]})",
                           R"({"name":"a","privileges":["admin"],"topics":null,"expires_in":null})"}) {
    const TokenInput input = parse(body);
    EXPECT_TRUE(input.errors.empty()) << body;
    EXPECT_TRUE(input.given.topics.empty());
    EXPECT_FALSE(input.given.lifetime);
  }
}

TEST(ParseToken, TakesNoEmptyListForAllTopics) {
  const TokenInput input = parse(R"({"name":"a","privileges":["publish"],"topics":[]})");
  ASSERT_EQ(input.errors.size(), 1u);
  EXPECT_EQ(input.errors[0].field, "topics");
}

TEST(ParseToken, ReportsEveryMistakeAtOnce) {
  const TokenInput input = parse(R"({"name":5,"privileges":["root",3],"topics":["x"],"expires_in":0})");
  std::vector<std::string> fields;
  for (const FieldError& error : input.errors) fields.push_back(error.field);
  EXPECT_EQ(fields, (std::vector<std::string>{"name", "privileges", "privileges", "topics", "expires_in"}));
}

TEST(ParseToken, RefusesEachBadValue) {
  const auto field_of = [](const std::string& members) {
    const TokenInput input = parse("{" + members + "}");
    return input.errors.size() == 1 ? input.errors.front().field : std::to_string(input.errors.size()) + " errors";
  };
  const std::string privileges = R"("privileges":["admin"])";
  const std::string name = R"("name":"a")";
  EXPECT_EQ(field_of(privileges), "name");
  EXPECT_EQ(field_of(privileges + R"(,"name":" ")"), "name");
  EXPECT_EQ(field_of(privileges + R"(,"name":")" + std::string(256, 'x') + "\""), "name");
  EXPECT_EQ(field_of(name), "privileges");
  EXPECT_EQ(field_of(name + R"(,"privileges":[])"), "privileges");
  EXPECT_EQ(field_of(name + R"(,"privileges":"admin")"), "privileges");
  for (const char* topics : {"7", "[0]", "[-1]", "[1.5]", "[null]", "[\"7\"]"}) {
    EXPECT_EQ(field_of(name + "," + privileges + ",\"topics\":" + topics), "topics") << topics;
  }
  for (const char* seconds : {"0", "-1", "1.5", "\"60\"", "1e300"}) {
    EXPECT_EQ(field_of(name + "," + privileges + ",\"expires_in\":" + seconds), "expires_in") << seconds;
  }
}

TEST(ParseToken, RefusesABodyThatIsNotAnObject) {
  EXPECT_EQ(parse_token("", 64).error().code, Errc::invalid_json);
  EXPECT_EQ(parse_token("[]", 64).error().code, Errc::bad_request);
}

model::Token token() {
  model::Token made;
  made.id = "abc";
  made.name = "c\"i";
  made.privileges = {Privilege::consume};
  made.topics = {model::TopicId{7}, model::TopicId{8}};
  made.secret_hash.fill(0xAB);
  made.created_at = *model::parse_rfc3339("2026-03-01T00:00:00Z");
  return made;
}

TEST(RenderTokens, NeverShowsSecretsOrTheirDigests) {
  EXPECT_EQ(render_tokens({token()}),
            R"({"count":1,"data":[{"id":"abc","name":"c\"i","privileges":["consume"],"topics":[7,8],)"
            R"("created_at":"2026-03-01T00:00:00.000+00:00","expires_at":null,"last_used_at":null}]})");
  EXPECT_EQ(render_tokens({}), R"({"count":0,"data":[]})");
}

TEST(RenderIssued, ShowsTheTextOnce) {
  core::IssuedToken issued{token(), "weir_abc_secret"};
  issued.token.expires_at = issued.token.created_at + std::chrono::hours{1};
  const Json data = Json::parse(render_issued(issued))["data"];
  EXPECT_EQ(data["token"], "weir_abc_secret");
  EXPECT_EQ(data["id"], "abc");
  EXPECT_EQ(data["expires_at"], "2026-03-01T01:00:00.000+00:00");
}

TEST(RenderStats, ShowsTheEndsAsMessageIds) {
  storage::LogStats stats;
  stats.first_live = model::Offset{2};
  stats.log_end = model::Offset{5};
  stats.retained_messages = 3;
  stats.retained_bytes = 99;
  stats.published_total = 5;
  stats.last_activity = *model::parse_rfc3339("2026-03-01T00:00:00Z");
  EXPECT_EQ(
      render_stats(model::TopicId{7}, stats),
      R"({"data":{"topic_id":7,"retained_messages":3,"retained_bytes":99,"published_total":5,)"
      R"("oldest_message_id":"A2","newest_message_id":"A4","last_activity_at":"2026-03-01T00:00:00.000+00:00"}})");
}

TEST(RenderStats, HasNoIdsWithoutMessages) {
  const Json data = Json::parse(render_stats(model::TopicId{7}, {}))["data"];
  EXPECT_TRUE(data["oldest_message_id"].is_null());
  EXPECT_TRUE(data["newest_message_id"].is_null());
  EXPECT_TRUE(data["last_activity_at"].is_null());
}

}  // namespace
}  // namespace weir::api::admin
