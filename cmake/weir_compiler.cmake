# One place for everything that decides how the code is compiled.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")  # assertions stay on: a broken invariant ends the process in release too
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1 -D_GLIBCXX_ASSERTIONS")

add_compile_options(-Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual)
# The compilers of CI; on others a warning that is new there must not keep users from building.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION MATCHES "^12\\."
   OR CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION MATCHES "^14\\.")
  add_compile_options(-Werror)
else()
  add_compile_options(-Werror=switch -Werror=unused-result)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_options(-Wno-unknown-warning-option -Wthread-safety)
endif()

# The sanitizers run at -O0: undefined-behaviour checks make an optimized Beast file take four times as long to compile.
if(WEIR_SANITIZER)
  add_compile_options(-fsanitize=${WEIR_SANITIZER} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${WEIR_SANITIZER})
  if(WEIR_SANITIZER MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=all)
    # The packaged RocksDB, spdlog and gtest carry no type information for -fsanitize=vptr.
    add_compile_options(-fno-sanitize=vptr)
    add_link_options(-fno-sanitize=vptr)
  endif()
  if(WEIR_SANITIZER STREQUAL "thread")
    add_compile_options(-Wno-tsan -O1)  # g++ warns on every atomic_thread_fence of Asio
  endif()
  # The environment of every test; a server that a test starts inherits it.
  set(WEIR_SANITIZER_ENV
      "ASAN_OPTIONS=detect_stack_use_after_return=1:check_initialization_order=1:strict_init_order=1:detect_leaks=1"
      "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1"
      "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=${CMAKE_SOURCE_DIR}/cmake/tsan-suppressions.txt")
endif()

# What ccache keeps is found again from another folder: paths under the source tree count as relative, and the folder
# of the build does not count at all.
find_program(WEIR_CCACHE ccache)
if(WEIR_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      /usr/bin/env "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}" CCACHE_NOHASHDIR=1 "${WEIR_CCACHE}")
endif()
find_program(WEIR_MOLD mold)
if(WEIR_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
