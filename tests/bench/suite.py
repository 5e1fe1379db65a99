#!/usr/bin/env python3
"""Measures weir beside other systems on this machine: alternating rounds, each server alone. See docs/performance.md.

Usually started by scripts/bench.sh. Prints Markdown (also report.md in --out); the raw numbers go to report.json there.
"""

import argparse
import datetime
import importlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import parts_table
import report
from machine import Disk, describe
from peers import SYNCED_BEFORE_THE_ANSWER, install_durable_streams
from rows import Rows
from scenarios_http import Batches, Http, OldPages, OneByOne, run_quietly
from scenarios_peers import Beside, peers
from servers import BenchError, raise_descriptor_limit
from workload import DEFAULT, INLINE

SCENARIOS = ("healthz", "publish", "batch", "consume", "polls", "mixed", "growth", "store", "peers")
_PARTS_QUICK = "fsync/in_flight:(1|64|1024)/payloads:1/(bytes:200/)?real_time|check"


class Mode:
    def __init__(self, name, rounds, seconds, publishes, inline, old_batches, part_seconds):
        self.name = name
        self.rounds = rounds
        self.seconds = seconds  # of each run of a client
        self.publishes = publishes  # (bytes, connections, topics), ...
        self.inline = inline  # whether the inline configuration is measured, too
        self.old_batches = old_batches  # stored for old pages; 0: not measured
        self.part_seconds = part_seconds


_QUICK = [(200, connections, 1) for connections in (64, 256)]
_USUAL = [(200, connections, 1) for connections in (1, 64, 256, 1024)] + [(1024, 64, 1), (200, 64, 1000)]
_FULL = [(size, connections, topics) for size, topics in ((200, 1), (1024, 1), (200, 1000))
         for connections in (1, 64, 256, 1024)]
MODES = {
    "quick": Mode("quick", 3, 1.0, _QUICK, False, 0, 0.05),
    "usual": Mode("usual", 5, 1.2, _USUAL, True, 1000, 0.3),
    "full": Mode("full", 5, 1.5, _FULL, True, 3000, 0.5),
}


class Suite:
    """What the scenarios share: binaries, temporary folders, the rows, and what is told to the person who waits."""

    def __init__(self, options, folder):
        self.mode = MODES[options.mode]
        self.rounds = options.rounds or self.mode.rounds
        self.seconds = options.seconds or self.mode.seconds
        self.only = options.only
        self.weir = options.weir
        self.bin = options.bin
        self.store_bench = options.bin / "weir_store_bench"
        self.disk = Disk(folder)
        self.rows = Rows()
        self.parts = []
        self.notes = []
        self._folder = folder

    @contextmanager
    def folder(self):
        path = self.keep_folder()
        yield path
        shutil.rmtree(path, ignore_errors=True)

    def keep_folder(self):
        """A folder that stays until the end of the run."""
        return Path(tempfile.mkdtemp(dir=self._folder))

    def note(self, text):
        """For the report; said once."""
        if text not in self.notes:
            self.notes.append(text)
            say(text)

    def wants(self, scenario):
        return scenario in self.only


def say(text):
    print(f"== {text}", file=sys.stderr, flush=True)


class Progress:
    """Says what is under way, and about how long the rest will take, from how long the past took against its estimate."""

    def __init__(self, estimate):
        self._left = estimate
        self._done = 0.0
        self._begin = time.monotonic()

    def step(self, text, estimate):
        elapsed = time.monotonic() - self._begin
        pace = elapsed / self._done if self._done else 1.0
        left = self._left * pace
        say(f"{text} (about {left:.0f} s left)" if left < 100 else f"{text} (about {left / 60:.0f} minutes left)")
        self._left -= estimate
        self._done += estimate


def units(suite, durable_streams):
    """What is done in each round, in this order."""
    mode, seconds = suite.mode, suite.seconds
    configurations = [DEFAULT] + ([INLINE] if mode.inline else [])
    wanted = [name for name in ("healthz", "publish", "consume") if suite.wants(name)]
    found = []
    if wanted:
        publishes = mode.publishes if suite.wants("publish") else []
        found.append(Http(DEFAULT, wanted, publishes, seconds))
        inline = [load for load in publishes if load in _QUICK]
        if mode.inline:
            found.append(Http(INLINE, wanted, inline, seconds))
    if suite.wants("publish"):
        found.append(OneByOne(configurations, seconds))
    if suite.wants("batch"):
        found.append(Batches(configurations, seconds))
    if suite.wants("consume") and mode.old_batches:
        found.append(OldPages(mode.old_batches, seconds))
    if suite.wants("peers"):
        for peer in peers(suite.bin, durable_streams):
            if peer.missing:
                suite.note(f"{peer.scenario}: left out, {peer.missing}")
            else:
                found.append(Beside(peer, [DEFAULT], seconds))
    return found


