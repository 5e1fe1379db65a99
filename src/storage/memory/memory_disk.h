#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "weir/base/clock.h"
#include "weir/base/digest.h"
#include "weir/storage/keyed_store.h"
#include "weir/storage/log_store.h"
#include "weir/storage/memory_store.h"

namespace weir::storage {

/// What would be on a disk. Guarded by the mutex of the store that uses it.
struct MemoryDisk {
  struct Message {
    WallTime time{};
    std::string payload;
  };
  struct StoredClaim {
    Digest fingerprint{};
    Appended answer;  // as it is replayed
  };
  struct Log {
    Offset start{};
    std::vector<Message> messages;  // from start on
    WallTime last_time{};           // of the last message ever stored: no later one may have an earlier time
    std::optional<WallTime> last_activity;
    std::uint64_t published_total = 0;
    std::map<Digest, StoredClaim> claims;

    Offset end() const { return model::advance(start, messages.size()); }
    const Message& at(Offset offset) const { return messages[model::value_of(offset) - model::value_of(start)]; }
    /// First offset at or after the start with a time of `not_before` or later; the end if none.
    Offset first_live(WallTime not_before) const;
    /// Drops what stands before `before`; never moves the start backwards nor beyond the end.
    void trim(Offset before);
  };

  std::map<TopicId, Log> logs;
  std::map<std::pair<Table, std::string>, std::string> keyed;
};

}  // namespace weir::storage
