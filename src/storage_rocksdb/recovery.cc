#include "storage_rocksdb/recovery.h"

#include <limits>
#include <memory>
#include <string>

#include <rocksdb/iterator.h>

#include "weir/base/log.h"

#include "storage_rocksdb/keys.h"

namespace weir::storage_rocksdb {
namespace {

Error damaged(std::uint64_t topic) {
  log::logger("storage").error("damaged log state topic={}", topic);
  return make_error(Errc::data_corrupt, "the state of a log is damaged");
}

/// Brings `state` up to the last message of its log.
Result<void> add_last_message(rocksdb::Iterator& messages, std::uint64_t topic, LogState& state) {
  messages.SeekForPrev(slice_of(message_key(topic, std::numeric_limits<std::uint64_t>::max())));
  if (!messages.Valid()) {
    if (!messages.status().ok()) return read_error("load log", messages.status());
    return ok();
  }
  const auto key = decode_message_key(view_of(messages.key()));
  if (!key) return damaged(topic);
  if (key->topic != topic || key->offset < state.log_end) return ok();
  const auto message = decode_message(view_of(messages.value()));
  if (!message) return damaged(topic);
  state.log_end = key->offset + 1;
  state.last_time_ms = message->time_ms;
  state.cumulative_bytes = message->cumulative_bytes;
  return ok();
}

}  // namespace

Result<std::optional<LogState>> load_log(Engine& engine, std::uint64_t topic) {
  auto db = engine.lease();
  if (!db) return make_error(Errc::storage_failed, "the store cannot be read");
  std::string value;
  const auto status = db->Get({}, engine.family(Engine::Family::logs), slice_of(log_key(topic)), &value);
  if (status.IsNotFound()) return std::optional<LogState>();
  if (!status.ok()) return read_error("load log", status);
  auto state = decode_log_state(value);
  if (!state) return damaged(topic);
  const std::unique_ptr<rocksdb::Iterator> messages(db->NewIterator({}, engine.family(Engine::Family::messages)));
  WEIR_TRY(add_last_message(*messages, topic, *state));
  return state;
}

Result<void> load_logs(Engine& engine, LogTable& table) {
  auto db = engine.lease();
  if (!db) return make_error(Errc::storage_failed, "the store cannot be read");
  const std::unique_ptr<rocksdb::Iterator> logs(db->NewIterator({}, engine.family(Engine::Family::logs)));
  const std::unique_ptr<rocksdb::Iterator> messages(db->NewIterator({}, engine.family(Engine::Family::messages)));
  for (logs->SeekToFirst(); logs->Valid(); logs->Next()) {
    const auto topic = decode_log_key(view_of(logs->key()));
    auto state = decode_log_state(view_of(logs->value()));
    if (!topic || !state) return damaged(topic.value_or(0));
    WEIR_TRY(add_last_message(*messages, *topic, *state));
    table.put(*topic, *state);
  }
  if (!logs->status().ok()) return read_error("load logs", logs->status());
  return ok();
}

}  // namespace weir::storage_rocksdb
