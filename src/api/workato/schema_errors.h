#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.h"

namespace weir::api::workato {

/// The texts under `errors.schema` for mistakes that model::Schema::compile() found in `schema`, a JSON array:
/// "schema[0].properties[2].type (Dock.Code): must be …". The part in parentheses gives the names of the fields on the
/// way, as far as they have one. Mistakes that concern the schema as a whole have no place before the text.
std::vector<std::string> schema_error_texts(std::string_view schema, const std::vector<FieldError>& mistakes);

}  // namespace weir::api::workato
