#include <gtest/gtest.h>

#include "http/request_parser.h"

namespace weir::http {
namespace {

using namespace std::string_literals;

using Outcome = ChunkDecoder::Outcome;

struct Decoded {
  Outcome outcome;
  std::string body;
  std::string rest;
};

// In pieces of `step` bytes.
Decoded decode(std::string_view input, std::size_t step, std::uint64_t max = 1000) {
  ChunkDecoder decoder;
  Decoded result{Outcome::need_more, {}, {}};
  while (!input.empty()) {
    std::string_view piece = input.substr(0, step);
    const std::size_t before = piece.size();
    result.outcome = decoder.decode(piece, &result.body, max);
    input.remove_prefix(before - piece.size());
    if (result.outcome != Outcome::need_more) break;
  }
  result.rest = input;
  return result;
}

struct Case {
  const char* name;
  std::string input;
  Decoded expected;
};
class ChunkDecoderTable : public ::testing::TestWithParam<Case> {};

TEST_P(ChunkDecoderTable, GivesTheSameInPiecesOfAnySize) {
  for (const std::size_t step :
       {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}, std::size_t{1} << 20}) {
    const Decoded got = decode(GetParam().input, step);
    EXPECT_EQ(got.outcome, GetParam().expected.outcome) << step;
    if (got.outcome == Outcome::complete) {
      EXPECT_EQ(got.body, GetParam().expected.body) << step;
      EXPECT_EQ(got.rest, GetParam().expected.rest) << step;
    }
  }
}

const Decoded kBad{Outcome::malformed, {}, {}};

INSTANTIATE_TEST_SUITE_P(
    Table, ChunkDecoderTable,
    ::testing::Values(
        Case{"Empty", "0\r\n\r\n", {Outcome::complete, "", ""}},
        Case{"Two", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET", {Outcome::complete, "hello world", "GET"}},
        Case{"Hexadecimal",
             "a\r\n0123456789\r\nA\r\n0123456789\r\n000\r\n\r\n",
             {Outcome::complete, "01234567890123456789", ""}},
        Case{"Extension", "2;name=value;q=\"x y\"\r\nab\r\n0;last\r\n\r\n", {Outcome::complete, "ab", ""}},
        Case{"Trailer", "2\r\nab\r\n0\r\nX-Sum: 12\r\nY: z\r\n\r\nrest", {Outcome::complete, "ab", "rest"}},
        Case{"DataWithLineEnds", "4\r\n\r\n\r\n\r\n0\r\n\r\n", {Outcome::complete, "\r\n\r\n", ""}},
        Case{"Cut", "5\r\nhel", {Outcome::need_more, "", ""}}, Case{"NoSize", "\r\nab\r\n", kBad},
        Case{"Negative", "-1\r\nab\r\n", kBad}, Case{"Plus", "+2\r\nab\r\n", kBad},
        Case{"Prefix", "0x2\r\nab\r\n", kBad}, Case{"SpaceBefore", " 2\r\nab\r\n", kBad},
        Case{"SpaceAfter", "2 \r\nab\r\n", kBad}, Case{"SpaceBeforeExtension", "2 ;x\r\nab\r\n", kBad},
        Case{"BareFeed", "2\nab\r\n0\r\n\r\n", kBad}, Case{"BareReturn", "2\rab\r\n0\r\n\r\n", kBad},
        Case{"LongData", "2\r\nabc\r\n0\r\n\r\n", kBad}, Case{"FeedAfterData", "2\r\nab\n0\r\n\r\n", kBad},
        Case{"Overflow", "ffffffffffffffff1\r\nab", kBad},
        Case{"ManyZeros", "0000000000000000002\r\nab\r\n0\r\n\r\n", kBad},
        Case{"ControlInExtension", "2;a\0b\r\nab\r\n"s, kBad},
        Case{"FeedInExtension", "2;a\nb\r\nab\r\n0\r\n\r\n", kBad}, Case{"NotHexadecimal", "g\r\n", kBad},
        Case{"TrailerFolded", "0\r\nA: b\r\n c\r\n\r\n", kBad}, Case{"TrailerWithoutName", "0\r\n: b\r\n\r\n", kBad},
        Case{"TrailerSpaceBeforeColon", "0\r\nA : b\r\n\r\n", kBad},
        Case{"TrailerLength", "0\r\nContent-Length: 5\r\n\r\n", kBad},
        Case{"TrailerEncoding", "0\r\ntransfer-encoding: chunked\r\n\r\n", kBad},
        Case{"TrailerHost", "0\r\nHost: x\r\n\r\n", kBad},
        Case{"TrailerAuthorization", "0\r\nAuthorization: Bearer x\r\n\r\n", kBad},
        Case{"TrailerFeed", "0\r\nA: b\n\r\n", kBad}, Case{"EndFeed", "0\r\n\n", kBad},
        Case{"EndJunk", "0\r\n\rx", kBad}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(ChunkDecoder, HoldsTheBodyToItsLimitAtTheEdge) {
  EXPECT_EQ(decode("a\r\n0123456789\r\n0\r\n\r\n", 100, 10).outcome, Outcome::complete);
  EXPECT_EQ(decode("b\r\n0123456789a\r\n0\r\n\r\n", 100, 10).outcome, Outcome::too_large);
  EXPECT_EQ(decode("5\r\n01234\r\n6\r\n56789a\r\n0\r\n\r\n", 3, 10).outcome, Outcome::too_large);
  EXPECT_EQ(decode("fffffffffffffff\r\n", 3, 10).outcome, Outcome::too_large);
}

TEST(ChunkDecoder, BoundsExtensionsOverTheWholeBodyAndTrailers) {
  const auto extension = [](std::size_t bytes) {
    return "1;" + std::string(bytes / 2, 'e') + "\r\na\r\n1;" + std::string(bytes - bytes / 2, 'e') +
           "\r\nb\r\n0\r\n\r\n";
  };
  EXPECT_EQ(decode(extension(ChunkDecoder::kExtensionBytesMax), 4096).outcome, Outcome::complete);
  EXPECT_EQ(decode(extension(ChunkDecoder::kExtensionBytesMax + 1), 4096).outcome, Outcome::malformed);
  EXPECT_EQ(decode("0\r\nA: " + std::string(ChunkDecoder::kTrailerBytesMax, 'v') + "\r\n\r\n", 4096).outcome,
            Outcome::malformed);
}

}  // namespace
}  // namespace weir::http
