#include "weir/storage_rocksdb/rocks_store.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

#include "weir/base/executor.h"
#include "weir/base/log.h"

#include "storage_rocksdb/committer.h"
#include "storage_rocksdb/data_folder.h"
#include "storage_rocksdb/engine.h"
#include "storage_rocksdb/reader.h"
#include "storage_rocksdb/reclaimer.h"
#include "storage_rocksdb/recovery.h"

namespace weir::storage_rocksdb {
namespace {

using storage::Append;
using storage::AppendDone;
using storage::Appended;
using storage::Done;
using storage::LogInfo;
using storage::LogStats;
using storage::Offset;
using storage::Read;
using storage::ReadDone;
using storage::Table;
using storage::TopicId;

const Clock& clock_of(const Options& options) {
  static const SystemClock system;
  return options.clock != nullptr ? *options.clock : system;
}

Engine::Settings engine_settings(const Options& options, const DataFolder& folder,
                                 const std::function<bool(std::int64_t)>& claim_expired) {
  Engine::Settings settings;
  settings.store = folder.store();
  settings.aside = folder.store().parent_path() / "unsynced";
  settings.block_cache_bytes = options.block_cache_bytes;
  settings.memtable_bytes = options.memtable_bytes;
  settings.file_system = options.file_system;
  settings.claim_expired = [claim_expired](std::string_view claim) {
    const auto time_ms = decode_claim_time(claim);
    return time_ms && claim_expired(*time_ms);
  };
  return settings;
}

Committer::Settings committer_settings(const Options& options) {
  Committer::Settings settings;
  settings.durability = options.durability;
  settings.claim_window = options.claim_window;
  settings.queue_bytes_max = options.queue_bytes_max;
  settings.queue_appends_max = options.queue_appends_max;
  settings.commit_bytes_max = options.commit_bytes_max;
  settings.free_bytes_min = options.free_bytes_min;
  settings.loops = options.commit_on_caller ? 0 : options.loops;
  settings.round_wait_max = options.round_wait_max;
  settings.on_caller = options.commit_on_caller;
  return settings;
}

/// Logs that an open leaves as they are.
constexpr std::size_t kLogsMax = 8;

class OpenStore final : public RocksStore {
 public:
  OpenStore(const Options& options, std::unique_ptr<DataFolder> folder)
      : durability_(options.durability),
        free_bytes_min_(options.free_bytes_min),
        claim_expired_([clock = &clock_of(options), window = options.claim_window](std::int64_t time_ms) {
          return clock->wall_now().time_since_epoch().count() - time_ms >= window.count();
        }),
        folder_(std::move(folder)),
        engine_(engine_settings(options, *folder_, claim_expired_)),
        reader_(engine_, logs_, claim_expired_),
        reclaimer_(engine_, options.reclaim_compact_bytes),
        committer_(committer_settings(options), clock_of(options), engine_, logs_, reclaimer_),
        readers_("weir-read", options.reader_threads, options.reader_queue_max) {}
  ~OpenStore() override { close(); }

  Result<void> start() {
    const bool synced = durability_ == storage::Durability::fsync;
    WEIR_TRY(engine_.open(folder_->fresh(), folder_->synced() ? TailLoss::last_write : TailLoss::any_tail));
    if (auto loaded = load_logs(engine_, logs_); !loaded) {
      return make_error(Errc::data_dir_unusable, folder_->store().string() + ": " + loaded.error().detail +
                                                     ". Nothing is created in its place. Restore a backup.");
    }
    shorten_logs();
    committer_.look();
    return folder_->mark_ready(synced);
  }

  void set_watcher(storage::LogWatcher* watcher) override { committer_.set_watcher(watcher); }

  Result<std::vector<LogInfo>> logs() override {
    if (closed_.load()) return shut_down_error();
    auto all = logs_.view_all();
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<LogInfo> infos;
    infos.reserve(all.size());
    for (const auto& [topic, state] : all) {
      LogInfo info{TopicId{topic}, Offset{state.log_start}, Offset{state.log_end}, std::nullopt};
      if (state.log_end > state.published_base) {
        info.last_activity = WallTime{std::chrono::milliseconds{state.last_time_ms}};
      }
      infos.push_back(info);
    }
    return infos;
  }

  Result<void> create_log(TopicId topic) override { return committer_.create_log(topic); }
  void drop_log(TopicId topic, Done<void> done) override {
    committer_.change(Committer::Change::drop, topic, 0, std::move(done));
  }
  void append(Append append, AppendDone done) override { committer_.append(std::move(append), std::move(done)); }
  void end_round(std::uint32_t loop) override { committer_.end_round(loop); }
  void purge(TopicId topic, Done<void> done) override {
    committer_.change(Committer::Change::purge, topic, 0, std::move(done));
  }
  void trim(TopicId topic, Offset before, Done<void> done) override {
    committer_.change(Committer::Change::trim, topic, model::value_of(before), std::move(done));
  }

