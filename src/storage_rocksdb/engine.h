#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string_view>

#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include "weir/base/result.h"
#include "weir/storage_rocksdb/rocks_store.h"

#include "storage_rocksdb/log_check.h"
#include "storage_rocksdb/watched_file_system.h"

namespace weir::storage_rocksdb {

/// Error of a read for the caller; the engine's own words go to the log only, they name files.
Error read_error(std::string_view operation, const rocksdb::Status& status);
Error shut_down_error();

inline rocksdb::Slice slice_of(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}
template <std::size_t Size>
rocksdb::Slice slice_of(const std::array<char, Size>& bytes) {
  return {bytes.data(), Size};
}
inline std::string_view view_of(const rocksdb::Slice& slice) {
  return {slice.data(), slice.size()};
}

/// Holds RocksDB: its options, its column families, opening, and reopening in place after a full disk (the log writer
/// of RocksDB 7.8 refuses every write after one that failed, and Resume() does not help).
class Engine {
 public:
  enum class Family : std::uint8_t { keyed, messages, logs, claims };
  static constexpr std::size_t kFamilies = 4;

  struct Settings {
    std::filesystem::path store;
    std::filesystem::path aside;  ///< where logs go that the loss of unsynced writes has made useless
    std::size_t block_cache_bytes = 0;
    std::size_t memtable_bytes = 0;
    std::shared_ptr<rocksdb::FileSystem> file_system;  ///< null: the machine's
    std::function<bool(std::string_view claim)> claim_expired;
  };

  explicit Engine(Settings settings);
  ~Engine();  ///< close()
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Errors: data_dir_unusable.
  Result<void> open(bool create, TailLoss loss);
  void close();
  /// Waits for running reads, closes and opens again. When that fails the store is open for reading, if at all
  /// possible. Only under the commit lock. Errors: storage_full (try again later), data_corrupt, storage_failed.
  Result<void> reopen();

  /// Keeps the database open for as long as it lives; for reading.
  class Lease {
   public:
    explicit operator bool() const { return db_ != nullptr; }
    /// False after a reopen that succeeded only for reading.
    bool writable() const { return writable_; }
    rocksdb::DB* operator->() const { return db_; }
    rocksdb::DB& operator*() const { return *db_; }

   private:
    friend class Engine;
    std::shared_lock<std::shared_mutex> lock_;
    rocksdb::DB* db_ = nullptr;
    bool writable_ = false;
  };
  Lease lease();

  rocksdb::ColumnFamilyHandle* family(Family family) const { return families_[static_cast<std::size_t>(family)]; }
  /// Only under the commit lock.
  rocksdb::Status write(rocksdb::WriteBatch& batch, bool sync);

  bool log_sync_failed() const { return file_system_->sync_failed(); }
  rocksdb::FileSystem& file_system() { return *file_system_; }
  /// Free bytes on the device of the store; empty if the system does not say.
  std::optional<std::uint64_t> free_bytes();
  /// Bytes of table files and logs.
  std::uint64_t disk_bytes();
  /// True once after each switch to a new log.
  bool take_log_switched() { return log_switched_->exchange(false, std::memory_order_acq_rel); }

 private:
  class LogSwitchListener;
  /// `look`: as `read`, and takes any logs: for the manifest only, nobody is answered from them.
  enum class Access : std::uint8_t { create, write, read, look };
  static bool read_only(Access access) { return access == Access::read || access == Access::look; }
  rocksdb::DBOptions db_options(Access access) const;
  std::vector<rocksdb::ColumnFamilyDescriptor> family_descriptors() const;
  rocksdb::Status open_database(Access access);
  void close_database();
  Result<LogCheck> check();
  /// check(), then opens for writing.
  Result<rocksdb::Status> check_and_open();
  /// The first log that the engine would read; 0 if it does not say.
  std::uint64_t first_needed_log();
  bool sync_file(const std::filesystem::path& file);

  const Settings settings_;
  const std::shared_ptr<WatchedFileSystem> file_system_;
  const std::unique_ptr<rocksdb::Env> env_;
  const std::shared_ptr<rocksdb::Cache> block_cache_;
  const std::unique_ptr<rocksdb::CompactionFilter> claims_filter_;
  const std::shared_ptr<std::atomic<bool>> log_switched_;
  TailLoss loss_ = TailLoss::last_write;

  std::mutex gate_;  // taken before open_lock_: a waiting reopen holds off new readers
  std::shared_mutex open_lock_;
  std::unique_ptr<rocksdb::DB> db_;  // guarded by open_lock_, as the next two
  bool writable_ = false;
  std::array<rocksdb::ColumnFamilyHandle*, kFamilies> families_{};
};

}  // namespace weir::storage_rocksdb
