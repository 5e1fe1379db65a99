#include "weir/base/random.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <sys/random.h>

namespace weir {
namespace {

constexpr char kDigits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr unsigned kDigitCount = 62;
/// The largest multiple of 62 in a byte: bytes from here on would make the first digits more likely.
constexpr unsigned kUnbiasedBelow = 256 / kDigitCount * kDigitCount;

}  // namespace

void SystemRandom::fill(std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = ::getrandom(bytes.data(), bytes.size(), 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      std::fprintf(stderr, "getrandom: %s\n", std::strerror(errno));
      std::abort();  // no secret may be made from anything else
    }
    bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
}

void SeededRandom::fill(std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    // Byte by byte from the low end, so that a seed gives the same bytes on every machine.
    std::uint64_t word = engine_();
    const std::size_t count = std::min(bytes.size(), sizeof(word));
    for (std::size_t i = 0; i < count; ++i, word >>= 8) bytes[i] = static_cast<std::byte>(word & 0xff);
    bytes = bytes.subspan(count);
  }
}

std::string random_base62(Random& random, std::size_t length) {
  std::string text;
  text.reserve(length);
  std::array<std::byte, 64> buffer;
  while (text.size() < length) {
    const std::size_t wanted = std::min(buffer.size(), length - text.size());
    const std::span<std::byte> drawn(buffer.data(), wanted);
    random.fill(drawn);
    for (const std::byte byte : drawn) {
      const auto value = std::to_integer<unsigned>(byte);
      if (value < kUnbiasedBelow) text.push_back(kDigits[value % kDigitCount]);
    }
  }
  return text;
}

std::string random_uuid(Random& random) {
  std::array<std::byte, 16> bytes;
  random.fill(bytes);
  bytes[6] = (bytes[6] & std::byte{0x0f}) | std::byte{0x40};  // version 4
  bytes[8] = (bytes[8] & std::byte{0x3f}) | std::byte{0x80};  // the variant of RFC 9562
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text.push_back('-');
    text.push_back("0123456789abcdef"[std::to_integer<unsigned>(bytes[i] >> 4)]);
    text.push_back("0123456789abcdef"[std::to_integer<unsigned>(bytes[i] & std::byte{0x0f})]);
  }
  return text;
}

}  // namespace weir
