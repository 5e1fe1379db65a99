#include "storage_rocksdb/keys.h"

#include <bit>
#include <cstring>

namespace weir::storage_rocksdb {
namespace {

/// Big-endian. One swap and one store: g++ 12 makes a loop over the bytes of what is spelt as one, for each message.
char* put(char* to, std::uint64_t value) {
  if constexpr (std::endian::native == std::endian::little) value = __builtin_bswap64(value);
  std::memcpy(to, &value, sizeof value);
  return to + sizeof value;
}
char* put(char* to, std::uint32_t value) {
  if constexpr (std::endian::native == std::endian::little) value = __builtin_bswap32(value);
  std::memcpy(to, &value, sizeof value);
  return to + sizeof value;
}

template <class Integer>
void append(std::string& to, Integer value) {
  std::array<char, sizeof value> bytes;
  put(bytes.data(), value);
  to.append(bytes.data(), bytes.size());
}

/// Takes integers off the front; the caller has checked that there are enough bytes.
template <class Integer>
Integer take(std::string_view& from) {
  Integer value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i) {
    value = static_cast<Integer>((value << 8) | static_cast<std::uint8_t>(from[i]));
  }
  from.remove_prefix(sizeof value);
  return value;
}

bool has_format(std::string_view value) {
  return !value.empty() && static_cast<std::uint8_t>(value.front()) == kRecordFormat;
}

std::uint64_t as_unsigned(std::int64_t value) {
  return static_cast<std::uint64_t>(value);
}

}  // namespace

MessageKey message_key(std::uint64_t topic, std::uint64_t offset) {
  MessageKey key;
  put(put(key.data(), topic), offset);
  return key;
}

std::optional<DecodedMessageKey> decode_message_key(std::string_view key) {
  if (key.size() != std::tuple_size_v<MessageKey>) return std::nullopt;
  DecodedMessageKey decoded;
  decoded.topic = take<std::uint64_t>(key);
  decoded.offset = take<std::uint64_t>(key);
  return decoded;
}

LogKey log_key(std::uint64_t topic) {
  LogKey key;
  put(key.data(), topic);
  return key;
}

std::optional<std::uint64_t> decode_log_key(std::string_view key) {
  if (key.size() != std::tuple_size_v<LogKey>) return std::nullopt;
  return take<std::uint64_t>(key);
}

ClaimKey claim_key(std::uint64_t topic, const Digest& digest) {
  ClaimKey key;
  std::memcpy(put(key.data(), topic), digest.data(), digest.size());
  return key;
}

MessageHeader message_header(std::int64_t time_ms, std::uint64_t cumulative_bytes) {
  MessageHeader header;
  header[0] = static_cast<char>(kRecordFormat);
  put(put(header.data() + 1, as_unsigned(time_ms)), cumulative_bytes);
  return header;
}

std::optional<DecodedMessage> decode_message(std::string_view value) {
  if (value.size() < kMessageHeaderBytes || !has_format(value)) return std::nullopt;
  value.remove_prefix(1);
  DecodedMessage decoded;
  decoded.time_ms = static_cast<std::int64_t>(take<std::uint64_t>(value));
  decoded.cumulative_bytes = take<std::uint64_t>(value);
  decoded.payload = value;
  return decoded;
}

std::string encode_log_state(const LogState& state) {
  std::string value(1, static_cast<char>(kRecordFormat));
  append(value, state.log_start);
  append(value, state.log_end);
  append(value, as_unsigned(state.last_time_ms));
  append(value, state.cumulative_bytes);
  append(value, state.published_base);
  return value;
}

std::optional<LogState> decode_log_state(std::string_view value) {
  if (value.size() != 1 + 5 * sizeof(std::uint64_t) || !has_format(value)) return std::nullopt;
  value.remove_prefix(1);
  LogState state;
  state.log_start = take<std::uint64_t>(value);
  state.log_end = take<std::uint64_t>(value);
  state.last_time_ms = static_cast<std::int64_t>(take<std::uint64_t>(value));
  state.cumulative_bytes = take<std::uint64_t>(value);
  state.published_base = take<std::uint64_t>(value);
  if (state.log_start > state.log_end || state.published_base > state.log_end) return std::nullopt;
  return state;
}

std::string encode_claim(const ClaimRecord& record) {
  std::string value(1, static_cast<char>(kRecordFormat));
  append(value, as_unsigned(record.time_ms));
  value.append(reinterpret_cast<const char*>(record.fingerprint.data()), record.fingerprint.size());
  append(value, record.first);
  append(value, record.count);
  value += record.memo;
  return value;
}

std::optional<ClaimRecord> decode_claim(std::string_view value) {
  ClaimRecord record;
  constexpr std::size_t kFixedBytes = 1 + 8 + sizeof record.fingerprint + 8 + 4;
  if (value.size() < kFixedBytes || !has_format(value)) return std::nullopt;
  value.remove_prefix(1);
  record.time_ms = static_cast<std::int64_t>(take<std::uint64_t>(value));
  std::memcpy(record.fingerprint.data(), value.data(), record.fingerprint.size());
  value.remove_prefix(record.fingerprint.size());
  record.first = take<std::uint64_t>(value);
  record.count = take<std::uint32_t>(value);
  record.memo = value;
  return record;
}

std::optional<std::int64_t> decode_claim_time(std::string_view value) {
  if (value.size() < 9 || !has_format(value)) return std::nullopt;
  value.remove_prefix(1);
  return static_cast<std::int64_t>(take<std::uint64_t>(value));
}

std::string keyed_key(storage::Table table, std::string_view key) {
  std::string bytes(1, static_cast<char>(table));
  bytes += key;
  return bytes;
}

}  // namespace weir::storage_rocksdb
