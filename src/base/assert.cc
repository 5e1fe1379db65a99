#include "weir/base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace weir::detail {

void assertion_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "%s:%d: broken invariant: %s\n", file, line, condition);
  std::abort();
}

}  // namespace weir::detail
