#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "weir/model/payload.h"

namespace weir::model {
namespace {

using Violations = std::vector<FieldError>;

constexpr const char* kMissing = "required field is missing";
constexpr const char* kString = "must be a string";
constexpr const char* kInteger = "must be an integer";
constexpr const char* kNumber = "must be a number";
constexpr const char* kBoolean = "must be true or false";
constexpr const char* kDate = "must be a date, like 2026-03-02";
constexpr const char* kDateTime = "must be a date and time, like 2026-03-02T08:15:30Z";
constexpr const char* kObject = "must be an object";
constexpr const char* kArray = "must be an array";

/// A field object's attributes beyond its name `F`, a value for it, and what is wrong with that (null: nothing).
struct ValueRow {
  std::string name;
  std::string attributes;
  std::string value;
  const char* message;
  std::string path = "F";
};

Result<std::string> check(const std::string& schema, const std::string& body,
                          Schema::UnknownFields unknown = Schema::UnknownFields::keep) {
  const Result<Schema> compiled = Schema::compile(schema, unknown);
  EXPECT_TRUE(compiled) << compiled.error().detail;
  PayloadChecker checker(PayloadLimits{});
  return checker.check(compiled.value(), body);
}

class ValueTable : public testing::TestWithParam<ValueRow> {};

TEST_P(ValueTable, CompliesOrNot) {
  const ValueRow& row = GetParam();
  const std::string schema = R"([{"name":"F")" + std::string(row.attributes.empty() ? "" : ",") + row.attributes + "}]";
  const std::string body = R"({"F":)" + row.value + "}";
  const Result<std::string> stored = check(schema, body);
  if (row.message == nullptr) {
    ASSERT_TRUE(stored) << stored.error().detail;
    EXPECT_EQ(stored.value(), body);
    return;
  }
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().code, Errc::schema_violation);
  ASSERT_EQ(stored.error().fields.size(), 1U);
  EXPECT_EQ(stored.error().fields[0].field, row.path);
  EXPECT_EQ(stored.error().fields[0].message, row.message);
  EXPECT_EQ(stored.error().detail, row.path + ": " + row.message);
}

/// One row for each value, named by its place.
std::vector<ValueRow> rows(const std::string& name, const std::string& attributes,
                           const std::vector<std::pair<std::string, const char*>>& values) {
  std::vector<ValueRow> made;
  for (const auto& [value, message] : values) {
    made.push_back({name + '_' + std::to_string(made.size()), attributes, value, message});
  }
  return made;
}

std::vector<ValueRow> join(const std::vector<std::vector<ValueRow>>& lists) {
  std::vector<ValueRow> all;
  for (const auto& list : lists) all.insert(all.end(), list.begin(), list.end());
  return all;
}

const auto kRowName = [](const testing::TestParamInfo<ValueRow>& row) { return row.param.name; };

const std::vector<std::pair<std::string, const char*>> kStrings = {
    {R"("")", nullptr}, {R"("x")", nullptr}, {R"("5")", nullptr}, {"null", nullptr}, {"5", kString},
    {"1e400", kString}, {"true", kString},   {"{}", kString},     {"[]", kString},   {R"(["x"])", kString}};

INSTANTIATE_TEST_SUITE_P(String, ValueTable,
                         testing::ValuesIn(join({rows("absent_type", "", kStrings),
                                                 rows("string", R"("type":"string")", kStrings),
                                                 rows("email", R"("type":"string","control_type":"email")", kStrings),
                                                 rows("date_control", R"("control_type":"date")", kStrings)})),
                         kRowName);

INSTANTIATE_TEST_SUITE_P(Integer, ValueTable,
                         testing::ValuesIn(rows("integer", R"("type":"integer")",
                                                {{"5", nullptr},
                                                 {"-3", nullptr},
                                                 {"0", nullptr},
                                                 {"-0", nullptr},
                                                 {"5.0", nullptr},
                                                 {"-0.0", nullptr},
                                                 {"1E+2", nullptr},
                                                 {"1.5e1", nullptr},
                                                 {"9007199254740993", nullptr},
                                                 {"9007199254740993.0", nullptr},
                                                 {"18446744073709551615", nullptr},
                                                 {"18446744073709551616", nullptr},
                                                 {"123456789012345678901234567890", nullptr},
                                                 {"-123456789012345678901234567890", nullptr},
                                                 {"1e400", nullptr},
                                                 {"0e-400", nullptr},
                                                 {"null", nullptr},
                                                 {"5.5", kInteger},
                                                 {"5e-1", kInteger},
                                                 {"9007199254740993.5", kInteger},
                                                 {"5.00000000000000000000001", kInteger},
                                                 {"1e-400", kInteger},
                                                 {"123456789012345678901234567890.5", kInteger},
                                                 {R"("5")", kInteger},
                                                 {R"("")", kInteger},
                                                 {"true", kInteger},
                                                 {"{}", kInteger},
                                                 {"[5]", kInteger}})),
                         kRowName);

INSTANTIATE_TEST_SUITE_P(Number, ValueTable,
                         testing::ValuesIn(rows("number", R"("type":"number")",
                                                {{"5", nullptr},
                                                 {"5.5", nullptr},
                                                 {"-0", nullptr},
                                                 {"1e400", nullptr},
                                                 {"1e-400", nullptr},
                                                 {"18446744073709551616", nullptr},
                                                 {"null", nullptr},
                                                 {R"("5.5")", kNumber},
                                                 {"false", kNumber},
                                                 {"{}", kNumber},
                                                 {"[]", kNumber}})),
                         kRowName);

INSTANTIATE_TEST_SUITE_P(Boolean, ValueTable,
                         testing::ValuesIn(join({rows("boolean", R"("type":"boolean")",
                                                      {{"true", nullptr},
                                                       {"false", nullptr},
                                                       {"null", nullptr},
                                                       {R"("true")", kBoolean},
                                                       {"0", kBoolean},
                                                       {"1", kBoolean},
                                                       {"[]", kBoolean}}),
                                                 rows("required_boolean", R"("type":"boolean","optional":false)",
                                                      {{"false", nullptr}, {"null", kMissing}})})),
                         kRowName);

/// Both rows of dates accept the same forms and differ in what they say.
std::vector<ValueRow> dates(const std::string& name, const std::string& attributes, const char* message) {
  return rows(name, attributes,
              {{R"("2026-03-02")", nullptr},
               {R"("2026-03-02T08:15:30.042+01:00")", nullptr},
               {R"("2026-03-02 08:15")", nullptr},
               {R"("2026-03-02T08:15:30+0100")", nullptr},
               {R"("2026\u002d03-02")", nullptr},
               {"null", nullptr},
               {R"("2026-02-30")", message},
               {R"("2026-03-02T24:61")", message},
               {R"("24:61")", message},
               {R"("soon")", message},
               {R"("")", message},
               {"20260302", message},
               {"1772439330", message},
               {"{}", message}});
}

INSTANTIATE_TEST_SUITE_P(
    Dates, ValueTable,
    testing::ValuesIn(join({dates("date", R"("type":"date")", kDate),
                            dates("date_time", R"("type":"date_time")", kDateTime),
                            dates("timestamp", R"("type":"timestamp")", kDateTime),
                            dates("date_time_as_date", R"("type":"date_time","control_type":"date")", kDate),
                            dates("timestamp_as_date", R"("type":"timestamp","control_type":"date")", kDate),
                            dates("small_date", R"("type":"date_time","control_type":"small-date")", kDate),
                            dates("medium_date", R"("type":"date_time","control_type":"medium-date")", kDate),
                            dates("other_control", R"("type":"date_time","control_type":"large-date")", kDateTime)})),
    kRowName);

INSTANTIATE_TEST_SUITE_P(
    Object, ValueTable,
    testing::ValuesIn(join(
        {rows("any_object", R"("type":"object")",
              {{"{}", nullptr},
               {R"({"x":[1]})", nullptr},
               {"null", nullptr},
               {"[]", kObject},
               {R"("{}")", kObject},
               {"5", kObject}}),
         rows("object_without_fields", R"("type":"object","properties":[])", {{R"({"x":1})", nullptr}, {"5", kObject}}),
         {{"member", R"("type":"object","properties":[{"name":"a"}])", R"({"a":5})", kString, "F.a"},
          {"required_member", R"("type":"object","properties":[{"name":"a","optional":false}])", "{}", kMissing, "F.a"},
          {"null_member", R"("type":"object","properties":[{"name":"a","optional":false}])", R"({"a":null})", kMissing,
           "F.a"},
          {"required_member_of_absent_object", R"("type":"object","properties":[{"name":"a","optional":false}])",
           "null", nullptr}}})),
    kRowName);

INSTANTIATE_TEST_SUITE_P(
    Array, ValueTable,
    testing::ValuesIn(join(
        {rows("objects", R"("type":"array")",
              {{"[]", nullptr}, {R"([{},{"a":1}])", nullptr}, {"null", nullptr}, {"{}", kArray}, {R"("[]")", kArray}}),
         rows("of_array", R"("type":"array","of":"array")", {{"[]", nullptr}, {R"([[],[1,"x",null]])", nullptr}}),
         rows("empty_of_integer", R"("type":"array","of":"integer","optional":false)", {{"[]", nullptr}}),
         {{"scalar_element", R"("type":"array")", R"([{},5])", kObject, "F[1]"},
          {"null_element", R"("type":"array","of":"object")", "[null]", kObject, "F[0]"},
          {"array_element", R"("type":"array")", "[[]]", kObject, "F[0]"},
          {"scalar_element_of_array", R"("type":"array","of":"array")", "[[],1]", kArray, "F[1]"},
          {"string_element", R"("type":"array","of":"string")", R"(["a","b","c",4])", kString, "F[3]"},
          {"null_string_element", R"("type":"array","of":"string")", "[null]", kString, "F[0]"},
          {"integer_element", R"("type":"array","of":"integer")", "[1,2.0,2.5]", kInteger, "F[2]"},
          {"number_element", R"("type":"array","of":"number")", R"([1,"2"])", kNumber, "F[1]"},
          {"boolean_element", R"("type":"array","of":"boolean")", "[true,0]", kBoolean, "F[1]"},
          {"date_element", R"("type":"array","of":"date")", R"(["2026-03-02","x"])", kDate, "F[1]"},
          {"date_time_element", R"("type":"array","of":"timestamp")", R"(["2026-03-02","x"])", kDateTime, "F[1]"},
          {"member_of_element", R"("type":"array","properties":[{"name":"a","type":"integer"}])",
           R"([{"a":1},{"a":"1"}])", kInteger, "F[1].a"}}})),
    kRowName);

/// Rows for a toggle under the same name: a value may comply with either rule, and the field's own is reported.
const std::string kToggled = R"("type":"boolean","optional":false,"toggle_field":{"name":"F","type":"string"})";
INSTANTIATE_TEST_SUITE_P(
    Toggle, ValueTable,
    testing::ValuesIn(
        rows("same_name", kToggled,
             {{"true", nullptr}, {R"("true")", nullptr}, {R"("")", nullptr}, {"1", kBoolean}, {"null", kMissing}})),
    kRowName);

// ---- Presence
// ---------------------------------------------------------------------------------------------------------

struct MessageRow {
  std::string name;
  std::string schema;
  std::string body;
  Violations violations;
};

class MessageTable : public testing::TestWithParam<MessageRow> {};

TEST_P(MessageTable, HasTheseViolations) {
  const Result<std::string> stored = check(GetParam().schema, GetParam().body);
  const Violations found = stored ? Violations{} : stored.error().fields;
  EXPECT_EQ(stored.has_value(), GetParam().violations.empty());
  EXPECT_EQ(found, GetParam().violations);
}

const std::string kShipment =
    R"([{"name": "ShipmentId", "type": "string", "optional": false, "label": "Shipment ID", "control_type": "text"},
 {"name": "ShippedOn", "type": "date_time", "control_type": "date", "optional": true, "label": "Shipped on"},
 {"name": "Fragile", "type": "boolean", "control_type": "checkbox", "optional": true, "label": "Fragile"},
 {"name": "Dock", "type": "object", "optional": true, "label": "Dock",
  "properties": [{"name": "Code", "type": "string", "optional": false, "label": "Code", "control_type": "text"}]},
 {"name": "Lines", "type": "array", "of": "object", "optional": false, "label": "Lines",
  "properties": [{"name": "Sku", "type": "string", "optional": false, "label": "SKU", "control_type": "text"},
                 {"name": "Qty", "type": "integer", "optional": false, "label": "Quantity", "control_type": "number"}]},
 {"name": "Tags", "type": "array", "of": "string", "optional": true, "label": "Tags"}])";

