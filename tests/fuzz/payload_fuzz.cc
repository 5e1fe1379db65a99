#include <cstdint>

#include "weir/base/assert.h"
#include "weir/model/json_scan.h"
#include "weir/model/payload.h"

using namespace weir::model;  // NOLINT: one file, one target

// What is accepted is JSON by our own scanner as well, is stored without change when it comes again, and never grows.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Schema schema = Schema::compile(R"([{"name":"a","type":"integer"},{"name":"b","type":"date_time"},
      {"name":"c","type":"array","properties":[{"name":"d","type":"number","optional":false}]},
      {"name":"e","type":"boolean","toggle_field":{"name":"f","type":"string"}}])")
                                   .value();
  static PayloadChecker checker(PayloadLimits{.depth_max = 8});
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto stored = checker.check(schema, body);
  const auto kind = check_json(body, 8);
  WEIR_ASSERT(kind.has_value() == (stored || stored.error().code == weir::Errc::schema_violation));
  if (!stored) return 0;
  WEIR_ASSERT(kind.value() == JsonKind::object && stored.value().size() <= size);
  const auto again = checker.check(schema, stored.value());
  WEIR_ASSERT(again && again.value() == stored.value());
  return 0;
}
