#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/base/result.h"

namespace weir::storage {

/// Kinds of small state; each is a key space of its own.
enum class Table : std::uint8_t { meta = 0, topics = 1, tokens = 2 };

/// One change of a write; a missing value erases.
struct KeyedWrite {
  /// What must be there for the write to happen.
  struct Expected {
    std::optional<std::string> value;  ///< empty: the key must be absent
  };
  Table table = Table::meta;
  std::string key;
  std::optional<std::string> value;
  std::optional<Expected> expected = std::nullopt;  ///< empty: whatever is there
};

/// Small durable state that changes rarely: topics, tokens, counters. Safe to call from any thread.
/// Every function blocks for the disk: never call it on a network thread.
class KeyedStore {
 public:
  virtual ~KeyedStore() = default;
  /// Errors: data_corrupt, storage_failed.
  virtual Result<std::optional<std::string>> get(Table table, std::string_view key) = 0;
  /// Every entry whose key starts with `prefix`, in key order. Errors: as get.
  virtual Result<std::vector<std::pair<std::string, std::string>>> list(Table table, std::string_view prefix) = 0;
  /// All of the changes or none; durable (also in `os` mode: this is rare and small) when it returns.
  /// Errors: conflict (an expectation did not hold, nothing written); data_corrupt (an expectation could not be read,
  /// nothing written); storage_full: nothing written, but if the write itself found the device full, all of the changes
  /// may turn out to be written when the store recovers; storage_failed: unknown whether they were written, and every
  /// later write fails the same way until a restart; shutting_down.
  virtual Result<void> write(std::vector<KeyedWrite> changes) = 0;
};

}  // namespace weir::storage