const std::string kRequired = R"([{"name":"a","optional":false}])";
const std::string kPair =
    R"([{"name":"a","optional":false,"type":"integer","toggle_field":{"name":"b","optional":false}},{"name":"c"}])";
const std::string kLoosePair =
    R"([{"name":"a","optional":true,"toggle_field":{"name":"b","optional":false,"type":"integer"}}])";

INSTANTIATE_TEST_SUITE_P(
    Messages, MessageTable,
    testing::Values(
        MessageRow{"shipment",
                   kShipment,
                   R"({"ShipmentId":"S-1","ShippedOn":"2026-03-02","Lines":[{"Sku":"K9","Qty":2}],"Tags":[]})",
                   {}},
        MessageRow{"shipment_with_two_mistakes",
                   kShipment,
                   R"({"ShipmentId":"S-1","Dock":{},"Lines":[{"Sku":"K9","Qty":"2"}]})",
                   {{"Dock.Code", kMissing}, {"Lines[0].Qty", kInteger}}},
        MessageRow{"shipment_all_wrong",
                   kShipment,
                   R"({"ShippedOn":5,"Fragile":"no","Dock":[],"Lines":[{},7,{"Sku":1,"Qty":1.5}],"Tags":["a",1,null]})",
                   {{"ShipmentId", kMissing},
                    {"ShippedOn", kDate},
                    {"Fragile", kBoolean},
                    {"Dock", kObject},
                    {"Lines[0].Sku", kMissing},
                    {"Lines[0].Qty", kMissing},
                    {"Lines[1]", kObject},
                    {"Lines[2].Sku", kString},
                    {"Lines[2].Qty", kInteger},
                    {"Tags[1]", kString},
                    {"Tags[2]", kString}}},
        MessageRow{
            "violations_on_the_slow_way",
            kShipment,
            R"({"n":1e400,"ShipmentId":"S-1","Dock":{},"Lines":[{"Sku":"K9","Qty":2.0},{"Sku":"K9","Qty":2.5}]})",
            {{"Dock.Code", kMissing}, {"Lines[1].Qty", kInteger}}},
        MessageRow{"absent_optional", R"([{"name":"a"},{"name":"b","optional":true}])", "{}", {}},
        MessageRow{"absent_required", kRequired, "{}", {{"a", kMissing}}},
        MessageRow{"null_required", kRequired, R"({"a":null})", {{"a", kMissing}}},
        MessageRow{"empty_string_counts", kRequired, R"({"a":""})", {}},
        MessageRow{"empty_containers_count",
                   R"([{"name":"a","type":"array","optional":false},{"name":"b","type":"object","optional":false}])",
                   R"({"a":[],"b":{}})",
                   {}},
        MessageRow{"names_match_by_case", kRequired, R"({"A":"x"})", {{"a", kMissing}}},
        MessageRow{"escaped_name", kRequired, R"({"\u0061":"x"})", {}},
        MessageRow{"last_one_counts", kRequired, R"({"a":5,"a":"x"})", {}},
        MessageRow{"last_one_counts_wrong", kRequired, R"({"a":"x","a":5})", {{"a", kString}}},
        MessageRow{"last_one_counts_null", kRequired, R"({"a":"x","a":null})", {{"a", kMissing}}},
        MessageRow{"unknown_kept", kRequired, R"({"a":"x","b":{"c":[1]}})", {}},
        MessageRow{"default_not_put_in", R"([{"name":"a","optional":false,"default":"x"}])", "{}", {{"a", kMissing}}},
        MessageRow{"pair_first", kPair, R"({"a":1})", {}}, MessageRow{"pair_second", kPair, R"({"b":"x"})", {}},
        MessageRow{"pair_both", kPair, R"({"a":1,"b":"x"})", {}},
        MessageRow{"pair_none", kPair, R"({"c":"x"})", {{"a", kMissing}}},
        MessageRow{"pair_null", kPair, R"({"a":null,"b":null})", {{"a", kMissing}}},
        MessageRow{"pair_null_and_value", kPair, R"({"a":null,"b":"x"})", {}},
        MessageRow{"pair_has_rules_of_its_own", kPair, R"({"a":"x","b":1})", {{"a", kInteger}, {"b", kString}}},
        MessageRow{"loose_pair_none", kLoosePair, "{}", {}},
        MessageRow{"toggle_of_an_object",
                   R"([{"name":"a","type":"object","properties":[{"name":"b","type":"integer"}],
                        "toggle_field":{"name":"a","type":"array","of":"integer"}}])",
                   R"({"a":{"b":"x"}})",
                   {{"a.b", kInteger}}},
        MessageRow{"names_with_dots",
                   R"([{"name":"a.b","type":"object","properties":[{"name":"","name":"€","optional":false}]}])",
                   R"({"a.b":{}})",
                   {{"a.b.€", kMissing}}}),
    [](const auto& row) { return row.param.name; });

