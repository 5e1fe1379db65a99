#include "weir/base/digest.h"

#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace weir {
namespace {

struct Vector {
  std::string name;
  std::string input;
  std::string hex;
};

class Sha256Vectors : public testing::TestWithParam<Vector> {};

// FIPS 180-4 examples (NIST CAVP).
INSTANTIATE_TEST_SUITE_P(
    Fips, Sha256Vectors,
    testing::Values(Vector{"Empty", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
                    Vector{"OneBlock", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
                    Vector{"TwoBlocks", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                           "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
                    Vector{"AMillion", std::string(1'000'000, 'a'),
                           "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"}),
    [](const auto& row) { return row.param.name; });

TEST_P(Sha256Vectors, Match) {
  EXPECT_EQ(to_hex(sha256(GetParam().input)), GetParam().hex);
}

TEST(Sha256, OfPartsIsThatOfTheWhole) {
  EXPECT_EQ(sha256({"a", "", "b", "c"}), sha256("abc"));
  EXPECT_EQ(sha256(std::initializer_list<std::string_view>{}), sha256(""));
  EXPECT_NE(sha256({"ab"}), sha256("abc"));
}

TEST(Sha256, WorksOnManyThreadsAtOnce) {
  const Digest expected = sha256("token");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 500; ++round) EXPECT_EQ(sha256({"to", "ken"}), expected);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(EqualConstantTime, SeesEveryDifferentBit) {
  const Digest digest = sha256("x");
  EXPECT_TRUE(equal_constant_time(digest, sha256("x")));
  for (std::size_t bit = 0; bit < 256; ++bit) {
    Digest other = digest;
    other[bit / 8] = static_cast<std::uint8_t>(other[bit / 8] ^ (1u << bit % 8));
    EXPECT_FALSE(equal_constant_time(digest, other));
  }
}

TEST(Hex, RoundTripsInEitherCase) {
  const Digest digest = sha256("x");
  std::string hex = to_hex(digest);
  Digest parsed{};
  ASSERT_TRUE(from_hex(hex, parsed));
  EXPECT_EQ(parsed, digest);
  for (char& c : hex) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  parsed = {};
  ASSERT_TRUE(from_hex(hex, parsed));
  EXPECT_EQ(parsed, digest);
}

TEST(Hex, RefusesAnythingButSixtyFourDigitsAndLeavesTheDigest) {
  const std::string good = to_hex(sha256("x"));
  const Digest before = sha256("before");
  Digest digest = before;
  EXPECT_FALSE(from_hex("", digest));
  EXPECT_FALSE(from_hex(good.substr(1), digest));
  EXPECT_FALSE(from_hex(good + "0", digest));
  for (const char wrong : {'g', 'G', ' ', '/', ':', '@', '`', '\0', '\xff'}) {
    for (const std::size_t at : {0, 31, 63}) {
      std::string bad = good;
      bad[at] = wrong;
      EXPECT_FALSE(from_hex(bad, digest)) << bad;
    }
  }
  EXPECT_EQ(digest, before);
}

}  // namespace
}  // namespace weir
