#include "answer_reader.h"

#include <string>

#include <gtest/gtest.h>

#include "support.h"

namespace weir::bench {
namespace {

using State = AnswerReader::State;

constexpr const char* kAnswer = "HTTP/1.1 200 OK\r\nDate: x\r\ncontent-length: 5\r\n\r\nhello";

TEST(AnswerReader, ReadsAnswerThatComesAtOnceAndTheNext) {
  AnswerReader reader;
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(reader.feed(kAnswer), State::complete);
    EXPECT_EQ(reader.status(), 200);
    EXPECT_EQ(reader.body(), "hello");
  }
}

TEST(AnswerReader, ReadsAnswerCutAnywhere) {
  const std::string answer = kAnswer;
  for (std::size_t cut = 1; cut < answer.size(); ++cut) {
    AnswerReader reader;
    ASSERT_EQ(reader.feed(answer.substr(0, cut)), State::incomplete) << cut;
    const std::string rest = answer.substr(cut);
    ASSERT_EQ(reader.feed(rest), State::complete) << cut;
    EXPECT_EQ(reader.body(), "hello") << cut;
  }
}

TEST(AnswerReader, ReadsAnswerThatComesByteByByte) {
  const std::string answer = kAnswer;
  AnswerReader reader;
  for (std::size_t i = 0; i + 1 < answer.size(); ++i) ASSERT_EQ(reader.feed(answer.substr(i, 1)), State::incomplete);
  EXPECT_EQ(reader.feed("o"), State::complete);
  EXPECT_EQ(reader.body(), "hello");
}

TEST(AnswerReader, TakesNoContentForAnEmptyBody) {
  AnswerReader reader;
  ASSERT_EQ(reader.feed("HTTP/1.1 204 No Content\r\n\r\n"), State::complete);
  EXPECT_EQ(reader.status(), 204);
  EXPECT_EQ(reader.body(), "");
}

TEST(AnswerReader, RefusesMoreThanOneAnswer) {
  AnswerReader reader;
  EXPECT_EQ(reader.feed(std::string(kAnswer) + "H"), State::broken);
  AnswerReader cut;
  ASSERT_EQ(cut.feed("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"), State::incomplete);
  EXPECT_EQ(cut.feed("ab"), State::broken);
}

TEST(AnswerReader, RefusesWhatIsNoAnswer) {
  for (const char* text :
       {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"}) {
    AnswerReader reader;
    EXPECT_EQ(reader.feed(text), State::broken) << text;
    EXPECT_FALSE(reader.error().empty()) << text;
  }
}

TEST(AnswerReader, RefusesHeadThatDoesNotEnd) {
  AnswerReader reader;
  EXPECT_EQ(reader.feed(std::string(AnswerReader::kHeadBytesMax, 'x')), State::broken);
}

TEST(Matches, LetsWildcardStandForAnyTextWithoutQuote) {
  std::string_view first;
  EXPECT_TRUE(matches("{\"id\":\"\x01\",\"time\":\"\x01\"}", R"({"id":"B00","time":"now"})", first));
  EXPECT_EQ(first, "B00");
  EXPECT_TRUE(matches("plain", "plain", first));
  EXPECT_EQ(first, "");
  EXPECT_FALSE(matches("plain", "plain and more", first));
  EXPECT_FALSE(matches("{\"id\":\"\x01\"}", R"({"id":"B00"},{"id":"B01"})", first));
  EXPECT_FALSE(matches("{\"id\":\"\x01\"}", R"({"id":"B00)", first));
}

}  // namespace
}  // namespace weir::bench