// ---- Unknown fields refused
// -------------------------------------------------------------------------------------------

TEST(UnknownFields, AreReportedOnEveryLevelWhenRejected) {
  const Result<std::string> stored =
      check(kShipment,
            R"({"ShipmentId":"S-1","Dock":{"Code":"D","x":1},"Lines":[{"Sku":"K9","Qty":2,"y":{"z":1}}],"extra":null})",
            Schema::UnknownFields::reject);
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().fields,
            (Violations{{"extra", "unknown field"}, {"Dock.x", "unknown field"}, {"Lines[0].y", "unknown field"}}));
}

TEST(UnknownFields, DoNotExistWhereNoFieldIsDeclared) {
  EXPECT_TRUE(check("[]", R"({"a":1})", Schema::UnknownFields::reject));
  EXPECT_TRUE(check(R"([{"name":"a","type":"object"},{"name":"b","type":"array"}])", R"({"a":{"x":1},"b":[{"y":1}]})",
                    Schema::UnknownFields::reject));
}

TEST(UnknownFields, MayStandInForNothing) {
  const Result<std::string> stored = check(kPair, R"({"b":"x","B":"y"})", Schema::UnknownFields::reject);
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().fields, (Violations{{"B", "unknown field"}}));
}

// ---- Bounds of the report
// ---------------------------------------------------------------------------------------------

