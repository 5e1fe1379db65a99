#pragma once

namespace weir::detail {

/// Prints where and what to standard error, then aborts.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace weir::detail

/// Ends the process when an invariant of ours is broken, in release builds too: going on would risk the data.
/// Never for wrong input, which is an Error.
#define WEIR_ASSERT(condition)                                          \
  do {                                                                  \
    if (!(condition)) [[unlikely]]                                      \
      ::weir::detail::assertion_failed(#condition, __FILE__, __LINE__); \
  } while (false)
