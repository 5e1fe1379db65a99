#include "weir/model/payload.h"

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace weir::model {
namespace {

Schema compile(std::string_view json, Schema::UnknownFields unknown = Schema::UnknownFields::keep) {
  Result<Schema> schema = Schema::compile(json, unknown);
  EXPECT_TRUE(schema) << schema.error().detail;
  return schema ? schema.value() : Schema();
}

std::string nested(std::size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

// ---- What is stored ------------------------------------------------------------------------------------------------

struct StoredRow {
  const char* name;
  std::string body;
  std::string stored;
};

class StoredPayload : public testing::TestWithParam<StoredRow> {};

TEST_P(StoredPayload, IsTheBodyWithoutWhiteSpace) {
  PayloadChecker checker(PayloadLimits{});
  const Result<std::string> stored = checker.check(Schema(), GetParam().body);
  ASSERT_TRUE(stored) << stored.error().detail;
  EXPECT_EQ(stored.value(), GetParam().stored);
  const Result<std::string> again = checker.check(Schema(), stored.value());
  ASSERT_TRUE(again);
  EXPECT_EQ(again.value(), stored.value());
}

StoredRow same(const char* name, std::string body) {
  return {name, body, body};
}

INSTANTIATE_TEST_SUITE_P(
    Payloads, StoredPayload,
    testing::Values(
        same("empty_object", "{}"), same("beyond_double", R"({"n":9007199254740993})"),
        same("huge_exponent", R"({"n":1e400})"), same("tiny_exponent", R"({"n":-1e-400})"),
        same("thirty_digits", R"({"n":123456789012345678901234567890})"),
        same("beyond_uint64", R"({"n":[18446744073709551615,18446744073709551616,-9223372036854775809]})"),
        same("minus_zero", R"({"n":[-0,-0.0,0e5]})"), same("exponent_spelling", R"({"n":[1E+2,1e2,1.50,100.0]})"),
        same("many_fraction_digits", R"({"n":0.1000000000000000055511151231257827021181583404541015625})"),
        same("key_order_and_doubles", R"({"b":1,"a":2,"b":3})"),
        same("escapes_as_written", R"({"\u0061":"\u00e9\/\ud83d\ude00\u0000"})"),
        same("spaces_in_strings", R"({" a ":" b\t\" c "})"), same("utf8", "{\"\xE2\x82\xAC\":\"\xF0\x9F\x98\x80\"}"),
        same("word_numbers_in_strings", R"({"a":"1e400 01 +1"})"),
        StoredRow{"spaced", " {\r\n\t\"a\" : [ 1 , { } ] ,\n \"b\" : \"x y\" } \n", R"({"a":[1,{}],"b":"x y"})"},
        StoredRow{"spaced_huge", "{ \"a\" : 1e999 , \"b\" : \"\\\" 1e999 \" }", R"({"a":1e999,"b":"\" 1e999 "})"}),
    [](const auto& row) { return row.param.name; });

TEST(PayloadSpaces, GoAndNothingElseDoes) {
  constexpr unsigned kSeed = 99;
  SCOPED_TRACE(kSeed);
  std::mt19937 random(kSeed);
  const std::vector<std::string> pieces = {"{",    R"("a")", ":", "[", "1e400", ",", R"("x \" y")", ",", "-0",    ",",
                                           "true", ",",      "{", "}", "]",     ",", R"("\\")",     ":", "12.50", "}"};
  std::string compact;
  for (const std::string& piece : pieces) compact += piece;
  PayloadChecker checker(PayloadLimits{});
  for (int i = 0; i < 500; ++i) {
    std::string spaced;
    for (const std::string& piece : pieces) {
      for (unsigned spaces = random() % 40; spaces > 30; --spaces) spaced += " \t\r\n"[random() % 4];
      spaced += piece;
    }
    const Result<std::string> stored = checker.check(Schema(), spaced);
    ASSERT_TRUE(stored) << stored.error().detail << '\n' << spaced;
    ASSERT_EQ(stored.value(), compact);
  }
}

// ---- What is refused whatever the schema
// -----------------------------------------------------------------------------

struct RefusedRow {
  const char* name;
  std::string body;
  Errc code;
  std::string detail;
};

class RefusedPayload : public testing::TestWithParam<RefusedRow> {};

TEST_P(RefusedPayload, SaysWhy) {
  PayloadChecker checker(PayloadLimits{});
  const Result<std::string> stored = checker.check(Schema(), GetParam().body);
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().code, GetParam().code);
  EXPECT_EQ(stored.error().detail, GetParam().detail);
  EXPECT_TRUE(stored.error().fields.empty());
  EXPECT_TRUE(checker.check(Schema(), R"({"after":[]})"));
}

