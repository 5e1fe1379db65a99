#!/usr/bin/env python3
"""What weir costs when much is stored: publish, batch publish and consume at growing sizes, memory, and the start after
kill -9. The smallest size is measured again beside each larger one, in turn, so that a ratio compares neighbours.

Run alone it prints the rows as JSON: python3 tests/bench/growth.py --weir build/release/weir --work build/bench
"""

import argparse
import http.client
import json
import random
import shutil
import signal
import statistics
import string
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from loads import Wrk, measure as run_load
from machine import cpu_seconds
from servers import ADMIN_TOKEN, BenchError, Weir, die_with_parent, raise_descriptor_limit

FULL_SIZES = (10_000, 1_000_000, 20_000_000)
QUICK_SIZES = (10_000, 200_000)
TOPICS = (10, 10_000)
MESSAGE_BYTES = 200
LOAD_BATCH = 100  # few enough that the topics of one table file are mixed
BATCH = 100
PAGE = 50
CONNECTIONS = 64
ANY_OBJECT = []
# What the benchmark needs beside the settings that are measured: topics are made faster than a person would.
SETTINGS = ("rate_limit.management_per_minute=0",)

_PRELOAD = """
wrk.method = "POST"
wrk.headers["Authorization"] = "Bearer {token}"
wrk.headers["Content-Type"] = "application/json"
local topics = {{ {topics} }}
local body = [==[{body}]==]
local at, answered = 0, 0
function request()
  at = (at + {step}) % #topics  -- not in the order of their ids: neighbours in time are no neighbours on the disk
  return wrk.format(nil, "/api/v1/batch/topics/" .. topics[at + 1] .. "/publish", nil, body)
end
function response(status)
  answered = answered + 1
  if status ~= 200 then os.exit(1) end
  if answered >= {requests} then os.exit(0) end  -- wrk knows a duration only
end
"""


def message(number=0):
    """All alike but for a text that does not compress: the size of the tables is what it would be."""
    start = '{"OrderId":"'
    letters = random.Random(number).choices(string.ascii_letters + string.digits, k=MESSAGE_BYTES - len(start) - 2)
    return start + "".join(letters) + '"}'


def batch(count):
    return '{"payloads":[' + ",".join(message(number) for number in range(count)) + "]}"


