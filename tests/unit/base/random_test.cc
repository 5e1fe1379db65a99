#include "weir/base/random.h"

#include <array>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace weir {
namespace {

/// Gives out the bytes that it was given, then repeats the last one.
class ScriptedRandom final : public Random {
 public:
  explicit ScriptedRandom(std::vector<unsigned> bytes) : bytes_(std::move(bytes)) {}
  void fill(std::span<std::byte> bytes) override {
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(bytes_[next_ + 1 < bytes_.size() ? next_++ : next_]);
  }

 private:
  std::vector<unsigned> bytes_;
  std::size_t next_ = 0;
};

bool is_base62(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

TEST(RandomBase62, HasTheLengthAndTheLetters) {
  SystemRandom random;
  for (const std::size_t length : {0, 1, 27, 64, 65, 500}) {
    const std::string text = random_base62(random, length);
    EXPECT_EQ(text.size(), length);
    for (const char c : text) EXPECT_TRUE(is_base62(c)) << c;
  }
}

TEST(RandomBase62, DropsBytesThatWouldMakeItBiased) {
  ScriptedRandom random({255, 248, 0, 61, 62, 247, 250, 35, 36});
  EXPECT_EQ(random_base62(random, 6), "0z0zZa");
}

TEST(RandomBase62, UsesEveryLetterAboutEquallyOften) {
  SeededRandom random(7);
  std::array<int, 128> counts{};
  constexpr int kLetters = 620'000;
  for (const char c : random_base62(random, kLetters)) ++counts[static_cast<unsigned char>(c)];
  int used = 0;
  for (const int count : counts) {
    if (count == 0) continue;
    ++used;
    EXPECT_NEAR(count, kLetters / 62, 600);  // six standard deviations; a modulo bias would be 3,000
  }
  EXPECT_EQ(used, 62);
}

TEST(RandomUuid, IsAVersion4UuidInLowerCase) {
  SystemRandom random;
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string uuid = random_uuid(random);
    ASSERT_EQ(uuid.size(), 36u);
    for (std::size_t at = 0; at < uuid.size(); ++at) {
      if (at == 8 || at == 13 || at == 18 || at == 23) {
        ASSERT_EQ(uuid[at], '-') << uuid;
      } else {
        ASSERT_NE(std::string("0123456789abcdef").find(uuid[at]), std::string::npos) << uuid;
      }
    }
    ASSERT_EQ(uuid[14], '4');
    ASSERT_NE(std::string("89ab").find(uuid[19]), std::string::npos) << uuid;
    ASSERT_TRUE(seen.insert(uuid).second);
  }
}

TEST(RandomUuid, PutsVersionAndVariantOverTheBytes) {
  ScriptedRandom ones({255});
  EXPECT_EQ(random_uuid(ones), "ffffffff-ffff-4fff-bfff-ffffffffffff");
  ScriptedRandom zeros({0});
  EXPECT_EQ(random_uuid(zeros), "00000000-0000-4000-8000-000000000000");
}

TEST(SeededRandom, RepeatsUnderTheSameSeedOnly) {
  SeededRandom first(42);
  SeededRandom again(42);
  SeededRandom other(43);
  const std::string text = random_base62(first, 40);
  EXPECT_EQ(random_base62(again, 40), text);
  EXPECT_NE(random_base62(other, 40), text);
}

TEST(SeededRandom, FillsFromTheLowByteOfTheStandardEngine) {
  // The 10,000th value of mt19937_64 is fixed by the standard, so bytes are the same on every machine.
  SeededRandom random(5489);
  std::array<std::byte, 8> bytes;
  for (int i = 0; i < 10'000; ++i) random.fill(bytes);
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  EXPECT_EQ(value, 9981545732273789042ULL);
}

TEST(SystemRandom, FillsEveryByte) {
  SystemRandom random;
  std::vector<std::byte> bytes(100'000);
  random.fill(bytes);
  std::array<int, 256> counts{};
  for (const std::byte byte : bytes) ++counts[std::to_integer<std::size_t>(byte)];
  for (const int count : counts) EXPECT_NEAR(count, 100'000 / 256, 160);  // eight standard deviations
  random.fill({});
}

}  // namespace
}  // namespace weir
