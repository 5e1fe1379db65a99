#!/usr/bin/env bash
# Installs what is missing, builds the release and starts the server on 127.0.0.1:8080, data in ./data of this clone.
#   ./scripts/run.sh                              as above
#   ./scripts/run.sh --listen 0.0.0.0:9000        every argument goes to `weir serve` (try --help)
#   ./scripts/run.sh --data-dir /var/lib/weir     data elsewhere
# Works from any folder; relative paths among the arguments count from where you are.
set -euo pipefail
WEIR_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=scripts/lib/setup.sh
source "$WEIR_ROOT/scripts/lib/setup.sh"

weir_setup run
weir_lock
weir_use_ccache
say "building build/release/weir (the first time takes some minutes)"
weir_configure release
cmake --build "$WEIR_ROOT/build/release" --target weir -j "$(weir_jobs)"
weir_unlock

# The data stays with the clone wherever one stands, unless the user has said where it goes.
arguments=("$@")
if [[ $PWD != "$WEIR_ROOT" && -z ${WEIR_STORAGE__DATA_DIR:-} && " $* " != *" --data-dir"* && " $* " != *" --config"* &&
  " $* " != *storage.data_dir=* ]]; then
  arguments+=(--data-dir "$WEIR_ROOT/data")
fi
say "starting weir serve" "${arguments[@]}"
exec "$WEIR_ROOT/build/release/weir" serve "${arguments[@]}"