RefusedRow bad(const char* name, std::string body, const std::string& detail) {
  return {name, std::move(body), Errc::invalid_json, "not valid JSON: " + detail};
}
RefusedRow no_object(const char* name, std::string body) {
  return {name, std::move(body), Errc::schema_violation, "message must be a JSON object"};
}

INSTANTIATE_TEST_SUITE_P(
    Payloads, RefusedPayload,
    testing::Values(bad("empty", "", "there is nothing in it"), bad("blank", " \n ", "there is nothing in it"),
                    bad("open", R"({"a":1)", "expected ',' or '}' at byte 6"),
                    bad("leading_zero", R"({"a":01})", "malformed number at byte 6"),
                    bad("dot_alone", R"({"a":1.})", "malformed number at byte 7"),
                    bad("plus", R"({"a":+1})", "expected a value at byte 5"),
                    bad("no_units", R"({"a":.5})", "expected a value at byte 5"),
                    bad("exponent_alone", R"({"a":1e})", "malformed number at byte 7"),
                    bad("nan", R"({"a":NaN})", "expected a value at byte 5"),
                    bad("bad_number_beside_huge_one", R"({"a":1e400,"b":01})", "malformed number at byte 16"),
                    bad("two_documents", "{}{}", "something follows the document at byte 2"),
                    bad("nul_behind", std::string("{}\0", 3), "something follows the document at byte 2"),
                    bad("nul_before", std::string("\0{}", 3), "expected a value at byte 0"),
                    bad("control_character", "{\"a\":\"\x01\"}", "control character in a string at byte 6"),
                    bad("byte_order_mark", "\xEF\xBB\xBF{}", "it begins with a byte order mark"),
                    bad("high_surrogate", R"({"a":"\ud83dx"})", "escaped surrogate without its other half at byte 6"),
                    bad("low_surrogate", R"({"a":"\uDe00"})", "escaped surrogate without its other half at byte 6"),
                    bad("low_surrogate_key", R"({"\udc00":1})", "escaped surrogate without its other half at byte 2"),
                    RefusedRow{"latin1", "{\"a\":\"\xE9\"}", Errc::invalid_json, "not valid UTF-8 at byte 6"},
                    RefusedRow{"surrogate_in_utf8", "{\"a\":\"\xED\xA0\x80\"}", Errc::invalid_json,
                               "not valid UTF-8 at byte 6"},
                    RefusedRow{"utf16", std::string("{\0\"\0", 4), Errc::invalid_json,
                               "not valid JSON: expected a key in quotes at byte 1"},
                    no_object("array", "[]"), no_object("array_of_objects", "[{}]"), no_object("string", R"("{}")"),
                    no_object("number", "5"), no_object("huge_number", "1e400"), no_object("boolean", "true"),
                    no_object("null", "null")),
    [](const auto& row) { return row.param.name; });

TEST(PayloadSize, IsMeasuredOnTheBytesAsReceived) {
  PayloadChecker checker(PayloadLimits{});
  const std::string largest = R"({"a":")" + std::string(1048576 - 8, 'x') + R"("})";
  ASSERT_EQ(largest.size(), 1048576U);
  const Result<std::string> stored = checker.check(Schema(), largest);
  ASSERT_TRUE(stored) << stored.error().detail;
  EXPECT_EQ(stored.value(), largest);
  const Result<std::string> larger = checker.check(Schema(), largest + " ");
  ASSERT_FALSE(larger);
  EXPECT_EQ(larger.error().code, Errc::message_too_large);
  EXPECT_EQ(larger.error().detail, "message has 1048577 bytes, at most 1048576 are allowed");
}

TEST(PayloadSize, MayBeRaised) {
  PayloadLimits limits;
  limits.message_bytes_max = 16 << 20;
  PayloadChecker checker(limits);
  const std::string large = R"({"a":")" + std::string(10 << 20, 'x') + R"("})";
  EXPECT_TRUE(checker.check(Schema(), large));
  EXPECT_TRUE(checker.check(Schema(), "{}"));  // with the buffers given back
  EXPECT_TRUE(checker.check(Schema(), large));
}

