#include "storage_rocksdb/watched_file_system.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace weir::storage_rocksdb {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

// Small enough that what a crash leaves is read quickly; large enough that few syncs have to write the file's new size.
constexpr std::size_t kLogAllocationBytes = 4 << 20;

class WatchedLog final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  WatchedLog(std::unique_ptr<rocksdb::FSWritableFile> file, std::shared_ptr<std::atomic<bool>> sync_failed)
      : FSWritableFileOwnerWrapper(std::move(file)), sync_failed_(std::move(sync_failed)) {}

  void SetPreallocationBlockSize(std::size_t size) override {
    FSWritableFileOwnerWrapper::SetPreallocationBlockSize(std::min(size, kLogAllocationBytes));
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return note(FSWritableFileOwnerWrapper::Sync(options, debug));
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return note(FSWritableFileOwnerWrapper::Fsync(options, debug));
  }

 private:
  IOStatus note(IOStatus status) {
    if (!status.ok()) sync_failed_->store(true, std::memory_order_release);
    return status;
  }
  std::shared_ptr<std::atomic<bool>> sync_failed_;
};

}  // namespace

WatchedFileSystem::WatchedFileSystem(const std::shared_ptr<rocksdb::FileSystem>& target)
    : FileSystemWrapper(target), sync_failed_(std::make_shared<std::atomic<bool>>(false)) {}

IOStatus WatchedFileSystem::NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                            std::unique_ptr<rocksdb::FSWritableFile>* file, IODebugContext* debug) {
  if (!std::string_view(name).ends_with(".log")) {
    return FileSystemWrapper::NewWritableFile(name, options, file, debug);
  }
  rocksdb::FileOptions log_options = options;
  log_options.fallocate_with_keep_size = false;
  IOStatus status = FileSystemWrapper::NewWritableFile(name, log_options, file, debug);
  if (status.ok()) *file = std::make_unique<WatchedLog>(std::move(*file), sync_failed_);
  return status;
}

}  // namespace weir::storage_rocksdb
