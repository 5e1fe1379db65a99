#include "storage_rocksdb/reclaimer.h"

#include <algorithm>

#include <rocksdb/convenience.h>

#include "weir/base/log.h"

#include "storage_rocksdb/keys.h"

namespace weir::storage_rocksdb {

Reclaimer::Reclaimer(Engine& engine, std::uint64_t compact_bytes)
    : engine_(engine), compact_bytes_(compact_bytes), thread_([this] { run(); }) {}

Reclaimer::~Reclaimer() {
  stop();
}

void Reclaimer::trimmed(std::uint64_t topic, std::uint64_t before) {
  const std::lock_guard lock(mutex_);
  auto& waiting = waiting_[topic];
  waiting = std::max(waiting, before);
  changed_.notify_one();
}

void Reclaimer::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_.store(true);
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Reclaimer::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_.load() || !waiting_.empty(); });
    if (stopping_.load()) return;
    const auto [topic, before] = *waiting_.begin();
    waiting_.erase(waiting_.begin());
    lock.unlock();
    reclaim(topic, before);
    lock.lock();
  }
}

void Reclaimer::reclaim(std::uint64_t topic, std::uint64_t before) {
  const auto known = done_.find(topic);
  const std::uint64_t done = known == done_.end() ? 0 : known->second;
  if (before == kDropped && known != done_.end()) done_.erase(known);  // its id is never used again
  auto db = engine_.lease();
  if (!db.writable()) return;
  // From the first offset on, always: a file that is dropped whole may hold the range delete that hides older messages
  // in other files. Every one of those lies in this range, so they are dropped or compacted with it.
  const auto begin_key = message_key(topic, 0);
  const auto end_key = message_key(topic, before);
  const rocksdb::Slice begin = slice_of(begin_key);
  const rocksdb::Slice end = slice_of(end_key);
  auto* const messages = engine_.family(Engine::Family::messages);

  const auto done_key = message_key(topic, done);
  const rocksdb::Range range(slice_of(done_key), end);
  rocksdb::SizeApproximationOptions what;
  what.include_files = true;
  what.include_memtables = true;
  std::uint64_t bytes = 0;
  rocksdb::Status status = db->GetApproximateSizes(what, messages, &range, 1, &bytes);
  if (status.ok() && bytes < compact_bytes_) return;

  // Whole files first: that costs nothing. Then what is left in files at the edges and in memory.
  status = rocksdb::DeleteFilesInRange(&*db, messages, &begin, &end, false);
  if (status.ok()) {
    rocksdb::CompactRangeOptions options;
    options.exclusive_manual_compaction = false;
    options.allow_write_stall = false;
    options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
    options.canceled = &stopping_;
    status = db->CompactRange(options, messages, &begin, &end);
  }
  if (status.ok()) {
    if (before != kDropped) done_[topic] = before;
  } else if (!stopping_.load()) {
    log::logger("storage").warn("reclaiming disk space failed topic={} error={}", topic, status.ToString());
  }
}

}  // namespace weir::storage_rocksdb
