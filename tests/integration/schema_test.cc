#include "support/api.h"

// The schema language end to end: what a topic's schema accepts and refuses, and how offending paths are named.
namespace weir::test {
namespace {

struct Case {
  const char* name;
  const char* field;  ///< without the name: `"type":"string",…`
  std::vector<const char*> accepted;
  std::vector<const char*> refused;
};

void PrintTo(const Case& row, std::ostream* to) {
  *to << row.name;
}

class SchemaType : public ::testing::TestWithParam<Case> {};

TEST_P(SchemaType, AcceptsAndRefusesByTheTable) {
  const Case& row = GetParam();
  Api api;
  const std::string comma = *row.field == '\0' ? "" : ",";
  const auto required = api.topic({.schema = R"([{"name":"f","optional":false)" + comma + row.field + "}]"});
  const auto optional = api.topic({.schema = R"([{"name":"f","optional":true)" + comma + row.field + "}]"});
  const auto implied = api.topic({.schema = R"([{"name":"f")" + comma + row.field + "}]"});
  for (const char* value : row.accepted) {
    const std::string message = std::string(R"({"f":)") + value + "}";
    for (const auto topic : {required, optional, implied}) {
      EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), message))) << message;
    }
  }
  for (const char* value : row.refused) {
    const std::string message = std::string(R"({"f":)") + value + "}";
    for (const auto topic : {required, optional, implied}) {
      const auto response = api.post(Api::publish_path(topic), message);
      EXPECT_TRUE(is_error(response, 400, "schema_violation", "f")) << message;
      EXPECT_FALSE(response.json().at("errors").empty());
    }
  }
  // Absent or null: fine unless required.
  for (const char* message : {"{}", R"({"f":null})"}) {
    EXPECT_TRUE(is_ok(api.post(Api::publish_path(optional), message)));
    EXPECT_TRUE(is_ok(api.post(Api::publish_path(implied), message)));
    EXPECT_TRUE(
        is_error(api.post(Api::publish_path(required), message), 400, "schema_violation", "required field is missing"));
  }
  // Names match with their case.
  EXPECT_TRUE(is_error(api.post(Api::publish_path(required), std::string(R"({"F":)") + row.accepted[0] + "}"), 400,
                       "schema_violation", "f"));
}

const std::vector<const char*> kDates{R"("2026-03-02")", R"("2024-02-29")", R"("2026-03-02T08:15:30Z")",
                                      R"("2026-03-02T08:15")", R"("2026-03-02 08:15:30+01:00")"};
const std::vector<const char*> kNotDates{R"("2026-02-30")", R"("2025-02-29")", R"("tomorrow")", "20260302",
                                         R"("02.03.2026")", R"("")",           "true",          "{}"};
const std::vector<const char*> kDateTimes{
    R"("2026-03-02T08:15:30.042+00:00")", R"("2026-03-02T08:15:30Z")",     R"("2026-03-02t08:15:30z")",
    R"("2026-03-02 08:15:30")",           R"("2026-03-02T08:15")",         R"("2026-03-02T08:15:30+0530")",
    R"("2026-03-02T08:15:30")",           R"("2026-03-02T08:15:30.1234")", R"("2026-03-02")"};
const std::vector<const char*> kNotDateTimes{
    R"("24:61")", R"("noon")", "1700000000", R"("2026-03-02T24:61:00Z")", R"("2026-13-02T00:00:00Z")",
    R"("")",      "[]",        "false"};