def longer_scenarios(suite):
    """(name, estimated seconds, function) of the scenarios that do their own rounds."""
    found = []
    for name in ("polls", "mixed", "growth"):
        if not suite.wants(name):
            continue
        if not (Path(__file__).parent / f"{name}.py").exists():
            suite.note(f"{name}: this version of the suite does not have it")
            continue
        module = importlib.import_module(name)
        estimate, run = LONGER[name](suite, module)
        found.append((name, estimate, run))
    if suite.wants("store"):
        estimate = 3 if suite.mode.name == "quick" else 20 + 45 * suite.mode.part_seconds
        found.append(("the parts alone", estimate, lambda: run_parts(suite)))
    return found


def _polls(suite, module):
    full = suite.mode.name == "full"
    rounds = {"quick": 1, "usual": 3, "full": 5}[suite.mode.name]
    rounds = min(rounds, suite.rounds)

    def run():
        with suite.folder() as folder:
            suite.rows.extend(module.measure(suite.weir, suite.bin / "weir_bench_client", folder, rounds, quick=not full,
                                             note=say))

    return rounds * (40 if full else 10), run


def _mixed(suite, module):
    seconds, saturated = {"quick": (8, 4), "usual": (20, 8), "full": (60, 20)}[suite.mode.name]

    def run():
        with suite.folder() as folder:
            suite.rows.extend(module.measure(suite.weir, suite.bin / "weir_bench_client", folder, 1, seconds, saturated,
                                             note=say))

    return seconds + saturated + 10, run


def _growth(suite, module):
    full = suite.mode.name == "full"
    sizes = module.FULL_SIZES if full else module.QUICK_SIZES
    rounds = min(3, suite.rounds)

    def run():
        with suite.folder() as folder:
            rows = module.measure(suite.weir, folder, sizes, module.TOPICS, suite.seconds, rounds=rounds, note=say,
                                  publishes_min=module.PUBLISHES_MIN if full else 0)
            rows += module.measure_unflushed(suite.weir, folder, rounds=rounds, note=say)
            suite.rows.extend(growth_rows(rows))

    return 480 if full else 90, run


def growth_rows(given):
    """The rows of growth.py: each size compared with the smallest one that was measured beside it."""
    smallest = min((row["stored"] for row in given), default=0)
    rows = []
    for row in given:
        if row["beside"] is None:
            rows.append({**row, "role": "weir", "unit": "messages", "survives": SYNCED_BEFORE_THE_ANSWER})
            continue
        what = row["scenario"].split(",")[0]
        beside = f"grown to {row['beside']:,}"
        rows.append({
            **row,
            "scenario": f"{what} in {row['topics']:,} topics, {beside}",
            "system": f"weir, {row['stored']:,} stored",
            "role": "weir",
            "against": f"weir, {smallest:,} stored" if row["stored"] != smallest else None,
            "unit": "messages",
            "survives": SYNCED_BEFORE_THE_ANSWER if "publish" in what else {},
        })
    return rows


LONGER = {"polls": _polls, "mixed": _mixed, "growth": _growth}


def run_parts(suite):
    """The store and the check of a message alone, by Google Benchmark."""
    per_nanosecond = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}
    for name in ("store", "payload"):
        binary = suite.bin / f"weir_{name}_bench"
        with suite.folder() as folder:
            out = folder / "parts.json"
            command = [binary, f"--benchmark_min_time={suite.mode.part_seconds}", f"--benchmark_out={out}",
                       "--benchmark_out_format=json"]
            if suite.mode.name == "quick":
                command.append(f"--benchmark_filter={_PARTS_QUICK}")
            run_quietly(command, folder)
            for row in json.loads(out.read_text())["benchmarks"]:
                rate = row.get("items_per_second") or 1e9 / (row["real_time"] * per_nanosecond[row["time_unit"]])
                suite.parts.append((_in_words(row["name"]), rate))


