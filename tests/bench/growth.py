#!/usr/bin/env python3
"""What weir costs when much is stored: publish, batch publish and consume at growing sizes, memory, and the start after
kill -9: at each size, and with a million messages that are in the log only. The smallest size is measured again beside
each larger one, in turn, so that a ratio compares neighbours.

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
import urllib.error
import urllib.request
from pathlib import Path

from loads import WARM_SECONDS, Wrk, measure as run_load
from machine import cpu_seconds
from servers import ADMIN_TOKEN, BenchError, Weir, die_with_parent, raise_descriptor_limit

FULL_SIZES = (10_000, 1_000_000, 20_000_000)
QUICK_SIZES = (10_000, 200_000)
TOPICS = (10, 10_000)
PUBLISHES_MIN = 300_000  # more than weir collects before it writes a table: a run that is shorter may write none
UNFLUSHED = 1_000_000
UNFLUSHED_TOPICS = 10
# Some of a million messages are in tables already as weir comes; with this setting all are in the log only.
ALL_UNFLUSHED = ("storage.memtable_bytes=1GiB",)
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


class Starting(Weir):
    """A weir whose start is timed: `start_seconds` from before its process is made until /readyz answers 200."""

    def __init__(self, *arguments, **named):
        self._begin = time.monotonic()
        self.start_seconds = 0.0
        super().__init__(*arguments, **named)

    def is_ready(self):
        if not super().is_ready():
            return False
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            opener.open(f"http://127.0.0.1:{self.port}/readyz", timeout=30).close()
        except urllib.error.URLError:  # 503, too: not yet
            return False
        self.start_seconds = time.monotonic() - self._begin
        return True


class Grown:
    """A weir with `topics` topics that grows to the sizes asked for."""

    def __init__(self, binary, folder, topics, settings):
        self._binary = binary
        self._settings = (*SETTINGS, *settings)
        self.folder = folder
        self.stored = 0
        folder.mkdir()
        self.topics = self._make_topics(topics)
        self.server = Weir(binary, folder, self._settings)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stop(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _make_topics(self, count):
        """By a server that does not sync, so that a slow disk does not make minutes of 10,000 topics."""
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/json"}
        ids = []
        with Weir(self._binary, self.folder, (*self._settings, "storage.durability=os")) as server:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
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

    def grow_to(self, size, settled=True):
        """Fills all topics alike until `size` messages are stored, and waits for the background work if `settled`; the
        seconds that it took. A few messages more may be stored: of requests under way when the last one is answered.
        """
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
        if settled:
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
        self.server = Starting(self._binary, self.folder, self._settings, start_seconds_max=300)
        return self.server.start_seconds

    def published(self):
        """What the server says of all topics together."""
        return sum(self.server.published_total(topic) for topic in self.topics)

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


def _round(grown, seconds, messages_min):
    """{scenario: round} of one server: rates and CPU are per message, latencies per request. A publish goes on for at
    least `messages_min` messages, and what it put off (tables that are written and merged afterwards) is paid by it.
    """
    result = {}
    for name, messages, client in _loads(grown):
        publishes = "publish" in name
        warm = client.start(grown.server, 1 if publishes and messages_min else WARM_SECONDS)
        # Batches are cheap, so that they can have several tables written and merged.
        wanted = messages_min * (1 if messages == 1 else 4) if publishes else 0
        long_enough = wanted * warm["microseconds"] / 1e6 / max(1, warm["requests"] * messages)
        row = run_load(client, grown.server, max(seconds, long_enough))
        if publishes:
            end = cpu_seconds(grown.server.pids())
            grown.settle()
            debtors = row["requests"] * (1 + WARM_SECONDS / max(seconds, long_enough))  # run_load warms up, too
            row["cpu_us"] += (cpu_seconds(grown.server.pids()) - end) / debtors * 1e6
            grown.stored += row["requests"] * messages
        row["rate"] *= messages
        row["cpu_us"] /= messages
        row["messages_per_request"] = messages
        result[name] = row
    return result


def _start_figures(server, seconds, **more):
    return {"rate": None, "p50_ms": None, "p99_ms": None, "p999_ms": None, "cpu_us": None,
            "rss_mib": server.memory()["rss"] / 2**20, "start_s": seconds,
            "start_cpu_s": cpu_seconds(server.pids()), **more}


def _file_bytes(folder, suffix):
    return sum(file.stat().st_size for file in folder.rglob("*" + suffix))


def measure_unflushed(binary, folder, settings=(), rounds=3, messages=UNFLUSHED, note=lambda text: None):
    """Rows: start after kill -9 right after `messages` were published by batches; each start gets the same files, and
    each is asked afterwards whether it has all messages. The kernel still holds the files: weir was killed, not it.
    """
    rows = []
    for memtable in ((), ALL_UNFLUSHED):
        work = Path(tempfile.mkdtemp(prefix="unflushed-", dir=folder))
        try:
            with Grown(binary, work / "weir", UNFLUSHED_TOPICS, (*settings, *memtable)) as grown:
                grown.grow_to(messages, settled=False)
                published = grown.published()
                grown.server.stop(signal.SIGKILL)
                data, killed = grown.server.data_dir, work / "killed"
                data.rename(killed)
                log_bytes, table_bytes = _file_bytes(killed, ".log"), _file_bytes(killed, ".sst")
                if memtable and (log_bytes < messages * MESSAGE_BYTES or table_bytes > 2**20):
                    raise BenchError(f"not all is unflushed: {log_bytes} bytes in the log, {table_bytes} in tables")
                row = {
                    "scenario": f"start after kill -9 right after {messages:,} messages, "
                                + (f"all unflushed ({memtable[0]})" if memtable else "default settings"),
                    "system": "weir", "variant": ", ".join(settings) or "default", "beside": None, "stored": messages,
                    "unflushed": messages if memtable else None, "topics": UNFLUSHED_TOPICS, "rounds": [],
                    "notes": "seconds until /readyz answers 200",
                }
                for _ in range(rounds):
                    shutil.copytree(killed, data)
                    seconds = grown.kill_and_start()
                    figures = _start_figures(grown.server, seconds, log_mib=log_bytes / 2**20,
                                             tables_mib=table_bytes / 2**20)
                    if (found := grown.published()) < messages or found < published:
                        raise BenchError(f"{found} of {published} messages are there after kill -9 and start")
                    row["rounds"].append(figures)
                    grown.server.stop(signal.SIGKILL)
                    shutil.rmtree(data)
                note(f"{row['scenario']}: {statistics.median(one['start_s'] for one in row['rounds']):.2f} s")
                rows.append(row)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return rows


def measure(binary, folder, sizes, topics, seconds, settings=(), rounds=3, note=lambda text: None,
            publishes_min=0):
    """Rows of the report: for each number of topics, each size and each scenario its `rounds`. The first of `sizes` is
    measured anew beside each larger one ("beside": that size). At the largest size a publish goes on for at least
    `publishes_min` messages, so that its cost has its share of the background work. Needs about 400 bytes of disk a
    message below `folder`.
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
                    messages_min = publishes_min if size == sizes[-1] else 0
                    for number in range(rounds):
                        note(f"{size:,} messages in {count:,} topics: round {number + 1} of {rounds}")
                        with large.server.paused(), Grown(binary, work / "small", count, settings) as small:
                            small.grow_to(sizes[0])
                            few = sizes[0] < count * PAGE
                            for name, values in _round(small, seconds, messages_min).items():
                                add(name, count, sizes[0], size, values,
                                    "pages hold fewer: no comparison" if few and name.startswith("consume") else "")
                        for name, values in _round(large, seconds, messages_min).items():
                            add(name, count, size, size, values)
                    for _ in range(rounds):
                        start = large.kill_and_start()
                        add("start after kill -9", count, size, size,
                            _start_figures(large.server, start, disk_mib=large.disk_bytes() / 2**20),
                            "seconds until /readyz answers 200")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return list(rows.values())


def summary(rows):
    """One line a row, for a person."""
    for row in rows:
        def median(key):
            values = [one[key] for one in row["rounds"] if one.get(key) is not None]
            return statistics.median(values) if values else float("nan")
        beside = f" (beside {row['beside']:,})" if row["beside"] else ""
        yield (f"{row['scenario']}{beside}: {median('rate'):,.0f}/s, {median('cpu_us'):.2f} us CPU, "
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

    def note(text):
        print(text, file=sys.stderr, flush=True)

    rows = measure(options.weir, options.work, sizes, options.topics, options.seconds, tuple(options.set),
                   options.rounds, note, 0 if options.quick else PUBLISHES_MIN)
    rows += measure_unflushed(options.weir, options.work, tuple(options.set), options.rounds, note=note)
    print("\n".join(summary(rows)), file=sys.stderr)
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    try:
        main()
    except BenchError as error:
        sys.exit(f"growth: {error}")
