#!/usr/bin/env python3
"""weir under a mixed load: 50 publishers, 50 consumers that follow them and 5,000 idle polls at the same time.

Paced (each message has a time at which it is meant to be sent, and latencies count from there) and saturated (as fast as
answers come). tests/bench/client is the load; it checks that every consumer sees every message once and in order. By
itself: mixed.py --weir build/release/weir --client build/release/weir_bench_client --work FOLDER prints the rows as JSON.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

from load_client import LoadClient, run_seconds
from machine import machine_busy_seconds
from peers import SYNCED_BEFORE_THE_ANSWER
from servers import BenchError, Weir, raise_descriptor_limit
from workload import CONFIGURATIONS, DEFAULT, SCHEMA

PUBLISHERS = 50
CONSUMERS = 50
IDLE = 5_000
RATE = 10_000  # messages per second of the paced variant, well below what the server can do
SATURATED = 0
SAMPLE_SECONDS = 0.5
PARK_SECONDS_MAX = 30
LOAD = f"{PUBLISHERS} publishers, {CONSUMERS} consumers, {IDLE:,} idle polls"
NOTES = ("latencies are from publish to consumer; memory grows until storage.memtable_bytes and storage.tail_bytes_max "
         "are in use, its slope is of the second half")


def measure(weir, client, folder, rounds, seconds=60, saturated_seconds=20, configurations=(DEFAULT,),
            note=lambda text: None):
    """Runs both variants `rounds` times, each on a fresh server, and returns the rows. `folder` is for temporary data.

    On a machine that cannot do RATE with ease, the paced variant has half the rate of the first saturated run.
    """
    raise_descriptor_limit()
    rows = {}
    paces = {}

    def one(title, configuration, rate, length):
        row = rows.setdefault((title, configuration), {
            "scenario": title, "system": "weir", "variant": configuration, "role": "weir", "against": None,
            "unit": "messages", "rounds": [], "survives": SYNCED_BEFORE_THE_ANSWER, "notes": NOTES,
        })
        row["rounds"].append(run(weir, client, folder, rate, length, CONFIGURATIONS[configuration]))
        return row["rounds"][-1]

    for number in range(rounds):
        for configuration in configurations:
            note(f"mixed load, round {number + 1} of {rounds}: {saturated_seconds} s saturated, {seconds} s paced")
            reached = one(f"mixed, saturated: {LOAD}", configuration, SATURATED, saturated_seconds)["rate"]
            pace = paces.setdefault(configuration, RATE if reached >= 1.5 * RATE else max(PUBLISHERS, int(reached / 2)))
            one(f"mixed, {pace:,} messages/s: {LOAD}", configuration, pace, seconds)
    return list(rows.values())


def run(weir, client, folder, rate, seconds, settings):
    run_folder = Path(tempfile.mkdtemp(dir=folder))
    try:
        with Weir(weir, run_folder, [*settings, "rate_limit.management_per_minute=0"]) as server:
            return _run(server, client, run_folder, rate, seconds)
    finally:
        shutil.rmtree(run_folder, ignore_errors=True)


def _run(server, client, folder, rate, seconds):
    topics = [server.create_topic(f"bench mixed {number}", SCHEMA) for number in range(max(PUBLISHERS, CONSUMERS))]
    idle_topic = server.create_topic("bench idle", SCHEMA)
    with LoadClient(client, folder, "mixed", port=server.port, token=server.token, topics=",".join(map(str, topics)),
                    idle_topic=idle_topic, publishers=PUBLISHERS, consumers=CONSUMERS, idle=IDLE, rate=rate,
                    seconds=seconds) as session:
        session.next("connected")
        _wait_until_parked(server, CONSUMERS + IDLE)
        session.tell("go")
        session.next("measuring")
        busy, used, begin = machine_busy_seconds(), run_seconds(server.pids()), time.monotonic()
        with _MemorySamples(server) as samples:
            session.next("measured")
        elapsed = time.monotonic() - begin
        busy, used = machine_busy_seconds() - busy, run_seconds(server.pids()) - used
        done = session.next("done")
    foreign = busy - used - done["client_cpu_seconds"]
    figures = {
        "rate": done["published"] / seconds,
        "p50_ms": done["deliver_p50_ms"], "p99_ms": done["deliver_p99_ms"], "p999_ms": done["deliver_p999_ms"],
        "max_ms": done["deliver_max_ms"],
        "publish_p50_ms": done["publish_p50_ms"], "publish_p99_ms": done["publish_p99_ms"],
        "publish_p999_ms": done["publish_p999_ms"],
        "cpu_us": used / done["published"] * 1e6,
        "server_cores": used / elapsed,
        "client_cores": done["client_cpu_seconds"] / elapsed,
        "foreign_share": max(0.0, foreign) / (elapsed * os.cpu_count()),
    }
    return {**figures, **samples.figures()}


def _wait_until_parked(server, polls):
    deadline = time.monotonic() + PARK_SECONDS_MAX
    while (waiting := server.call("GET", "/api/admin/status")["data"]["polls_waiting"]) != polls:
        if time.monotonic() > deadline:
            raise BenchError(f"{waiting} of {polls} polls wait after {PARK_SECONDS_MAX} s")
        time.sleep(0.02)


class _MemorySamples:
    """The server's memory at even intervals, as long as the `with` lasts."""

    def __init__(self, server):
        self._server = server
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._take)
        self._samples = []  # (seconds, {"rss", "pss"} in bytes)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()
        self._samples.append((time.monotonic(), self._server.memory()))

    def _take(self):
        while True:
            self._samples.append((time.monotonic(), self._server.memory()))
            if self._end.wait(SAMPLE_SECONDS):
                return

    def figures(self):
        first, last = self._samples[0][1], self._samples[-1][1]
        return {
            "rss_begin_mib": first["rss"] / 2**20,
            "rss_mib": last["rss"] / 2**20,
            "pss_mib": last["pss"] / 2**20,
            "rss_mib_per_minute": self._slope() * 60 / 2**20,
        }

    def _slope(self):
        """Bytes per second, least squares, of the second half: in the first one the server fills its caches."""
        half = (self._samples[0][0] + self._samples[-1][0]) / 2
        points = [(seconds, memory["rss"]) for seconds, memory in self._samples if seconds >= half]
        middle_x = sum(x for x, _ in points) / len(points)
        middle_y = sum(y for _, y in points) / len(points)
        spread = sum((x - middle_x) ** 2 for x, _ in points)
        return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", required=True, type=Path, help="the binary")
    parser.add_argument("--client", required=True, type=Path, help="weir_bench_client")
    parser.add_argument("--work", required=True, type=Path, help="folder for temporary data, on the disk to measure")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=60, help="of the paced variant")
    parser.add_argument("--saturated-seconds", type=int, default=20)
    parser.add_argument("--inline", action="store_true", help="also with one thread and commits inline")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    configurations = list(CONFIGURATIONS) if options.inline else [DEFAULT]
    rows = measure(options.weir, options.client, options.work, options.rounds, options.seconds,
                   options.saturated_seconds, configurations, lambda text: print(text, file=sys.stderr))
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    try:
        main()
    except BenchError as error:
        sys.exit(f"bench: {error}")
