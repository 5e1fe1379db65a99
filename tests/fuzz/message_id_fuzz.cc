#include <cstdint>

#include "weir/base/assert.h"
#include "weir/model/message_id.h"

using namespace weir::model;  // NOLINT: one file, one target

// Whatever is read would have been written the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto offset = parse_message_id(text);
  WEIR_ASSERT(!offset || MessageId(*offset).view() == text);
  return 0;
}