INSTANTIATE_TEST_SUITE_P(
    Schema, SchemaType,
    ::testing::Values(
        Case{"NoType", "", {R"("x")", R"("")"}, {"1", "true", "{}", "[]"}},
        Case{"String", R"("type":"string")", {R"("x")", R"("")", R"("42")"}, {"42", "false", "{}", "[]", R"(["x"])"}},
        Case{"Integer",
             R"("type":"integer")",
             {"5", "5.0", "-3", "0", "-0", "9007199254740993", "123456789012345678901234567890", "1e3", "10.50e1"},
             {"5.5", R"("5")", "true", "1e-1", "{}", "[]"}},
        Case{"Number", R"("type":"number")", {"5", "5.5", "-1e400", "1e-400", "0"}, {R"("5")", "true", "{}", "[]"}},
        Case{"Boolean", R"("type":"boolean")", {"true", "false"}, {R"("true")", "0", "1", "{}", "[]"}},
        Case{"Date", R"("type":"date")", kDates, kNotDates},
        Case{"DateByControl", R"("type":"date_time","control_type":"date")", kDates, kNotDates},
        Case{"TimestampDateByControl", R"("type":"timestamp","control_type":"date")", kDates, kNotDates},
        Case{"DateTime", R"("type":"date_time")", kDateTimes, kNotDateTimes},
        Case{"Timestamp", R"("type":"timestamp","control_type":"date_time")", kDateTimes, kNotDateTimes},
        Case{"Object", R"("type":"object")", {"{}", R"({"any":[1]})"}, {"[]", R"("x")", "1", "true"}},
        Case{"ObjectWithProperties",
             R"("type":"object","properties":[{"name":"c","type":"string","optional":false}])",
             {R"({"c":"x"})", R"({"c":"","d":1})"},
             {"{}", R"({"c":1})", R"({"c":null})", "[]"}},
        Case{
            "Array", R"("type":"array")", {"[]", "[{}]", R"([{"a":1},{}])"}, {"{}", "[1]", "[null]", "[[]]", R"("x")"}},
        Case{"ArrayOfObjects",
             R"("type":"array","of":"object","properties":[{"name":"q","type":"integer","optional":false}])",
             {"[]", R"([{"q":1}])", R"([{"q":1.0,"x":2}])"},
             {"[{}]", R"([{"q":1},{"q":"1"}])", "[null]", "[1]"}},
        Case{
            "ArrayOfStrings", R"("type":"array","of":"string")", {"[]", R"(["a",""])"}, {"[1]", R"(["a",null])", "{}"}},
        Case{"ArrayOfIntegers", R"("type":"array","of":"integer")", {"[]", "[1,2.0]"}, {"[1.5]", R"(["1"])", "[true]"}},
        Case{"ArrayOfDates", R"("type":"array","of":"date")", {"[]", R"(["2026-03-02"])"}, {R"(["x"])", "[1]"}},
        Case{"ArrayOfArrays", R"("type":"array","of":"array")", {"[]", "[[],[1,\"a\"]]"}, {"1", "{}"}},
        // Neither pick lists nor control types are enforced, and a default is never injected.
        Case{"FormAttributes",
             R"("type":"string","control_type":"email","pick_list":[["A","a"]],"default":"d","hint":"h","sticky":true)",
             {R"("no mail address")"},
             {"1"}}),
    [](const auto& row) { return row.param.name; });

constexpr const char* kNested = R"([
 {"name": "ShipmentId", "type": "string", "optional": false, "label": "Shipment ID", "control_type": "text"},
 {"name": "ShippedOn", "type": "date_time", "control_type": "date", "optional": true, "label": "Shipped on"},
 {"name": "Fragile", "type": "boolean", "control_type": "checkbox", "optional": true, "label": "Fragile"},
 {"name": "Dock", "type": "object", "optional": true, "label": "Dock",
  "properties": [{"name": "Code", "type": "string", "optional": false, "label": "Code", "control_type": "text"}]},
 {"name": "Lines", "type": "array", "of": "object", "optional": false, "label": "Lines",
  "properties": [{"name": "Sku", "type": "string", "optional": false, "label": "SKU", "control_type": "text"},
                 {"name": "Qty", "type": "integer", "optional": false, "label": "Quantity", "control_type": "number"}]},
 {"name": "Tags", "type": "array", "of": "string", "optional": true, "label": "Tags"}])";

TEST(Schema, AcceptsTheNestedExample) {
  Api api;
  const auto topic = api.topic({.schema = kNested});
  const std::string message =
      R"({"ShipmentId":"S-1","ShippedOn":"2026-03-02","Lines":[{"Sku":"K9","Qty":2}],"Tags":[]})";
  api.publish(topic, message);
  EXPECT_EQ(api.messages(topic).at(0).payload, message);
}

TEST(Schema, ReportsBothPathsOfTheNestedExample) {
  Api api;
  const auto topic = api.topic({.schema = kNested});
  const auto response =
      api.post(Api::publish_path(topic), R"({"ShipmentId":"S-1","Dock":{},"Lines":[{"Sku":"K9","Qty":"2"}]})");
  ASSERT_TRUE(is_error(response, 400, "schema_violation"));
  const Json errors = response.json().at("errors");
  EXPECT_EQ(errors.size(), 2u) << errors;
  EXPECT_TRUE(errors.contains("Dock.Code"));
  EXPECT_TRUE(errors.contains("Lines[0].Qty"));
  const std::string text = response.json()["message"];
  EXPECT_TRUE(text.find("Dock.Code") != std::string::npos || text.find("Lines[0].Qty") != std::string::npos) << text;
}

