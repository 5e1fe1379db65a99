#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "weir/base/assert.h"
#include "weir/model/json_scan.h"

using namespace weir::model;  // NOLINT: one file, one target

// The pieces of valid JSON are valid JSON themselves, and put together again they are the same array.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::array<JsonMember, 1> wanted{{{"a", 1000}}};
  const auto kind = check_json(text, 32, wanted);
  if (!kind) return 0;
  if (kind.value() == JsonKind::object) {
    const auto value = last_member(text, "a");
    WEIR_ASSERT(!value || check_json(*value, 31));
    WEIR_ASSERT(wanted[0].value == value);
    const bool list = value && value->front() == '[';
    WEIR_ASSERT(wanted[0].elements == (list ? array_elements(*value, 1000) : std::vector<std::string_view>{}));
  } else if (kind.value() == JsonKind::array) {
    std::string joined = "[";
    for (const std::string_view element : array_elements(text)) {
      WEIR_ASSERT(check_json(element, 31));
      joined += (joined.size() == 1 ? "" : ",") + std::string(element);
    }
    joined += ']';
    WEIR_ASSERT(joined.size() <= size && check_json(joined, 32) && array_elements(joined) == array_elements(text));
  }
  return 0;
}
