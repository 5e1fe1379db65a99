#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <rocksdb/write_batch.h>

#include "weir/base/clock.h"
#include "weir/base/result.h"
#include "weir/storage/store.h"

#include "storage_rocksdb/engine.h"
#include "storage_rocksdb/log_table.h"
#include "storage_rocksdb/reclaimer.h"

namespace weir::storage_rocksdb {

/// The writing half of the store: a bounded queue, and rounds that turn what is queued into one synced write each.
/// Every write to the engine happens here, under one lock.
class Committer {
 public:
  struct Settings {
    storage::Durability durability = storage::Durability::fsync;
    std::chrono::milliseconds claim_window{};
    std::size_t queue_bytes_max = 0;
    std::size_t queue_appends_max = 0;
    std::size_t commit_bytes_max = 0;
    std::uint64_t free_bytes_min = 0;
    std::size_t loops = 0;  ///< their appends wait for end_round(); at most 64
    std::chrono::milliseconds round_wait_max{};
    bool on_caller = false;  ///< no thread: commit_pending() does the work
  };
  Committer(const Settings& settings, const Clock& clock, Engine& engine, LogTable& logs, Reclaimer& reclaimer);
  ~Committer();  ///< close()
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  void set_watcher(storage::LogWatcher* watcher) { watcher_ = watcher; }
  void set_wakeup(UniqueFunction<void()> wakeup);

  enum class Change : std::uint8_t { purge, trim, drop };
  void append(storage::Append append, storage::AppendDone done);
  void end_round(std::uint32_t loop);
  void change(Change what, storage::TopicId topic, std::uint64_t before, storage::Done<void> done);
  bool commit_pending();

  Result<void> create_log(storage::TopicId topic);
  Result<void> write(const std::vector<storage::KeyedWrite>& changes);
  Result<std::optional<std::string>> get(storage::Table table, std::string_view key);
  Result<std::vector<std::pair<std::string, std::string>>> list(storage::Table table, std::string_view prefix);

  /// What was found last: never waits for the disk. Has the committing thread look again when that is old.
  storage::Health health();
  /// Asks for the free space now, so that health() knows from the start. Blocks.
  void look();
  /// Finishes what is queued and syncs; afterwards everything answers shutting_down. Idempotent.
  void close();

 private:
  struct Control {
    Change what{};
    std::uint64_t before = 0;
    storage::Done<void> done;
  };
  /// One entry of the queue: an append or a change of a whole log.
  struct Item {
    storage::Append append;
    storage::AppendDone done;
    std::unique_ptr<Control> control;
    std::size_t bytes = 0;
  };
  /// What became of an item.
  struct Outcome {
    enum class Kind : std::uint8_t { refused, stored, replayed, changed, nothing } kind = Kind::refused;
    bool in_batch = false;  ///< holds only if the batch is written
    Errc refusal = Errc::internal;
    std::uint64_t first = 0;
    std::uint32_t count = 0;
    std::int64_t time_ms = 0;
    std::string memo;
  };
  enum class Mode : std::uint8_t {
    ok,
    reopen,  ///< a write found the disk full: the engine has to be reopened before the next one
    failed,  ///< whatever was written last may be lost: nothing is written until a restart
  };

  std::unique_lock<std::mutex> lock_commit();
  void enqueue(Item&& item, bool may_refuse);
  /// The loop that will end a round; 0: none.
  std::uint64_t bit_of(const Item& item) const;
  /// Enough for a commit, or half of what the queue takes: no round is worth more. Under the queue's lock.
  bool queue_is_long() const;
  /// Makes the committing thread look, also when the queue is empty. Returns the number to wait for; 0: closing.
  std::uint64_t poke();
  /// Pokes and, if there is a committing thread, waits until it has looked.
  void poke_and_wait();
  /// The thread may take the queue. Under the queue's lock.
  bool batch_is_ready() const { return !incoming_.empty() && (at_once_ || !a_round_is_awaited()); }
  bool a_round_is_awaited() const { return (owing_.load(std::memory_order_relaxed) & ~late_) != 0; }
  void run();
  /// Commits everything that was queued when it was called. False when there was nothing.
  bool commit_queued();
  /// What a round without work does: looks at the free space, reopens.
  void look_after_disk();
  void commit(std::span<Item> items);
  Outcome prepare(Item& item, std::int64_t now_ms, bool full);
  Outcome prepare_append(storage::Append& append, std::int64_t now_ms, bool full);
  Outcome prepare_change(std::uint64_t topic, const Control& control);
  /// Empty: unknown or expired. Errors: data_corrupt, storage_failed.
  Result<std::optional<ClaimRecord>> find_claim(std::uint64_t topic, const Digest& key, std::int64_t now_ms,
                                                bool& in_batch);
  void touch(Log& log);
  /// Makes the batch true, or takes it back.
  void settle(std::size_t count);
  void deliver(Item& item, Outcome& outcome);
  static Error refusal(Errc code);

