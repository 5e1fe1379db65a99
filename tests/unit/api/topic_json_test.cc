#include "api/workato/topic_json.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "weir/model/time.h"

namespace weir::api::workato {
namespace {

using Json = nlohmann::json;
using Fields = std::vector<FieldError>;

constexpr const char* kSchema = R"([ {"name":"n", "type":"number","zeta":1.50,"alpha":1e2} ])";

std::string with_schema(const std::string& members) {
  return R"({"name":"T","schema":[])" + members + "}";
}

TopicInput create(std::string_view body, const Query& query = {}) {
  auto input = parse_topic_create(body, query, {});
  EXPECT_TRUE(input);
  return input ? std::move(input).value() : TopicInput{};
}

TopicInput update(std::string_view body, const Query& query = {}) {
  auto input = parse_topic_update(body, query, {});
  EXPECT_TRUE(input);
  return input ? std::move(input).value() : TopicInput{};
}

TEST(ParseTopicCreate, KeepsTheSchemaAsSent) {
  const TopicInput input = create(std::string(R"({"name":"Orders","schema":)") + kSchema +
                                  R"(,"retention":172800.0,"description":"caf\u00e9","folder_id":5})");
  EXPECT_EQ(input.errors, Fields{});
  EXPECT_EQ(input.given.name, "Orders");
  EXPECT_EQ(input.given.schema, kSchema);
  EXPECT_EQ(input.given.retention, std::chrono::seconds{172800});
  ASSERT_TRUE(input.given.description);
  EXPECT_EQ(*input.given.description, "café");
}

TEST(ParseTopicCreate, LeavesOutWhatIsAbsentOrNull) {
  for (const char* more : {"", R"(,"retention":null,"description":null)"}) {
    const TopicInput input = create(with_schema(more));
    EXPECT_EQ(input.errors, Fields{});
    EXPECT_FALSE(input.given.retention);
    EXPECT_FALSE(input.given.description.value_or(std::nullopt));
  }
}

TEST(ParseTopicCreate, ReportsEveryMistakeAtOnce) {
  const TopicInput input =
      create(R"({"name":" ","schema":[{"type":"text"},{"name":"a","type":"colour"}],"retention":7776001,)"
             R"("description":5})");
  std::vector<std::string> keys;
  for (const FieldError& error : input.errors) keys.push_back(error.field);
  EXPECT_EQ(std::count(keys.begin(), keys.end(), "name"), 1);
  EXPECT_EQ(std::count(keys.begin(), keys.end(), "retention"), 1);
  EXPECT_EQ(std::count(keys.begin(), keys.end(), "description"), 1);
  EXPECT_GE(std::count(keys.begin(), keys.end(), "schema"), 2);
}

TEST(ParseTopicCreate, SaysWhereASchemaIsWrongByPlaceAndByName) {
  const auto errors_of = [](const std::string& schema) {
    return create(R"({"name":"t","schema":)" + schema + "}").errors;
  };
  const Fields nested =
      errors_of(R"([{"name":"a"},{"name":"Dock","type":"object","properties":[{"name":"C\u006fde","type":"uuid"}]}])");
  ASSERT_EQ(nested.size(), 1U);
  EXPECT_EQ(nested[0].field, "schema");
  EXPECT_EQ(nested[0].message.substr(0, 51), "schema[1].properties[0].type (Dock.Code): must be o")
      << nested[0].message;

  const Fields nameless = errors_of(R"([{"type":"string"}])");
  ASSERT_EQ(nameless.size(), 1U);
  EXPECT_EQ(nameless[0], (FieldError{"schema", "schema[0].name: is missing"}));

  const Fields toggle = errors_of(R"([{"name":"a","toggle_field":{"name":"b","type":"c"}}])");
  ASSERT_EQ(toggle.size(), 1U);
  EXPECT_TRUE(toggle[0].message.starts_with("schema[0].toggle_field.type (a.b): ")) << toggle[0].message;

  EXPECT_EQ(errors_of("{}"), (Fields{{"schema", "must be an array of field objects"}}));
}

TEST(ParseTopicCreate, NeedsNameAndSchema) {
  const Fields missing{{"name", "can't be blank"}, {"schema", "is required"}};
  for (const char* body : {"", "  ", "{}", R"({"name":null,"schema":null})"}) EXPECT_EQ(create(body).errors, missing);
}

struct Wrong {
  const char* name;
  std::string members;
  FieldError error;
};

class ParseTopicRefuses : public ::testing::TestWithParam<Wrong> {};

TEST_P(ParseTopicRefuses, WithTheKeyAndTheLimit) {
  const std::string body = "{" + GetParam().members + "}";
  EXPECT_EQ(update(body).errors, Fields{GetParam().error});
}

INSTANTIATE_TEST_SUITE_P(
    Table, ParseTopicRefuses,
    ::testing::Values(Wrong{"NameNumber", R"("name":5)", {"name", "must be a string"}},
                      Wrong{"NameBlank", R"("name":" \t")", {"name", "can't be blank"}},
                      Wrong{"NameNull", R"("name":null)", {"name", "must not be null"}},
                      Wrong{"NameLong",
                            R"("name":")" + std::string(256, 'x') + "\"",
                            {"name", "must have at most 255 characters (got 256)"}},
                      Wrong{"SchemaNull", R"("schema":null)", {"schema", "must not be null"}},
                      Wrong{"RetentionNull", R"("retention":null)", {"retention", "must not be null"}},
                      Wrong{"RetentionZero", R"("retention":0)", {"retention", "must be at least 1"}},
                      Wrong{"RetentionNegative", R"("retention":-5)", {"retention", "must be at least 1"}},
                      Wrong{"RetentionHigh", R"("retention":7776001)", {"retention", "must be at most 7776000"}},
                      Wrong{"RetentionFraction",
                            R"("retention":1.5)",
                            {"retention", "must be a whole number of seconds from 1 to 7776000 (got 1.5)"}},
                      Wrong{"RetentionString",
                            R"("retention":"60")",
                            {"retention", "must be a whole number of seconds from 1 to 7776000 (got \"60\")"}},
                      Wrong{"DescriptionArray", R"("description":[])", {"description", "must be a string"}},
                      Wrong{"DescriptionLong",
                            R"("description":")" + std::string(65537, 'x') + "\"",
                            {"description", "must have at most 65536 bytes (got 65537)"}}),
    [](const auto& row) { return row.param.name; });

