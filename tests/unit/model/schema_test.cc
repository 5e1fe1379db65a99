#include "weir/model/schema.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace weir::model {
namespace {

using Mistakes = std::vector<FieldError>;

struct GoodRow {
  const char* name;
  std::string json;
};

class GoodSchema : public testing::TestWithParam<GoodRow> {};

TEST_P(GoodSchema, Compiles) {
  const Result<Schema> schema = Schema::compile(GetParam().json);
  EXPECT_TRUE(schema) << schema.error().detail;
}

/// A field within a field …, `levels` levels in all.
std::string nested(std::size_t levels) {
  std::string json = R"([{"name":"a"}])";
  for (std::size_t i = 1; i < levels; ++i) {
    const std::string type = i % 2 == 0 ? R"("type":"object")" : R"("type":"array")";
    json = R"([{"name":"a",)" + type + R"(,"properties":)" + json + "}]";
  }
  return json;
}

INSTANTIATE_TEST_SUITE_P(
    Schemas, GoodSchema,
    testing::Values(
        GoodRow{"no_fields", "[]"}, GoodRow{"name_alone", R"([{"name":"a"}])"},
        GoodRow{"every_type",
                R"([{"name":"a","type":"string"},{"name":"b","type":"integer"},{"name":"c","type":"number"},
                    {"name":"d","type":"boolean"},{"name":"e","type":"date_time"},{"name":"f","type":"timestamp"},
                    {"name":"g","type":"date"},{"name":"h","type":"object"},{"name":"i","type":"array"}])"},
        GoodRow{"every_of",
                R"([{"name":"a","type":"array","of":"string"},{"name":"b","type":"array","of":"integer"},
                    {"name":"c","type":"array","of":"number"},{"name":"d","type":"array","of":"boolean"},
                    {"name":"e","type":"array","of":"date_time"},{"name":"f","type":"array","of":"timestamp"},
                    {"name":"g","type":"array","of":"date"},{"name":"h","type":"array","of":"object"},
                    {"name":"i","type":"array","of":"array"}])"},
        GoodRow{"form_attributes_of_any_kind",
                R"([{"name":"a","label":5,"control_type":["x"],"hint":null,"default":1e400,"pick_list":[[1,2],[3,4]],
                     "sticky":"yes","colour":{"deep":[[[{}]]]},"render_input":"date_conversion"}])"},
        GoodRow{"nulls_are_left_out",
                R"([{"name":"a","type":null,"of":null,"properties":null,"optional":null,"toggle_field":null}])"},
        GoodRow{"of_without_array", R"([{"name":"a","of":"nothing"}])"},
        GoodRow{"properties_without_object", R"([{"name":"a","properties":5}])"},
        GoodRow{"same_name_on_two_levels", R"([{"name":"a","type":"object","properties":[{"name":"a"}]}])"},
        GoodRow{"names_differ_in_case", R"([{"name":"a"},{"name":"A"}])"},
        GoodRow{"toggle_of_same_name", R"([{"name":"a","toggle_field":{"name":"a","type":"string"}}])"},
        GoodRow{"toggle_of_other_name", R"([{"name":"a","toggle_field":{"name":"b","type":"integer"}}])"},
        GoodRow{"last_of_double_attributes", R"([{"name":"a","type":"bad","type":"string"}])"},
        GoodRow{"white_space", " [\n{ \"name\" : \"a\" } ]\t"}, GoodRow{"levels_64", nested(64)}),
    [](const auto& row) { return row.param.name; });

struct BadRow {
  const char* name;
  std::string json;
  Mistakes mistakes;
};

class BadSchema : public testing::TestWithParam<BadRow> {};

TEST_P(BadSchema, IsRefusedWithEveryMistake) {
  const Result<Schema> schema = Schema::compile(GetParam().json);
  ASSERT_FALSE(schema);
  const Error& error = schema.error();
  EXPECT_EQ(error.code, Errc::validation_failed);
  EXPECT_EQ(error.fields.size(), GetParam().mistakes.size());
  for (std::size_t i = 0; i < std::min(error.fields.size(), GetParam().mistakes.size()); ++i) {
    EXPECT_EQ(error.fields[i].field, GetParam().mistakes[i].field);
    EXPECT_EQ(error.fields[i].message, GetParam().mistakes[i].message);
  }
  EXPECT_EQ(error.detail, GetParam().mistakes[0].field + ": " + GetParam().mistakes[0].message);
}

const std::string kTypes = "must be one of string, integer, number, boolean, date, date_time, timestamp, object, array";
const std::string kTwice = "another field of this level has this name";
const std::string kNoName = "must be a string of at least one character";

