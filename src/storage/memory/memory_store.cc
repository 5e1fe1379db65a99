#include "weir/storage/memory_store.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>
#include <variant>

#include "weir/base/assert.h"

#include "storage/memory/memory_disk.h"

namespace weir::storage {
namespace {

using model::value_of;

/// One queued change of the logs, and then its outcome. All four kinds wait in one queue, which gives them their order.
struct Change {
  enum class Kind { append, purge, trim, drop };
  Kind kind{};
  TopicId topic{};
  Append append;         // append
  Offset before{};       // trim
  AppendDone on_append;  // append
  Done<void> on_done;    // the others

  std::optional<Error> refused;  // decided before the change is tried
  Result<Appended> appended = make_error(Errc::internal);
  Result<void> changed = ok();
  Offset log_start{};  // purge, trim: to tell the watcher

  std::string_view name() const {
    switch (kind) {
      case Kind::append: return "append";
      case Kind::purge: return "purge";
      case Kind::trim: return "trim";
      case Kind::drop: return "drop_log";
    }
    __builtin_unreachable();
  }
  /// Answers without having done anything.
  void fail(const Error& error) {
    if (kind == Kind::append) {
      on_append(error);
    } else {
      on_done(error);
    }
  }
};

/// A queued read; called once, with `lost` when the store went away first.
using ReadTask = UniqueFunction<void(bool lost), 320>;

Error no_topic() {
  return make_error(Errc::topic_not_found);
}
Error closing() {
  return make_error(Errc::shutting_down, "the store is closed");
}

}  // namespace

struct MemoryStore::Impl : std::enable_shared_from_this<Impl> {
  Impl(MemoryStore& owner, Options options)
      : disk(options.disk ? std::move(options.disk) : make_memory_disk()),
        clock(options.clock != nullptr ? *options.clock : system_clock),
        executor(options.executor),
        claim_window(options.claim_window),
        store(&owner) {}

  // Constant after construction.
  const SystemClock system_clock;
  const std::shared_ptr<MemoryDisk> disk;
  const Clock& clock;
  Executor* const executor;
  const std::chrono::milliseconds claim_window;

  // As constant while calls are under way.
  LogWatcher* watcher = nullptr;
  MemoryStore* store;  // for its hooks; null once it is gone

  std::mutex mutex;
  std::condition_variable idle;  // committing became false

  // Guarded by `mutex`, as is all of *disk.
  bool closed = false;
  bool committing = false;      // somebody is inside commit_queued()
  bool commit_posted = false;   // a task will call it
  std::deque<Change> queue;     // waits for the next commit
  std::deque<ReadTask> reads;   // with an executor: one posted task each
  std::optional<Error> poison;  // what every change answers after an append may or may not have been stored
  Health health;

  std::optional<Error> injected(std::string_view operation) {
    if (store == nullptr || !store->fault) return std::nullopt;
    return store->fault(operation);
  }

  /// For the blocking functions: the reason not to do `operation`, if there is one. `changes`: whether it writes.
  std::optional<Error> refusal(std::string_view operation, bool changes) {
    {
      const std::lock_guard lock(mutex);
      if (closed) return closing();
      if (changes && poison) return poison;
    }
    return injected(operation);
  }

  // --- changes

  void submit(Change change) {
    {
      const std::lock_guard lock(mutex);
      if (closed) change.refused = closing();
      queue.push_back(std::move(change));
    }
    schedule_commit();
  }