// Which of the levels are empty matters to the parser below, not to us; so does a number that takes the slow way.
TEST(PayloadDepth, IsExact) {
  PayloadChecker checker(PayloadLimits{});
  for (const char* const leaf : {"", "1", "1e400", "\"\""}) {
    const auto message = [&](std::size_t depth) {
      return R"({"a":)" + std::string(depth - 1, '[') + leaf + std::string(depth - 1, ']') + "}";
    };
    for (int round = 0; round < 2; ++round) {
      const Result<std::string> deepest = checker.check(Schema(), message(64));
      EXPECT_TRUE(deepest) << leaf << ' ' << deepest.error().detail;
      for (const std::size_t depth : {65, 66, 1000, 100'000}) {
        const Result<std::string> deeper = checker.check(Schema(), message(depth));
        ASSERT_FALSE(deeper) << leaf << ' ' << depth;
        EXPECT_EQ(deeper.error().code, Errc::invalid_json);
        EXPECT_EQ(deeper.error().detail, "nested deeper than 64 levels at byte 68");
      }
    }
  }
  const Result<std::string> objects = checker.check(Schema(), [] {
    std::string body;
    for (int i = 0; i < 65; ++i) body += R"({"a":)";
    return body + "1" + std::string(65, '}');
  }());
  ASSERT_FALSE(objects);
  EXPECT_EQ(objects.error().code, Errc::invalid_json);
}

TEST(PayloadDepth, MayBeSet) {
  PayloadChecker flat(PayloadLimits{.depth_max = 1});
  EXPECT_TRUE(flat.check(Schema(), "{}"));
  EXPECT_TRUE(flat.check(Schema(), R"({"a":1})"));
  EXPECT_FALSE(flat.check(Schema(), R"({"a":{}})"));
  PayloadChecker deep(PayloadLimits{.depth_max = 500});
  EXPECT_TRUE(deep.check(Schema(), R"({"a":)" + nested(499) + "}"));
  EXPECT_FALSE(deep.check(Schema(), R"({"a":)" + nested(500) + "}"));
}

TEST(PayloadDepth, OfAnArrayIsReportedBeforeItsKind) {
  PayloadChecker checker(PayloadLimits{});
  const Result<std::string> deep = checker.check(Schema(), nested(65));
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().code, Errc::invalid_json);
}

// ---- Shapes meant to hurt
// --------------------------------------------------------------------------------------------

TEST(PayloadShapes, MillionKeysPass) {
  PayloadLimits limits;
  limits.message_bytes_max = 32 << 20;
  PayloadChecker checker(limits);
  std::string body = "{";
  for (int i = 0; i < 1'000'000; ++i) body += "\"k" + std::to_string(i) + "\":1,";
  body += R"("Id":"S-1"})";
  const Schema schema = compile(R"([{"name":"Id","optional":false},{"name":"k77","type":"integer"}])");
  const Result<std::string> stored = checker.check(schema, body);
  ASSERT_TRUE(stored) << stored.error().detail;
  EXPECT_EQ(stored.value(), body);
}

TEST(PayloadShapes, MegabyteNumbersPass) {
  PayloadChecker checker(PayloadLimits{});
  const Schema schema = compile(R"([{"name":"n","type":"integer"}])");
  const std::string digits(1'000'000, '7');
  for (const std::string& number : {digits, "-" + digits, digits + ".0", "0." + digits + "e1000000"}) {
    const std::string body = R"({"n":)" + number + "}";
    const Result<std::string> stored = checker.check(schema, body);
    ASSERT_TRUE(stored) << stored.error().detail;
    EXPECT_EQ(stored.value(), body);
  }
  for (const std::string& number : {"0." + digits, digits + ".5", "1e-" + digits, digits + "e-1"}) {
    const Result<std::string> stored = checker.check(schema, R"({"n":)" + number + "}");
    ASSERT_FALSE(stored);
    EXPECT_EQ(stored.error().detail, "n: must be an integer");
  }
}

TEST(PayloadShapes, ManyNumbersThatTakeTheSlowWayPass) {
  PayloadChecker checker(PayloadLimits{});
  std::string body = R"({"n":[0)";
  while (body.size() < 1'000'000) body += ",1e400,5.0";
  body += "]}";
  EXPECT_TRUE(checker.check(compile(R"([{"name":"n","type":"array","of":"integer"}])"), body));
}

TEST(PayloadShapes, SchemaWithManyFieldsPasses) {
  std::string json = "[";
  std::string body = "{";
  for (int i = 0; i < 5'000; ++i) {
    const std::string comma = i == 0 ? "" : ",";
    json += comma + R"({"name":"f)" + std::to_string(i) + R"(","type":"integer","optional":false})";
    body += comma + R"("f)" + std::to_string(4'999 - i) + R"(":1)";
  }
  PayloadChecker checker(PayloadLimits{});
  EXPECT_TRUE(checker.check(compile(json + "]"), body + "}"));
}

}  // namespace
}  // namespace weir::model
