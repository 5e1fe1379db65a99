#include "storage_rocksdb/reader.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include <rocksdb/iterator.h>

#include "weir/base/log.h"

namespace weir::storage_rocksdb {
namespace {

using model::value_of;
using rocksdb::PinnableSlice;
using rocksdb::Status;
using storage::Appended;
using storage::LogStats;
using storage::MessageBatch;
using storage::Offset;
using storage::TopicId;

std::int64_t ms_of(WallTime time) {
  return time.time_since_epoch().count();
}
WallTime time_of(std::int64_t ms) {
  return WallTime{std::chrono::milliseconds{ms}};
}

Error damaged(std::uint64_t topic, std::uint64_t offset, std::string_view what) {
  log::logger("storage").error("damaged data topic={} offset={} what={}", topic, offset, what);
  return make_error(Errc::data_corrupt, "stored data is damaged");
}
Error unknown_topic() {
  return make_error(Errc::topic_not_found, "no such topic");
}

}  // namespace

Reader::Reader(Engine& engine, const LogTable& logs, std::function<bool(std::int64_t)> claim_expired)
    : engine_(engine), logs_(logs), claim_expired_(std::move(claim_expired)) {}

template <class T, class Attempt>
Result<T> Reader::on_stable_log(std::uint64_t topic, const Attempt& attempt) {
  auto db = engine_.lease();
  if (!db) return make_error(Errc::storage_failed, "the store cannot be read");
  auto log = logs_.view(topic);
  for (;;) {
    if (!log) return unknown_topic();
    WEIR_TRY(auto result, attempt(db, *log));
    if (result) return *std::move(result);
    // Something that should be there is not. Either a trim came in between (the disk knows of it first), or it is lost.
    PinnableSlice value;
    const Status status = db->Get({}, engine_.family(Engine::Family::logs), slice_of(log_key(topic)), &value);
    if (status.IsNotFound()) return unknown_topic();
    if (!status.ok()) return read_error("log state", status);
    const auto on_disk = decode_log_state(view_of(value));
    if (!on_disk) return damaged(topic, log->log_start, "log state format");
    if (on_disk->log_start <= log->log_start) return damaged(topic, log->log_start, "missing messages");
    log = logs_.view(topic);
    if (!log) return unknown_topic();
    log->log_start = std::max(log->log_start, on_disk->log_start);
    log->log_end = std::max(log->log_end, log->log_start);
    log->published_base = std::max(log->published_base, on_disk->published_base);
    log->cumulative_bytes = std::max(log->cumulative_bytes, on_disk->cumulative_bytes);
  }
}

Result<std::optional<Reader::Header>> Reader::header(Engine::Lease& db, std::uint64_t topic, std::uint64_t offset) {
  PinnableSlice value;
  const auto key = message_key(topic, offset);
  const Status status = db->Get({}, engine_.family(Engine::Family::messages), slice_of(key), &value);
  if (status.IsNotFound()) return std::optional<Header>();
  if (!status.ok()) return read_error("header", status);
  const auto message = decode_message(view_of(value));
  if (!message || message->cumulative_bytes < message->payload.size()) return damaged(topic, offset, "message format");
  return std::optional(Header{message->time_ms, message->cumulative_bytes - message->payload.size()});
}

Result<std::optional<std::uint64_t>> Reader::find_time(Engine::Lease& db, std::uint64_t topic, std::uint64_t from,
                                                       std::uint64_t end, std::int64_t time_ms) {
  if (from >= end) return std::optional(end);
  WEIR_TRY(const auto oldest, header(db, topic, from));
  if (!oldest) return std::optional<std::uint64_t>();
  if (oldest->time_ms >= time_ms) return std::optional(from);
  std::uint64_t low = from + 1;  // everything before it is too old
  std::uint64_t high = end;      // everything from here on is not
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    WEIR_TRY(const auto probe, header(db, topic, middle));
    if (!probe) return std::optional<std::uint64_t>();
    (probe->time_ms >= time_ms ? high : low) = probe->time_ms >= time_ms ? middle : middle + 1;
  }
  return std::optional(low);
}

Result<MessageBatch> Reader::read(const storage::Read& read) {
  return on_stable_log<MessageBatch>(value_of(read.topic),
                                     [&](Engine::Lease& db, const LogState& log) { return try_read(db, read, log); });
}