INSTANTIATE_TEST_SUITE_P(
    Schemas, BadSchema,
    testing::Values(
        BadRow{"empty", "", {{"schema", "not valid JSON: there is nothing in it"}}},
        BadRow{"no_json", "[{]", {{"schema", "not valid JSON: expected a key in quotes at byte 2"}}},
        BadRow{"object", R"({"name":"a"})", {{"schema", "must be an array of field objects"}}},
        BadRow{"text", R"("[]")", {{"schema", "must be an array of field objects"}}},
        BadRow{"null", "null", {{"schema", "must be an array of field objects"}}},
        BadRow{"json_too_deep",
               R"([{"name":"a","hint":)" + std::string(300, '[') + std::string(300, ']') + "}]",
               {{"schema", "nested deeper than 256 levels at byte 274"}}},
        BadRow{"elements_no_objects",
               R"([5,{"name":"a"},[]])",
               {{"schema[0]", "must be a field object"}, {"schema[2]", "must be a field object"}}},
        BadRow{"no_name", R"([{"type":"string"}])", {{"schema[0].name", "is missing"}}},
        BadRow{"null_name", R"([{"name":null}])", {{"schema[0].name", "is missing"}}},
        BadRow{"empty_name", R"([{"name":""}])", {{"schema[0].name", kNoName}}},
        BadRow{"number_name", R"([{"name":5}])", {{"schema[0].name", kNoName}}},
        BadRow{"name_twice", R"([{"name":"a"},{"name":"b"},{"name":"a"}])", {{"schema[2].name", kTwice}}},
        BadRow{"escaped_name_twice", R"([{"name":"a"},{"name":"\u0061"}])", {{"schema[1].name", kTwice}}},
        BadRow{"name_twice_below",
               R"([{"name":"a","type":"array","properties":[{"name":"b"},{"name":"b"}]}])",
               {{"schema[0].properties[1].name", kTwice}}},
        BadRow{"unknown_type", R"([{"name":"a","type":"text"}])", {{"schema[0].type", kTypes}}},
        BadRow{"capital_type", R"([{"name":"a","type":"String"}])", {{"schema[0].type", kTypes}}},
        BadRow{"number_type", R"([{"name":"a","type":1}])", {{"schema[0].type", "must be a string"}}},
        BadRow{"unknown_of", R"([{"name":"a","type":"array","of":"thing"}])", {{"schema[0].of", kTypes}}},
        BadRow{"list_of", R"([{"name":"a","type":"array","of":[]}])", {{"schema[0].of", "must be a string"}}},
        BadRow{
            "text_optional", R"([{"name":"a","optional":"true"}])", {{"schema[0].optional", "must be true or false"}}},
        BadRow{"object_properties",
               R"([{"name":"a","type":"object","properties":{}}])",
               {{"schema[0].properties", "must be an array of field objects"}}},
        BadRow{"object_properties_of_array",
               R"([{"name":"a","type":"array","properties":"b"}])",
               {{"schema[0].properties", "must be an array of field objects"}}},
        BadRow{"text_toggle",
               R"([{"name":"a","toggle_field":"b"}])",
               {{"schema[0].toggle_field", "must be a field object"}}},
        BadRow{"toggle_without_name",
               R"([{"name":"a","toggle_field":{}}])",
               {{"schema[0].toggle_field.name", "is missing"}}},
        BadRow{"toggle_unknown_type",
               R"([{"name":"a","toggle_field":{"name":"b","type":"x"}}])",
               {{"schema[0].toggle_field.type", kTypes}}},
        BadRow{"toggle_name_taken",
               R"([{"name":"a"},{"name":"b","toggle_field":{"name":"a"}}])",
               {{"schema[1].toggle_field.name", kTwice}}},
        BadRow{"all_at_once",
               R"([{"name":"a","type":"x","optional":1},{},
                   {"name":"a","type":"object","properties":[{"type":"y"},{"name":"c","type":"array","of":"z"}]}])",
               {{"schema[0].optional", "must be true or false"},
                {"schema[0].type", kTypes},
                {"schema[1].name", "is missing"},
                {"schema[2].name", kTwice},
                {"schema[2].properties[0].name", "is missing"},
                {"schema[2].properties[0].type", kTypes},
                {"schema[2].properties[1].of", kTypes}}},
        BadRow{"levels_65",
               nested(65),
               {{[] {
                   std::string path = "schema";
                   for (int i = 0; i < 64; ++i) path += "[0].properties";
                   return path.substr(0, 512) + "…";
                 }(),
                 "nested deeper than 64 levels"}}}),
    [](const auto& row) { return row.param.name; });

TEST(SchemaCompile, MeasuresTheTextAsGiven) {
  const std::string json = R"([{"name":"a"}])";
  EXPECT_TRUE(Schema::compile(json, Schema::UnknownFields::keep, json.size()));
  const Result<Schema> longer = Schema::compile(json + " ", Schema::UnknownFields::keep, json.size());
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().fields, (Mistakes{{"schema", "must be at most 14 bytes"}}));
}

TEST(SchemaCompile, ShowsTheFirstHundredMistakesAndCountsTheRest) {
  std::string json = "[{}";
  for (int i = 0; i < 20'000; ++i) json += ",{}";
  const Result<Schema> schema = Schema::compile(json + "]");
  ASSERT_FALSE(schema);
  EXPECT_EQ(schema.error().fields.size(), 100U);
  EXPECT_EQ(schema.error().detail, "schema[0].name: is missing (the first 100 of 20001)");
}

TEST(SchemaCompile, TakesThousandsOfFields) {
  std::string json = "[";
  for (int i = 0; i < 10'000; ++i) json += (i == 0 ? "" : ",") + (R"({"name":"f)" + std::to_string(i) + "\"}");
  EXPECT_TRUE(Schema::compile(json + "]"));
}

}  // namespace
}  // namespace weir::model
