#include "weir/http/message.h"

#include <gtest/gtest.h>

namespace weir::http {
namespace {

TEST(PercentDecode, TakesEscapesInAnyCaseAndPlusOnlyWhereAsked) {
  EXPECT_EQ(percent_decode("a%2Fb%2fc"), "a/b/c");
  EXPECT_EQ(percent_decode("a+b"), "a+b");
  EXPECT_EQ(percent_decode("a+b%2B", true), "a b+");
  EXPECT_EQ(percent_decode("%C3%A4"), "\xC3\xA4");
  EXPECT_EQ(percent_decode(""), "");
}

TEST(PercentDecode, RefusesBrokenEscapesAndNul) {
  for (const char* text : {"%", "%1", "a%", "%zz", "%1g", "%g1", "%%41", "%00", "a%00b"}) {
    EXPECT_EQ(percent_decode(text), std::nullopt) << text;
  }
}

TEST(ParseQuery, GivesKeysAndValuesInOrderWithRepeats) {
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(parse_query(""), Pairs{});
  EXPECT_EQ(parse_query("a=1&b=%20x+y&a=2"), (Pairs{{"a", "1"}, {"b", " x y"}, {"a", "2"}}));
  EXPECT_EQ(parse_query("flag&x=&=y&&k=a=b"), (Pairs{{"flag", ""}, {"x", ""}, {"", "y"}, {"k", "a=b"}}));
  EXPECT_EQ(parse_query("a=%4"), std::nullopt);
  EXPECT_EQ(parse_query("%zz=1"), std::nullopt);
}

TEST(ErrorResponse, EscapesItsTexts) {
  const Response response = error_response(400, "bad_request", "a \"quote\", a \\ and a\nline");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body, R"({"message":"a \"quote\", a \\ and a\u000aline","code":"bad_request"})");
}

}  // namespace
}  // namespace weir::http