TEST(ParseTopicUpdate, GivesOnlyWhatWasSent) {
  for (const char* body : {"", "{}"}) {
    const TopicInput input = update(body);
    EXPECT_EQ(input.errors, Fields{});
    EXPECT_FALSE(input.given.name || input.given.schema || input.given.description || input.given.retention);
  }
  const TopicInput cleared = update(R"({"description":null})");
  ASSERT_TRUE(cleared.given.description);
  EXPECT_FALSE(*cleared.given.description);
}

TEST(ParseTopic, CountsNamesInCharacters) {
  std::string name;
  for (int i = 0; i < 255; ++i) name += "é";
  EXPECT_EQ(update(R"({"name":")" + name + "\"}").given.name, name);
}

TEST(ParseTopic, FallsBackOnTheQuery) {
  const Query query{{"name", "old"}, {"name", "From query"}, {"retention", "60"}, {"description", "d"}};
  const TopicInput input = create(R"({"schema":[]})", query);
  EXPECT_EQ(input.errors, Fields{});
  EXPECT_EQ(input.given.name, "From query");
  EXPECT_EQ(input.given.retention, std::chrono::seconds{60});
  EXPECT_EQ(*input.given.description, "d");

  const TopicInput both = create(R"({"name":"From body","schema":[],"retention":5,"description":null})", query);
  EXPECT_EQ(both.given.name, "From body");
  EXPECT_EQ(both.given.retention, std::chrono::seconds{5});
  EXPECT_FALSE(*both.given.description);

  EXPECT_EQ(update("", {{"name", "\xFF"}, {"retention", "x"}, {"description", "\xFF"}}).errors,
            (Fields{{"name", "must be valid UTF-8"},
                    {"retention", "must be a whole number of seconds from 1 to 7776000 (got x)"},
                    {"description", "must be valid UTF-8"}}));
  EXPECT_EQ(create(R"({"name":"n"})", {{"schema", "[]"}}).errors, (Fields{{"schema", "is required"}}));
}

TEST(ParseTopic, RefusesABodyThatIsNotAnObject) {
  EXPECT_EQ(parse_topic_create("[]", {}, {}).error().code, Errc::bad_request);
  EXPECT_EQ(parse_topic_update("{", {}, {}).error().code, Errc::invalid_json);
  EXPECT_EQ(parse_topic_update("{\"name\":\"\xFF\"}", {}, {}).error().code, Errc::invalid_json);
}

TEST(ParseTopicList, HasTheDocumentedDefaults) {
  const auto request = parse_topic_list({});
  ASSERT_TRUE(request);
  EXPECT_EQ(request.value().query.sort, core::TopicQuery::Sort::id);
  EXPECT_TRUE(request.value().query.name_contains.empty());
  EXPECT_FALSE(request.value().include_schema);
  EXPECT_EQ(request.value().per_page, 0U);
}

