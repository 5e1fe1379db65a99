#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "storage_rocksdb/keys.h"

namespace weir::storage_rocksdb {

/// One log in memory.
struct Log {
  std::uint64_t topic = 0;
  /// What readers may see; guarded by the table's mutex.
  LogState visible;
  /// What the commit being built will make of it; only for the holder of the commit lock, as are the next two.
  LogState pending;
  bool touched = false;  ///< by the commit being built
  bool dropped = false;  ///< by the commit being built
};

/// The logs of the store. Whoever holds the commit lock may change it; everyone may look.
class LogTable {
 public:
  /// What readers may see of a log. Safe to call from any thread.
  std::optional<LogState> view(std::uint64_t topic) const {
    const std::lock_guard lock(mutex_);
    const auto found = logs_.find(topic);
    if (found == logs_.end()) return std::nullopt;
    return found->second->visible;
  }
  std::vector<std::pair<std::uint64_t, LogState>> view_all() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::pair<std::uint64_t, LogState>> all;
    all.reserve(logs_.size());
    for (const auto& [topic, log] : logs_) all.emplace_back(topic, log->visible);
    return all;
  }

  /// The rest only under the commit lock (or before the store is shared).
  Log* find(std::uint64_t topic) {
    const auto found = logs_.find(topic);
    return found == logs_.end() ? nullptr : found->second.get();
  }
  void put(std::uint64_t topic, const LogState& state) {
    const std::lock_guard lock(mutex_);
    logs_[topic] = std::make_unique<Log>(Log{topic, state, state, false, false});
  }
  /// Makes the pending state of these logs visible at once. A dropped log is removed and its pointer set to null.
  void publish(std::vector<Log*>& logs) {
    const std::lock_guard lock(mutex_);
    for (Log*& log : logs) {
      if (log->dropped) {
        logs_.erase(log->topic);
        log = nullptr;
        continue;
      }
      log->visible = log->pending;
      log->touched = false;
    }
  }

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Log>> logs_;  // the map itself: guarded for whoever changes it
};

}  // namespace weir::storage_rocksdb
