#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "weir/base/keyed_hash.h"
#include "weir/core/access.h"

namespace weir::core {

/// One thread's way to Access, which remembers whom it has recognised lately: a digest of the same token for each of a
/// client's requests costs more than the rest of the checks together.
///
/// No secret stays here: of a text that was accepted a keyed hash is remembered, in which a caller who guesses cannot
/// aim at a value, so that neither a false match nor the time of a lookup helps him. A text that was refused leaves
/// nothing. Any change to the tokens, a revocation above all, makes every view forget all before its next answer.
/// Not thread-safe; `access` must outlive it.
class AccessView {
 public:
  explicit AccessView(const Access& access) noexcept : access_(access) {}

  /// As Access::authenticate(), counted as a use alike; null: unauthorized. The reference holds until the next call.
  const CallerPtr& authenticate(std::string_view authorization);

 private:
  /// A place for each value of some bits of the hash: who shares one with another takes turns, which is only slower.
  static constexpr std::size_t kPlaces = 256;
  struct Place {
    KeyedHash::Value hash{};
    CallerPtr caller;  // null: free
  };

  const Access& access_;
  std::uint64_t version_ = 0;
  std::vector<Place> places_;  // kPlaces, once used
};

}  // namespace weir::core