class Grown:
    """A weir with `topics` topics that grows to the sizes asked for."""

    def __init__(self, binary, folder, topics, settings):
        self._binary = binary
        self._settings = (*SETTINGS, *settings)
        self.folder = folder
        self.stored = 0
        folder.mkdir()
        self.server = Weir(binary, folder, self._settings)
        self.topics = self._make_topics(topics)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stop(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _make_topics(self, count):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/json"}
        ids = []
        for i in range(count):
            body = json.dumps({"name": f"growth {i}", "schema": ANY_OBJECT})
            connection.request("POST", "/api/event_streams/topics", body, headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status not in (200, 201):
                raise BenchError(f"no topic: {answer.status} {text[:200]}")
            ids.append(json.loads(text)["data"]["id"])
        connection.close()
        return ids

    def grow_to(self, size):
        """Fills all topics alike until `size` messages are stored; the seconds that it took, background work included."""
        begin = time.monotonic()
        requests = (size - self.stored) // LOAD_BATCH
        if requests <= 0:
            return 0.0
        script = self.folder / "preload.lua"
        step = 7919 if len(self.topics) % 7919 else 7907
        script.write_text(_PRELOAD.format(
            token=self.server.token, topics=",".join(f'"{topic}"' for topic in self.topics), body=batch(LOAD_BATCH),
            step=step, requests=requests))
        command = ["wrk", "-t1", "-c16", "-d3600s", "--timeout", "60s", "-s", script,
                   f"http://127.0.0.1:{self.server.port}/"]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True, preexec_fn=die_with_parent)
        self.stored += requests * LOAD_BATCH
        self.settle()
        return time.monotonic() - begin

    def settle(self):
        """Waits until the server has nothing to do in the background any more."""
        idle = 0
        while idle < 4:
            before = cpu_seconds(self.server.pids())
            time.sleep(0.25)
            idle = idle + 1 if cpu_seconds(self.server.pids()) - before < 0.02 else 0

    def kill_and_start(self):
        """Seconds from the start of the process that follows a kill -9 until it answers."""
        self.server.stop(signal.SIGKILL)
        begin = time.monotonic()
        self.server = Weir(self._binary, self.folder, self._settings, start_seconds_max=300)
        return time.monotonic() - begin

    def some_topics(self, count=1000):
        step = max(1, len(self.topics) // count)
        return self.topics[::step]

    def disk_bytes(self):
        return sum(file.stat().st_size for file in (self.folder / "data").rglob("*") if file.is_file())


def _loads(grown):
    """Name, messages a request, client: each with its requests spread over (at most 1,000 of) the topics."""
    bearer = grown.server.bearer()
    topics = grown.some_topics()

    def client(name, body, path):
        requests = [(path.format(topic), body(i)) for i, topic in enumerate(topics)]
        return Wrk(grown.folder, name, CONNECTIONS, "POST", requests[0][0], None, bearer, requests)

    oldest = json.dumps({"batch_size": PAGE})
    return [
        ("publish", 1, client("publish", message, "/api/v1/topics/{}/publish")),
        ("consume the oldest page of 50", PAGE, client("consume", lambda _: oldest, "/api/v1/topics/{}/consume")),
        ("batch publish of 100", BATCH, Wrk(
            grown.folder, "batch", 16, "POST", "/", None, bearer,
            [(f"/api/v1/batch/topics/{topic}/publish", batch(BATCH)) for topic in topics[:100]])),
    ]


def _round(grown, seconds):
    """{scenario: round} of one server: rates and CPU are per message, latencies per request."""
    result = {}
    for name, messages, client in _loads(grown):
        run_load(client, grown.server, 0.3)
        begin = cpu_seconds(grown.server.pids())
        row = run_load(client, grown.server, seconds)
        if name.startswith("batch"):
            # What was put off is paid later: tables that are written and merged after the run belong to it.
            grown.settle()
            warm = row["requests"] * 0.3 / seconds  # run_load's own warm-up, which is in the CPU time too
            row["cpu_us"] = (cpu_seconds(grown.server.pids()) - begin) / (row["requests"] + warm) * 1e6
        row["rate"] *= messages
        row["cpu_us"] /= messages
        row["messages_per_request"] = messages
        if "publish" in name:
            grown.stored += row["requests"] * messages
        result[name] = row
    return result


def measure(binary, folder, sizes, topics, seconds, settings=(), rounds=3, note=lambda text: None):
    """Rows of the report: for each number of topics, each size and each scenario its `rounds`. The first of `sizes` is
    measured anew beside each larger one ("beside": that size). Needs about 400 bytes of disk a message below `folder`.
    """
    rows = {}

    def add(scenario, count, size, beside, values, notes=""):
        key = (scenario, count, size, beside)
        row = rows.setdefault(key, {
            "scenario": f"{scenario}, {size:,} stored in {count:,} topics", "system": "weir",
            "variant": ", ".join(settings) or "default", "beside": beside, "stored": size, "topics": count,
            "rounds": [], "notes": notes})
        row["rounds"].append(values)

    work = Path(tempfile.mkdtemp(prefix="growth-", dir=folder))
    try:
        for count in topics:
            with Grown(binary, work / f"large-{count}", count, settings) as large:
                for size in sizes[1:]:
                    took = large.grow_to(size)
                    note(f"{size:,} messages in {count:,} topics: loaded in {took:.0f} s")
                    for _ in range(rounds):
                        with large.server.paused(), Grown(binary, work / "small", count, settings) as small:
                            small.grow_to(sizes[0])
                            for name, values in _round(small, seconds).items():
                                add(name, count, sizes[0], size, values)
                        for name, values in _round(large, seconds).items():
                            add(name, count, size, size, values)
                    for _ in range(rounds):
                        start = large.kill_and_start()
                        memory = large.server.memory()
                        add("start after kill -9", count, size, size, {
                            "rate": None, "p50_ms": None, "p99_ms": None, "p999_ms": None, "cpu_us": None,
                            "rss_mib": memory["rss"] / 2**20, "start_s": start,
                            "start_cpu_s": cpu_seconds(large.server.pids()), "disk_bytes": large.disk_bytes()},
                            "seconds until the first answer")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return list(rows.values())


def summary(rows):
    """One line a row, for a person."""
    for row in rows:
        def median(key):
            values = [one[key] for one in row["rounds"] if one.get(key) is not None]
            return statistics.median(values) if values else float("nan")
        yield (f"{row['scenario']} (beside {row['beside']:,}): {median('rate'):,.0f}/s, {median('cpu_us'):.2f} us CPU, "
               f"p50 {median('p50_ms'):.2f} p99 {median('p99_ms'):.2f} ms, {median('rss_mib'):.0f} MiB, "
               f"start {median('start_s'):.3f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", required=True, type=Path, help="the binary")
    parser.add_argument("--work", required=True, type=Path, help="folder for temporary data, on the disk to measure")
    parser.add_argument("--quick", action="store_true", help="10 thousand and 200 thousand messages")
    parser.add_argument("--sizes", type=int, nargs="+")
    parser.add_argument("--topics", type=int, nargs="+", default=TOPICS)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], metavar="SETTING", help="of the server, as weir takes it")
    options = parser.parse_args()
    raise_descriptor_limit()
    sizes = options.sizes or (QUICK_SIZES if options.quick else FULL_SIZES)
    rows = measure(options.weir, options.work, sizes, options.topics, options.seconds, tuple(options.set),
                   options.rounds, lambda text: print(text, file=sys.stderr, flush=True))
    print("\n".join(summary(rows)), file=sys.stderr)
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    try:
        main()
    except BenchError as error:
        sys.exit(f"growth: {error}")
