#include <cstdint>

#include "weir/base/assert.h"
#include "weir/model/payload.h"

using namespace weir::model;  // NOLINT: one file, one target

// Any text either is a schema, which then can check a message, or gets at least one mistake with its path.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static PayloadChecker checker(PayloadLimits{});
  const auto schema = Schema::compile({reinterpret_cast<const char*>(data), size}, Schema::UnknownFields::reject);
  if (!schema) {
    WEIR_ASSERT(!schema.error().fields.empty() && !schema.error().fields[0].field.empty());
    return 0;
  }
  const auto stored =
      checker.check(schema.value(), R"({"a":1,"b":"x","c":[{"a":2.0},[],null],"d":{"a":true},"a":5.5})");
  WEIR_ASSERT(stored || !stored.error().fields.empty());
  return 0;
}
