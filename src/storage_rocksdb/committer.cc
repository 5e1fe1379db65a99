#include "storage_rocksdb/committer.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "weir/base/assert.h"
#include "weir/base/log.h"

#include "storage_rocksdb/keys.h"

namespace weir::storage_rocksdb {
namespace {

using model::value_of;
using rocksdb::Slice;
using rocksdb::SliceParts;
using rocksdb::Status;
using storage::Append;
using storage::Appended;
using storage::Offset;

constexpr std::size_t kItemBytes = 256;           // what an entry of the queue costs besides its payload
constexpr std::size_t kBatchBytesKept = 8 << 20;  // a batch that grew beyond gives its memory back
constexpr std::chrono::seconds kIdleLook{1};      // how soon returning space is noticed when nobody asks
constexpr std::size_t kPrefaceBytes = 64;         // of a message in the batch besides its payload

std::int64_t ms_of(WallTime time) {
  return time.time_since_epoch().count();
}
WallTime time_of(std::int64_t ms) {
  return WallTime{std::chrono::milliseconds{ms}};
}
void must(const Status& status) {
  WEIR_ASSERT(status.ok());
}  // of a batch in memory: fails only on misuse

}  // namespace

std::size_t Committer::ClaimKeyHash::operator()(const ClaimKey& key) const noexcept {
  std::size_t hash = 0;  // the end of a digest is as good as any hash
  std::memcpy(&hash, key.data() + key.size() - sizeof hash, sizeof hash);
  return hash;
}

Committer::Committer(const Settings& settings, const Clock& clock, Engine& engine, LogTable& logs, Reclaimer& reclaimer)
    : settings_(settings), clock_(clock), engine_(engine), logs_(logs), reclaimer_(reclaimer) {
  WEIR_ASSERT(settings_.loops <= 64);
  if (!settings_.on_caller) thread_ = std::thread([this] { run(); });
}

Committer::~Committer() {
  close();
}

void Committer::set_wakeup(UniqueFunction<void()> wakeup) {
  const std::lock_guard lock(queue_mutex_);
  wakeup_ = std::move(wakeup);
}

// ---- the queue

void Committer::append(Append append, storage::AppendDone done) {
  std::size_t bytes = kItemBytes;
  for (const std::string& payload : append.payloads) bytes += payload.size() + kPrefaceBytes;
  enqueue(Item{std::move(append), std::move(done), nullptr, bytes}, true);
}

void Committer::change(Change what, storage::TopicId topic, std::uint64_t before, storage::Done<void> done) {
  Item item;
  item.append.topic = topic;
  item.control = std::make_unique<Control>(Control{what, before, std::move(done)});
  item.bytes = kItemBytes;
  enqueue(std::move(item), false);
}

void Committer::enqueue(Item&& item, bool may_refuse) {
  std::unique_lock lock(queue_mutex_);
  if (closing_) {
    lock.unlock();
    if (item.control) return item.control->done(shut_down_error());
    return item.done(shut_down_error());
  }
  // A single append may be larger than the bound, so an empty queue takes anything.
  const bool full = queued_appends_ > 0 &&
                    (queued_appends_ >= settings_.queue_appends_max || item.bytes > settings_.queue_bytes_max ||
                     queued_bytes_ > settings_.queue_bytes_max - item.bytes);
  if (full && may_refuse) {
    at_once_ = true;  // nothing is refused for the sake of a round
    const bool wake_thread = idle_ && batch_is_ready();
    lock.unlock();
    if (wake_thread) queue_changed_.notify_one();
    return item.done(make_error(Errc::overloaded, "too many publishes are waiting for the disk"));
  }
  queued_appends_ += 1;
  queued_bytes_ += item.bytes;
  const bool was_empty = incoming_.empty();
  if (const std::uint64_t loop = bit_of(item); loop == 0 || queue_is_long()) {
    at_once_ = true;
  } else if ((paid_ & loop) == 0) {
    owing_.fetch_or(loop, std::memory_order_relaxed);
  }
  incoming_.push_back(std::move(item));
  // A thread that had nothing to do has to be told of the first append: it would wait for a round without a limit.
  // Under load it is in the limited wait after its last commit, so this costs a wake-up at most once in that time.
  const bool wake_thread = idle_ && (batch_is_ready() || (was_empty && unhurried_));
  const bool wake_caller = was_empty && settings_.on_caller;
  lock.unlock();
  if (wake_thread) queue_changed_.notify_one();
  if (wake_caller && wakeup_) wakeup_();
}

bool Committer::queue_is_long() const {
  return queued_bytes_ >= std::min(settings_.commit_bytes_max, settings_.queue_bytes_max / 2) ||
         queued_appends_ >= settings_.queue_appends_max / 2;
}

std::uint64_t Committer::bit_of(const Item& item) const {
  return !item.control && item.append.loop < settings_.loops ? std::uint64_t{1} << item.append.loop : 0;
}

void Committer::end_round(std::uint32_t loop) {
  if (loop >= settings_.loops) return;
  const std::uint64_t bit = std::uint64_t{1} << loop;
  // Most rounds owe nothing. What this loop appended it sees here, having set the bit itself; a bit for completions
  // that comes now is paid by the round that runs them.
  if ((owing_.load(std::memory_order_relaxed) & bit) == 0) return;
  bool wake = false;
  {
    const std::lock_guard lock(queue_mutex_);
    owing_.fetch_and(~bit, std::memory_order_relaxed);
    late_ &= ~bit;
    paid_ |= bit;
    wake = idle_ && batch_is_ready();
  }
  if (wake) queue_changed_.notify_one();
}

std::uint64_t Committer::poke() {
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(queue_mutex_);
    if (closing_) return 0;
    number = ++pokes_;
  }
  queue_changed_.notify_one();
  if (settings_.on_caller && wakeup_) wakeup_();
  return number;
}

