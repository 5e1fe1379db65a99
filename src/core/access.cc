#include "weir/core/access.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <utility>

namespace weir::core {

using model::Token;
using storage::KeyedWrite;
using storage::Table;

namespace {

constexpr std::string_view kPrefix = "weir_";
constexpr std::size_t kIdLength = 10;
constexpr std::size_t kSecretLength = 27;  // of 62 letters: 160 bits
constexpr std::size_t kNameBytesMax = 255;
constexpr auto kLastUsedPrecision = std::chrono::minutes{1};

constexpr std::uint32_t kWindowSeconds = 60;
constexpr unsigned kCountBits = 24;
constexpr std::uint64_t kCountMask = (std::uint64_t{1} << kCountBits) - 1;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// The token text behind "Bearer"; empty if the scheme is another.
std::string_view bearer_text(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer";
  if (authorization.size() <= kScheme.size()) return {};
  for (std::size_t i = 0; i < kScheme.size(); ++i) {
    if (lower(authorization[i]) != kScheme[i]) return {};
  }
  std::string_view rest = authorization.substr(kScheme.size());
  if (rest.front() != ' ') return {};
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  while (!rest.empty() && rest.back() == ' ') rest.remove_suffix(1);
  return rest;
}

std::shared_ptr<Caller> make_caller(Token token) {
  auto caller = std::make_shared<Caller>();
  caller->use = std::make_shared<TokenUse>();
  if (token.last_used_at) {
    caller->use->last_used_ms.store(token.last_used_at->time_since_epoch().count(), std::memory_order_relaxed);
  }
  caller->token = std::move(token);
  return caller;
}

std::optional<WallTime> last_used(const Caller& caller) {
  const std::int64_t ms = caller.use->last_used_ms.load(std::memory_order_relaxed);
  return ms == 0 ? std::nullopt : std::optional(WallTime(std::chrono::milliseconds{ms}));
}

}  // namespace

RateWindow::Verdict RateWindow::take(std::uint32_t per_minute, SteadyTime now) {
  // Never 0, so that an untouched window differs from one that began at the clock's zero.
  const auto second =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count()) + 1;
  std::uint64_t state = state_.load(std::memory_order_relaxed);
  for (;;) {
    std::uint64_t start = state >> kCountBits;
    std::uint64_t count = state & kCountMask;
    if (start == 0 || second >= start + kWindowSeconds) {
      start = second;
      count = 0;
    }
    Verdict verdict;
    verdict.limit = per_minute;
    verdict.reset = std::chrono::seconds{start + kWindowSeconds - second};
    verdict.allowed = count < per_minute;
    if (!verdict.allowed) return verdict;
    verdict.remaining = per_minute - static_cast<std::uint32_t>(count) - 1;
    if (state_.compare_exchange_weak(state, start << kCountBits | (count + 1), std::memory_order_relaxed)) {
      return verdict;
    }
  }
}

bool Caller::may_use(model::TopicId topic) const noexcept {
  return token.topics.empty() || std::find(token.topics.begin(), token.topics.end(), topic) != token.topics.end();
}

bool is_valid_admin_token(std::string_view text) noexcept {
  return text.size() >= 16 && text.size() <= 128 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                  c == '~' || c == '-';
         });
}

struct Access::Impl {
  storage::KeyedStore& store;
  const Clock& clock;
  Random& random;
  const std::size_t tokens_max;
  const KeyedHash text_hash;

  std::mutex change_mutex;  // one change at a time; held over the disk, never by authenticate()

  mutable std::shared_mutex mutex;
  std::atomic<std::uint64_t> version{1};  // changes with the next two, under mutex
  // guarded by mutex
  std::map<std::string, std::shared_ptr<Caller>, std::less<>> callers;  // by token id
  std::shared_ptr<Caller> admin;  // of WEIR_ADMIN_TOKEN; its secret_hash is that of the whole text

  Impl(storage::KeyedStore& s, const Clock& c, Random& r, std::size_t max)
      : store(s), clock(c), random(r), tokens_max(max), text_hash(r) {}

  static bool expired(const Token& token, WallTime now) { return token.expires_at && now >= *token.expires_at; }

  std::shared_ptr<Caller> find(std::string_view id) const {
    const std::shared_lock lock(mutex);
    const auto found = callers.find(id);
    return found == callers.end() ? nullptr : found->second;
  }

  /// Nobody can use them again: they go when the next token comes.
  std::vector<std::string> expired_ids() const {
    const WallTime now = clock.wall_now();
    std::vector<std::string> ids;
    const std::shared_lock lock(mutex);
    for (const auto& [id, caller] : callers) {
      if (expired(caller->token, now)) ids.push_back(id);
    }
    return ids;
  }

