#include "support/api.h"

// GET /api/event_streams/topics
namespace weir::test {
namespace {

constexpr const char* kTopics = "/api/event_streams/topics";

std::vector<std::int64_t> ids_of(const HttpResponse& response) {
  EXPECT_TRUE(is_ok(response));
  std::vector<std::int64_t> ids;
  const Json body = response.json();
  for (const auto& topic : body.at("data")) ids.push_back(topic.at("id"));
  return ids;
}

TEST(TopicList, AnswersCountAndTopicsInTheDocumentedShape) {
  Api api;
  const auto topic = api.topic({.name = "Shipment dispatched", .retention = 172800, .description = "One a parcel."});
  const auto response = api.get(std::string(kTopics) + "?name=Ship&sort=name");
  ASSERT_TRUE(is_ok(response));
  const Json body = response.json();
  EXPECT_EQ(body.size(), 2u);
  EXPECT_EQ(body["count"], 1);
  ASSERT_EQ(body["data"].size(), 1u);
  const Json& item = body["data"][0];
  EXPECT_EQ(item["id"], topic);
  EXPECT_EQ(item["name"], "Shipment dispatched");
  EXPECT_EQ(item["retention"], 172800);
  EXPECT_EQ(item["description"], "One a parcel.");
  EXPECT_TRUE(item.contains("created_at"));
  EXPECT_TRUE(item.contains("updated_at"));
  EXPECT_EQ(item.size(), 6u) << item;
}

TEST(TopicList, AnswersEmptyListWithoutTopics) {
  Api api;
  EXPECT_TRUE(is_ok(api.get(kTopics), {{"count", 0}, {"data", Json::array()}}));
}

TEST(TopicList, FiltersByCaseSensitiveSubstring) {
  Api api;
  const auto shipment = api.topic({.name = "Shipment dispatched"});
  const auto order = api.topic({.name = "Order placed"});
  const auto accent = api.topic({.name = "Café 100%_*"});
  const auto list = [&](const std::string& filter) {
    return ids_of(api.get(std::string(kTopics) + "?name=" + filter));
  };
  EXPECT_EQ(list("dispatch"), std::vector{shipment});
  EXPECT_EQ(list("ship"), std::vector<std::int64_t>{});
  EXPECT_EQ(list("Ship"), std::vector{shipment});
  EXPECT_EQ(list("p"), (std::vector{shipment, order}));
  EXPECT_EQ(list("t%20d"), std::vector{shipment});
  EXPECT_EQ(list("t+d"), std::vector{shipment});
  EXPECT_EQ(list("Caf%C3%A9"), std::vector{accent});
  EXPECT_EQ(list("Cafe%CC%81"), std::vector<std::int64_t>{});  // the same letter, other bytes: no normalisation
  EXPECT_EQ(list("%25_*"), std::vector{accent});
  EXPECT_EQ(list("*"), std::vector{accent});  // no wildcards
  EXPECT_EQ(list("%25"), std::vector{accent});
}

TEST(TopicList, TakesEmptyNameAsNoFilter) {
  Api api;
  api.topic();
  api.topic();
  EXPECT_EQ(ids_of(api.get(std::string(kTopics) + "?name=")).size(), 2u);
}

TEST(TopicList, AnswersEmptyListWhenNothingMatches) {
  Api api;
  api.topic();
  EXPECT_TRUE(is_ok(api.get(std::string(kTopics) + "?name=nothing"), {{"count", 0}, {"data", Json::array()}}));
}

TEST(TopicList, SortsByIdUnlessToldOtherwise) {
  Api api;
  const auto b = api.topic({.name = "b"});
  const auto a = api.topic({.name = "a"});
  const auto c = api.topic({.name = "c"});
  EXPECT_EQ(ids_of(api.get(kTopics)), (std::vector{b, a, c}));
  EXPECT_EQ(ids_of(api.get(std::string(kTopics) + "?sort=id")), (std::vector{b, a, c}));
}

TEST(TopicList, SortsByNameInByteOrder) {
  Api api;
  const auto lower = api.topic({.name = "beta"});
  const auto upper = api.topic({.name = "Zeta"});
  const auto accent = api.topic({.name = "äpfel"});
  const auto digit = api.topic({.name = "10"});
  EXPECT_EQ(ids_of(api.get(std::string(kTopics) + "?sort=name")), (std::vector{digit, upper, lower, accent}));
}

TEST(TopicList, SortsByLatestActivityFirst) {
  Api api;
  const auto a = api.topic({.name = "a"});
  const auto b = api.topic({.name = "b"});
  const auto c = api.topic({.name = "c"});
  const std::string by_activity = std::string(kTopics) + "?sort=activity";
  // The order is by milliseconds: publish until the clock has moved on from what came before.
  const auto publish_later = [&](std::int64_t topic, std::int64_t before) {
    return eventually([&] {
      api.publish(topic, "{}");
      return ids_of(api.get(by_activity)).front() == topic &&
             api.all_messages(topic).back().time >
                 (api.all_messages(before).empty() ? std::string{} : api.all_messages(before).back().time);
    });
  };
  ASSERT_TRUE(publish_later(a, b));
  ASSERT_TRUE(publish_later(b, a));
  auto order = ids_of(api.get(by_activity));
  EXPECT_EQ((std::vector{order[0], order[1]}), (std::vector{b, a}));
  EXPECT_EQ(order[2], c);  // never published to: by its creation
  ASSERT_TRUE(publish_later(a, b));
  EXPECT_EQ(ids_of(api.get(by_activity)), (std::vector{a, b, c}));
}

TEST(TopicList, SortsNewestTopicFirstWithoutAnyPublish) {
  Api api;
  std::vector<std::int64_t> made;
  for (int i = 0; i < 5; ++i) made.insert(made.begin(), api.topic());
  // By creation, latest first; topics of one millisecond by id descending, which is the same order.
  EXPECT_EQ(ids_of(api.get(std::string(kTopics) + "?sort=activity")), made);
}

TEST(TopicList, RefusesUnknownSortAndNamesTheThree) {
  Api api;
  for (const char* sort : {"foo", "", "NAME", "id,name"}) {
    const auto response = api.get(std::string(kTopics) + "?sort=" + sort);
    EXPECT_TRUE(is_error(response, 400, "invalid_parameter", "activity")) << sort;
    EXPECT_TRUE(is_error(response, 400, "invalid_parameter", "name")) << sort;
    EXPECT_TRUE(is_error(response, 400, "invalid_parameter", "id")) << sort;
  }
}

TEST(TopicList, ShowsSchemaOnlyWhenAsked) {
  Api api;
  const std::string schema = R"([{"name":"a","type":"string","label":"A","x":1.50}])";
  api.topic({.schema = schema});
  for (const char* query : {"", "?include_schema=false", "?include_schema=0"}) {
    const auto response = api.get(std::string(kTopics) + query);
    ASSERT_TRUE(is_ok(response));
    EXPECT_FALSE(response.json()["data"][0].contains("schema")) << query;
  }
  for (const char* query : {"?include_schema=true", "?include_schema=1"}) {
    const auto response = api.get(std::string(kTopics) + query);
    ASSERT_TRUE(is_ok(response));
    EXPECT_EQ(response.json()["data"][0].at("schema"), Json::parse(schema)) << query;
    EXPECT_NE(response.body.find(schema), std::string::npos) << response.body;
  }
}

TEST(TopicList, RefusesOtherValuesOfIncludeSchema) {
  Api api;
  for (const char* value : {"yes", "2", "", "True", "null"}) {
    EXPECT_TRUE(is_error(api.get(std::string(kTopics) + "?include_schema=" + value), 400, "invalid_parameter",
                         "include_schema"))
        << value;
  }
}

TEST(TopicList, ReturnsEverythingWithoutPagingKeys) {
  Api api;
  for (int i = 0; i < 130; ++i) api.topic();
  const auto response = api.get(kTopics);
  EXPECT_EQ(response.json()["count"], 130);
  EXPECT_EQ(ids_of(response).size(), 130u);
}

TEST(TopicList, SlicesWithPagingKeysAndKeepsTheTotal) {
  Api api;
  std::vector<std::int64_t> made;
  for (int i = 0; i < 25; ++i) made.push_back(api.topic());
  const auto page = [&](const std::string& query) {
    const auto response = api.get(std::string(kTopics) + "?" + query);
    EXPECT_TRUE(is_ok(response));
    EXPECT_EQ(response.json()["count"], 25) << query;
    return ids_of(response);
  };
  EXPECT_EQ(page("per_page=10&page=1"), std::vector(made.begin(), made.begin() + 10));
  EXPECT_EQ(page("per_page=10&page=3"), std::vector(made.begin() + 20, made.end()));
  EXPECT_EQ(page("per_page=10&page=4"), std::vector<std::int64_t>{});
  EXPECT_EQ(page("per_page=100"), made);
  EXPECT_EQ(page("per_page=1&page=25"), std::vector{made.back()});
  EXPECT_EQ(page("per_page=10"), std::vector(made.begin(), made.begin() + 10));
  EXPECT_EQ(page("page=1000000"), std::vector<std::int64_t>{});
}

TEST(TopicList, RefusesBadPagingKeys) {
  Api api;
  for (const char* query : {"per_page=0", "per_page=101", "per_page=-1", "per_page=x", "per_page=", "page=0", "page=-1",
                            "page=x", "page=", "page=1.5", "page=99999999999999999999999"}) {
    EXPECT_TRUE(is_error(api.get(std::string(kTopics) + "?" + query), 400, "invalid_parameter", "page")) << query;
  }
}

TEST(TopicList, RefusesBrokenPercentEscapes) {
  Api api;
  for (const char* query : {"name=%", "name=%1", "name=%zz", "name=%00"}) {
    EXPECT_TRUE(is_error(api.get(std::string(kTopics) + "?" + query), 400, "invalid_parameter")) << query;
  }
}

TEST(TopicList, IgnoresUnknownKeys) {
  Api api;
  api.topic();
  EXPECT_EQ(ids_of(api.get(std::string(kTopics) + "?foo=bar&x&=y")).size(), 1u);
}

TEST(TopicList, CombinesFilterSortAndPages) {
  Api api;
  api.topic({.name = "other"});
  std::vector<std::int64_t> made;
  for (const char* name : {"t-3", "t-1", "t-2", "t-4"}) made.push_back(api.topic({.name = name}));
  const auto response = api.get(std::string(kTopics) + "?name=t-&sort=name&per_page=2&page=2&include_schema=true");
  EXPECT_EQ(response.json()["count"], 4);
  EXPECT_EQ(ids_of(response), (std::vector{made[0], made[3]}));
  EXPECT_TRUE(response.json()["data"][0].contains("schema"));
}

TEST(TopicList, AcceptsTrailingSlash) {
  Api api;
  api.topic();
  EXPECT_EQ(ids_of(api.get(std::string(kTopics) + "/")).size(), 1u);
  EXPECT_EQ(ids_of(api.get(std::string(kTopics) + "/?sort=id")).size(), 1u);
}

}  // namespace
}  // namespace weir::test