void Committer::poke_and_wait() {
  const std::uint64_t number = poke();
  if (settings_.on_caller) return;  // the caller may be the one who commits
  std::unique_lock lock(queue_mutex_);
  poke_answered_.wait(lock, [&] { return pokes_answered_ >= number; });
}

void Committer::run() {
  std::unique_lock lock(queue_mutex_);
  for (;;) {
    const bool for_a_round = !incoming_.empty() || a_round_is_awaited();
    const auto has_work = [this] { return batch_is_ready() || closing_ || pokes_ > pokes_answered_; };
    idle_ = true;
    unhurried_ = !for_a_round;
    queue_changed_.wait_for(lock, for_a_round ? settings_.round_wait_max : kIdleLook,
                            [&] { return has_work() || (unhurried_ && !incoming_.empty()); });
    idle_ = false;
    if (incoming_.empty() && closing_) return;
    if (!has_work()) {
      if (for_a_round) {
        late_ = owing_.load(std::memory_order_relaxed);  // who has not ended a round by now is busy, or gone
        if (incoming_.empty()) continue;
      } else if (!incoming_.empty()) {
        continue;  // the first append: its wait begins now
      }
    }
    lock.unlock();
    commit_queued();
    lock.lock();
  }
}

bool Committer::commit_pending() {
  WEIR_ASSERT(settings_.on_caller);
  return commit_queued();
}

void Committer::close() {
  {
    const std::lock_guard lock(queue_mutex_);
    closing_ = true;
  }
  queue_changed_.notify_one();
  if (thread_.joinable()) thread_.join();
  while (commit_queued()) {
  }
  const auto lock = lock_commit();
  if (std::exchange(closed_, true)) return;
  if (mode_.load() != Mode::ok) return;
  if (auto db = engine_.lease()) {
    if (const Status status = db->SyncWAL(); !status.ok()) fail(status.ToString());
  }
}

std::unique_lock<std::mutex> Committer::lock_commit() {
  const std::lock_guard turn(turn_);
  return std::unique_lock(commit_mutex_);
}

// ---- commits

bool Committer::commit_queued() {
  const auto lock = lock_commit();
  std::uint64_t pokes = 0;
  {
    const std::lock_guard queue(queue_mutex_);
    pokes = pokes_;
    working_.swap(incoming_);
    owing_.fetch_and(late_, std::memory_order_relaxed);
    paid_ = 0;
    at_once_ = false;
  }
  const bool work = !working_.empty();
  if (!work) look_after_disk();
  for (std::size_t begin = 0; begin < working_.size();) {
    std::size_t end = begin;
    std::size_t bytes = 0;
    while (end < working_.size() && (end == begin || bytes + working_[end].bytes <= settings_.commit_bytes_max)) {
      bytes += working_[end++].bytes;
    }
    {
      const std::lock_guard queue(queue_mutex_);
      queued_appends_ -= end - begin;
      queued_bytes_ -= bytes;
    }
    commit(std::span(working_).subspan(begin, end - begin));
    begin = end;
  }
  working_.clear();
  {
    const std::lock_guard queue(queue_mutex_);
    pokes_answered_ = pokes;
  }
  poke_answered_.notify_all();
  return work;
}

void Committer::look_after_disk() {
  if (closed_) return;
  const bool low = disk_is_low();
  // While space is low, only a write that may go ahead is worth the reopening.
  const bool wanted = reopen_wanted_.exchange(false) || !low;
  // Reopening may bring messages of the failed commit: their readers are woken like those of any other.
  if (mode_.load() == Mode::reopen && wanted && ready_to_write() && watcher_ != nullptr) watcher_->on_commit_end();
}

