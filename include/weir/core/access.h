#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/clock.h"
#include "weir/base/executor.h"
#include "weir/base/keyed_hash.h"
#include "weir/base/random.h"
#include "weir/base/result.h"
#include "weir/model/token.h"
#include "weir/storage/keyed_store.h"

namespace weir::core {

/// One minute's allowance of one token in one group of routes. Thread-safe.
class RateWindow {
 public:
  struct Verdict {
    bool allowed = true;
    std::uint32_t limit = 0;
    std::uint32_t remaining = 0;
    std::chrono::seconds reset{0};  ///< until the window ends, rounded up; at least 1
  };
  /// Counts one request against `per_minute` (at least 1) in windows of 60 s from the first request.
  Verdict take(std::uint32_t per_minute, SteadyTime now);

 private:
  std::atomic<std::uint64_t> state_{0};  // window number since the clock's zero, and the count in it
};

enum class RateGroup : std::uint8_t { management, legacy, public_api, none };

/// What changes about a token while it is in use. Thread-safe.
struct TokenUse {
  std::array<RateWindow, 3> rates;            ///< by RateGroup
  std::atomic<std::int64_t> last_used_ms{0};  ///< wall time; 0: never; written to the store now and then
  std::atomic<bool> revoked{false};
};

/// A token that was recognised. Immutable but for its use; shared by the requests that it makes.
struct Caller {
  model::Token token;
  std::shared_ptr<TokenUse> use;  ///< the same for every Caller of one token

  bool allows(model::Privilege privilege) const noexcept { return token.privileges.allows(privilege); }
  /// False for a topic outside the token's list.
  bool may_use(model::TopicId topic) const noexcept;
};
using CallerPtr = std::shared_ptr<const Caller>;

struct NewToken {
  std::string name;
  model::WorkspaceId workspace = model::kDefaultWorkspace;
  model::Privileges privileges;
  std::vector<model::TopicId> topics;
  std::optional<std::chrono::seconds> lifetime;  ///< empty: does not expire
};

/// A new token with its text `weir_<id>_<secret>`, which is never stored and never shown again.
struct IssuedToken {
  model::Token token;
  std::string text;
};

/// Tokens: who calls, and what for. authenticate() is safe from any thread and never blocks; the changes block for the
/// disk (call them on a worker).
class Access {
 public:
  /// `tokens_max`: stored tokens at most, expired ones aside.
  Access(storage::KeyedStore& store, const Clock& clock, Random& random, std::size_t tokens_max = 10'000);
  ~Access();

  /// Reads the tokens. `admin_token`, if given (16 to 128 of A-Z a-z 0-9 . _ ~ -), is an admin's beside them for the
  /// life of the process and is not stored. Blocks. Errors: config_invalid, data_corrupt, storage_failed.
  Result<void> load(std::optional<std::string> admin_token);
  /// No stored token and no `admin_token`: a first start.
  bool empty() const;

  /// The caller behind an Authorization header's value (`Bearer <token>`, scheme in any case).
  /// Errors: unauthorized, for everything else alike.
  Result<CallerPtr> authenticate(std::string_view authorization) const;
  /// False once the caller's token has been revoked or has expired: for requests that wait. Any thread.
  bool still_valid(const Caller& caller) const noexcept;

  // --- for AccessView
  /// Another one whenever authenticate() may answer differently for another reason than time. Any thread.
  std::uint64_t version() const noexcept;
  /// For a caller that authenticate() gave at this version(): counts a use; false if the token has expired. Any thread.
  bool use(const Caller& caller) const noexcept;
  const KeyedHash& text_hash() const noexcept;

  /// `before_store` sees the token before it exists; its error is returned and nothing is created.
  /// Errors: validation_failed (`fields`: name, privileges, topics, expires_in), storage_*.
  Result<IssuedToken> create(NewToken token, const std::function<Result<void>(const IssuedToken&)>& before_store = {});
  /// In order of creation. Last use included.
  std::vector<model::Token> list() const;
  /// From the return on the token is refused. Errors: token_not_found, storage_*.
  Result<void> revoke(std::string_view id);
  /// Writes the last-used times that changed. Blocks.
  Result<void> save_last_used();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// 16 to 128 characters of A-Z a-z 0-9 . _ ~ -
bool is_valid_admin_token(std::string_view text) noexcept;

}  // namespace weir::core
