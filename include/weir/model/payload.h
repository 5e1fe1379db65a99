#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.h"
#include "weir/model/schema.h"

namespace weir::model {

/// What a message must be beyond its schema. Defaults as in the protocol page, section 1.6.
struct PayloadLimits {
  std::size_t message_bytes_max = 1 << 20;  ///< of the bytes as received
  std::size_t depth_max = 64;               ///< nesting of objects and arrays, the message itself counts as 1
};

/// Checks messages on their bytes: JSON, UTF-8, depth, schema, in one parse; gives the bytes to store.
/// Holds the parser's buffers: one for each thread, not thread-safe.
class PayloadChecker {
 public:
  explicit PayloadChecker(PayloadLimits limits);
  ~PayloadChecker();
  PayloadChecker(PayloadChecker&&) noexcept;

  /// The message without insignificant white space; numbers keep their digits, keys their order and doubles. Of
  /// members with one name the last is validated, as readers see it; all are stored.
  /// Numbers of any size and exponent are accepted (they are stored as text), and whether one is an integer is decided
  /// on its digits. Escaped halves of surrogate pairs (`"\ud800"`) are refused: they name no character, and many a
  /// reader chokes on them. So is a byte order mark. Errors: message_too_large; invalid_json (empty, syntax, UTF-8,
  /// depth), `detail` with the place in bytes; schema_violation: not an object (no fields), or `fields` with every
  /// offending path (the first 100, each cut to 512 bytes), `detail` the first of them as "path: reason"; overloaded:
  /// out of memory.
  Result<std::string> check(const Schema& schema, std::string_view body);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::model
