#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>

#include "weir/base/result.h"

namespace weir::storage_rocksdb {

/// What may be missing at the end of the write-ahead logs after the machine stopped.
enum class TailLoss : std::uint8_t {
  last_write,  ///< every write was synced before the next began: only one may be incomplete
  any_tail,    ///< writes were not synced: everything from some write on may be gone or incomplete
};

struct LogCheck {
  std::uint64_t bytes_cut = 0;  ///< of incomplete writes
  std::uint32_t files_set_aside = 0;
  /// What the next write has to start with, so that its log continues the kept ones; empty if they hold nothing.
  std::optional<std::uint64_t> next_sequence;
};

/// What check_logs() asks of the engine.
struct LogCheckHooks {
  /// Makes a log durable: what an ended process had written and not synced becomes readable now, so it must not be
  /// lost later.
  std::function<bool(const std::filesystem::path&)> sync_file;
  /// The number of the first log that is still needed, 0 if unknown: older ones may be there, in parts. Asked only if
  /// two logs do not fit together.
  std::function<std::uint64_t()> first_needed;
};

/// Reads the write-ahead logs (`*.log`) of a RocksDB folder before the engine does, and tells an incomplete last write
/// from damage: RocksDB 7.8 takes a flipped bit in a length field for the end of the log and then drops acknowledged
/// writes without a word (measured; every recovery mode that accepts a torn tail does).
///
/// Zeros behind the last write are space that was never used. They and an incomplete tail are cut off, so that the
/// engine finds whole records only. Each log must continue the one before it: sequence numbers leave no gap. In
/// `any_tail` mode logs behind a cut or a gap are moved to `aside`. When anything else is wrong, nothing is changed and
/// the error (data_dir_unusable) names the file.
Result<LogCheck> check_logs(const std::filesystem::path& store, const std::filesystem::path& aside, TailLoss loss,
                            const LogCheckHooks& hooks);

}  // namespace weir::storage_rocksdb
