#include "weir/base/keyed_hash.h"

#include <bit>
#include <cstddef>
#include <cstring>
#include <span>

namespace weir {
namespace {

static_assert(std::endian::native == std::endian::little, "words are read as they stand in memory");

struct State {
  std::uint64_t v0, v1, v2, v3;

  void rounds(int count) noexcept {
    for (int i = 0; i < count; ++i) {
      v0 += v1;
      v2 += v3;
      v1 = std::rotl(v1, 13) ^ v0;
      v3 = std::rotl(v3, 16) ^ v2;
      v0 = std::rotl(v0, 32);
      v2 += v1;
      v0 += v3;
      v1 = std::rotl(v1, 17) ^ v2;
      v3 = std::rotl(v3, 21) ^ v0;
      v2 = std::rotl(v2, 32);
    }
  }
  void absorb(std::uint64_t word) noexcept {
    v3 ^= word;
    rounds(2);
    v0 ^= word;
  }
  std::uint64_t sum() const noexcept { return v0 ^ v1 ^ v2 ^ v3; }
};

}  // namespace

KeyedHash::KeyedHash(Random& random) {
  random.fill(std::as_writable_bytes(std::span(key_)));
}

KeyedHash::Value KeyedHash::operator()(std::string_view text) const noexcept {
  State state{key_[0] ^ 0x736f6d6570736575, key_[1] ^ 0x646f72616e646f6d ^ 0xee, key_[0] ^ 0x6c7967656e657261,
              key_[1] ^ 0x7465646279746573};
  const char* at = text.data();
  std::size_t rest = text.size();
  std::uint64_t word = 0;
  for (; rest >= sizeof word; at += sizeof word, rest -= sizeof word) {
    std::memcpy(&word, at, sizeof word);
    state.absorb(word);
  }
  word = 0;
  if (rest != 0) std::memcpy(&word, at, rest);
  state.absorb(word | std::uint64_t{text.size()} << 56);

  Value value;
  state.v2 ^= 0xee;
  state.rounds(4);
  value[0] = state.sum();
  state.v1 ^= 0xdd;
  state.rounds(4);
  value[1] = state.sum();
  return value;
}

}  // namespace weir