  void read(Read read, ReadDone done) override {
    on_pool(std::move(done), [this, read] { return reader_.read(read); });
  }
  void stats(TopicId topic, WallTime not_before, Done<LogStats> done) override {
    on_pool(std::move(done), [this, topic, not_before] { return reader_.stats(topic, not_before); });
  }
  void find_claim(TopicId topic, const Digest& key, const Digest& fingerprint,
                  Done<std::optional<Appended>> done) override {
    on_pool(std::move(done), [this, topic, key, fingerprint] { return reader_.find_claim(topic, key, fingerprint); });
  }

  storage::Durability durability() const override { return durability_; }
  storage::Health health() const override { return committer_.health(); }

  Result<std::optional<std::string>> get(Table table, std::string_view key) override {
    if (closed_.load()) return shut_down_error();
    return committer_.get(table, key);
  }
  Result<std::vector<std::pair<std::string, std::string>>> list(Table table, std::string_view prefix) override {
    if (closed_.load()) return shut_down_error();
    return committer_.list(table, prefix);
  }
  Result<void> write(std::vector<storage::KeyedWrite> changes) override { return committer_.write(changes); }

  bool commit_pending() override { return committer_.commit_pending(); }
  void set_commit_wakeup(UniqueFunction<void()> wakeup) override { committer_.set_wakeup(std::move(wakeup)); }
  std::uint64_t disk_bytes() override { return engine_.disk_bytes(); }

  Result<void> flush_and_compact() override {
    auto db = engine_.lease();
    if (!db.writable()) return shut_down_error();
    for (const auto family :
         {Engine::Family::keyed, Engine::Family::messages, Engine::Family::logs, Engine::Family::claims}) {
      rocksdb::Status status = db->Flush({}, engine_.family(family));
      rocksdb::CompactRangeOptions options;
      options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
      if (status.ok()) status = db->CompactRange(options, engine_.family(family), nullptr, nullptr);
      if (!status.ok()) return read_error("flush_and_compact", status);
    }
    return ok();
  }

  void close() override {
    const std::lock_guard lock(close_mutex_);
    if (closed_.exchange(true)) return;
    committer_.close();
    readers_.stop();
    reclaimer_.stop();
    engine_.close();
    folder_.reset();
  }

 private:
  /// Every open begins a new log, and a log goes when its messages are in tables: without this a store that is opened
  /// often and written to little would have more of them, and take longer to open, every time.
  void shorten_logs() {
    std::size_t logs = 0;
    std::error_code failed;
    std::filesystem::directory_iterator entry(folder_->store(), failed);
    for (; !failed && entry != std::filesystem::directory_iterator(); entry.increment(failed)) {
      logs += entry->path().extension() == ".log" ? 1 : 0;
    }
    const auto free = engine_.free_bytes();
    if (logs <= kLogsMax || !free || *free < free_bytes_min_) return;
    auto db = engine_.lease();
    for (std::size_t family = 0; db.writable() && family < Engine::kFamilies; ++family) {
      const rocksdb::Status status = db->Flush({}, engine_.family(static_cast<Engine::Family>(family)));
      if (!status.ok()) log::logger("storage").warn("logs not shortened error={}", status.ToString());
    }
  }

  /// Runs `work` on a reader thread and hands its result to `done`.
  template <class DoneFunction, class Work>
  void on_pool(DoneFunction done, Work work) {
    if (closed_.load()) return done(shut_down_error());
    struct Job {
      DoneFunction done;
      Work work;
    };
    auto job = std::make_unique<Job>(Job{std::move(done), std::move(work)});
    Job* const held = job.get();  // the task keeps it, also when the pool does not take the task
    Task task([job = std::move(job)] { job->done(job->work()); });
    if (readers_.try_post(task)) return;
    held->done(closed_.load() ? shut_down_error() : make_error(Errc::overloaded, "too many reads are waiting"));
  }

  const storage::Durability durability_;
  const std::uint64_t free_bytes_min_;
  const std::function<bool(std::int64_t)> claim_expired_;
  std::unique_ptr<DataFolder> folder_;
  LogTable logs_;
  Engine engine_;
  Reader reader_;
  Reclaimer reclaimer_;
  mutable Committer committer_;
  ThreadPool readers_;
  std::mutex close_mutex_;
  std::atomic<bool> closed_{false};
};

}  // namespace

Result<std::unique_ptr<RocksStore>> RocksStore::open(Options options) {
  WEIR_TRY(auto folder, DataFolder::acquire(options.data_dir));
  auto store = std::make_unique<OpenStore>(options, std::move(folder));
  WEIR_TRY(store->start());
  return std::unique_ptr<RocksStore>(std::move(store));
}

}  // namespace weir::storage_rocksdb
