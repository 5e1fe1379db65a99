#!/usr/bin/env bash
# Measures weir beside other systems on this machine; prints Markdown. docs/performance.md says how to read it.
#   ./scripts/bench.sh                    5 rounds beside nginx, the disk and the store alone: about 10 minutes
#   ./scripts/bench.sh --quick            3 short rounds of the main scenarios: under 3 minutes
#   ./scripts/bench.sh --full             every scenario, up to 20 million stored messages: about 25 minutes
#   ./scripts/bench.sh --peers            beside Redis, webdis, NATS JetStream, nchan and Durable Streams, too
#   ./scripts/bench.sh --only NAME,NAME   of healthz, publish, batch, consume, polls, mixed, growth, store, peers
# More: --rounds N, --seconds S (of a run), --weir FILE (another binary than build/release/weir). Options may be combined.
# Installs what is missing, starts no service, builds the release. Close what else is running.
# Leaves build/bench/report.md and, with every number of every round, build/bench/report.json.
set -euo pipefail
WEIR_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=scripts/lib/setup.sh
source "$WEIR_ROOT/scripts/lib/setup.sh"

arguments=() # for suite.py, which checks their values
peers=
while (($# > 0)); do
  case $1 in
    --quick | --full) arguments+=("$1") ;;
    --peers)
      arguments+=("$1")
      peers=1
      ;;
    --only | --rounds | --seconds | --weir)
      (($# > 1)) || die "$1 needs a value (see --help)"
      arguments+=("$1" "$2")
      [[ $1 == --only && ,$2, == *,peers,* ]] && peers=1
      shift
      ;;
    -h | --help)
      sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *) die "unknown argument: $1 (see --help)" ;;
  esac
  shift
done
release="$WEIR_ROOT/build/release"
out="$WEIR_ROOT/build/bench"
suite=(env PYTHONDONTWRITEBYTECODE=1 python3 "$WEIR_ROOT/tests/bench/suite.py" --bin "$release" --out "$out" "${arguments[@]}")

weir_setup run bench >&2
"${suite[@]}" --check || exit # before anything takes long
[[ -z $peers ]] || weir_setup_peers >&2
weir_lock >&2
weir_use_ccache
say "building build/release (the first time takes some minutes)" >&2
weir_configure release -DWEIR_BENCH=ON
targets=(weir weir_store_bench weir_payload_bench weir_bench_client weir_nats_publish)
[[ ! -e /usr/include/nats/nats.h ]] || targets+=(weir_nats_library_publish)
cmake --build "$release" -j "$(weir_jobs)" --target "${targets[@]}" >&2

# The lock stays: a build beside a measurement would spoil it. What is started does not inherit it.
"${suite[@]}" {weir_lock_fd}>&- &
child=$!
trap 'kill -TERM "$child" 2>/dev/null || true' INT TERM # it ends what it has started
status=0
wait "$child" || status=$?
if kill -0 "$child" 2>/dev/null; then wait "$child" || status=$?; fi # a signal ended the first wait
exit "$status"
