#!/usr/bin/env python3
"""Counts the instructions of weir's hot paths and compares them with tests/instructions/baseline.json.

The real binary runs under valgrind's callgrind and serves one client over a socket, one request at a time, so that the
counts hardly depend on the machine, on its load, or on chance. What is left of each path is a profile in BUILD/instructions.

  measure.py                    measure build/release/weir; exit status 1 if a path costs over 5 % more, 77 if the
                                baseline says nothing about this machine
  measure.py --update           make what is measured now the baseline
  measure.py --diff OLD NEW     two profiles of one path: the functions that changed most
"""

import argparse
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import profile_file
import verdict
from callgrind_server import CallgrindServer, MeasureError
from paths import Client

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BASELINE = HERE / "baseline.json"
EXIT_NOT_COMPARED = 77
WINDOWS = 5  # of each path; the middle one counts
# Nothing that happens after some time may happen meanwhile, however slow the machine is.
SETTINGS = [
    "server.threads=1", "log.access=off", "server.idle_timeout_seconds=3600", "limits.poll_timeout_secs_max=3600",
    "storage.reclaim_interval_seconds=86400", "rate_limit.management_per_minute=0",
]


def toolchain(build):
    """What the counts depend on besides our code. Security updates within a release hardly change them, so only the
    release of each library is compared."""
    described = json.loads((build / "tests" / "instructions" / "toolchain.json").read_text())
    described["glibc"] = os.confstr("CS_GNU_LIBC_VERSION")
    described["processor"] = processor()
    return described


def processor():
    """The instruction set that valgrind offers: it passes on AVX2 and nothing beyond, and libraries choose by that."""
    flags = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    flags = flags.group(1).split() if flags else []
    return " ".join([platform.machine()] + [flag for flag in ("avx2", "avx", "sse4_2") if flag in flags][:1])