TEST(Schema, NamesTheElementThatIsWrong) {
  Api api;
  const auto topic = api.topic({.schema = kNested});
  const auto response =
      api.post(Api::publish_path(topic), R"({"ShipmentId":"S-1","Lines":[],"Tags":["a","b","c",4,"e"]})");
  ASSERT_TRUE(is_error(response, 400, "schema_violation", "Tags[3]"));
}

TEST(Schema, ChecksNestedRequiredFieldsOnlyInsideWhatIsThere) {
  Api api;
  const auto topic = api.topic({.schema = kNested});
  EXPECT_TRUE(
      is_ok(api.post(Api::publish_path(topic), R"({"ShipmentId":"S-1","Lines":[]})")));  // no Dock, no Dock.Code
  EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), R"({"ShipmentId":"","Lines":[],"Dock":null})")));
}

TEST(Schema, TakesTheToggleFieldForTheRequiredOne) {
  Api api;
  const auto topic = api.topic({.schema = R"([{"name":"a","type":"integer","optional":false,"toggle_hint":"x",
      "toggle_field":{"name":"b","type":"string","optional":false}}])"});
  EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), R"({"a":1})")));
  EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), R"({"b":"x"})")));
  EXPECT_TRUE(is_error(api.post(Api::publish_path(topic), "{}"), 400, "schema_violation", "required"));
}

TEST(Schema, CountsFalseAndEmptyValuesAsPresent) {
  Api api;
  const auto topic = api.topic({.schema = R"([{"name":"b","type":"boolean","optional":false},
      {"name":"s","type":"string","optional":false},{"name":"a","type":"array","optional":false},
      {"name":"o","type":"object","optional":false}])"});
  EXPECT_TRUE(is_ok(api.post(Api::publish_path(topic), R"({"b":false,"s":"","a":[],"o":{}})")));
}

TEST(Schema, ConvertsNothingAndInjectsNothing) {
  Api api;
  const auto topic = api.topic({.schema = R"([{"name":"n","type":"number","default":7},{"name":"s","default":"x"}])"});
  EXPECT_TRUE(is_error(api.post(Api::publish_path(topic), R"({"n":"42"})"), 400, "schema_violation", "n"));
  api.publish(topic, "{}");
  EXPECT_EQ(api.messages(topic).at(0).payload, "{}");
}

TEST(Schema, ReportsEveryOffendingPath) {
  Api api;
  std::string schema = "[";
  for (int i = 0; i < 30; ++i) {
    schema += (i == 0 ? "" : ",") + std::string(R"({"name":"f)") + std::to_string(i) + R"(","optional":false})";
  }
  const auto topic = api.topic({.schema = schema + "]"});
  const auto response = api.post(Api::publish_path(topic), R"({"f7":"here"})");
  ASSERT_TRUE(is_error(response, 400, "schema_violation"));
  EXPECT_EQ(response.json()["errors"].size(), 29u);
  EXPECT_FALSE(response.json()["errors"].contains("f7"));
}

TEST(Schema, BoundsItsNestingAndSize) {
  Api api;
  std::string deep;
  for (int i = 0; i < 70; ++i) deep += R"([{"name":"o","type":"object","properties":)";
  deep += "[]";
  for (int i = 0; i < 70; ++i) deep += "}]";
  EXPECT_EQ(api.post("/api/event_streams/topics", R"({"name":"deep","schema":)" + deep + "}").status, 400);
  const std::string wide = R"([{"name":"a","hint":")" + std::string(300'000, 'x') + R"("}])";
  EXPECT_TRUE(is_field_error(api.post("/api/event_streams/topics", R"({"name":"wide","schema":)" + wide + "}"),
                             "schema", "262144"));
  EXPECT_EQ(api.get("/api/event_streams/topics").json()["count"], 0);
}

TEST(Schema, SeesTheNewOneAtOnceOnEveryConnection) {
  Api api;
  const auto topic = api.topic();
  std::vector<Client> clients;
  for (int i = 0; i < 8; ++i) clients.emplace_back(api.server());
  for (auto& client : clients) EXPECT_TRUE(is_ok(client.post(Api::publish_path(topic), R"({"a":1})")));
  EXPECT_TRUE(is_ok(api.put(Api::topic_path(topic), R"({"schema":[{"name":"a","type":"string"}]})")));
  for (auto& client : clients) {
    EXPECT_TRUE(is_error(client.post(Api::publish_path(topic), R"({"a":1})"), 400, "schema_violation", "a"));
  }
}

}  // namespace
}  // namespace weir::test