Result<std::optional<MessageBatch>> Reader::try_read(Engine::Lease& db, const storage::Read& read,
                                                     const LogState& log) {
  const std::uint64_t topic = value_of(read.topic);
  MessageBatch batch;
  batch.log_end = Offset{log.log_end};
  std::uint64_t next = std::max(value_of(read.from), log.log_start);
  const std::int64_t not_before = ms_of(read.not_before);
  if (next >= log.log_end || log.last_time_ms < not_before) return std::optional(std::move(batch));

  const auto upper = message_key(topic, log.log_end);
  const rocksdb::Slice upper_bound = slice_of(upper);
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &upper_bound;
  const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator(options, engine_.family(Engine::Family::messages)));
  const auto seek = [&] { it->Seek(slice_of(message_key(topic, next))); };
  seek();
  const std::uint32_t count_max = std::max<std::uint32_t>(read.count_max, 1);
  std::size_t bytes = 0;
  std::uint64_t cumulative = 0;
  for (bool searched = false; it->Valid() && batch.messages.size() < count_max; it->Next(), ++next) {
    const auto key = decode_message_key(view_of(it->key()));
    auto message = decode_message(view_of(it->value()));
    if (!key || !message) return damaged(topic, next, "message format");
    if (key->offset != next) return std::optional<MessageBatch>();
    if (!searched && message->time_ms < not_before) {
      WEIR_TRY(const auto found, find_time(db, topic, next, log.log_end, not_before));
      if (!found) return std::optional<MessageBatch>();
      next = *found;
      if (next >= log.log_end) return std::optional(std::move(batch));
      seek();
      if (!it->Valid()) break;
      message = decode_message(view_of(it->value()));
      if (!message) return damaged(topic, next, "message format");
      if (const auto there = decode_message_key(view_of(it->key())); !there || there->offset != next) {
        return std::optional<MessageBatch>();
      }
    }
    searched = true;
    const std::size_t size = message->payload.size();
    if (!batch.messages.empty()) {
      if (message->cumulative_bytes != cumulative + size) return damaged(topic, next, "cumulative bytes");
      if (size > read.bytes_max || bytes > read.bytes_max - size) break;
    }
    cumulative = message->cumulative_bytes;
    bytes += size;
    batch.messages.push_back({Offset{next}, time_of(message->time_ms), std::string(message->payload)});
  }
  if (!it->status().ok()) return read_error("read", it->status());
  if (!it->Valid() && next < log.log_end && batch.messages.size() < count_max) return std::optional<MessageBatch>();
  return std::optional(std::move(batch));
}

Result<LogStats> Reader::stats(TopicId topic, WallTime not_before) {
  return on_stable_log<LogStats>(value_of(topic), [&](Engine::Lease& db, const LogState& log) {
    return try_stats(db, value_of(topic), ms_of(not_before), log);
  });
}

Result<std::optional<LogStats>> Reader::try_stats(Engine::Lease& db, std::uint64_t topic, std::int64_t not_before_ms,
                                                  const LogState& log) {
  LogStats stats;
  stats.log_start = Offset{log.log_start};
  stats.log_end = Offset{log.log_end};
  stats.published_total = log.log_end - log.published_base;
  if (stats.published_total > 0) stats.last_activity = time_of(log.last_time_ms);
  std::uint64_t first_live = log.log_end;
  if (log.log_start < log.log_end && log.last_time_ms >= not_before_ms) {
    WEIR_TRY(const auto found, find_time(db, topic, log.log_start, log.log_end, not_before_ms));
    if (!found) return std::optional<LogStats>();
    first_live = *found;
  }
  if (first_live < log.log_end) {
    WEIR_TRY(const auto message, header(db, topic, first_live));
    if (!message) return std::optional<LogStats>();
    stats.retained_bytes = log.cumulative_bytes - message->bytes_before;
  }
  stats.first_live = Offset{first_live};
  stats.retained_messages = log.log_end - first_live;
  return std::optional(stats);
}

Result<std::optional<Appended>> Reader::find_claim(TopicId topic, const Digest& key, const Digest& fingerprint) {
  auto db = engine_.lease();
  if (!db) return make_error(Errc::storage_failed, "the store cannot be read");
  if (!logs_.view(value_of(topic))) return unknown_topic();
  PinnableSlice value;
  const auto where = claim_key(value_of(topic), key);
  const Status status = db->Get({}, engine_.family(Engine::Family::claims), slice_of(where), &value);
  if (status.IsNotFound()) return std::optional<Appended>();
  if (!status.ok()) return read_error("find_claim", status);
  auto claim = decode_claim(view_of(value));
  if (!claim) return damaged(value_of(topic), 0, "claim format");
  if (claim_expired_(claim->time_ms)) return std::optional<Appended>();
  if (claim->fingerprint != fingerprint) {
    return make_error(Errc::idempotency_conflict, "the idempotency key was used with another body");
  }
  return std::optional(
      Appended{Offset{claim->first}, claim->count, time_of(claim->time_ms), true, std::move(claim->memo)});
}

}  // namespace weir::storage_rocksdb