def valgrind_version():
    try:
        done = subprocess.run(["valgrind", "--version"], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        raise MeasureError("valgrind is missing: apt-get install valgrind (scripts/test.sh does it)") from None
    return done.stdout.strip().removeprefix("valgrind-")


def measure(binary, out, wanted):
    """({path: [instructions of each window]}, simdjson's kernel). Leaves `out`/PATH.callgrind of each."""
    measured = {}
    kernel = "none"
    out.mkdir(parents=True, exist_ok=True)
    for commit, paths in (("inline", inline_paths), ("thread", thread_paths)):
        folder = Path(tempfile.mkdtemp(prefix="data-", dir=out))
        try:
            with CallgrindServer(binary, folder, SETTINGS + [f"storage.commit={commit}"]) as server:
                client = Client(server)
                try:
                    for path in paths(client):
                        if wanted is None or path.name in wanted:
                            measured[path.name], text = measure_path(server, path, out / f"{path.name}.callgrind")
                            if path.name == "publish":
                                kernel = profile_file.simdjson_kernel(text)
                finally:
                    client.close()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return measured, kernel


def inline_paths(client):
    """How many requests: enough that what happens once a second is nothing beside them, few enough for a minute."""
    yield client.healthz("healthz", 300)
    yield client.publish("publish", 200)
    yield client.publish_together("publish_64_at_once", 5)
    yield client.batch_publish("batch_publish_100", 10)
    yield client.consume_tail("consume_tail_50", 200)
    yield client.consume_nothing("consume_nothing", 300)
    yield from client.polls("poll_park", "poll_wake")


def thread_paths(client):
    yield client.publish("publish_commit_thread", 200)


def measure_path(server, path, profile):
    windows = []
    for number in range(WINDOWS + 1):
        path.before()
        server.start_window()
        path.run()
        dump = server.end_window()
        path.after()
        text = dump.read_text(errors="replace")
        if number > 0:  # the first one warms up
            windows.append((profile_file.total(text) / path.count, text))
        dump.unlink()
    counts = [count for count, _ in windows]
    text = next(text for count, text in windows if count == verdict.median(counts))
    profile.write_text(text)
    return counts, text


def how_to_look(build):
    def text(path):
        now, then = relative(build / "instructions" / f"{path}.callgrind"), f"{THEN}/instructions/{path}.callgrind"
        return (
            f"  where they go:  callgrind_annotate --inclusive=yes {now} | head -60\n"
            f"  what changed:   python3 tests/instructions/measure.py --build {THEN} --path {path}\n"
            f"                  python3 tests/instructions/measure.py --diff {then} {now}\n"
        )

    return text


THEN = "/tmp/weir-then/build/release"
HOW_TO_BUILD_THEN = f"""
The build of the baseline's commit, to see what changed:
  git worktree add /tmp/weir-then $(git log -1 --format=%h -- tests/instructions/baseline.json)
  (cd /tmp/weir-then && cmake --preset release && cmake --build build/release --target weir)
"""


def relative(path):
    path = Path(path).resolve()
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def diff(before, after, lines):
    old, new = Path(before).read_text(errors="replace"), Path(after).read_text(errors="replace")
    total = profile_file.total(new) - profile_file.total(old)
    print(f"{profile_file.total(old):,} -> {profile_file.total(new):,} instructions ({total:+,}), each function without "
          "what it calls:")
    for change, was, now, function in profile_file.differences(
        profile_file.by_function(old), profile_file.by_function(new), 1
    )[:lines]:
        if change:
            print(f"{change:+12,.0f}  {was:12,.0f} -> {now:12,.0f}  {function[:140]}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release", help="folder of the release build")
    parser.add_argument("--path", action="append", help="measure only this path, and compare nothing; repeatable")
    parser.add_argument("--update", action="store_true", help="write baseline.json")
    parser.add_argument("--diff", nargs=2, metavar=("OLD", "NEW"), help="compare two profiles")
    parser.add_argument("--lines", type=int, default=40, help="of --diff")
    options = parser.parse_args()
    if options.path and options.update:
        parser.error("a baseline has every path")
    return options


def main():
    options = parse_arguments()
    if options.diff:
        diff(*options.diff, options.lines)
        return 0
    build = options.build.resolve()
    binary = build / "weir"
    if not binary.exists():
        raise MeasureError(f"no {relative(binary)}: cmake --preset release && cmake --build build/release --target weir")
    baseline = json.loads(BASELINE.read_text()) if BASELINE.exists() else {"toolchain": {}, "instructions": {}}
    if options.path:
        measured, _ = measure(binary, build / "instructions", options.path)
        print(verdict.table(measured, baseline["instructions"]))
        return 0

    here = toolchain(build)
    if not options.update:
        known_before = {what: value for what, value in baseline["toolchain"].items() if what in here}
        if lines := verdict.other_toolchain(known_before, here):
            print(verdict.not_compared(lines).text)
            return EXIT_NOT_COMPARED
    here["valgrind"] = valgrind_version()
    measured, here["simdjson_kernel"] = measure(binary, build / "instructions", None)
    if options.update:
        print(verdict.table(measured, baseline["instructions"]))
        counts = {path: round(verdict.median(windows)) for path, windows in measured.items()}
        BASELINE.write_text(json.dumps({"toolchain": here, "instructions": counts}, indent=2) + "\n")
        print(f"written: {relative(BASELINE)}")
        return 0
    if lines := verdict.other_toolchain(baseline["toolchain"], here):
        print(verdict.not_compared(lines).text + verdict.table(measured, baseline["instructions"]))
        return EXIT_NOT_COMPARED
    outcome = verdict.judge(measured, baseline["instructions"], how_to_look(build))
    print(outcome.text + (HOW_TO_BUILD_THEN if outcome.failed else ""))
    return 1 if outcome.failed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("instructions: terminated"))  # so that every `with` ends its process
    try:
        sys.exit(main())
    except MeasureError as error:
        sys.exit(f"instructions: {error}")
    except KeyboardInterrupt:
        sys.exit("instructions: interrupted")
