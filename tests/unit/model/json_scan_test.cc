#include "weir/model/json_scan.h"

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace weir::model {
namespace {

constexpr std::size_t kDepth = 64;

std::string nested(std::size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

struct KindRow {
  const char* name;
  std::string text;
  JsonKind kind;
};

class ValidJson : public testing::TestWithParam<KindRow> {};

TEST_P(ValidJson, IsAcceptedWithItsKind) {
  const Result<JsonKind> kind = check_json(GetParam().text, kDepth);
  ASSERT_TRUE(kind) << kind.error().detail;
  EXPECT_EQ(kind.value(), GetParam().kind);
}

INSTANTIATE_TEST_SUITE_P(
    Json, ValidJson,
    testing::Values(KindRow{"null", "null", JsonKind::null}, KindRow{"true_word", "true", JsonKind::boolean},
                    KindRow{"false_word", " false\n", JsonKind::boolean}, KindRow{"zero", "0", JsonKind::number},
                    KindRow{"minus_zero", "-0", JsonKind::number},
                    KindRow{"minus_zero_fraction", "-0.0e-0", JsonKind::number},
                    KindRow{"exponent", "1E+2", JsonKind::number}, KindRow{"huge_exponent", "1e400", JsonKind::number},
                    KindRow{"many_digits", std::string(1 << 20, '9'), JsonKind::number},
                    KindRow{"empty_string", "\"\"", JsonKind::string},
                    KindRow{"escapes", R"("\"\\\/\b\f\n\r\t\u00e9\u0000")", JsonKind::string},
                    KindRow{"surrogate_pair", R"("\ud83d\ude00")", JsonKind::string},
                    KindRow{"escaped_backslash_before_u", R"("\\ud800")", JsonKind::string},
                    KindRow{"utf8", "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"", JsonKind::string},
                    KindRow{"delete_character", "\"\x7F\"", JsonKind::string},
                    KindRow{"empty_array", "[ ]", JsonKind::array}, KindRow{"empty_object", "{ }", JsonKind::object},
                    KindRow{"mixed", "\t{\"a\" : [1, {\"b\":[]}, \"x\"] ,\r\n\"a\":null}", JsonKind::object},
                    KindRow{"depth_64", nested(64), JsonKind::array},
                    KindRow{"long_string", '"' + std::string(10'007, 'x') + '"', JsonKind::string}),
    [](const auto& row) { return row.param.name; });

struct BadRow {
  const char* name;
  std::string text;
  const char* detail;
};

class InvalidJson : public testing::TestWithParam<BadRow> {};

TEST_P(InvalidJson, IsRefusedWithItsPlace) {
  const Result<JsonKind> kind = check_json(GetParam().text, kDepth);
  ASSERT_FALSE(kind);
  EXPECT_EQ(kind.error().code, Errc::invalid_json);
  EXPECT_EQ(kind.error().detail, GetParam().detail);
}

INSTANTIATE_TEST_SUITE_P(
    Json, InvalidJson,
    testing::Values(
        BadRow{"empty", "", "not valid JSON: there is nothing in it"},
        BadRow{"blank", " \n", "not valid JSON: there is nothing in it"},
        BadRow{"word", "nul", "not valid JSON: unknown word at byte 3"},
        BadRow{"capital_word", "True", "not valid JSON: expected a value at byte 0"},
        BadRow{"nan", "NaN", "not valid JSON: expected a value at byte 0"},
        BadRow{"infinity", "-Infinity", "not valid JSON: malformed number at byte 1"},
        BadRow{"leading_zero", "01", "not valid JSON: malformed number at byte 1"},
        BadRow{"minus_leading_zero", "-012", "not valid JSON: malformed number at byte 2"},
        BadRow{"dot_alone", "1.", "not valid JSON: malformed number at byte 2"},
        BadRow{"plus", "+1", "not valid JSON: expected a value at byte 0"},
        BadRow{"no_units", ".5", "not valid JSON: expected a value at byte 0"},
        BadRow{"exponent_alone", "[1e]", "not valid JSON: malformed number at byte 3"},
        BadRow{"exponent_sign_alone", "1e+", "not valid JSON: malformed number at byte 3"},
        BadRow{"exponent_fraction", "1e1.5", "not valid JSON: something follows the document at byte 3"},
        BadRow{"hexadecimal", "0x10", "not valid JSON: something follows the document at byte 1"},
        BadRow{"minus_alone", "-", "not valid JSON: malformed number at byte 1"},
        BadRow{"two_documents", "{} {}", "not valid JSON: something follows the document at byte 3"},
        BadRow{"nul_behind", std::string("{}\0", 3), "not valid JSON: something follows the document at byte 2"},
        BadRow{"nul_in_string", std::string("\"a\0\"", 4), "not valid JSON: control character in a string at byte 2"},
        BadRow{"line_break_in_string", "\"12345678\n\"", "not valid JSON: control character in a string at byte 9"},
        BadRow{"form_feed", "\f{}", "not valid JSON: expected a value at byte 0"},
        BadRow{"open_string", "\"abc", "not valid JSON: the document ends inside a string at byte 4"},
        BadRow{"open_escape", "\"abc\\", "not valid JSON: the document ends inside a string at byte 4"},
        BadRow{"unknown_escape", R"("\x41")", "not valid JSON: unknown escape at byte 1"},
        BadRow{"short_escape", R"("\u00e")", "not valid JSON: malformed \\u escape at byte 1"},
        BadRow{"high_surrogate", R"("\ud83d")", "not valid JSON: escaped surrogate without its other half at byte 1"},
        BadRow{"low_surrogate", R"("\uDE00")", "not valid JSON: escaped surrogate without its other half at byte 1"},
        BadRow{"surrogates_swapped", R"("\ude00\ud83d")",
               "not valid JSON: escaped surrogate without its other half at byte 1"},
        BadRow{"high_surrogate_twice", R"("\ud83d\ud83d")",
               "not valid JSON: escaped surrogate without its other half at byte 1"},
        BadRow{"open_array", "[1", "not valid JSON: expected ',' or ']' at byte 2"},
        BadRow{"open_object", "{\"a\":1", "not valid JSON: expected ',' or '}' at byte 6"},
        BadRow{"wrong_bracket", "[1}", "not valid JSON: expected ',' or ']' at byte 2"},
        BadRow{"wrong_brace", "{\"a\":1]", "not valid JSON: expected ',' or '}' at byte 6"},
        BadRow{"trailing_comma", "[1,]", "not valid JSON: expected a value at byte 3"},
        BadRow{"trailing_comma_object", "{\"a\":1,}", "not valid JSON: expected a key in quotes at byte 7"},
        BadRow{"no_value", "{\"a\":}", "not valid JSON: expected a value at byte 5"},
        BadRow{"no_colon", "{\"a\" 1}", "not valid JSON: expected ':' behind the key at byte 5"},
        BadRow{"bare_key", "{a:1}", "not valid JSON: expected a key in quotes at byte 1"},
        BadRow{"single_quotes", "{'a':1}", "not valid JSON: expected a key in quotes at byte 1"},
        BadRow{"comment", "{} // x", "not valid JSON: something follows the document at byte 3"},
        BadRow{"byte_order_mark", "\xEF\xBB\xBF{}", "not valid JSON: it begins with a byte order mark"},
        BadRow{"overlong_utf8", "\"\xC0\xAF\"", "not valid UTF-8 at byte 1"},
        BadRow{"surrogate_in_utf8", "\"ab\xED\xA0\x80\"", "not valid UTF-8 at byte 3"},
        BadRow{"beyond_unicode", "\"\xF4\x90\x80\x80\"", "not valid UTF-8 at byte 1"},
        BadRow{"lone_continuation", "\"\x80\"", "not valid UTF-8 at byte 1"},
        BadRow{"cut_character", "\"\xE2\x82\"", "not valid UTF-8 at byte 1"},
        BadRow{"latin1", "{\"a\":\"caf\xE9\"}", "not valid UTF-8 at byte 9"},
        BadRow{"depth_65", nested(65), "nested deeper than 64 levels at byte 64"},
        BadRow{"depth_100000", nested(100'000), "nested deeper than 64 levels at byte 64"},
        BadRow{"depth_65_mixed", "{\"a\":" + nested(64) + "}", "nested deeper than 64 levels at byte 68"},
        BadRow{"depth_unclosed", std::string(1'000'000, '['), "nested deeper than 64 levels at byte 64"}),
    [](const auto& row) { return row.param.name; });

TEST(CheckJson, CountsOnlyOpenLevels) {
  std::string wide = "[";
  for (int i = 0; i < 1000; ++i) wide += nested(63) + ',';
  wide += "0]";
  EXPECT_TRUE(check_json(wide, kDepth));
}

TEST(CheckJson, FollowsDeepDocumentsUpToItsOwnBound) {
  EXPECT_TRUE(check_json(nested(kJsonDepthMax), 1'000'000));
  const Result<JsonKind> deeper = check_json(nested(kJsonDepthMax + 1), 1'000'000);
  ASSERT_FALSE(deeper);
  EXPECT_EQ(deeper.error().detail, "nested deeper than 1024 levels at byte 1024");
  EXPECT_FALSE(check_json("[]", 0));
  EXPECT_TRUE(check_json("1", 0));
}

TEST(CheckJson, RemembersWhetherEachOpenLevelIsAnObject) {
  std::string open;
  std::string close;
  for (int i = 0; i < 500; ++i) {
    open += i % 3 == 0 ? "{\"k\":" : "[";
    close.insert(0, i % 3 == 0 ? "}" : "]");
  }
  EXPECT_TRUE(check_json(open + "1" + close, kJsonDepthMax));
  EXPECT_FALSE(check_json(open + "1" + close.substr(0, 250) + "x", kJsonDepthMax));
}

struct MemberRow {
  const char* name;
  std::string object;
  std::string key;
  std::optional<std::string_view> value;
};

class LastMember : public testing::TestWithParam<MemberRow> {};

TEST_P(LastMember, IsFound) {
  ASSERT_TRUE(check_json(GetParam().object, kDepth));
  EXPECT_EQ(last_member(GetParam().object, GetParam().key), GetParam().value);
}

TEST_P(LastMember, IsFoundOnTheWayToo) {
  std::array<JsonMember, 2> wanted{{{GetParam().key}, {"b", 10}}};
  ASSERT_TRUE(check_json(GetParam().object, kDepth, wanted));
  EXPECT_EQ(wanted[0].value, GetParam().value);
  EXPECT_TRUE(wanted[0].elements.empty()) << "none wanted";
  EXPECT_EQ(wanted[1].value, last_member(GetParam().object, "b"));
}

INSTANTIATE_TEST_SUITE_P(
    Json, LastMember,
    testing::Values(MemberRow{"none", "{}", "a", std::nullopt}, MemberRow{"spaced_none", " { } ", "a", std::nullopt},
                    MemberRow{"number", R"({"a":12})", "a", "12"},
                    MemberRow{"spaced", "{ \"a\" : 12 , \"b\" : 3 }", "a", "12"},
                    MemberRow{"word_at_the_end", R"({"b":1,"a":null})", "a", "null"},
                    MemberRow{"string", R"({"a":"x\"},y"})", "a", R"("x\"},y")"},
                    MemberRow{"container", R"({"a":[1,{"a":"]"}],"b":2})", "a", R"([1,{"a":"]"}])"},
                    MemberRow{"the_last_one_counts", R"({"a":1,"b":2,"a":[3]})", "a", "[3]"},
                    MemberRow{"not_a_nested_one", R"({"b":{"a":1}})", "a", std::nullopt},
                    MemberRow{"not_a_value", R"({"b":"a"})", "a", std::nullopt},
                    MemberRow{"case_matters", R"({"A":1})", "a", std::nullopt},
                    MemberRow{"escaped_key", R"({"\u0061\/":1})", "a/", "1"},
                    MemberRow{"escaped_like_the_key", R"({"a\\b":1})", "a\\\\b", std::nullopt},
                    MemberRow{"escaped_backslash", R"({"a\\b":1})", "a\\b", "1"},
                    MemberRow{"every_escape", R"({"\"\\\/\b\f\n\r\t":1})", "\"\\/\b\f\n\r\t", "1"},
                    MemberRow{"surrogate_pair_key", R"({"\ud83d\ude00x":1})", "\xF0\x9F\x98\x80x", "1"},
                    MemberRow{"two_and_three_bytes", R"({"\u00e9\u20ac":1})", "\xC3\xA9\xE2\x82\xAC", "1"},
                    MemberRow{"nul_in_key", R"({"a\u0000":1})", std::string("a\0", 2), "1"},
                    MemberRow{"empty_key", R"({"":{}})", "", "{}"}),
    [](const auto& row) { return row.param.name; });

struct ElementsRow {
  const char* name;
  std::string array;
  std::vector<std::string_view> elements;
};

class ArrayElements : public testing::TestWithParam<ElementsRow> {};

TEST_P(ArrayElements, AreFound) {
  ASSERT_TRUE(check_json(GetParam().array, kDepth));
  EXPECT_EQ(array_elements(GetParam().array), GetParam().elements);
}

TEST_P(ArrayElements, AreFoundOnTheWayToo) {
  const std::string object = R"({"a":[0,[{}]], "b":[7],"a" : )" + GetParam().array + R"( , "c":{"a":[1],"b":[2]}})";
  std::array<JsonMember, 2> wanted{{{"a", 100}, {"c", 100}}};
  ASSERT_TRUE(check_json(object, kDepth, wanted));
  EXPECT_EQ(wanted[0].elements, GetParam().elements) << "those of the last member of that name";
  EXPECT_TRUE(wanted[1].elements.empty()) << "not an array";
}

INSTANTIATE_TEST_SUITE_P(
    Json, ArrayElements,
    testing::Values(ElementsRow{"none", "[]", {}}, ElementsRow{"spaced_none", " [ \n] ", {}},
                    ElementsRow{"one", "[ {} ]", {"{}"}},
                    ElementsRow{"scalars", "[1,null ,\"a\" , true]", {"1", "null", "\"a\"", "true"}},
                    ElementsRow{"strings", R"(["],[", "\\", "\""])", {R"("],[")", R"("\\")", R"("\"")"}},
                    ElementsRow{"nested", R"([[1,[2]],{"a":[3,4]},[]])", {"[1,[2]]", R"({"a":[3,4]})", "[]"}}),
    [](const auto& row) { return row.param.name; });

TEST(ArrayElementsMax, StopsWhereTold) {
  std::string array = "[1";
  for (int i = 0; i < 1'000'000; ++i) array += ",1";
  array += ']';
  EXPECT_EQ(array_elements(array, 101).size(), 101U);
  EXPECT_EQ(array_elements(array).size(), 1'000'001U);
  const std::string object = "{\"a\":" + array + "}";
  std::array<JsonMember, 1> wanted{{{"a", 101}}};
  ASSERT_TRUE(check_json(object, kDepth, wanted));
  EXPECT_EQ(wanted[0].elements.size(), 101U);
  EXPECT_EQ(wanted[0].value, array);
}

TEST(WantedMembers, AreOnlyThoseOfAnObject) {
  for (const std::string text : {R"([{"a":1}])", R"("a")", R"([["a",1]])"}) {
    std::array<JsonMember, 1> wanted{{{"a", 10}}};
    ASSERT_TRUE(check_json(text, kDepth, wanted));
    EXPECT_EQ(wanted[0].value, std::nullopt) << text;
  }
}

}  // namespace
}  // namespace weir::model
