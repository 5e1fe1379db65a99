#!/usr/bin/env bash
# Measures weir beside nginx on this machine, and the store alone; prints Markdown, raw numbers in build/bench.
#   ./scripts/bench.sh           5 rounds, under 10 minutes once it is built
#   ./scripts/bench.sh --quick   3 short rounds, under 2 minutes
# Installs what is missing and builds the release. Close what else is running: docs/performance.md says how to read it.
set -euo pipefail
WEIR_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=scripts/lib/setup.sh
source "$WEIR_ROOT/scripts/lib/setup.sh"

arguments=()
store_seconds=0.5
parts=.
for argument in "$@"; do
  case $argument in
    --quick)
      arguments+=(--quick)
      store_seconds=0.05
      parts='fsync/in_flight:(1|64|1024)/|check'
      ;;
    -h | --help)
      sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *) die "unknown argument: $argument (there is only --quick)" ;;
  esac
done

weir_setup run bench
weir_lock
weir_use_ccache
say "building build/release (the first time takes some minutes)" >&2
weir_configure release -DWEIR_BENCH=ON
cmake --build "$WEIR_ROOT/build/release" --target weir weir_store_bench weir_payload_bench -j "$(weir_jobs)" >&2

# The lock stays: a build beside a measurement would spoil it.
out="$WEIR_ROOT/build/bench"
mkdir -p "$out/data"
say "HTTP" >&2
PYTHONDONTWRITEBYTECODE=1 python3 "$WEIR_ROOT/tests/bench/http_bench.py" "${arguments[@]}" \
  --weir "$WEIR_ROOT/build/release/weir" --work "$out/data" --json "$out/http.json" {weir_lock_fd}>&-

say "the store and the payload check alone" >&2
for name in store payload; do
  TMPDIR="$out/data" "$WEIR_ROOT/build/release/weir_${name}_bench" --benchmark_min_time="$store_seconds" --benchmark_filter="$parts" \
    --benchmark_out="$out/$name.json" --benchmark_out_format=json {weir_lock_fd}>&- >&2
done
PYTHONDONTWRITEBYTECODE=1 python3 "$WEIR_ROOT/tests/bench/parts_table.py" "$out/store.json" "$out/payload.json"
say "raw numbers: build/bench/*.json" >&2
