#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/clock.h"
#include "weir/base/digest.h"
#include "weir/base/result.h"
#include "weir/model/ids.h"

namespace weir::model {

enum class Privilege : std::uint8_t {
  publish = 1 << 0,
  consume = 1 << 1,
  topics_read = 1 << 2,
  topics_write = 1 << 3,
  topics_purge = 1 << 4,
  admin = 1 << 5,  ///< everything, tokens included
};

/// A set of privileges.
class Privileges {
 public:
  constexpr Privileges() = default;
  constexpr Privileges(std::initializer_list<Privilege> list) {
    for (const Privilege p : list) add(p);
  }
  constexpr void add(Privilege p) noexcept { bits_ |= static_cast<std::uint8_t>(p); }
  /// `admin` includes every other.
  constexpr bool allows(Privilege p) const noexcept {
    return (bits_ & (static_cast<std::uint8_t>(p) | static_cast<std::uint8_t>(Privilege::admin))) != 0;
  }
  /// Whether it was added itself; `allows` is what access is decided by.
  constexpr bool has(Privilege p) const noexcept { return (bits_ & static_cast<std::uint8_t>(p)) != 0; }
  constexpr bool empty() const noexcept { return bits_ == 0; }
  friend bool operator==(Privileges, Privileges) = default;

 private:
  std::uint8_t bits_ = 0;
};

/// "publish", "consume", "topics:read", "topics:write", "topics:purge", "admin".
std::optional<Privilege> parse_privilege(std::string_view word) noexcept;
std::vector<std::string> privilege_words(Privileges privileges);

/// A bearer token without its secret.
struct Token {
  std::string id;  ///< the public part of `weir_<id>_<secret>`
  std::string name;
  WorkspaceId workspace = kDefaultWorkspace;
  Privileges privileges;
  std::vector<TopicId> topics;  ///< empty: every topic of the workspace
  Digest secret_hash{};         ///< SHA-256 of the secret part
  WallTime created_at{};
  std::optional<WallTime> expires_at;
  std::optional<WallTime> last_used_at;  ///< kept to the minute
};

std::string encode_token(const Token& token);
/// Errors: data_corrupt.
Result<Token> decode_token(std::string_view bytes);

}  // namespace weir::model