  void schedule_commit() {
    if (executor == nullptr) {
      commit_all();
      return;
    }
    {
      const std::lock_guard lock(mutex);
      if (std::exchange(commit_posted, true)) return;
    }
    executor->post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) {
        {
          const std::lock_guard lock(self->mutex);
          self->commit_posted = false;
        }
        self->commit_queued();
      }
    });
  }

  /// Commits until nothing is queued, unless somebody else does that right now (it may be a caller of ours).
  void commit_all() {
    std::unique_lock lock(mutex);
    if (committing) return;
    committing = true;
    while (!queue.empty()) {
      lock.unlock();
      commit_queued();
      lock.lock();
    }
    committing = false;
    idle.notify_all();
  }

  /// One group commit: all that is queued becomes durable and readable together, then watcher and callers hear of it.
  void commit_queued() {
    std::deque<Change> group;
    {
      const std::lock_guard lock(mutex);
      group.swap(queue);
    }
    if (group.empty()) return;
    for (Change& change : group) {
      if (!change.refused) change.refused = injected(change.name());
    }
    {
      const std::lock_guard lock(mutex);
      for (Change& change : group) apply(change);
    }
    for (Change& change : group) report(change);
    if (watcher != nullptr) watcher->on_commit_end();
  }

  /// With the mutex held.
  void apply(Change& change) {
    const bool closed_before = change.refused && change.refused->code == Errc::shutting_down;
    if (poison && !closed_before) change.refused = poison;
    if (change.refused) {
      note_failure(change.kind == Change::Kind::append, *change.refused);
      return;
    }
    const auto found = disk->logs.find(change.topic);
    switch (change.kind) {
      case Change::Kind::append:
        change.appended =
            found == disk->logs.end() ? Result<Appended>(no_topic()) : apply_append(found->second, change);
        break;
      case Change::Kind::purge:
      case Change::Kind::trim:
        if (found == disk->logs.end()) {
          change.changed = no_topic();
          return;
        }
        if (change.kind == Change::Kind::purge) {
          found->second.trim(found->second.end());
          found->second.published_total = 0;
          found->second.last_activity.reset();
        } else {
          found->second.trim(change.before);
        }
        change.log_start = found->second.start;
        break;
      case Change::Kind::drop: disk->logs.erase(change.topic); break;
    }
    health = {};
  }

  Result<Appended> apply_append(MemoryDisk::Log& log, Change& change) {
    const WallTime now = clock.wall_now();
    const Claim* claim = change.append.claim.get();
    if (claim != nullptr) {
      WEIR_TRY(auto known, lookup(log, now, claim->key, claim->fingerprint));
      if (known) return *std::move(known);
    }
    Appended appended;
    appended.first = log.end();
    appended.count = static_cast<std::uint32_t>(change.append.payloads.size());
    appended.time = std::max(now, log.last_time);
    // Copies: the watcher may take the payloads away.
    for (const std::string& payload : change.append.payloads) log.messages.push_back({appended.time, payload});
    if (appended.count > 0) {
      log.last_time = appended.time;
      log.last_activity = appended.time;
      log.published_total += appended.count;
    }
    if (claim != nullptr) {
      MemoryDisk::StoredClaim& stored = log.claims[claim->key];
      stored.fingerprint = claim->fingerprint;
      stored.answer = appended;
      stored.answer.replayed = true;
      stored.answer.memo = claim->memo;
    }
    return appended;
  }

  /// The answer that a claim has, unless its window is over. Errors: idempotency_conflict.
  Result<std::optional<Appended>> lookup(const MemoryDisk::Log& log, WallTime now, const Digest& key,
                                         const Digest& fingerprint) const {
    const auto found = log.claims.find(key);
    if (found == log.claims.end()) return std::optional<Appended>{};
    const MemoryDisk::StoredClaim& stored = found->second;
    if (now - stored.answer.time >= claim_window) return std::optional<Appended>{};
    if (stored.fingerprint != fingerprint) return make_error(Errc::idempotency_conflict);
    return std::optional<Appended>{stored.answer};
  }

  void note_failure(bool append, const Error& error) {
    if (error.code == Errc::storage_full) health = {Health::State::full, "no space left"};
    if (append && error.code == Errc::storage_failed && !poison) {
      poison = error;
      health = {Health::State::failed, "an append failed; restart to go on"};
    }
  }

  void report(Change& change) {
    if (change.refused) {
      change.fail(*change.refused);
      return;
    }
    if (change.kind == Change::Kind::append) {
      const Result<Appended>& result = change.appended;
      if (watcher != nullptr && result && !result.value().replayed && result.value().count > 0) {
        watcher->on_appended(change.topic, result.value().first, result.value().time,
                             {change.append.payloads.data(), change.append.payloads.size()});
      }
      change.on_append(std::move(change.appended));
      return;
    }
    if (watcher != nullptr && change.changed && change.kind != Change::Kind::drop) {
      watcher->on_trimmed(change.topic, change.log_start, change.kind == Change::Kind::purge);
    }
    change.on_done(change.changed);
  }

  // --- reads

  /// Calls `answer` with the topic's log under the mutex and `done` with what it gave, without it.
  template <class T, class Callback, class Answer>
  void submit_read(std::string_view operation, TopicId topic, Callback done, Answer answer) {
    bool refused = false;
    {
      const std::lock_guard lock(mutex);
      refused = closed;
    }
    ReadTask task = [this, operation, topic, refused, done = std::move(done),
                     answer = std::move(answer)](bool lost) mutable {
      if (lost || refused) return done(closing());
      if (auto error = injected(operation)) return done(*std::move(error));
      Result<T> result = no_topic();
      {
        const std::lock_guard lock(mutex);
        const auto found = disk->logs.find(topic);
        if (found != disk->logs.end()) result = answer(std::as_const(found->second));
      }
      if (operation == "read" && store != nullptr && store->after_read) store->after_read();
      done(std::move(result));
    };
    if (executor == nullptr) {
      task(false);
      return;
    }
    {
      const std::lock_guard lock(mutex);
      reads.push_back(std::move(task));
    }
    executor->post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->run_read(false);
    });
  }

  bool run_read(bool lost) {
    ReadTask task;
    {
      const std::lock_guard lock(mutex);
      if (reads.empty()) return false;
      task = std::move(reads.front());
      reads.pop_front();
    }
    task(lost);
    return true;
  }

  MessageBatch collect(const MemoryDisk::Log& log, const Read& read) const {
    MessageBatch batch;
    batch.log_end = log.end();
    std::size_t bytes = 0;
    for (Offset offset = std::max(read.from, log.first_live(read.not_before)); offset < log.end();
         offset = model::next(offset)) {
      const MemoryDisk::Message& message = log.at(offset);
      bytes += message.payload.size();
      const bool full = batch.messages.size() >= read.count_max || bytes > read.bytes_max;
      if (full && !batch.messages.empty()) break;
      batch.messages.push_back({offset, message.time, message.payload});
    }
    return batch;
  }

  LogStats count(const MemoryDisk::Log& log, WallTime not_before) const {
    LogStats stats;
    stats.log_start = log.start;
    stats.first_live = log.first_live(not_before);
    stats.log_end = log.end();
    stats.retained_messages = value_of(log.end()) - value_of(stats.first_live);
    for (Offset offset = stats.first_live; offset < log.end(); offset = model::next(offset)) {
      stats.retained_bytes += log.at(offset).payload.size();
    }
    stats.published_total = log.published_total;
    stats.last_activity = log.last_activity;
    return stats;
  }

  // --- the end

  /// Nothing is taken any more; what is queued is done before this returns.
  void close() {
    {
      const std::lock_guard lock(mutex);
      closed = true;
    }
    commit_all();
    {
      // Another thread may be committing, or be about to.
      std::unique_lock lock(mutex);
      idle.wait(lock, [this] { return !committing && queue.empty(); });
    }
    while (run_read(false)) {
    }
  }

  /// The store goes away: what waits for its commit is lost.
  void abandon() {
    std::deque<Change> lost;
    {
      const std::lock_guard lock(mutex);
      closed = true;
      store = nullptr;
      lost.swap(queue);
    }
    for (Change& change : lost) change.fail(closing());
    while (run_read(true)) {
    }
    // Completions that asked for more were queued once again.
    {
      const std::lock_guard lock(mutex);
      lost.clear();
      lost.swap(queue);
    }
    for (Change& change : lost) change.fail(closing());
  }
};

