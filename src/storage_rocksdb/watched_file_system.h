#pragma once

#include <atomic>
#include <memory>

#include <rocksdb/file_system.h>

namespace weir::storage_rocksdb {

/// Lets the store tell a failed sync of a write-ahead log from a failed write. The engine reports both as one error,
/// and they differ: after a failed write nothing of it counts, after a failed sync the kernel may drop pages that it
/// has already called clean, so nothing may be acknowledged on that log again.
///
/// Also lets a log grow ahead of its writes, in steps of 4 MiB of zeros: a sync then has no new size to write into the
/// file system's journal, which is a third of its time. When the system cannot (not supported, no space) the writes
/// make the file grow, as ever. A log that was not closed ends in zeros; check_logs() takes them away.
class WatchedFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  explicit WatchedFileSystem(const std::shared_ptr<rocksdb::FileSystem>& target);

  const char* Name() const override { return "WeirWatchedFileSystem"; }
  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;

  bool sync_failed() const { return sync_failed_->load(std::memory_order_acquire); }

 private:
  std::shared_ptr<std::atomic<bool>> sync_failed_;  // shared with the files
};

}  // namespace weir::storage_rocksdb
