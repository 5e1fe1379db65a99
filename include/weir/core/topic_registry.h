#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "weir/model/schema.h"
#include "weir/model/topic.h"

namespace weir::core {

class TopicLog;

/// A topic with what the hot paths need. Immutable: a change makes a new entry with the same log.
struct TopicEntry {
  model::Topic topic;
  model::Schema schema;
  std::shared_ptr<TopicLog> log;
};
using TopicEntryPtr = std::shared_ptr<const TopicEntry>;

/// All topics, by id. Readers take a snapshot and never wait for a writer; one writer at a time (core::Topics).
class TopicRegistry {
 public:
  /// Ids are dense, so a snapshot is an array in chunks; a change copies one chunk and the list of chunks.
  class Snapshot {
   public:
    /// Null for an unknown or deleted topic.
    const TopicEntryPtr& find(model::TopicId id) const noexcept;
    /// Calls `visit(const TopicEntryPtr&)` for each topic in id order.
    template <class Visit>
    void for_each(Visit&& visit) const {
      for (const auto& chunk : chunks_) {
        if (!chunk) continue;
        for (const TopicEntryPtr& entry : *chunk) {
          if (entry) visit(entry);
        }
      }
    }
    std::size_t size() const noexcept { return size_; }

   private:
    friend class TopicRegistry;
    static constexpr std::size_t kChunk = 256;
    using Chunk = std::array<TopicEntryPtr, kChunk>;
    std::vector<std::shared_ptr<const Chunk>> chunks_;
    std::size_t size_ = 0;
  };

  TopicRegistry();
  std::shared_ptr<const Snapshot> snapshot() const;
  /// Changes with every set(); a reader that saw this version holds the newest snapshot.
  std::uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }
  /// Puts, replaces or (null) removes the entry of `id`.
  void set(model::TopicId id, TopicEntryPtr entry);
  /// Puts many at once: start-up.
  void load(std::vector<TopicEntryPtr> entries);

 private:
  std::atomic<std::uint64_t> version_{0};
  mutable std::mutex mutex_;
  std::shared_ptr<const Snapshot> snapshot_;  // guarded by mutex_
};

/// One thread's cached snapshot: a find costs one atomic load and two array steps. Not thread-safe.
class RegistryView {
 public:
  explicit RegistryView(const TopicRegistry& registry) : registry_(registry) {}
  /// Null for an unknown or deleted topic. The reference holds until the next call.
  const TopicEntryPtr& find(model::TopicId id);
  const TopicRegistry::Snapshot& snapshot();

 private:
  const TopicRegistry& registry_;
  std::uint64_t version_ = ~std::uint64_t{0};
  std::shared_ptr<const TopicRegistry::Snapshot> snapshot_;
};

}  // namespace weir::core