  Result<CallerPtr> accept(const std::shared_ptr<Caller>& caller, const Digest& presented) const {
    // An unknown id is compared too, with a hash that nothing has: its answer takes as long.
    const Digest& expected = caller ? caller->token.secret_hash : Digest{};
    const bool matches = equal_constant_time(expected, presented);
    if (!caller || !matches || !use(*caller)) return make_error(Errc::unauthorized);
    return CallerPtr(caller);
  }

  bool use(const Caller& caller) const {
    const WallTime now = clock.wall_now();
    if (expired(caller.token, now)) return false;
    const std::int64_t now_ms = now.time_since_epoch().count();
    const std::int64_t used_ms = caller.use->last_used_ms.load(std::memory_order_relaxed);
    if (now_ms - used_ms >= std::chrono::milliseconds{kLastUsedPrecision}.count() || now_ms < used_ms) {
      caller.use->last_used_ms.store(now_ms, std::memory_order_relaxed);
    }
    return true;
  }

  /// Under mutex, alone: before the lock is given back, so that who sees the new version finds the new callers.
  void changed() { version.fetch_add(1, std::memory_order_release); }
};

Access::Access(storage::KeyedStore& store, const Clock& clock, Random& random, std::size_t tokens_max)
    : impl_(std::make_unique<Impl>(store, clock, random, tokens_max)) {}

Access::~Access() = default;

Result<void> Access::load(std::optional<std::string> admin_token) {
  WEIR_TRY(auto records, impl_->store.list(Table::tokens, ""));
  std::map<std::string, std::shared_ptr<Caller>, std::less<>> callers;
  for (const auto& [id, bytes] : records) {
    WEIR_TRY(Token token, model::decode_token(bytes));
    callers[id] = make_caller(std::move(token));
  }
  std::shared_ptr<Caller> admin;
  if (admin_token) {
    if (!is_valid_admin_token(*admin_token)) {
      return make_error(Errc::config_invalid, "the admin token must be 16 to 128 characters of A-Z a-z 0-9 . _ ~ -");
    }
    Token token;
    token.name = "admin (from the environment)";
    token.privileges = {model::Privilege::admin};
    token.secret_hash = sha256(*admin_token);
    token.created_at = impl_->clock.wall_now();
    admin = make_caller(std::move(token));
  }
  const std::unique_lock lock(impl_->mutex);
  impl_->callers = std::move(callers);
  impl_->admin = std::move(admin);
  impl_->changed();
  return ok();
}

bool Access::empty() const {
  const std::shared_lock lock(impl_->mutex);
  return impl_->callers.empty() && !impl_->admin;
}

Result<CallerPtr> Access::authenticate(std::string_view authorization) const {
  const std::string_view text = bearer_text(authorization);
  if (text.empty()) return make_error(Errc::unauthorized);
  if (text.starts_with(kPrefix)) {
    const std::string_view rest = text.substr(kPrefix.size());
    const std::size_t separator = rest.find('_');
    if (separator != std::string_view::npos) {
      const auto caller = impl_->find(rest.substr(0, separator));
      if (caller) return impl_->accept(caller, sha256(rest.substr(separator + 1)));
    }
  }
  std::shared_ptr<Caller> admin;
  {
    const std::shared_lock lock(impl_->mutex);
    admin = impl_->admin;
  }
  return impl_->accept(admin, sha256(text));
}

bool Access::still_valid(const Caller& caller) const noexcept {
  if (caller.use->revoked.load(std::memory_order_relaxed)) return false;
  return !caller.token.expires_at || !Impl::expired(caller.token, impl_->clock.wall_now());
}

std::uint64_t Access::version() const noexcept {
  return impl_->version.load(std::memory_order_acquire);
}

bool Access::use(const Caller& caller) const noexcept {
  return impl_->use(caller);
}

const KeyedHash& Access::text_hash() const noexcept {
  return impl_->text_hash;
}

