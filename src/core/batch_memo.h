#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "weir/base/result.h"
#include "weir/model/ids.h"

namespace weir::core {

/// What a batch with an idempotency key leaves in the store so that a retry gets its first answer: which items were
/// stored (their offsets follow from the append) and why the others were refused. Layout: docs/storage-format.md.
std::string encode_batch_memo(const std::vector<std::variant<model::Offset, Error>>& items);
/// Offsets are left zero. Errors: data_corrupt.
Result<std::vector<std::variant<model::Offset, Error>>> decode_batch_memo(std::string_view memo);

}  // namespace weir::core