MemoryStore::MemoryStore(Options options) : impl_(std::make_shared<Impl>(*this, std::move(options))) {}
MemoryStore::MemoryStore() : MemoryStore(Options{}) {}
MemoryStore::~MemoryStore() {
  impl_->abandon();
}

void MemoryStore::set_watcher(LogWatcher* watcher) {
  impl_->watcher = watcher;
}

Result<std::vector<LogInfo>> MemoryStore::logs() {
  if (auto error = impl_->refusal("logs", false)) return *std::move(error);
  const std::lock_guard lock(impl_->mutex);
  std::vector<LogInfo> found;
  for (const auto& [topic, log] : impl_->disk->logs) found.push_back({topic, log.start, log.end(), log.last_activity});
  return found;
}

Result<void> MemoryStore::create_log(TopicId topic) {
  if (auto error = impl_->refusal("create_log", true)) return *std::move(error);
  const std::lock_guard lock(impl_->mutex);
  const MemoryDisk::Log& log = impl_->disk->logs[topic];
  if (log.end() != Offset{}) return make_error(Errc::conflict, "the log is not new");
  return ok();
}

void MemoryStore::append(Append append, AppendDone done) {
  WEIR_ASSERT(!append.payloads.empty() || append.claim != nullptr);
  Change change;
  change.kind = Change::Kind::append;
  change.topic = append.topic;
  change.append = std::move(append);
  change.on_append = std::move(done);
  impl_->submit(std::move(change));
}

