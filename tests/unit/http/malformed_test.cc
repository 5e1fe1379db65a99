// What is not a request, or could be two different ones: refused, the connection ends, and nothing that followed it is
// served. Each case is sent with a request behind it that must never be seen.
#include "support.h"

namespace weir::http::test {
namespace {

using namespace std::string_literals;

struct Case {
  const char* name;
  int status;
  std::string request;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

std::string with(std::string_view field) {
  return "POST /echo HTTP/1.1\r\nHost: x\r\n" + std::string(field) + "\r\n\r\n";
}
const std::string kSmuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

std::vector<Case> cases() {
  std::vector<Case> all = {
      // Two ways to tell where the body ends.
      {"LengthAndChunked", 400, with("Content-Length: 5\r\nTransfer-Encoding: chunked") + "0\r\n\r\n"},
      {"ChunkedAndLength", 400, with("Transfer-Encoding: chunked\r\nContent-Length: 5") + "0\r\n\r\n"},
      {"ChunkedAndLengthZero", 400, with("Transfer-Encoding: chunked\r\nContent-Length: 0") + "0\r\n\r\n"},
      {"TwoLengthsDiffer", 400, with("Content-Length: 5\r\nContent-Length: 0") + "hello"},
      {"TwoLengthsEqual", 400, with("Content-Length: 5\r\nContent-Length: 5") + "hello"},
      {"LengthList", 400, with("Content-Length: 5, 5") + "hello"},
      {"LengthListDiffers", 400, with("Content-Length: 5, 0") + "hello"},
      {"LengthPlus", 400, with("Content-Length: +5") + "hello"},
      {"LengthMinus", 400, with("Content-Length: -5") + "hello"},
      {"LengthHexadecimal", 400, with("Content-Length: 0x5") + "hello"},
      {"LengthFraction", 400, with("Content-Length: 5.0") + "hello"},
      {"LengthInnerSpace", 400, with("Content-Length: 5 0") + "hello"},
      {"LengthEmpty", 400, with("Content-Length:") + "hello"},
      {"LengthBlank", 400, with("Content-Length:   ") + "hello"},
      {"LengthQuoted", 400, with("Content-Length: \"5\"") + "hello"},
      {"LengthOverflow", 400, with("Content-Length: 18446744073709551616") + "hello"},
      {"LengthHuge", 400, with("Content-Length: 99999999999999999999999999") + "hello"},
      {"LengthWord", 400, with("Content-Length: five") + "hello"},
      // Transfer encodings other than exactly "chunked".
      {"EncodingUnknown", 400, with("Transfer-Encoding: xchunked") + "0\r\n\r\n"},
      {"EncodingIdentity", 400, with("Transfer-Encoding: identity")},
      {"EncodingGzipChunked", 400, with("Transfer-Encoding: gzip, chunked") + "0\r\n\r\n"},
      {"EncodingChunkedIdentity", 400, with("Transfer-Encoding: chunked, identity") + "0\r\n\r\n"},
      {"EncodingTwiceInOne", 400, with("Transfer-Encoding: chunked, chunked") + "0\r\n\r\n"},
      {"EncodingTwice", 400, with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked") + "0\r\n\r\n"},
      {"EncodingTwiceDiffers", 400, with("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity") + "0\r\n\r\n"},
      {"EncodingEmpty", 400, with("Transfer-Encoding:") + "0\r\n\r\n"},
      {"EncodingQuoted", 400, with("Transfer-Encoding: \"chunked\"") + "0\r\n\r\n"},
      {"EncodingParameter", 400, with("Transfer-Encoding: chunked;q=1") + "0\r\n\r\n"},
      {"EncodingCommaFirst", 400, with("Transfer-Encoding: ,chunked") + "0\r\n\r\n"},
      {"EncodingVerticalTab", 400,
       with("Transfer-Encoding: \x0b"
            "chunked") +
           "0\r\n\r\n"},
      {"EncodingIn10", 400,
       "POST /echo HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n"},
      // Line ends and folding.
      {"Folded", 400, "GET /ping HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n\r\n"},
      {"FoldedTab", 400, "GET /ping HTTP/1.1\r\nHost: x\r\nX-A: b\r\n\tc\r\n\r\n"},
      {"FoldedEncoding", 400, with("Transfer-Encoding:\r\n chunked") + "0\r\n\r\n"},
      {"FoldedFirst", 400, "GET /ping HTTP/1.1\r\n Host: x\r\n\r\n"},
      {"FeedAfterRequestLine", 400, "GET /ping HTTP/1.1\nHost: x\r\n\r\n"},
      {"FeedAfterField", 400, "GET /ping HTTP/1.1\r\nHost: x\n\r\n"},
      {"FeedsOnly", 400, "GET /ping HTTP/1.1\nHost: x\n\n"},
      {"FeedInValue", 400, "GET /ping HTTP/1.1\r\nHost: x\r\nX-A: b\nX-B: c\r\n\r\n"},
      {"ReturnInValue", 400, "GET /ping HTTP/1.1\r\nHost: x\r\nX-A: b\rX-B: c\r\n\r\n"},
      {"ReturnInLine", 400, "GET /ping\r HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"TwoReturns", 400, "GET /ping HTTP/1.1\r\r\nHost: x\r\n\r\n"},
      {"EndFeed", 400, "GET /ping HTTP/1.1\r\nHost: x\r\n\n"},
      // Characters.
      {"NulInValue", 400, "GET /ping HTTP/1.1\r\nHost: x\r\nX-A: b\0c\r\n\r\n"s},
      {"NulInName", 400, "GET /ping HTTP/1.1\r\nHost: x\r\nX\0A: b\r\n\r\n"s},
      {"NulInTarget", 400, "GET /pi\0ng HTTP/1.1\r\nHost: x\r\n\r\n"s},
      {"ControlInValue", 400,
       "GET /ping HTTP/1.1\r\nHost: x\r\nX-A: b\x01"
       "c\r\n\r\n"},
      {"DeleteInValue", 400, "GET /ping HTTP/1.1\r\nHost: x\r\nX-A: b\x7f\r\n\r\n"},
      {"SpaceBeforeColon", 400, with("Content-Length : 5") + "hello"},
      {"TabBeforeColon", 400, with("Content-Length\t: 5") + "hello"},
      {"SpaceInName", 400, "GET /ping HTTP/1.1\r\nHost: x\r\nX A: b\r\n\r\n"},
      {"NoColon", 400, "GET /ping HTTP/1.1\r\nHost: x\r\nnothing\r\n\r\n"},
      {"NoName", 400, "GET /ping HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n"},
      {"NameNotAscii", 400, "GET /ping HTTP/1.1\r\nHost: x\r\nX-\xC3\xA4: b\r\n\r\n"},
      {"NameInBraces", 400, "GET /ping HTTP/1.1\r\nHost: x\r\n{X}: b\r\n\r\n"},
      // Host.
      {"HostMissing", 400, "GET /ping HTTP/1.1\r\n\r\n"},
      {"HostTwice", 400, "GET /ping HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"},
      {"HostTwiceIn10", 400, "GET /ping HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n"},
      {"HostList", 400, "GET /ping HTTP/1.1\r\nHost: x, y\r\n\r\n"},
      {"HostWithPath", 400, "GET /ping HTTP/1.1\r\nHost: x/y\r\n\r\n"},
      {"HostWithUser", 400, "GET /ping HTTP/1.1\r\nHost: u@x\r\n\r\n"},
      // Other fields that are given once or not at all.
      {"AuthorizationTwice", 400, with("Authorization: Bearer a\r\nX-A: b\r\nauthorization: Bearer b")},
      {"AuthorizationTwiceEqual", 400, with("Authorization: Bearer a\r\nAuthorization: Bearer a")},
      {"AuthorizationTwiceIn10", 400, "GET /ping HTTP/1.0\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n"},
      {"ContentTypeTwice", 400, with("Content-Type: text/plain\r\nContent-Type: application/json")},
      {"IdempotencyKeyTwice", 400, with("Idempotency-Key: a\r\nIDEMPOTENCY-KEY: b")},
      {"ExpectTwice", 400, with("Expect: 100-continue\r\nExpect: 100-continue")},
      // The request line.
      {"Http09", 400, "GET /ping\r\n\r\n"},
      {"NoTarget", 400, "GET HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"EmptyTarget", 400, "GET  HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"TwoSpaces", 400, "GET  /ping HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"SpaceInTarget", 400, "GET /pi ng HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"SpaceAtEnd", 400, "GET /ping HTTP/1.1 \r\nHost: x\r\n\r\n"},
      {"TabsForSpaces", 400, "GET\t/ping\tHTTP/1.1\r\nHost: x\r\n\r\n"},
      {"SpaceFirst", 400, " GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"TargetNotAscii", 400, "GET /\xC3\xA4 HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"TargetFragment", 400, "GET /ping#a HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"TargetRelative", 400, "GET ping HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"TargetOtherScheme", 400, "GET ftp://x/ping HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"TargetNoHost", 400, "GET http:///ping HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"TargetUser", 400, "GET http://u:p@x/ping HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"AsteriskForGet", 400, "GET * HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"AsteriskAndMore", 400, "OPTIONS *x HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"Connect", 400, "CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"ConnectPath", 400, "CONNECT /ping HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"MethodWithBracket", 400, "G(T /ping HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"MethodLong", 400, std::string(65, 'G') + " /ping HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"MethodEndless", 400, std::string(5000, 'G')},
      {"TlsHello", 400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s},
      {"VersionLower", 400, "GET /ping http/1.1\r\nHost: x\r\n\r\n"},
      {"VersionOther", 400, "GET /ping ICY/1.1\r\nHost: x\r\n\r\n"},
      {"VersionLong", 400, "GET /ping HTTP/1.10\r\nHost: x\r\n\r\n"},
      {"VersionShort", 400, "GET /ping HTTP/1\r\nHost: x\r\n\r\n"},
      {"Version12", 505, "GET /ping HTTP/1.2\r\nHost: x\r\n\r\n"},
      {"Version20", 505, "GET /ping HTTP/2.0\r\nHost: x\r\n\r\n"},
      {"Version09", 505, "GET /ping HTTP/0.9\r\nHost: x\r\n\r\n"},
      {"Http2Preface", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
      // Chunked bodies.
      {"ChunkSizeMissing", 400, with("Transfer-Encoding: chunked") + "\r\nhello\r\n0\r\n\r\n"},
      {"ChunkSizeNegative", 400, with("Transfer-Encoding: chunked") + "-5\r\nhello\r\n0\r\n\r\n"},
      {"ChunkSizePrefix", 400, with("Transfer-Encoding: chunked") + "0x5\r\nhello\r\n0\r\n\r\n"},
      {"ChunkSizeOverflow", 400, with("Transfer-Encoding: chunked") + "10000000000000005\r\nhello\r\n0\r\n\r\n"},
      {"ChunkSizeSpace", 400, with("Transfer-Encoding: chunked") + "5 \r\nhello\r\n0\r\n\r\n"},
      {"ChunkFeed", 400, with("Transfer-Encoding: chunked") + "5\nhello\r\n0\r\n\r\n"},
      {"ChunkTooLongData", 400, with("Transfer-Encoding: chunked") + "5\r\nhello!\r\n0\r\n\r\n"},
      {"ChunkNoEnd", 400, with("Transfer-Encoding: chunked") + "5\r\nhello0\r\n\r\n"},
      {"ChunkExtension64K", 400,
       with("Transfer-Encoding: chunked") + "5;" + std::string(65536, 'e') + "\r\nhello\r\n0\r\n\r\n"},
      {"ChunkExtensionFeed", 400, with("Transfer-Encoding: chunked") + "5;a\nb\r\nhello\r\n0\r\n\r\n"},
      {"ChunkTrailerLength", 400, with("Transfer-Encoding: chunked") + "0\r\nContent-Length: 3\r\n\r\n"},
      {"ChunkTrailerNoColon", 400, with("Transfer-Encoding: chunked") + "0\r\nGET /smuggled HTTP/1.1\r\n\r\n"},
      {"ChunkTrailerFolded", 400, with("Transfer-Encoding: chunked") + "0\r\nA: b\r\n c\r\n\r\n"},
      {"ChunkTooLarge", 413, with("Transfer-Encoding: chunked") + "3e9\r\n" + std::string(1001, 'x') + "\r\n0\r\n\r\n"},
      {"BodyTooLarge", 413, with("Content-Length: 100000") + std::string(1000, 'x')},
  };
  return all;
}

class Malformed : public ::testing::TestWithParam<Case> {
 public:
  static void SetUpTestSuite() { server_ = std::make_unique<TestServer>(); }
  static void TearDownTestSuite() { server_.reset(); }
  static std::unique_ptr<TestServer> server_;
};
std::unique_ptr<TestServer> Malformed::server_;

TEST_P(Malformed, IsRefusedAndNothingAfterItIsServed) {
  for (const bool in_pieces : {false, true}) {
    // In front of it a good request, so that the refusal has its place in the order.
    Client client(server_->address());
    client.send(get("/ping"));
    EXPECT_EQ(client.read_answer().body, "pong");
    if (in_pieces) {
      const std::size_t half = GetParam().request.size() / 2;
      client.send(GetParam().request.substr(0, half));
      server_->on_loop([] {});
      client.send(GetParam().request.substr(half) + kSmuggled);
    } else {
      client.send(GetParam().request + kSmuggled + kSmuggled);
    }
    const Answer answer = client.read_answer();
    EXPECT_EQ(answer.status, GetParam().status);
    EXPECT_EQ(answer.header("Connection"), "close");
    EXPECT_EQ(answer.body.find("{\"message\":\""), 0u) << answer.body;
    EXPECT_NE(answer.body.find("\",\"code\":\""), std::string::npos);
    client.shut_sending();
    EXPECT_TRUE(client.closed_by_server()) << client.received();
    EXPECT_EQ(server_->smuggled_count.value(), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Table, Malformed, ::testing::ValuesIn(cases()),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(Repeated, FieldIsNamedInTheRefusal) {
  TestServer server;
  for (const std::string name : {"Authorization", "Content-Type", "Expect", "Host", "Idempotency-Key"}) {
    Client client(server.address());
    const Answer answer = client.ask("GET /ping HTTP/1.1\r\nHost: x\r\n" + name + ": x\r\n" + name + ": x\r\n\r\n");
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(answer.body,
              "{\"message\":\"Bad request: " + name + " is given more than once\",\"code\":\"bad_request\"}");
  }
}

struct Good {
  const char* name;
  std::string request;
  std::string body;
};
class Unusual : public ::testing::TestWithParam<Good> {};

// Odd but unambiguous: served, and the connection goes on behind it.
TEST_P(Unusual, IsServed) {
  TestServer server;
  Client client(server.address());
  client.send(GetParam().request + get("/ping"));
  const Answer answer = client.read_answer();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, GetParam().body);
  EXPECT_EQ(client.read_answer().body, "pong");
}

INSTANTIATE_TEST_SUITE_P(
    Table, Unusual,
    ::testing::Values(Good{"LengthLeadingZeros", with("Content-Length: 0005") + "hello", "hello"},
                      Good{"LengthSpaces", with("Content-Length:   5  ") + "hello", "hello"},
                      Good{"LengthZero", with("Content-Length: 0"), ""}, Good{"NoLength", with("X-A: b"), ""},
                      Good{"NamesInAnyCase", "POST /echo HTTP/1.1\r\nhOST: x\r\ncONTENT-lENGTH: 2\r\n\r\nok", "ok"},
                      Good{"EncodingInAnyCase", with("transfer-ENCODING: CHUNKED") + "2\r\nok\r\n0\r\n\r\n", "ok"},
                      Good{"EmptyValue", "GET /ping HTTP/1.1\r\nHost:\r\nX-A:\r\n\r\n", "pong"},
                      Good{"ValueNotAscii", "GET /ping HTTP/1.1\r\nHost: x\r\nX-A: \xC3\xA4\r\n\r\n", "pong"},
                      Good{"RequestIdTwice",
                           "GET /ping HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\r\nX-Request-Id: b\r\n\r\n", "pong"},
                      Good{"TabInValue", "GET /ping HTTP/1.1\r\nHost: x\r\nX-A: b\tc\r\n\r\n", "pong"},
                      Good{"AbsoluteForm", "GET http://x:8080/ping?a=b HTTP/1.1\r\nHost: y\r\n\r\n", "pong"},
                      Good{"AbsoluteFormHttps", "GET HTTPS://[::1]:1/ping HTTP/1.1\r\nHost: y\r\n\r\n", "pong"},
                      Good{"BodyOnGetOfZero", "GET /ping HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "pong"}),
    [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace weir::http::test
