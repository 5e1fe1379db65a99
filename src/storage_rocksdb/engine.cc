#include "storage_rocksdb/engine.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <rocksdb/cache.h>
#include <rocksdb/compaction_filter.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>

#include "weir/base/log.h"

namespace weir::storage_rocksdb {
namespace {

using rocksdb::Status;

constexpr std::array<const char*, Engine::kFamilies> kFamilyNames = {"default", "messages", "logs", "claims"};

/// RocksDB's own log, from warnings on, in ours: no extra files in the data folder.
class EngineLogger final : public rocksdb::Logger {
 public:
  EngineLogger() : Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    char line[1024];
    if (std::vsnprintf(line, sizeof line, format, arguments) <= 0) return;
    std::string_view text = line;
    while (text.ends_with('\n') || text.ends_with(' ')) text.remove_suffix(1);
    log::logger("storage").warn("engine: {}", text);
  }
};

/// Forgets expired claims when their table file is rewritten anyway.
class ClaimsFilter final : public rocksdb::CompactionFilter {
 public:
  explicit ClaimsFilter(std::function<bool(std::string_view)> expired) : expired_(std::move(expired)) {}
  const char* Name() const override { return "WeirClaimsFilter"; }
  bool Filter(int, const rocksdb::Slice&, const rocksdb::Slice& value, std::string*, bool*) const override {
    return expired_ && expired_(view_of(value));
  }

 private:
  const std::function<bool(std::string_view)> expired_;
};

Error unusable(const std::filesystem::path& store, const Status& status) {
  return make_error(Errc::data_dir_unusable,
                    "the data in " + store.string() + " cannot be opened: " + status.ToString() +
                        ". Nothing is created in its place. Restore the file or a backup of the data folder.");
}

}  // namespace

class Engine::LogSwitchListener final : public rocksdb::EventListener {
 public:
  explicit LogSwitchListener(std::shared_ptr<std::atomic<bool>> switched) : switched_(std::move(switched)) {}
  void OnMemTableSealed(const rocksdb::MemTableInfo&) override { switched_->store(true, std::memory_order_release); }

 private:
  const std::shared_ptr<std::atomic<bool>> switched_;
};

Error read_error(std::string_view operation, const Status& status) {
  log::logger("storage").error("read failed operation={} error={}", operation, status.ToString());
  if (status.IsCorruption()) return make_error(Errc::data_corrupt, "stored data is damaged");
  return make_error(Errc::storage_failed, "the store cannot be read");
}

Error shut_down_error() {
  return make_error(Errc::shutting_down, "the store is closed");
}

Engine::Engine(Settings settings)
    : settings_(std::move(settings)),
      file_system_(std::make_shared<WatchedFileSystem>(settings_.file_system ? settings_.file_system
                                                                             : rocksdb::FileSystem::Default())),
      env_(rocksdb::NewCompositeEnv(file_system_)),
      block_cache_(rocksdb::NewLRUCache(settings_.block_cache_bytes)),
      claims_filter_(std::make_unique<ClaimsFilter>(settings_.claim_expired)),
      log_switched_(std::make_shared<std::atomic<bool>>(false)) {}

Engine::~Engine() {
  close();
}

rocksdb::DBOptions Engine::db_options(Access access) const {
  const bool create = access == Access::create;
  rocksdb::DBOptions options;
  options.env = env_.get();
  options.create_if_missing = create;
  options.create_missing_column_families = create;
  options.paranoid_checks = true;
  // check_logs() has removed an incomplete tail, so what is left must be whole. It is still there at its own look.
  options.wal_recovery_mode = access == Access::look ? rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords
                                                     : rocksdb::WALRecoveryMode::kAbsoluteConsistency;
  // Notices that a log which was synced and left is not there. Without syncs the loss of one is no reason to refuse.
  // Switching it off writes to the manifest, so not when only reading (RocksDB 7.8 ends the process over that).
  options.track_and_verify_wals_in_manifest = loss_ == TailLoss::last_write || read_only(access);
  options.avoid_flush_during_recovery = true;  // a start writes no tables: quick, and possible on a nearly full disk
  options.max_total_wal_size = 2 * settings_.memtable_bytes;  // bounds what a start has to replay
  options.max_background_jobs = 2;
  options.max_open_files = 1024;
  options.max_bgerror_resume_count = 0;  // we decide how to go on, by reopening
  options.bytes_per_sync = 1 << 20;
  options.info_log = std::make_shared<EngineLogger>();
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.listeners.push_back(std::make_shared<LogSwitchListener>(log_switched_));
  return options;
}