  /// Writes; classifies and remembers a failure. Under the commit lock.
  rocksdb::Status write_batch(rocksdb::WriteBatch& batch, bool sync);
  Errc failure_code() const { return mode_.load() == Mode::failed ? Errc::storage_failed : Errc::storage_full; }
  /// For the blocking calls: takes the commit lock, if anything can be written now.
  Result<std::unique_lock<std::mutex>> lock_to_write();
  void fail(const std::string& reason);
  /// After a full disk: reopens at most once a second. True when writing is possible.
  bool ready_to_write();
  Result<void> recover();
  /// Tells readers of what a failed commit had stored after all.
  Result<void> adopt(std::uint64_t topic);
  /// Asks the system, at most every 100 ms: may take as long as the disk does. Under the commit lock.
  bool disk_is_low();

  const Settings settings_;
  const Clock& clock_;
  Engine& engine_;
  LogTable& logs_;
  Reclaimer& reclaimer_;
  storage::LogWatcher* watcher_ = nullptr;

  // The queue.
  std::mutex queue_mutex_;
  std::condition_variable queue_changed_;
  std::vector<Item> incoming_;
  std::size_t queued_appends_ = 0;
  std::size_t queued_bytes_ = 0;
  // What the thread waits for before it takes the queue: the ends of rounds, a bit for each loop. A loop owes one from
  // its first append to a batch on, and from when it is given completions on, whose clients are likely to publish
  // again. Once it has paid it owes nothing more for this batch: no loop holds the others up for more than a round.
  // Who has kept the thread waiting for `round_wait_max` is late, and not waited for until its round has ended.
  std::atomic<std::uint64_t> owing_{0};  // set under the lock; a loop looks at its own bit without
  std::uint64_t late_ = 0;               // stay in owing_, from batch to batch
  std::uint64_t paid_ = 0;
  bool at_once_ = false;  // somebody else's append or change is in the queue, or enough for a commit
  bool closing_ = false;
  bool idle_ = false;                 // the thread waits
  bool unhurried_ = false;            // and not for a round: the first append has to start that wait
  std::uint64_t pokes_ = 0;           // the thread has something to do besides the queue, until
  std::uint64_t pokes_answered_ = 0;  // has reached it
  std::condition_variable poke_answered_;
  UniqueFunction<void()> wakeup_;

  // The commit lock and what it guards. Taken before the queue's lock, never the other way round, and only through
  // lock_commit(): the turn makes it fair, or a busy commit thread would keep everybody else out.
  std::mutex turn_;
  std::mutex commit_mutex_;
  std::vector<Item> working_;
  std::vector<Outcome> outcomes_;
  std::vector<Log*> touched_;
  rocksdb::WriteBatch batch_;
  bool batch_must_sync_ = false;
  struct ClaimKeyHash {
    std::size_t operator()(const ClaimKey& key) const noexcept;
  };
  std::unordered_map<ClaimKey, ClaimRecord, ClaimKeyHash> batch_claims_;
  std::vector<std::uint64_t> uncertain_;  // topics of commits that failed
  std::optional<SteadyTime> last_reopen_;
  std::optional<SteadyTime> free_checked_;
  std::atomic<bool> reopen_wanted_{false};  // by a blocking write
  bool closed_ = false;

  // State that health() reads. Its lock is never held while the disk is asked.
  std::atomic<Mode> mode_{Mode::ok};
  mutable std::mutex health_mutex_;
  std::string failure_;
  std::atomic<SteadyTime> looked_{SteadyTime::min()};
  std::atomic<bool> free_low_{false};

  std::thread thread_;
};

}  // namespace weir::storage_rocksdb
