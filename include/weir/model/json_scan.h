#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "weir/base/result.h"

// JSON on its text: what doors need to take a request body apart without a tree, so that the pieces keep their bytes.
// Nothing here recurses, and only array_elements() holds memory that grows with the input. Thread-safe.

namespace weir::model {

enum class JsonKind : std::uint8_t { null, boolean, number, string, array, object };

/// check_json() follows at most this many levels, whatever its caller allows.
inline constexpr std::size_t kJsonDepthMax = 1024;

/// Whether `text` is one JSON document (RFC 8259), and of what kind. Linear in time, without memory of its own, numbers
/// of any size. Refused beyond the grammar: text that is not UTF-8, a byte order mark, an escaped surrogate without its
/// other half (`"\ud800"`: it names no character, and many a reader chokes on it).
/// `depth_max` counts nested objects and arrays; a scalar has depth 0, `[]` has 1.
/// Errors: invalid_json, `detail` says what and at which byte, from 0.
Result<JsonKind> check_json(std::string_view text, std::size_t depth_max);

/// A member of the outermost object that check_json() shall find on its way.
struct JsonMember {
  std::string_view key;
  std::size_t elements_max = 0;              ///< how many elements to note, if it is an array
  std::optional<std::string_view> value{};   ///< found: as last_member() gives it
  std::vector<std::string_view> elements{};  ///< found: as array_elements() gives those of `value`
};
/// The same, and finds the members in the same pass: a third of the time that looking for them afterwards takes.
/// What was found counts only if there was no error.
Result<JsonKind> check_json(std::string_view text, std::size_t depth_max, std::span<JsonMember> wanted);

/// The text of the value of the last member of that name; empty when there is none. `key` is compared after escapes are
/// resolved. `object` must have passed check_json() as an object.
std::optional<std::string_view> last_member(std::string_view object, std::string_view key);

/// The text of each element, in order, without the white space around it. `array` must have passed check_json() as an
/// array. Stops after `count_max` elements: give one more than you would accept, so that `[1,1,1,…` costs nothing.
std::vector<std::string_view> array_elements(std::string_view array,
                                             std::size_t count_max = std::numeric_limits<std::size_t>::max());

}  // namespace weir::model