void MemoryStore::drop_log(TopicId topic, Done<void> done) {
  Change change;
  change.kind = Change::Kind::drop;
  change.topic = topic;
  change.on_done = std::move(done);
  impl_->submit(std::move(change));
}

void MemoryStore::purge(TopicId topic, Done<void> done) {
  Change change;
  change.kind = Change::Kind::purge;
  change.topic = topic;
  change.on_done = std::move(done);
  impl_->submit(std::move(change));
}

void MemoryStore::trim(TopicId topic, Offset before, Done<void> done) {
  Change change;
  change.kind = Change::Kind::trim;
  change.topic = topic;
  change.before = before;
  change.on_done = std::move(done);
  impl_->submit(std::move(change));
}

void MemoryStore::read(Read read, ReadDone done) {
  WEIR_ASSERT(read.count_max >= 1);
  impl_->submit_read<MessageBatch>(
      "read", read.topic, std::move(done),
      [impl = impl_.get(), read](const MemoryDisk::Log& log) { return impl->collect(log, read); });
}

void MemoryStore::stats(TopicId topic, WallTime not_before, Done<LogStats> done) {
  impl_->submit_read<LogStats>(
      "stats", topic, std::move(done),
      [impl = impl_.get(), not_before](const MemoryDisk::Log& log) { return impl->count(log, not_before); });
}

void MemoryStore::find_claim(TopicId topic, const Digest& key, const Digest& fingerprint,
                             Done<std::optional<Appended>> done) {
  impl_->submit_read<std::optional<Appended>>("find_claim", topic, std::move(done),
                                              [impl = impl_.get(), key, fingerprint](const MemoryDisk::Log& log) {
                                                return impl->lookup(log, impl->clock.wall_now(), key, fingerprint);
                                              });
}

Durability MemoryStore::durability() const {
  return Durability::fsync;
}

Health MemoryStore::health() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->health;
}

Result<std::optional<std::string>> MemoryStore::get(Table table, std::string_view key) {
  if (auto error = impl_->refusal("get", false)) return *std::move(error);
  const std::lock_guard lock(impl_->mutex);
  const auto found = impl_->disk->keyed.find({table, std::string(key)});
  if (found == impl_->disk->keyed.end()) return std::optional<std::string>{};
  return std::optional<std::string>{found->second};
}

Result<std::vector<std::pair<std::string, std::string>>> MemoryStore::list(Table table, std::string_view prefix) {
  if (auto error = impl_->refusal("list", false)) return *std::move(error);
  const std::lock_guard lock(impl_->mutex);
  std::vector<std::pair<std::string, std::string>> entries;
  for (const auto& [key, text] : impl_->disk->keyed) {
    if (key.first == table && key.second.starts_with(prefix)) entries.emplace_back(key.second, text);
  }
  return entries;
}

Result<void> MemoryStore::write(std::vector<KeyedWrite> changes) {
  if (auto error = impl_->refusal("write", true)) return *std::move(error);
  const std::lock_guard lock(impl_->mutex);
  auto& keyed = impl_->disk->keyed;
  for (const KeyedWrite& change : changes) {
    if (!change.expected) continue;
    const auto found = keyed.find({change.table, change.key});
    const auto there = found == keyed.end() ? std::nullopt : std::optional<std::string>(found->second);
    if (there != change.expected->value) return make_error(Errc::conflict, "another change came first");
  }
  for (KeyedWrite& change : changes) {
    std::pair key{change.table, std::move(change.key)};
    if (change.value) {
      keyed.insert_or_assign(std::move(key), *std::move(change.value));
    } else {
      keyed.erase(key);
    }
  }
  return ok();
}

void MemoryStore::close() {
  impl_->close();
}

}  // namespace weir::storage
