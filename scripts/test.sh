#!/usr/bin/env bash
# Installs what is missing and runs the whole everyday suite; the last lines are the test runner's totals.
#   ./scripts/test.sh            format, four builds (release, asan, tsan, clang), the tests of the first three
#   ./scripts/test.sh --quick    format, the release build and its tests
# Needs no terminal and no answers. One test again: see CONTRIBUTING.md.
set -euo pipefail
WEIR_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=scripts/lib/setup.sh
source "$WEIR_ROOT/scripts/lib/setup.sh"

presets=(release asan tsan clang)
for argument in "$@"; do
  case $argument in
    --quick) presets=(release) ;;
    -h | --help)
      sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *) die "unknown argument: $argument (there is only --quick)" ;;
  esac
done

check_format() {
  local files
  if ! command -v clang-format-14 >/dev/null; then
    say "format: NOT CHECKED, this release has no clang-format-14"
    return
  fi
  say "format"
  mapfile -t files < <(cd "$WEIR_ROOT" && find include src tests \( -name '*.h' -o -name '*.cc' \) -type f | LC_ALL=C sort)
  ((${#files[@]} > 0)) || die "found no source to check"
  (cd "$WEIR_ROOT" && printf '%s\0' "${files[@]}" |
    xargs -0 -n 8 -P "$(nproc)" clang-format-14 --dry-run --Werror --ferror-limit=1) || {
    die "not formatted; this puts it right:
  find include src tests -name '*.h' -o -name '*.cc' | xargs clang-format-14 -i"
  }
}

# The thread sanitizer of older compilers dies at start where the kernel randomises more address bits than it knows.
without_aslr=()
check_aslr() {
  local bits=0
  [[ -r /proc/sys/vm/mmap_rnd_bits ]] && read -r bits </proc/sys/vm/mmap_rnd_bits
  if ((bits > 28)) && setarch "$(uname -m)" -R true 2>/dev/null; then
    without_aslr=(setarch "$(uname -m)" -R)
  fi
}

build() {
  local preset=$1 arguments=() begin=$SECONDS
  [[ $preset == clang ]] && arguments=("-DCMAKE_CXX_COMPILER=$(weir_clang_compiler)")
  say "build $preset"
  weir_configure "$preset" "${arguments[@]}"
  # Discovering the tests runs them with --list, so the build has to get along with the sanitizers as well.
  "${without_aslr[@]}" cmake --build "$WEIR_ROOT/build/$preset" -j "$jobs" || die "the build of $preset failed"
  say "built $preset in $((SECONDS - begin)) s"
}

weir_setup run test
weir_lock
weir_use_ccache
check_format
check_aslr
jobs=$(weir_jobs)
tested=()
for preset in "${presets[@]}"; do
  build "$preset"
  [[ $preset == clang ]] || tested+=("$preset") # clang is there for its warnings
done

# One run over all builds; their names begin with the preset.
printf 'subdirs(%s)\n' "${tested[@]}" >"$WEIR_ROOT/build/CTestTestfile.cmake"
say "tests of ${tested[*]}"
# What the tests start does not inherit the lock.
"${without_aslr[@]}" ctest --test-dir "$WEIR_ROOT/build" -j "$(nproc)" --output-on-failure --no-tests=error \
  --label-exclude '^slow$' </dev/null {weir_lock_fd}>&-
