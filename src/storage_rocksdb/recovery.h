#pragma once

#include <cstdint>
#include <optional>

#include "weir/base/result.h"

#include "storage_rocksdb/engine.h"
#include "storage_rocksdb/log_table.h"

namespace weir::storage_rocksdb {

/// The state of one log as the disk has it: its state record, and the last message if that is younger. Empty when there
/// is no such log. Errors: data_corrupt, storage_failed.
Result<std::optional<LogState>> load_log(Engine& engine, std::uint64_t topic);

/// Every log, into an empty table. One seek a log. Errors: data_corrupt, storage_failed.
Result<void> load_logs(Engine& engine, LogTable& table);

}  // namespace weir::storage_rocksdb