Result<IssuedToken> Access::create(NewToken wanted,
                                   const std::function<Result<void>(const IssuedToken&)>& before_store) {
  std::vector<FieldError> errors;
  if (wanted.name.find_first_not_of(" \t\r\n") == std::string::npos) {
    errors.push_back({"name", "can't be blank"});
  } else if (wanted.name.size() > kNameBytesMax) {
    errors.push_back({"name", "is too long (maximum is " + std::to_string(kNameBytesMax) + " bytes)"});
  }
  if (wanted.privileges.empty()) errors.push_back({"privileges", "must name at least one"});
  if (wanted.lifetime && (*wanted.lifetime < std::chrono::seconds{1} || *wanted.lifetime > std::chrono::years{100})) {
    errors.push_back({"expires_in", "must be from 1 second to 100 years"});
  }
  if (!wanted.topics.empty() && wanted.privileges.allows(model::Privilege::admin)) {
    errors.push_back({"topics", "cannot limit an admin, who may do everything"});
  }
  const std::lock_guard change(impl_->change_mutex);
  const std::vector<std::string> expired = impl_->expired_ids();
  {
    const std::shared_lock lock(impl_->mutex);
    if (impl_->callers.size() - expired.size() >= impl_->tokens_max) {
      errors.push_back(
          {"name", "no more than " + std::to_string(impl_->tokens_max) + " tokens can exist; revoke some first"});
    }
  }
  if (!errors.empty()) return Error{Errc::validation_failed, "Validation failed", std::move(errors)};

  const std::string secret = random_base62(impl_->random, kSecretLength);
  IssuedToken issued;
  Token& token = issued.token;
  token.id = random_base62(impl_->random, kIdLength);
  token.name = std::move(wanted.name);
  token.workspace = wanted.workspace;
  token.privileges = wanted.privileges;
  token.topics = std::move(wanted.topics);
  token.secret_hash = sha256(secret);
  token.created_at = impl_->clock.wall_now();
  if (wanted.lifetime) token.expires_at = token.created_at + *wanted.lifetime;
  issued.text = std::string(kPrefix) + token.id + "_" + secret;

  if (before_store) {
    WEIR_TRY(before_store(issued));
  }
  std::vector<KeyedWrite> changes;
  changes.push_back({Table::tokens, token.id, model::encode_token(token), KeyedWrite::Expected{}});
  for (const std::string& id : expired) changes.push_back({Table::tokens, id, std::nullopt});
  WEIR_TRY(impl_->store.write(std::move(changes)));
  const std::unique_lock lock(impl_->mutex);
  for (const std::string& id : expired) impl_->callers.erase(id);
  impl_->callers[token.id] = make_caller(token);
  impl_->changed();
  return issued;
}

std::vector<Token> Access::list() const {
  std::vector<Token> tokens;
  {
    const std::shared_lock lock(impl_->mutex);
    for (const auto& [id, caller] : impl_->callers) {
      tokens.push_back(caller->token);
      tokens.back().last_used_at = last_used(*caller);
    }
  }
  std::stable_sort(tokens.begin(), tokens.end(),
                   [](const Token& a, const Token& b) { return a.created_at < b.created_at; });
  return tokens;
}

Result<void> Access::revoke(std::string_view id) {
  const std::lock_guard change(impl_->change_mutex);
  if (!impl_->find(id)) return make_error(Errc::token_not_found);
  std::vector<KeyedWrite> changes;
  changes.push_back({Table::tokens, std::string(id), std::nullopt});
  WEIR_TRY(impl_->store.write(std::move(changes)));
  const std::unique_lock lock(impl_->mutex);
  const auto revoked = impl_->callers.find(id);
  revoked->second->use->revoked.store(true, std::memory_order_relaxed);
  impl_->callers.erase(revoked);
  impl_->changed();
  return ok();
}

Result<void> Access::save_last_used() {
  const std::lock_guard change(impl_->change_mutex);
  std::vector<std::shared_ptr<Caller>> used;
  {
    const std::shared_lock lock(impl_->mutex);
    for (const auto& [id, caller] : impl_->callers) {
      if (last_used(*caller) != caller->token.last_used_at) used.push_back(caller);
    }
  }
  if (used.empty()) return ok();
  std::vector<KeyedWrite> changes;
  std::vector<std::shared_ptr<Caller>> replacements;
  for (const auto& caller : used) {
    // Requests under way hold the old object, which is immutable but for its counters: they go on with it.
    Token token = caller->token;
    token.last_used_at = last_used(*caller);
    changes.push_back({Table::tokens, token.id, model::encode_token(token)});
    auto replacement = make_caller(std::move(token));
    replacement->use = caller->use;
    replacements.push_back(std::move(replacement));
  }
  WEIR_TRY(impl_->store.write(std::move(changes)));
  const std::unique_lock lock(impl_->mutex);
  for (auto& replacement : replacements) impl_->callers[replacement->token.id] = std::move(replacement);
  impl_->changed();
  return ok();
}

}  // namespace weir::core
