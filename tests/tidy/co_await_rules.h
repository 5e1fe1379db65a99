#pragma once

#include "source_tree.h"

namespace weir::tidy {

/// Uses of co_await that g++ 12.2 may miscompile without a warning. Allowed are, as whole statements,
///   auto x = co_await …;      (const, and references, too)
///   co_await …;
///   co_return co_await …;
/// with arguments that are names, calls or moves, never braced temporaries.
/// weir has no coroutines on its hot paths (docs/adr/0002); this is for those that come elsewhere.
Findings check_co_await(const SourceTree& tree);

}  // namespace weir::tidy