std::vector<rocksdb::ColumnFamilyDescriptor> Engine::family_descriptors() const {
  rocksdb::BlockBasedTableOptions table;
  table.block_size = 16 << 10;
  table.block_cache = block_cache_;
  table.format_version = 5;
  table.cache_index_and_filter_blocks = true;  // so that many files do not grow the process without bound
  table.pin_l0_filter_and_index_blocks_in_cache = true;

  rocksdb::ColumnFamilyOptions small;
  small.write_buffer_size = 4 << 20;
  small.compression = rocksdb::kLZ4Compression;
  small.level_compaction_dynamic_level_bytes = true;
  small.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));

  rocksdb::ColumnFamilyOptions messages = small;
  messages.write_buffer_size = settings_.memtable_bytes;
  messages.max_write_buffer_number = 4;  // writing goes on while tables are written
  messages.level0_slowdown_writes_trigger = 30;
  messages.level0_stop_writes_trigger = 60;
  messages.ttl = 6 * 3600;  // range deletes that are too small for a compaction of their own reach the data in hours

  rocksdb::ColumnFamilyOptions claims = small;
  claims.write_buffer_size = 16 << 20;
  claims.compaction_filter = claims_filter_.get();
  claims.ttl = 24 * 3600;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.whole_key_filtering = true;
  claims.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));

  return {{kFamilyNames[0], small}, {kFamilyNames[1], messages}, {kFamilyNames[2], small}, {kFamilyNames[3], claims}};
}

Status Engine::open_database(Access access) {
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  const std::string path = settings_.store.string();
  const auto options = db_options(access);
  const Status status = read_only(access)
                            ? rocksdb::DB::OpenForReadOnly(options, path, family_descriptors(), &handles, &db)
                            : rocksdb::DB::Open(options, path, family_descriptors(), &handles, &db);
  if (!status.ok()) return status;
  db_.reset(db);
  writable_ = !read_only(access);
  std::copy(handles.begin(), handles.end(), families_.begin());
  return status;
}

void Engine::close_database() {
  if (!db_) return;
  for (auto*& handle : families_) {
    if (handle != nullptr) db_->DestroyColumnFamilyHandle(std::exchange(handle, nullptr)).PermitUncheckedError();
  }
  const Status status = db_->Close();
  if (!status.ok()) log::logger("storage").warn("close reported an error error={}", status.ToString());
  db_.reset();
}

bool Engine::sync_file(const std::filesystem::path& path) {
  std::unique_ptr<rocksdb::FSWritableFile> file;
  rocksdb::FileOptions options;
  return file_system_->ReopenWritableFile(path.string(), options, &file, nullptr).ok() &&
         file->Fsync({}, nullptr).ok() && file->Close({}, nullptr).ok();
}

std::uint64_t Engine::first_needed_log() {
  std::uint64_t number = 0;
  if (!open_database(Access::look).ok() ||
      !db_->GetIntProperty(rocksdb::DB::Properties::kMinLogNumberToKeep, &number)) {
    number = 0;
  }
  close_database();
  return number;
}

