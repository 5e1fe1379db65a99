#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "weir/base/clock.h"
#include "weir/base/result.h"
#include "weir/storage/store.h"

namespace rocksdb {
class FileSystem;
}

namespace weir::storage_rocksdb {

struct Options {
  std::filesystem::path data_dir;
  storage::Durability durability = storage::Durability::fsync;  ///< os or fsync
  std::chrono::milliseconds claim_window{24 * 3600 * 1000};     ///< how long an idempotency key is remembered
  std::size_t queue_bytes_max = 64 << 20;                       ///< payload waiting for a commit; more: overloaded
  std::size_t queue_appends_max = 100'000;                      ///< appends waiting for a commit; more: overloaded
  std::size_t commit_bytes_max = 1 << 20;                       ///< one commit takes no more than this (or one append)
  std::size_t reader_threads = 2;                               ///< for reads below the tail; 1 to 64
  std::size_t reader_queue_max = 100'000;                       ///< reads waiting for a thread; more: overloaded
  std::size_t block_cache_bytes = 128 << 20;
  std::size_t memtable_bytes = 64 << 20;
  std::uint64_t free_bytes_min = 64 << 20;         ///< below this much free space appends answer storage_full
  std::uint64_t reclaim_compact_bytes = 32 << 20;  ///< a trim of at least this much compacts its key range; 0: always
  /// The commit thread lets appends of the loops 0 to `loops` - 1 wait for their end_round(); 0: for none. At most 64.
  std::size_t loops = 0;
  /// It waits for rounds no longer than this before a commit, and for a loop that was late not again in that round.
  std::chrono::milliseconds round_wait_max{10};
  bool commit_on_caller = false;                     ///< no commit thread: commit_pending() commits instead (one loop)
  std::shared_ptr<rocksdb::FileSystem> file_system;  ///< null: the machine's; tests inject faults here
  const Clock* clock = nullptr;                      ///< null: the machine's
};

/// The durable store: RocksDB with group commit. Layout: docs/storage-format.md.
class RocksStore : public storage::Store {
 public:
  /// Opens or, in an absent or empty folder, creates. Never initialises over anything else.
  /// Errors: data_dir_unusable (held by another process; foreign; damaged, `detail` names the file; newer format).
  static Result<std::unique_ptr<RocksStore>> open(Options options);

  /// With `commit_on_caller`: commits what was queued when it was called (in several commits if over
  /// `commit_bytes_max`), on the calling thread, and returns true if there was anything.
  /// Only from one thread.
  virtual bool commit_pending() = 0;
  /// With `commit_on_caller`: called (from any thread) when the queue becomes non-empty, or when there is something to
  /// do besides it. Set before the first append; must not commit itself.
  virtual void set_commit_wakeup(UniqueFunction<void()> wakeup) = 0;

  /// Bytes of table files and logs on the disk. Blocks.
  virtual std::uint64_t disk_bytes() = 0;
  /// Writes memory to table files and compacts everything: tests and maintenance. Blocks.
  virtual Result<void> flush_and_compact() = 0;
};

}  // namespace weir::storage_rocksdb
