#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>

#include "weir/base/clock.h"
#include "weir/base/result.h"
#include "weir/model/ids.h"

namespace weir::model {

/// A topic as people see and change it. Immutable once published to readers.
struct Topic {
  TopicId id{};
  WorkspaceId workspace = kDefaultWorkspace;
  std::string name;                        ///< unique in its workspace, 1 to 255 characters
  std::optional<std::string> description;  ///< empty: shown as null
  std::string schema = "[]";               ///< JSON text exactly as sent
  std::chrono::seconds retention{604800};  ///< 1 s to limits.retention_seconds_max
  WallTime created_at{};
  WallTime updated_at{};
  /// What was too old to be read when the retention was last lengthened; it stays unreadable.
  WallTime readable_from{};

  /// The oldest time that a message may have to be readable at `now`.
  WallTime oldest_readable(WallTime now) const { return std::max<WallTime>(now - retention, readable_from); }
};

/// The JSON form in which the store keeps a topic (docs/storage-format.md).
std::string encode_topic(const Topic& topic);
/// Errors: data_corrupt.
Result<Topic> decode_topic(std::string_view bytes);

}  // namespace weir::model
