#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "storage_rocksdb/engine.h"

namespace weir::storage_rocksdb {

/// Gives disk space back after purge and retention, in the background: a range delete hides messages at once, the
/// bytes go when the engine rewrites its files. Once enough of a topic is gone, its range is compacted at once.
class Reclaimer {
 public:
  Reclaimer(Engine& engine, std::uint64_t compact_bytes);
  ~Reclaimer();  ///< stop()
  Reclaimer(const Reclaimer&) = delete;
  Reclaimer& operator=(const Reclaimer&) = delete;

  static constexpr std::uint64_t kDropped = UINT64_MAX;
  /// Everything of `topic` before `before` is deleted; kDropped: all of it, and the topic is gone. Safe to call from
  /// any thread; returns at once.
  void trimmed(std::uint64_t topic, std::uint64_t before);
  /// Interrupts what is going on; what is left is found again after the next trim. Idempotent.
  void stop();

 private:
  void run();
  void reclaim(std::uint64_t topic, std::uint64_t before);

  Engine& engine_;
  const std::uint64_t compact_bytes_;
  std::atomic<bool> stopping_{false};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, std::uint64_t> waiting_;  // topic -> before; one entry a topic bounds it

  std::unordered_map<std::uint64_t, std::uint64_t> done_;  // topic (kept one) -> compacted up to here; of the thread
  std::thread thread_;
};

}  // namespace weir::storage_rocksdb