void Committer::commit(std::span<Item> items) {
  if (batch_.GetDataSize() > kBatchBytesKept) batch_ = rocksdb::WriteBatch();
  batch_.Clear();
  batch_must_sync_ = settings_.durability == storage::Durability::fsync;
  batch_claims_.clear();
  touched_.clear();
  outcomes_.clear();

  if (ready_to_write()) {
    const bool full = disk_is_low();
    const std::int64_t now_ms = ms_of(clock_.wall_now());
    for (Item& item : items) outcomes_.push_back(prepare(item, now_ms, full));
    settle(items.size());
  } else {
    outcomes_.resize(items.size());
    for (Outcome& outcome : outcomes_) outcome.refusal = failure_code();
  }
  std::uint64_t answered = 0;
  for (const Item& item : items) answered |= bit_of(item);
  if (answered != 0) {
    // Before the completions: the round that runs them pays.
    const std::lock_guard queue(queue_mutex_);
    owing_.fetch_or(answered, std::memory_order_relaxed);
  }
  for (std::size_t i = 0; i < items.size(); ++i) deliver(items[i], outcomes_[i]);
  if (watcher_ != nullptr) watcher_->on_commit_end();
}

void Committer::settle(std::size_t count) {
  if (batch_.Count() == 0) return;
  const Status status = write_batch(batch_, batch_must_sync_);
  if (status.ok()) {
    logs_.publish(touched_);
    return;
  }
  for (Log* log : touched_) {
    log->pending = log->visible;
    log->touched = log->dropped = false;
    uncertain_.push_back(log->topic);
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (!outcomes_[i].in_batch) continue;
    outcomes_[i].kind = Outcome::Kind::refused;
    outcomes_[i].refusal = failure_code();
  }
}

void Committer::touch(Log& log) {
  if (std::exchange(log.touched, true)) return;
  touched_.push_back(&log);
}

Committer::Outcome Committer::prepare(Item& item, std::int64_t now_ms, bool full) {
  if (item.control) return prepare_change(value_of(item.append.topic), *item.control);
  return prepare_append(item.append, now_ms, full);
}

Committer::Outcome Committer::prepare_append(Append& append, std::int64_t now_ms, bool full) {
  Outcome outcome;
  const std::uint64_t topic = value_of(append.topic);
  const auto refuse = [&](Errc code) {
    outcome.refusal = code;
    return outcome;
  };
  Log* const log = logs_.find(topic);
  if (log == nullptr || log->dropped) return refuse(Errc::topic_not_found);
  if (append.claim) {
    auto known = find_claim(topic, append.claim->key, now_ms, outcome.in_batch);
    if (!known) return refuse(known.error().code);
    if (auto& claim = known.value()) {
      if (claim->fingerprint != append.claim->fingerprint) return refuse(Errc::idempotency_conflict);
      outcome.kind = Outcome::Kind::replayed;
      outcome.first = claim->first;
      outcome.count = claim->count;
      outcome.time_ms = claim->time_ms;
      outcome.memo = std::move(claim->memo);
      return outcome;
    }
  } else if (append.payloads.empty()) {
    return refuse(Errc::bad_request);
  }
  if (full) return refuse(Errc::storage_full);

  LogState& state = log->pending;
  outcome.kind = Outcome::Kind::stored;
  outcome.in_batch = true;
  outcome.first = state.log_end;
  outcome.count = static_cast<std::uint32_t>(append.payloads.size());
  outcome.time_ms = std::max(now_ms, state.last_time_ms);
  auto* const messages = engine_.family(Engine::Family::messages);
  for (const std::string& payload : append.payloads) {
    state.cumulative_bytes += payload.size();
    const auto key = message_key(topic, state.log_end++);
    const auto header = message_header(outcome.time_ms, state.cumulative_bytes);
    const Slice key_parts[] = {slice_of(key)};
    const Slice value_parts[] = {slice_of(header), slice_of(payload)};
    must(batch_.Put(messages, SliceParts(key_parts, 1), SliceParts(value_parts, 2)));
  }
  if (outcome.count > 0) state.last_time_ms = outcome.time_ms;
  touch(*log);
  if (append.claim) {
    const auto key = claim_key(topic, append.claim->key);
    ClaimRecord record{outcome.time_ms, append.claim->fingerprint, outcome.first, outcome.count,
                       std::move(append.claim->memo)};
    must(batch_.Put(engine_.family(Engine::Family::claims), slice_of(key), slice_of(encode_claim(record))));
    batch_claims_[key] = std::move(record);
  }
  return outcome;
}

