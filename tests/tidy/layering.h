#pragma once

#include "source_tree.h"

namespace weir::tidy {

/// Includes that the table of layers, or the rules about libraries, do not allow; headers without `#pragma once`.
Findings check_layering(const SourceTree& tree);

}  // namespace weir::tidy
