#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "weir/base/result.h"

namespace weir::model {

/// A topic's schema, compiled for validation. Immutable, so it can be shared by threads; cheap to copy.
/// The language: docs/protocols/workato.md, "Schemas".
class Schema {
 public:
  enum class UnknownFields : bool { keep, reject };

  /// The schema that any JSON object complies with.
  Schema();

  /// Compiles the JSON text of a schema (an array of field objects).
  /// Only `name`, `type`, `of`, `properties`, `optional`, `toggle_field` and, for dates, `control_type` are looked at;
  /// one that is null counts as left out. A `toggle_field` is the alternative to its field: under another name it may
  /// stand in for a required one, under the same name a value may comply with either.
  /// Errors: validation_failed, `fields` holds every mistake (the first 100) as "schema[2].properties[0].type" → reason
  /// (a field without name, an attribute of the wrong type, unknown type, two fields of one name, nested deeper than
  /// 64), or "schema" → reason (not JSON, not an array, over `bytes_max`); `detail` the first of them as "path:
  /// reason".
  static Result<Schema> compile(std::string_view json, UnknownFields unknown = UnknownFields::keep,
                                std::size_t bytes_max = 256 * 1024);

  struct Node;  ///< private to the module: src/model/schema_node.h
  const Node& root() const noexcept { return *root_; }

 private:
  explicit Schema(std::shared_ptr<const Node> root) : root_(std::move(root)) {}
  std::shared_ptr<const Node> root_;
};

}  // namespace weir::model