TEST(ParseTopicList, ReadsEveryKey) {
  const auto request = parse_topic_list({{"name", "Ship"},
                                         {"sort", "activity"},
                                         {"include_schema", "1"},
                                         {"page", "3"},
                                         {"per_page", "100"},
                                         {"x", "y"}});
  ASSERT_TRUE(request);
  EXPECT_EQ(request.value().query.name_contains, "Ship");
  EXPECT_EQ(request.value().query.sort, core::TopicQuery::Sort::activity);
  EXPECT_TRUE(request.value().include_schema);
  EXPECT_EQ(request.value().page, 3U);
  EXPECT_EQ(request.value().per_page, 100U);
  EXPECT_EQ(parse_topic_list({{"page", "2"}}).value().per_page, 100U);
  EXPECT_EQ(parse_topic_list({{"per_page", "5"}}).value().page, 1U);
  EXPECT_FALSE(parse_topic_list({{"include_schema", "false"}}).value().include_schema);
}

TEST(ParseTopicList, RefusesBadValuesNamingTheGoodOnes) {
  const auto detail = [](const char* key, const char* value) {
    const auto request = parse_topic_list({{key, value}});
    return request ? std::string("accepted") : request.error().detail;
  };
  EXPECT_EQ(detail("sort", "foo"), "sort must be activity, name or id (got \"foo\")");
  EXPECT_EQ(detail("include_schema", "yes"), "include_schema must be true, 1, false or 0 (got \"yes\")");
  EXPECT_EQ(detail("per_page", "101"), "per_page must be an integer from 1 to 100 (got \"101\")");
  for (const char* value : {"0", "-1", "x", "", "1.5"}) EXPECT_NE(detail("per_page", value), "accepted") << value;
  EXPECT_NE(detail("page", "0"), "accepted");
  EXPECT_NE(detail("page", "99999999999999999999"), "accepted");
  EXPECT_EQ(detail("name", "\xFF"), "name must be valid UTF-8");
}

core::TopicEntryPtr entry(std::uint64_t id, std::string name) {
  auto made = std::make_shared<core::TopicEntry>();
  made->topic.id = model::TopicId{id};
  made->topic.name = std::move(name);
  made->topic.schema = kSchema;
  made->topic.retention = std::chrono::seconds{172800};
  made->topic.created_at = *model::parse_rfc3339("2026-03-01T18:00:00.120Z");
  made->topic.updated_at = *model::parse_rfc3339("2026-03-02T18:00:00Z");
  return made;
}

TEST(RenderTopic, HasTheDocumentedOrderZoneAndSchemaBytes) {
  auto topic = entry(7001, "Ship\"ped")->topic;
  EXPECT_EQ(render_topic(topic, std::chrono::hours{-8}),
            std::string(R"({"data":{"id":7001,"name":"Ship\"ped","created_at":"2026-03-01T10:00:00.120-08:00",)"
                        R"("updated_at":"2026-03-02T10:00:00.000-08:00","retention":172800,"schema":)") +
                kSchema + R"(,"description":null}})");
  topic.description = "d";
  EXPECT_EQ(Json::parse(render_topic(topic, {}))["data"]["description"], "d");
}

TEST(RenderTopicList, ShowsSchemasOnlyWhenAsked) {
  ListRequest request;
  EXPECT_EQ(render_topic_list({}, request, {}), R"({"count":0,"data":[]})");
  const std::vector<core::TopicEntryPtr> topics{entry(1, "a"), entry(2, "b")};
  Json list = Json::parse(render_topic_list(topics, request, {}));
  EXPECT_EQ(list["count"], 2);
  EXPECT_FALSE(list["data"][0].contains("schema"));
  EXPECT_TRUE(list["data"][0].contains("description"));
  request.include_schema = true;
  list = Json::parse(render_topic_list(topics, request, {}));
  EXPECT_EQ(list["data"][1]["schema"], Json::parse(kSchema));
}

TEST(RenderTopicList, CutsAPageAndCountsAll) {
  std::vector<core::TopicEntryPtr> topics;
  for (std::uint64_t id = 1; id <= 5; ++id) topics.push_back(entry(id, "t"));
  const auto ids = [&](std::size_t page, std::size_t per_page) {
    ListRequest request;
    request.page = page;
    request.per_page = per_page;
    const Json list = Json::parse(render_topic_list(topics, request, {}));
    EXPECT_EQ(list["count"], 5);
    std::vector<int> found;
    for (const Json& topic : list["data"]) found.push_back(topic["id"].get<int>());
    return found;
  };
  EXPECT_EQ(ids(1, 2), (std::vector<int>{1, 2}));
  EXPECT_EQ(ids(3, 2), (std::vector<int>{5}));
  EXPECT_EQ(ids(4, 2), std::vector<int>{});
  EXPECT_EQ(ids(1'000'000'000, 100), std::vector<int>{});
}

}  // namespace
}  // namespace weir::api::workato
