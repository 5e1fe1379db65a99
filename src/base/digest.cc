#include "weir/base/digest.h"

#include <memory>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "weir/base/assert.h"

namespace weir {
namespace {

/// Fetched once for the whole process: a fetch per digest takes longer than hashing a token. Never freed, because
/// threads may still hash while statics are destroyed.
const EVP_MD* sha256_algorithm() {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  WEIR_ASSERT(algorithm != nullptr);
  return algorithm;
}

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};

EVP_MD_CTX* thread_context() {
  thread_local const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  WEIR_ASSERT(context != nullptr);
  return context.get();
}

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

}  // namespace

Digest sha256(std::initializer_list<std::string_view> parts) {
  EVP_MD_CTX* const context = thread_context();
  Digest digest;
  int fine = EVP_DigestInit_ex2(context, sha256_algorithm(), nullptr);
  for (const std::string_view part : parts) fine &= EVP_DigestUpdate(context, part.data(), part.size());
  fine &= EVP_DigestFinal_ex(context, digest.data(), nullptr);
  WEIR_ASSERT(fine == 1);
  return digest;
}

bool equal_constant_time(const Digest& a, const Digest& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string to_hex(const Digest& digest) {
  std::string hex;
  hex.reserve(digest.size() * 2);
  for (const std::uint8_t byte : digest) {
    hex.push_back("0123456789abcdef"[byte >> 4]);
    hex.push_back("0123456789abcdef"[byte & 0x0f]);
  }
  return hex;
}

bool from_hex(std::string_view hex, Digest& digest) {
  if (hex.size() != digest.size() * 2) return false;
  Digest decoded;
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    const int high = hex_value(hex[2 * i]);
    const int low = hex_value(hex[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    decoded[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  digest = decoded;
  return true;
}

}  // namespace weir