Result<LogCheck> Engine::check() {
  LogCheckHooks hooks;
  hooks.sync_file = [this](const auto& file) { return sync_file(file); };
  hooks.first_needed = [this] { return first_needed_log(); };
  WEIR_TRY(const LogCheck check, check_logs(settings_.store, settings_.aside, loss_, hooks));
  if (check.bytes_cut > 0 || check.files_set_aside > 0) {
    log::logger("storage").warn("an incomplete write at the end of the log was removed bytes={} files={}",
                                check.bytes_cut, check.files_set_aside);
  }
  return check;
}

Result<Status> Engine::check_and_open() {
  WEIR_TRY(const LogCheck check, this->check());
  Status status = open_database(Access::write);
  if (!status.ok() || !check.next_sequence || db_->GetLatestSequenceNumber() + 1 == *check.next_sequence) return status;
  // The tables know of writes behind the end of the logs (unsynced, and lost), so the next log leaves a gap to these.
  // Once their content is in tables they are not needed any more, and the gap means nothing.
  status = db_->Flush({}, {families_.begin(), families_.end()});
  if (!status.ok()) close_database();
  return status;
}

Result<void> Engine::open(bool create, TailLoss loss) {
  const std::unique_lock lock(open_lock_);
  loss_ = loss;
  Status status;
  if (create) {
    status = open_database(Access::create);
  } else {
    WEIR_TRY(status, check_and_open());
  }
  if (!status.ok()) return unusable(settings_.store, status);
  return ok();
}

void Engine::close() {
  const std::lock_guard gate(gate_);
  if (db_) db_->DisableManualCompaction();  // whoever reclaims space holds a lease
  const std::unique_lock lock(open_lock_);
  close_database();
}

Result<void> Engine::reopen() {
  const std::lock_guard gate(gate_);
  if (db_) db_->DisableManualCompaction();  // whoever reclaims space holds a lease
  const std::unique_lock lock(open_lock_);
  close_database();
  const auto opened = check_and_open();
  const Status status = opened ? opened.value() : Status::Corruption(opened.error().detail);
  if (status.ok()) return ok();
  log::logger("storage").error("reopening failed error={}", status.ToString());
  if (const Status reading = open_database(Access::read); !reading.ok()) {
    log::logger("storage").error("opening for reading failed error={}", reading.ToString());
  }
  if (status.IsNoSpace()) return make_error(Errc::storage_full, "no space on the device");
  return make_error(status.IsCorruption() ? Errc::data_corrupt : Errc::storage_failed, "the store cannot be reopened");
}

Engine::Lease Engine::lease() {
  Lease lease;
  {
    const std::lock_guard gate(gate_);
    lease.lock_ = std::shared_lock(open_lock_);
  }
  lease.db_ = db_.get();
  lease.writable_ = writable_;
  return lease;
}

Status Engine::write(rocksdb::WriteBatch& batch, bool sync) {
  if (!db_ || !writable_) return Status::IOError("the store is not open for writing");
  rocksdb::WriteOptions options;
  options.sync = sync;
  Status status = db_->Write(options, &batch);
  // Without a sync per write, the log that was just left must reach the disk before its successor does, or the loss of
  // the cache could leave a hole instead of a shorter tail.
  if (status.ok() && !sync && take_log_switched()) status = db_->SyncWAL();
  return status;
}

std::optional<std::uint64_t> Engine::free_bytes() {
  std::uint64_t bytes = 0;
  if (!file_system_->GetFreeSpace(settings_.store.string(), {}, &bytes, nullptr).ok()) return std::nullopt;
  return bytes;
}

std::uint64_t Engine::disk_bytes() {
  std::vector<rocksdb::FileAttributes> files;
  std::uint64_t bytes = 0;
  if (!file_system_->GetChildrenFileAttributes(settings_.store.string(), {}, &files, nullptr).ok()) return 0;
  for (const auto& file : files) {
    if (file.name.ends_with(".sst") || file.name.ends_with(".log")) bytes += file.size_bytes;
  }
  return bytes;
}

}  // namespace weir::storage_rocksdb
