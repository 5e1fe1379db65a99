#include <cstdint>

#include "weir/base/assert.h"
#include "weir/model/time.h"

using namespace weir::model;  // NOLINT: one file, one target

// What the strict reader takes the lenient one takes too, and it survives being written and read again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const bool lenient = is_schema_date_time(text);
  const auto time = parse_rfc3339(text);
  if (!time) return 0;
  WEIR_ASSERT(lenient);
  const bool shown_whole = text.substr(0, 4) > "0000" && text.substr(0, 4) < "9999";  // the others may be clamped
  WEIR_ASSERT(!shown_whole || parse_rfc3339(to_timestamp(*time)) == time);
  return 0;
}
