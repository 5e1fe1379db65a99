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
  /// Errors: validation_failed, `fields` holds every mistake as "schema[2].properties[0].type" → reason (not an array,
  /// a field without name, unknown type, two fields of one name, nested deeper than 64, over `bytes_max`).
  static Result<Schema> compile(std::string_view json, UnknownFields unknown = UnknownFields::keep,
                                std::size_t bytes_max = 256 * 1024);

  struct Node;  ///< private to the module: src/model/schema_node.h
  const Node& root() const noexcept { return *root_; }

 private:
  explicit Schema(std::shared_ptr<const Node> root) : root_(std::move(root)) {}
  std::shared_ptr<const Node> root_;
};

}  // namespace weir::model