TEST(ViolationReport, ShowsTheFirstHundredAndCountsTheRest) {
  std::string body = R"({"a":[0)";
  for (int i = 0; i < 10'000; ++i) body += ",0";
  const Result<std::string> stored = check(R"([{"name":"a","type":"array","of":"string"}])", body + "]}");
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().fields.size(), 100U);
  EXPECT_EQ(stored.error().fields[99], (FieldError{"a[99]", kString}));
  EXPECT_EQ(stored.error().detail, "a[0]: must be a string (the first 100 of 10001)");
}

TEST(ViolationReport, CountsThroughTogglesToo) {
  std::string body = R"({"a":[0)";
  for (int i = 0; i < 500; ++i) body += ",0";
  const Result<std::string> stored = check(
      R"([{"name":"a","type":"array","of":"string","toggle_field":{"name":"a","type":"boolean"}},
          {"name":"b","optional":false}])",
      body + "]}");
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().detail, "a[0]: must be a string (the first 100 of 502)");
}

TEST(ViolationReport, CutsLongPathsBetweenCharacters) {
  std::string key = "x";
  while (key.size() < 100'000) key += "€";
  const Result<std::string> stored = check(kRequired, R"({"a":"x",")" + key + R"(":1})", Schema::UnknownFields::reject);
  ASSERT_FALSE(stored);
  ASSERT_EQ(stored.error().fields.size(), 1U);
  EXPECT_EQ(stored.error().fields[0].field, key.substr(0, 511) + "…");
}

TEST(Schema, IsSharedByItsCopies) {
  const Result<Schema> schema = Schema::compile(kRequired);
  ASSERT_TRUE(schema);
  const Schema copy = schema.value();
  EXPECT_EQ(&copy.root(), &schema.value().root());
  EXPECT_EQ(&Schema().root(), &Schema().root());
}

}  // namespace
}  // namespace weir::model