Result<std::optional<ClaimRecord>> Committer::find_claim(std::uint64_t topic, const Digest& digest, std::int64_t now_ms,
                                                         bool& in_batch) {
  const auto key = claim_key(topic, digest);
  if (const auto found = batch_claims_.find(key); found != batch_claims_.end()) {
    in_batch = true;
    return std::optional(found->second);
  }
  auto db = engine_.lease();
  if (!db) return make_error(Errc::storage_failed, {});
  rocksdb::PinnableSlice value;
  const Status status = db->Get({}, engine_.family(Engine::Family::claims), slice_of(key), &value);
  if (status.IsNotFound()) return std::optional<ClaimRecord>();
  if (!status.ok()) return read_error("claim", status);
  auto claim = decode_claim(view_of(value));
  if (!claim) return make_error(Errc::data_corrupt, {});
  if (now_ms - claim->time_ms >= settings_.claim_window.count()) return std::optional<ClaimRecord>();
  return std::optional(*std::move(claim));
}

Committer::Outcome Committer::prepare_change(std::uint64_t topic, const Control& control) {
  Outcome outcome;
  Log* const log = logs_.find(topic);
  if (log == nullptr || log->dropped) {
    outcome.kind = control.what == Change::drop ? Outcome::Kind::nothing : Outcome::Kind::refused;
    outcome.refusal = Errc::topic_not_found;
    return outcome;
  }
  auto* const messages = engine_.family(Engine::Family::messages);
  const LogState old = log->pending;
  LogState& state = log->pending;
  switch (control.what) {
    case Change::purge: state.log_start = state.published_base = state.log_end; break;
    case Change::trim: state.log_start = std::max(old.log_start, std::min(control.before, old.log_end)); break;
    case Change::drop:
      state.log_start = state.log_end;
      log->dropped = true;
      break;
  }
  outcome.first = state.log_start;
  if (state == old && !log->dropped) {
    // A purge is told to the watcher even when there is nothing to purge.
    outcome.kind = control.what == Change::purge ? Outcome::Kind::changed : Outcome::Kind::nothing;
    return outcome;
  }
  if (log->dropped) {
    const auto logs_key = log_key(topic);
    const auto next_topic = log_key(topic + 1);
    must(batch_.DeleteRange(messages, slice_of(logs_key), slice_of(next_topic)));
    must(batch_.DeleteRange(engine_.family(Engine::Family::claims), slice_of(logs_key), slice_of(next_topic)));
    must(batch_.Delete(engine_.family(Engine::Family::logs), slice_of(logs_key)));
  } else {
    if (state.log_start > old.log_start) {
      // From the first offset on, so that each range delete stands for all before it, whichever file is dropped.
      must(
          batch_.DeleteRange(messages, slice_of(message_key(topic, 0)), slice_of(message_key(topic, state.log_start))));
    }
    must(batch_.Put(engine_.family(Engine::Family::logs), slice_of(log_key(topic)), slice_of(encode_log_state(state))));
  }
  batch_must_sync_ = true;
  touch(*log);
  outcome.kind = Outcome::Kind::changed;
  outcome.in_batch = true;
  return outcome;
}

void Committer::deliver(Item& item, Outcome& outcome) {
  const auto topic = item.append.topic;
  switch (outcome.kind) {
    case Outcome::Kind::refused:
      if (item.control) return item.control->done(refusal(outcome.refusal));
      return item.done(refusal(outcome.refusal));
    case Outcome::Kind::stored:
      if (watcher_ != nullptr && outcome.count > 0) {
        watcher_->on_appended(topic, Offset{outcome.first}, time_of(outcome.time_ms), std::span(item.append.payloads));
      }
      [[fallthrough]];
    case Outcome::Kind::replayed:
      return item.done(Appended{Offset{outcome.first}, outcome.count, time_of(outcome.time_ms),
                                outcome.kind == Outcome::Kind::replayed, std::move(outcome.memo)});
    case Outcome::Kind::changed: {
      const bool dropped = item.control->what == Change::drop;
      if (watcher_ != nullptr && !dropped) {
        watcher_->on_trimmed(topic, Offset{outcome.first}, item.control->what == Change::purge);
      }
      reclaimer_.trimmed(value_of(topic), dropped ? Reclaimer::kDropped : outcome.first);
      return item.control->done(ok());
    }
    case Outcome::Kind::nothing: return item.control->done(ok());
  }
}

Error Committer::refusal(Errc code) {
  if (code == Errc::topic_not_found) return make_error(code, "no such topic");
  if (code == Errc::storage_full) return make_error(code, "no space left for new messages");
  if (code == Errc::storage_failed) return make_error(code, "the store takes nothing more until a restart");
  if (code == Errc::idempotency_conflict) return make_error(code, "the idempotency key was used with another body");
  if (code == Errc::bad_request) return make_error(code, "nothing to append");
  return make_error(code, "the store cannot take the message");
}

}  // namespace weir::storage_rocksdb
