// The other half of the committer: small keyed state, failures and what follows them.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include <rocksdb/iterator.h>

#include "weir/base/log.h"

#include "storage_rocksdb/committer.h"
#include "storage_rocksdb/keys.h"
#include "storage_rocksdb/recovery.h"

namespace weir::storage_rocksdb {
namespace {

using rocksdb::Status;
using storage::Health;
using storage::KeyedWrite;
using storage::Offset;
using storage::TopicId;

constexpr std::chrono::seconds kReopenInterval{1};
constexpr std::chrono::milliseconds kFreeSpaceMaxAge{100};

}  // namespace

// ---- blocking writes

Result<std::unique_lock<std::mutex>> Committer::lock_to_write() {
  auto lock = lock_commit();
  if (!closed_ && mode_.load() == Mode::reopen) {
    lock.unlock();
    reopen_wanted_.store(true);
    poke_and_wait();  // the committing thread reopens: readers are told on that thread only
    lock = lock_commit();
  }
  if (closed_) return shut_down_error();
  switch (mode_.load()) {
    case Mode::ok: return lock;
    case Mode::failed: return refusal(Errc::storage_failed);
    case Mode::reopen: return refusal(Errc::storage_full);
  }
  __builtin_unreachable();
}

Result<void> Committer::create_log(TopicId topic) {
  WEIR_TRY(const auto lock, lock_to_write());
  const std::uint64_t id = model::value_of(topic);
  if (const Log* log = logs_.find(id)) {
    if (log->pending == LogState{}) return ok();
    return make_error(Errc::conflict, "the log exists and has been used");
  }
  rocksdb::WriteBatch batch;
  batch.Put(engine_.family(Engine::Family::logs), slice_of(log_key(id)), slice_of(encode_log_state(LogState{})))
      .PermitUncheckedError();
  if (!write_batch(batch, true).ok()) {
    uncertain_.push_back(id);
    return refusal(failure_code());
  }
  logs_.put(id, LogState{});
  return ok();
}

Result<void> Committer::write(const std::vector<KeyedWrite>& changes) {
  WEIR_TRY(const auto lock, lock_to_write());
  for (const KeyedWrite& change : changes) {
    if (!change.expected) continue;
    WEIR_TRY(const auto there, get(change.table, change.key));
    if (there != change.expected->value) return make_error(Errc::conflict, "changed by somebody else");
  }
  rocksdb::WriteBatch batch;
  auto* const keyed = engine_.family(Engine::Family::keyed);
  for (const KeyedWrite& change : changes) {
    const std::string key = keyed_key(change.table, change.key);
    const Status status =
        change.value ? batch.Put(keyed, slice_of(key), slice_of(*change.value)) : batch.Delete(keyed, slice_of(key));
    if (!status.ok()) return make_error(Errc::internal, "batch");
  }
  if (batch.Count() > 0 && !write_batch(batch, true).ok()) return refusal(failure_code());
  return ok();
}

Result<std::optional<std::string>> Committer::get(storage::Table table, std::string_view key) {
  auto db = engine_.lease();
  if (!db) return make_error(Errc::storage_failed, "the store cannot be read");
  std::string value;
  const Status status = db->Get({}, engine_.family(Engine::Family::keyed), slice_of(keyed_key(table, key)), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return read_error("get", status);
  return std::optional(std::move(value));
}

Result<std::vector<std::pair<std::string, std::string>>> Committer::list(storage::Table table,
                                                                         std::string_view prefix) {
  auto db = engine_.lease();
  if (!db) return make_error(Errc::storage_failed, "the store cannot be read");
  const std::string start = keyed_key(table, prefix);
  std::vector<std::pair<std::string, std::string>> entries;
  const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator({}, engine_.family(Engine::Family::keyed)));
  for (it->Seek(slice_of(start)); it->Valid() && it->key().starts_with(slice_of(start)); it->Next()) {
    entries.emplace_back(view_of(it->key()).substr(1), view_of(it->value()));
  }
  if (!it->status().ok()) return read_error("list", it->status());
  return entries;
}

// ---- failures

Status Committer::write_batch(rocksdb::WriteBatch& batch, bool sync) {
  // States, counts and keys end in zeros, and zeros at the end of the log look like bytes that were never written. So
  // each write ends in a byte that is none, also after the loss of a bit. It is in the log only, and has no number.
  constexpr char kEndOfWrite = '\xff';
  Status status = batch.PutLogData(rocksdb::Slice(&kEndOfWrite, 1));
  if (status.ok()) status = engine_.write(batch, sync);
  if (status.ok()) return status;
  // A disk that was full when something was written is the one failure after which the data on it is known: what the
  // log holds. Everything else, a failed sync above all, leaves that open.
  if (status.IsNoSpace() && !engine_.log_sync_failed()) {
    log::logger("storage").error("disk full error={}", status.ToString());
    mode_.store(Mode::reopen);
  } else {
    fail(status.ToString());
  }
  return status;
}

void Committer::fail(const std::string& reason) {
  log::logger("storage").critical("the store failed, nothing is written until a restart error={}", reason);
  const std::lock_guard lock(health_mutex_);
  mode_.store(Mode::failed);
  if (failure_.empty()) failure_ = reason;
}

bool Committer::ready_to_write() {
  if (mode_.load() == Mode::ok) return true;
  // Also while space is low: what gives space back has to be written. Appends are refused one by one.
  if (mode_.load() == Mode::failed) return false;
  const SteadyTime now = clock_.steady_now();
  if (last_reopen_ && now - *last_reopen_ < kReopenInterval) return false;
  last_reopen_ = now;
  const auto recovered = recover();
  if (!recovered && recovered.error().code != Errc::storage_full) fail(recovered.error().detail);
  return recovered.has_value();
}

Result<void> Committer::recover() {
  WEIR_TRY(engine_.reopen());
  std::sort(uncertain_.begin(), uncertain_.end());
  uncertain_.erase(std::unique(uncertain_.begin(), uncertain_.end()), uncertain_.end());
  for (const std::uint64_t topic : uncertain_) {
    WEIR_TRY(adopt(topic));
  }
  uncertain_.clear();
  mode_.store(Mode::ok);
  log::logger("storage").info("the store was reopened and takes messages again");
  return ok();
}

Result<void> Committer::adopt(std::uint64_t topic) {
  WEIR_TRY(const auto on_disk, load_log(engine_, topic));
  Log* log = logs_.find(topic);
  if (!on_disk) {
    std::vector<Log*> gone;
    if (log != nullptr) {
      log->dropped = true;
      gone.push_back(log);
    }
    logs_.publish(gone);
    return ok();
  }
  if (log == nullptr) {
    logs_.put(topic, *on_disk);
    return ok();
  }
  const LogState before = log->pending;
  if (before == *on_disk) return ok();
  log->pending = *on_disk;
  std::vector<Log*> changed = {log};
  logs_.publish(changed);
  if (watcher_ == nullptr) return ok();

  // Append by append, as their own commit would have told it; a run of one time counts as one.
  auto db = engine_.lease();
  if (!db) return make_error(Errc::storage_failed, "the store cannot be read");
  const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator({}, engine_.family(Engine::Family::messages)));
  std::uint64_t next = std::max(before.log_end, on_disk->log_start);
  std::vector<std::string> payloads;
  std::int64_t time_ms = 0;
  const auto tell = [&] {
    if (payloads.empty()) return;
    watcher_->on_appended(TopicId{topic}, Offset{next - payloads.size()}, WallTime{std::chrono::milliseconds{time_ms}},
                          payloads);
    payloads.clear();
  };
  for (it->Seek(slice_of(message_key(topic, next))); it->Valid() && next < on_disk->log_end; it->Next(), ++next) {
    const auto message = decode_message(view_of(it->value()));
    if (!message) return make_error(Errc::data_corrupt, "stored data is damaged");
    if (message->time_ms != time_ms) tell();
    time_ms = message->time_ms;
    payloads.emplace_back(message->payload);
  }
  if (!it->status().ok()) return read_error("adopt", it->status());
  tell();
  if (on_disk->log_start > before.log_start) {
    watcher_->on_trimmed(TopicId{topic}, Offset{on_disk->log_start}, on_disk->published_base > before.published_base);
  }
  return ok();
}

