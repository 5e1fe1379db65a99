#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "weir/base/clock.h"
#include "weir/base/digest.h"
#include "weir/storage/store.h"

/// The one place that knows how keys and values look on the disk: docs/storage-format.md, format version 1.
/// Integers in keys are big-endian, so that the byte order is the order of the numbers; values use the same encoding.
namespace weir::storage_rocksdb {

inline constexpr std::uint8_t kRecordFormat = 1;  ///< first byte of every value except those of the keyed state

/// topic, offset: the key of a message and of range bounds.
using MessageKey = std::array<char, 16>;
MessageKey message_key(std::uint64_t topic, std::uint64_t offset);
struct DecodedMessageKey {
  std::uint64_t topic = 0;
  std::uint64_t offset = 0;
};
std::optional<DecodedMessageKey> decode_message_key(std::string_view key);

/// topic alone: the key of a log's state.
using LogKey = std::array<char, 8>;
LogKey log_key(std::uint64_t topic);
std::optional<std::uint64_t> decode_log_key(std::string_view key);

/// topic, digest of the idempotency key.
using ClaimKey = std::array<char, 40>;
ClaimKey claim_key(std::uint64_t topic, const Digest& key);

/// What stands before the payload in a message's value.
inline constexpr std::size_t kMessageHeaderBytes = 17;
using MessageHeader = std::array<char, kMessageHeaderBytes>;
/// `cumulative_bytes`: payload bytes of the topic since its creation, this message included, so that the bytes between
/// two messages are a difference of two values and nothing has to be counted.
MessageHeader message_header(std::int64_t time_ms, std::uint64_t cumulative_bytes);
struct DecodedMessage {
  std::int64_t time_ms = 0;
  std::uint64_t cumulative_bytes = 0;
  std::string_view payload;
};
std::optional<DecodedMessage> decode_message(std::string_view value);

/// State of a log, as the store holds it in memory. On the disk it is written when the log is created, purged or
/// trimmed; what was appended since then is found in the last message.
struct LogState {
  static constexpr std::int64_t kNoTime = INT64_MIN;
  std::uint64_t log_start = 0;
  std::uint64_t log_end = 0;
  std::int64_t last_time_ms = kNoTime;  ///< of the last message ever, kept or not: times never decrease
  std::uint64_t cumulative_bytes = 0;   ///< payload bytes since creation
  std::uint64_t published_base = 0;     ///< log end at the last purge
  friend bool operator==(const LogState&, const LogState&) = default;
};
std::string encode_log_state(const LogState& state);
std::optional<LogState> decode_log_state(std::string_view value);

struct ClaimRecord {
  std::int64_t time_ms = 0;  ///< of the append: the claim window starts here
  Digest fingerprint{};
  std::uint64_t first = 0;
  std::uint32_t count = 0;
  std::string memo;
};
std::string encode_claim(const ClaimRecord& record);
std::optional<ClaimRecord> decode_claim(std::string_view value);
/// The time alone, for expiry.
std::optional<std::int64_t> decode_claim_time(std::string_view value);

/// Keys of the keyed state: the number of the table, then the key.
std::string keyed_key(storage::Table table, std::string_view key);

}  // namespace weir::storage_rocksdb
