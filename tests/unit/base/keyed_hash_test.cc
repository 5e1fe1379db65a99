#include "weir/base/keyed_hash.h"

#include <array>
#include <cstring>
#include <string>

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/params.h>

namespace weir {
namespace {

/// What OpenSSL makes of it.
KeyedHash::Value reference(const std::array<std::uint64_t, 2>& key, const std::string& text) {
  KeyedHash::Value value{};
  EVP_MAC* mac = EVP_MAC_fetch(nullptr, "SIPHASH", nullptr);
  EVP_MAC_CTX* context = EVP_MAC_CTX_new(mac);
  unsigned int size = sizeof value;
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_uint("size", &size), OSSL_PARAM_construct_end()};
  std::size_t written = 0;
  EXPECT_EQ(EVP_MAC_init(context, reinterpret_cast<const unsigned char*>(key.data()), sizeof key, parameters), 1);
  EXPECT_EQ(EVP_MAC_update(context, reinterpret_cast<const unsigned char*>(text.data()), text.size()), 1);
  EXPECT_EQ(EVP_MAC_final(context, reinterpret_cast<unsigned char*>(value.data()), &written, sizeof value), 1);
  EXPECT_EQ(written, sizeof value);
  EVP_MAC_CTX_free(context);
  EVP_MAC_free(mac);
  return value;
}

TEST(KeyedHash, IsSipHashOfEveryLength) {
  const std::array<std::uint64_t, 2> key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  const KeyedHash hash(key);
  std::string text;
  for (int length = 0; length < 300; ++length) {
    EXPECT_EQ(hash(text), reference(key, text)) << length;
    text.push_back(static_cast<char>(length * 7));
  }
}

TEST(KeyedHash, DependsOnItsKey) {
  SeededRandom random(1);
  const KeyedHash one(random);
  const KeyedHash other(random);
  EXPECT_EQ(one("token"), one("token"));
  EXPECT_NE(one("token"), one("tokeN"));
  EXPECT_NE(one("token"), other("token"));
}

}  // namespace
}  // namespace weir