bool Committer::disk_is_low() {
  const SteadyTime now = clock_.steady_now();
  if (!free_checked_ || now - *free_checked_ >= kFreeSpaceMaxAge) {
    free_checked_ = now;
    const auto free = engine_.free_bytes();
    const bool low = free && *free < settings_.free_bytes_min;
    if (low != free_low_.load())
      log::logger("storage").warn("free space {} free_bytes={}", low ? "low" : "back", *free);
    free_low_.store(low);
    looked_.store(now);
  }
  return free_low_.load();
}

void Committer::look() {
  const auto lock = lock_commit();
  disk_is_low();
}

Health Committer::health() {
  const SteadyTime now = clock_.steady_now();
  const Mode mode = mode_.load();
  // The committing thread looks at the disk: this one may serve a network, and a sick disk may not answer at all.
  const SteadyTime looked = looked_.load();
  const bool old = looked == SteadyTime::min() || now - looked >= kFreeSpaceMaxAge;
  if (mode != Mode::failed && (old || mode == Mode::reopen)) poke();
  switch (mode) {
    case Mode::failed: {
      const std::lock_guard lock(health_mutex_);
      return {Health::State::failed, failure_};
    }
    case Mode::reopen: return {Health::State::full, "a write found no space on the device"};
    case Mode::ok: break;
  }
  if (free_low_.load()) return {Health::State::full, "less free space than storage.free_bytes_min"};
  return {};
}

}  // namespace weir::storage_rocksdb
