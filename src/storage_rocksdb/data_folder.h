#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "weir/base/result.h"

namespace weir::storage_rocksdb {

/// The data folder as a whole: who holds it, whether it is ours, which format it has.
///
///   LOCK         held (flock) as long as a store is open; holds the pid for the refused
///   weir.format  product, format version, store id, state
///   store/       RocksDB's files
///
/// A folder that is refused is left exactly as it was found.
class DataFolder {
 public:
  static constexpr int kFormatVersion = 1;

  /// Takes the lock. Afterwards the folder is either ready (fresh() is false) or prepared for a new store: format file
  /// written as "initialising", no store/ in it. Errors: data_dir_unusable.
  static Result<std::unique_ptr<DataFolder>> acquire(const std::filesystem::path& path);
  ~DataFolder();  ///< gives the lock back
  DataFolder(const DataFolder&) = delete;
  DataFolder& operator=(const DataFolder&) = delete;

  bool fresh() const { return fresh_; }
  /// Whether every write since the last start was synced before it was acknowledged.
  bool synced() const { return synced_; }
  std::filesystem::path store() const { return path_ / "store"; }
  /// The store exists durably and from now on is opened, never created; `synced` is how it is written from here on.
  /// Errors: data_dir_unusable.
  Result<void> mark_ready(bool synced);

 private:
  DataFolder(std::filesystem::path path, int lock_fd);
  Result<void> examine();
  Result<void> begin();
  Result<void> check_store() const;
  Result<void> write_format() const;

  const std::filesystem::path path_;
  const int lock_fd_;
  bool fresh_ = false;
  bool synced_ = true;
  std::string state_;
  std::string store_id_;
};

}  // namespace weir::storage_rocksdb
