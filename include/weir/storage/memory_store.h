#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "weir/base/clock.h"
#include "weir/base/executor.h"
#include "weir/storage/store.h"

namespace weir::storage {

/// What a MemoryStore keeps; outlives the store, so that a test can "restart" on it: make the next store with the same
/// disk once the former one is gone. What was not committed by then is lost, as in a crash.
struct MemoryDisk;
std::shared_ptr<MemoryDisk> make_memory_disk();

/// The reference implementation: every rule of the port in the plainest code, nothing on a disk. For tests and the
/// simulation.
///
/// With an executor it works as the real one does: every asynchronous call returns first; appends, purges, trims and
/// drops queue up and one posted task commits all that queued by then; each read is a task of its own. For one thread
/// at a time. The executor must outlive the store's last call; tasks that run after the store is gone do nothing.
///
/// Without one every call completes before it returns, and any thread may call. Two exceptions: what is called inside a
/// completion or inside the watcher, or while another thread commits, is done by that commit when it gets there.
///
/// Its destructor is a crash: what waits for its commit is lost and answered shutting_down. close() first commits it.
class MemoryStore final : public Store {
 public:
  struct Options {
    std::shared_ptr<MemoryDisk> disk;  ///< null: a new one
    const Clock* clock = nullptr;      ///< null: the machine's
    Executor* executor = nullptr;      ///< runs commits and completions; null: at once, in the call
    std::chrono::milliseconds claim_window{24 * 3600 * 1000};
  };
  explicit MemoryStore(Options options);
  MemoryStore();
  ~MemoryStore() override;

  /// Faults. Called before each operation with its name ("append", "read", "stats", "find_claim", "purge", "trim",
  /// "drop_log", "create_log", "logs", "get", "list", "write"); an error is what the operation then answers.
  /// Called when the operation runs: with an executor, when its commit does. Set it while nothing runs; without an
  /// executor it must be safe to call from any thread.
  /// "append" with storage_failed poisons the store as the port says: later changes of any kind fail the same way,
  /// reads go on. storage_full shows in health() until a change succeeds.
  std::function<std::optional<Error>(std::string_view operation)> fault;
  /// Called after the data of a read was fixed and before its completion runs: where races hide.
  std::function<void()> after_read;

  void set_watcher(LogWatcher* watcher) override;
  Result<std::vector<LogInfo>> logs() override;
  Result<void> create_log(TopicId topic) override;
  void drop_log(TopicId topic, Done<void> done) override;
  void append(Append append, AppendDone done) override;
  void read(Read read, ReadDone done) override;
  void stats(TopicId topic, WallTime not_before, Done<LogStats> done) override;
  void find_claim(TopicId topic, const Digest& key, const Digest& fingerprint,
                  Done<std::optional<Appended>> done) override;
  void purge(TopicId topic, Done<void> done) override;
  void trim(TopicId topic, Offset before, Done<void> done) override;
  Durability durability() const override;
  Health health() const override;

  Result<std::optional<std::string>> get(Table table, std::string_view key) override;
  Result<std::vector<std::pair<std::string, std::string>>> list(Table table, std::string_view prefix) override;
  Result<void> write(std::vector<KeyedWrite> changes) override;

  void close() override;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared with the tasks that were posted
};

}  // namespace weir::storage
