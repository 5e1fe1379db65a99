#include "api/json_input.h"

#include <optional>
#include <string>

#include <gtest/gtest.h>

namespace weir::api {
namespace {

TEST(JsonInteger, TakesWholeNumbersInEveryForm) {
  EXPECT_EQ(json_integer("5"), 5);
  EXPECT_EQ(json_integer("-3"), -3);
  EXPECT_EQ(json_integer("5.0"), 5);
  EXPECT_EQ(json_integer("50e-1"), 5);
  EXPECT_EQ(json_integer("5E1"), 50);
  EXPECT_EQ(json_integer("-0"), 0);
  EXPECT_EQ(json_integer("9007199254740992"), 9007199254740992);
}

TEST(JsonInteger, RefusesEverythingElse) {
  for (const char* text : {"5.5", "\"5\"", "true", "null", "", "05", ".5", "5.", "1e", "+5", " 5", "inf", "nan", "0x5",
                           "1e400", "9007199254740994", "[5]", "-"}) {
    EXPECT_EQ(json_integer(text), std::nullopt) << text;
  }
}

TEST(JsonString, ResolvesEscapes) {
  EXPECT_EQ(json_string(R"("a")"), "a");
  EXPECT_EQ(json_string(R"("")"), "");
  EXPECT_EQ(json_string(R"("\"\\\/\b\f\n\r\t")"), "\"\\/\b\f\n\r\t");
  EXPECT_EQ(json_string(R"("\u0041\u00e9\u20AC\ud83d\ude00")"), "Aé€😀");
  EXPECT_EQ(json_string(R"("\u0000")"), std::string(1, '\0'));
  EXPECT_EQ(json_string("\"é😀\""), "é😀");
}

TEST(JsonString, RefusesEverythingElse) {
  for (const char* text : {"5", "a", "\"", R"("\ud83d")", R"("\ude00")", R"("\ud83dx")", R"("\ud83d\u0041")", R"("\x")",
                           R"("\u12")", R"("\u12g4")", R"("a\")"}) {
    EXPECT_EQ(json_string(text), std::nullopt) << text;
  }
}

TEST(Utf8Characters, CountsCharactersNotBytes) {
  EXPECT_EQ(utf8_characters(""), 0U);
  EXPECT_EQ(utf8_characters("aé€😀"), 4U);
  EXPECT_EQ(utf8_characters("a\xFF"), std::nullopt);
}

TEST(Excerpt, CutsBetweenCharacters) {
  EXPECT_EQ(excerpt("short"), "short");
  EXPECT_EQ(excerpt(std::string(64, 'x')), std::string(64, 'x'));
  EXPECT_EQ(excerpt(std::string(65, 'x')), std::string(64, 'x') + "…");
  EXPECT_EQ(excerpt(std::string(63, 'x') + "éé"), std::string(63, 'x') + "…");
}

TEST(IsBlank, KnowsJsonWhiteSpace) {
  EXPECT_TRUE(is_blank(""));
  EXPECT_TRUE(is_blank(" \t\r\n"));
  EXPECT_FALSE(is_blank(" { "));
}

}  // namespace
}  // namespace weir::api
