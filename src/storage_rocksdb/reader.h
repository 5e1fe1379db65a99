#pragma once

#include <optional>

#include "weir/base/result.h"
#include "weir/storage/log_store.h"

#include "storage_rocksdb/engine.h"
#include "storage_rocksdb/log_table.h"

namespace weir::storage_rocksdb {

/// The reading half of the store, in plain blocking calls for a thread of the reader pool. Safe to call from any
/// thread.
class Reader {
 public:
  Reader(Engine& engine, const LogTable& logs, std::function<bool(std::int64_t claim_time_ms)> claim_expired);

  Result<storage::MessageBatch> read(const storage::Read& read);
  Result<storage::LogStats> stats(storage::TopicId topic, WallTime not_before);
  Result<std::optional<storage::Appended>> find_claim(storage::TopicId topic, const Digest& key,
                                                      const Digest& fingerprint);

 private:
  struct Header {
    std::int64_t time_ms = 0;
    std::uint64_t bytes_before = 0;  ///< of the topic's payloads in front of this message
  };
  /// Empty when the message is not there.
  Result<std::optional<Header>> header(Engine::Lease& db, std::uint64_t topic, std::uint64_t offset);
  /// The first offset in [from, end) at or after `time_ms`; `end` if there is none. Empty: a trim was faster, look
  /// again.
  Result<std::optional<std::uint64_t>> find_time(Engine::Lease& db, std::uint64_t topic, std::uint64_t from,
                                                 std::uint64_t end, std::int64_t time_ms);
  Result<std::optional<storage::MessageBatch>> try_read(Engine::Lease& db, const storage::Read& read,
                                                        const LogState& log);
  Result<std::optional<storage::LogStats>> try_stats(Engine::Lease& db, std::uint64_t topic, std::int64_t not_before_ms,
                                                     const LogState& log);
  /// Runs `attempt(db, log)` with fresh views until no trim came in between.
  template <class T, class Attempt>
  Result<T> on_stable_log(std::uint64_t topic, const Attempt& attempt);

  Engine& engine_;
  const LogTable& logs_;
  const std::function<bool(std::int64_t)> claim_expired_;
};

}  // namespace weir::storage_rocksdb