def _in_words(name):
    try:
        what, item = parts_table.describe(name)
    except KeyError:  # a new one
        return name.removesuffix("/real_time")
    return f"{what} (each {item})"


def run(suite, durable_streams):
    steps = units(suite, durable_streams)
    longer = longer_scenarios(suite)
    progress = Progress(suite.rounds * sum(step.seconds for step in steps) + sum(estimate for _, estimate, _ in longer))
    for number in range(suite.rounds):
        last = number == suite.rounds - 1
        for step in steps:
            progress.step(f"round {number + 1} of {suite.rounds}: {step.name}", step.seconds)
            step.run(suite, last)
    for name, estimate, scenario in longer:
        progress.step(name, estimate)
        scenario()


def _output(*command):
    """The first line that a program says of itself; empty if it is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return (done.stdout + done.stderr).strip().split("\n")[0]


def about(suite):
    versions = [_output("nginx", "-v").removeprefix("nginx version: "), " ".join(_output("wrk", "-v").split()[:2])]
    if suite.wants("peers"):
        versions += [" ".join(_output("redis-server", "--version").split()[:3]), _output("nats-server", "--version")]
        listed = suite.durable_streams_version
        versions += [listed] if listed else []
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": _output("git", "-C", str(Path(__file__).resolve().parent), "rev-parse", "--short", "HEAD") or "unknown",
        "machine": describe(),
        "mode": suite.mode.name,
        "rounds": suite.rounds,
        "seconds": suite.seconds,
        "versions": [version for version in versions if version],
    }


def parse_arguments(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, type=Path, help="folder of the release's binaries")
    parser.add_argument("--weir", type=Path, help="another weir than the one in --bin")
    parser.add_argument("--out", required=True, type=Path,
                        help="where reports go; temporary data, too, so it must be on the disk to measure")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--quick", dest="mode", action="store_const", const="quick", default="usual")
    group.add_argument("--full", dest="mode", action="store_const", const="full")
    parser.add_argument("--peers", action="store_true", help="beside Redis, webdis, NATS, nchan, Durable Streams, too")
    parser.add_argument("--only", metavar="NAME[,NAME]", help=f"of {', '.join(SCENARIOS)}")
    parser.add_argument("--rounds", type=int, help="instead of the mode's")
    parser.add_argument("--seconds", type=float, help="of each run of a client, instead of the mode's")
    parser.add_argument("--check", action="store_true", help="only look at the arguments")
    options = parser.parse_args(arguments)
    options.weir = options.weir or options.bin / "weir"
    if options.only is None:
        options.only = set(SCENARIOS) - {"peers"} - ({"growth"} if options.mode != "full" else set())
    else:
        options.only = set(options.only.split(","))
        if unknown := options.only - set(SCENARIOS):
            parser.error(f"--only: no scenario {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}")
    if options.peers:
        options.only.add("peers")
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds: at least 1")
    if options.seconds is not None and not 0.2 <= options.seconds <= 60:
        parser.error("--seconds: from 0.2 to 60")
    return options


def stop_on_signal(*_):
    for number in (signal.SIGINT, signal.SIGTERM):  # once: a second one must not disturb the tidying up
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main():
    options = parse_arguments()
    if options.check:
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop_on_signal)  # so that every `with` ends what it started
    raise_descriptor_limit()
    options.out.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="data-", dir=options.out))
    try:
        suite = Suite(options, folder)
        durable_streams = None
        suite.durable_streams_version = ""
        if suite.wants("peers"):
            say("the crate durable-streams (built once, if there is cargo)")
            durable_streams, reason = install_durable_streams(options.out / "peers")
            suite.durable_streams_version = reason if durable_streams else ""
            if not durable_streams:
                suite.note(reason)
        run(suite, durable_streams)
    finally:
        shutil.rmtree(folder, ignore_errors=True)

    facts = about(suite)
    rows = suite.rows.all()
    text = report.markdown(facts, rows, suite.parts, suite.notes)
    raw = {"about": facts, "rows": rows, "parts": dict(suite.parts), "goals": report.evaluate(rows), "notes": suite.notes}
    (options.out / "report.json").write_text(json.dumps(raw, indent=1, ensure_ascii=False) + "\n")
    (options.out / "report.md").write_text(text)
    print(text, end="")


if __name__ == "__main__":
    try:
        main()
    except BenchError as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")
