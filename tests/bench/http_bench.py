#!/usr/bin/env python3
"""Measures weir beside nginx on this machine: alternating rounds, each server alone. See docs/performance.md.

Usually started by scripts/bench.sh. Prints Markdown; the raw numbers go to --json.
"""

import argparse
import datetime
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bench_report
import idle_polls
from bench_processes import BenchError, Load, Nginx, Weir, raise_descriptor_limit

# The server as it comes, and as it is fastest for a single busy core; nginx gets as many workers.
CONFIGURATIONS = {
    "default": [],
    "1 thread, inline": ["server.threads=1", "storage.commit=inline"],
}
SCHEMA = [
    {"name": "OrderId", "type": "string", "optional": False},
    {"name": "Quantity", "type": "integer", "optional": False},
    {"name": "Price", "type": "number", "optional": False},
    {"name": "Express", "type": "boolean", "optional": True},
    {"name": "PlacedAt", "type": "date_time", "optional": True},
]
MESSAGE_BYTES = 200
PAGE_MESSAGES = 50


def message():
    fields = {"Quantity": 3, "Price": 129.5, "Express": True, "PlacedAt": "2026-03-02T08:15:30.042+00:00"}
    empty = json.dumps({"OrderId": "", **fields}, separators=(",", ":"))
    return json.dumps({"OrderId": "A" * (MESSAGE_BYTES - len(empty)), **fields}, separators=(",", ":"))


class Scenario:
    """One row of the table: who is asked what, over how many connections."""

    def __init__(self, title, connections, weir_load, nginx_load, stores=False):
        self.title = title
        self.connections = connections
        self.weir_load = weir_load
        self.nginx_load = nginx_load
        self.stores = stores


def prepare(folder, server):
    """Makes what the scenarios need on a fresh server; returns the topic to publish to and the scenarios."""
    bearer = {"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"}
    target = server.create_topic("bench publish", SCHEMA)
    source = server.create_topic("bench consume", SCHEMA)
    batch = {"payloads": [json.loads(message())] * 100}
    for _ in range(10):
        server.call("POST", f"/api/v1/batch/topics/{source}/publish", batch, server.token)
    consume = f"/api/v1/topics/{source}/consume"
    after = None  # page by page to the last but one: the tail page is asked for by its cursor, as a reader does
    for _ in range(1000 // PAGE_MESSAGES - 1):
        cursor = {} if after is None else {"after_message_id": after}
        after = server.call("POST", consume, cursor, server.token)["messages"][-1]["message_id"]
    page = json.dumps({"after_message_id": after, "batch_size": PAGE_MESSAGES})
    tail = server.call("POST", consume, json.loads(page), server.token)
    if len(tail["messages"]) != PAGE_MESSAGES:
        raise BenchError(f"the tail page has {len(tail['messages'])} messages")

    def load(name, *args):
        return Load(folder, name, *args)

    publish = load("publish", "POST", f"/api/v1/topics/{target}/publish", message(), bearer)
    nginx_post = load("nginx_post", "POST", "/ok", message(), bearer)
    scenarios = [
        Scenario("GET /healthz", 64, load("healthz", "GET", "/healthz"), load("nginx_get", "GET", "/ok")),
        Scenario("durable publish, 64 connections", 64, publish, nginx_post, stores=True),
        Scenario("durable publish, 256 connections", 256, publish, nginx_post, stores=True),
        Scenario(
            f"consume a tail page of {PAGE_MESSAGES}", 64, load("consume", "POST", consume, page, bearer),
            load("nginx_page", "GET", "/page"),
        ),
    ]
    return target, scenarios


def page_bytes():
    envelope = '{"message_id":"B00","payload":,"time":"2026-03-02T08:15:30.042+00:00"},'
    return len('{"messages":[]}') + PAGE_MESSAGES * (len(envelope) + MESSAGE_BYTES) - 1


def run_round(options, results, folder):
    """Every scenario once in every configuration: weir, then nginx at once after it."""
    for configuration, settings in CONFIGURATIONS.items():
        workers = 1 if settings else os.cpu_count()
        round_folder = Path(tempfile.mkdtemp(dir=folder))
        (round_folder / "nginx").mkdir()
        with Weir(options.weir, round_folder, settings) as weir, Nginx(
            round_folder / "nginx", workers, '{"message_id":"B00"}', page_bytes()
        ) as nginx:
            target, scenarios = prepare(round_folder, weir)
            for scenario in scenarios:
                before = weir.published_total(target)
                ours = scenario.weir_load.run(weir, scenario.connections, options.seconds, options.wrk_threads)
                stored = weir.published_total(target) - before
                if scenario.stores and stored < ours["requests"]:
                    raise BenchError(f"{ours['requests']} publishes were answered, {stored} stored")
                theirs = scenario.nginx_load.run(nginx, scenario.connections, options.seconds, options.wrk_threads)
                pair = results.setdefault(scenario.title, {}).setdefault(configuration, {"weir": [], "nginx": []})
                pair["weir"].append(ours)
                pair["nginx"].append(theirs)
        shutil.rmtree(round_folder)


def run_polls(options, results, folder):
    for configuration, settings in CONFIGURATIONS.items():
        round_folder = Path(tempfile.mkdtemp(dir=folder))
        with Weir(options.weir, round_folder, settings) as weir:
            topic = weir.create_topic("bench polls", SCHEMA)
            results.setdefault(configuration, []).append(idle_polls.measure(weir, options.polls, topic, message()))
        shutil.rmtree(round_folder)


def machine():
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    model = models[0] if models else platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, Linux {platform.release()}"


def describe(options):
    commit = subprocess.run(
        ["git", "-C", str(Path(__file__).resolve().parent), "rev-parse", "--short", "HEAD"],
        capture_output=True, text=True, check=False,
    ).stdout.strip()
    nginx = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr.strip()
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit or "unknown",
        "machine": machine(),
        "nginx": nginx.removeprefix("nginx version: "),
        "seconds_per_run": options.seconds,
        "wrk_threads": options.wrk_threads,
    }


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", required=True, type=Path, help="the binary")
    parser.add_argument("--work", required=True, type=Path, help="folder for temporary data, on the disk to measure")
    parser.add_argument("--json", required=True, type=Path, help="where the raw numbers go")
    parser.add_argument("--quick", action="store_true", help="3 short rounds instead of 5")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of each run of wrk")
    parser.add_argument("--limit", type=float, help="seconds; no round is started that would end later")
    parser.add_argument("--polls", type=int, default=10_000)
    parser.add_argument("--wrk-threads", type=int, default=1)
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 5)
    options.seconds = options.seconds or (1.2 if options.quick else 4)
    options.limit = options.limit or (90 if options.quick else 480)
    return options


def stop_on_signal(*_):
    raise KeyboardInterrupt


def main():
    options = parse_arguments()
    signal.signal(signal.SIGTERM, stop_on_signal)  # so that every `with` ends what it started
    descriptors = raise_descriptor_limit()
    if descriptors < options.polls + 200:
        options.polls = descriptors - 200
        print(f"note: the system allows {descriptors} descriptors, so only {options.polls} polls", file=sys.stderr)
    begin = time.monotonic()
    scenarios, polls = {}, {}
    folder = Path(tempfile.mkdtemp(prefix="data-", dir=options.work))
    rounds_done = 0
    try:
        while rounds_done < options.rounds:
            spent = time.monotonic() - begin
            if rounds_done and spent + spent / rounds_done > options.limit:
                break
            print(f"round {rounds_done + 1} of {options.rounds}", file=sys.stderr)
            run_round(options, scenarios, folder)
            if not options.quick or rounds_done == 0:
                run_polls(options, polls, folder)
            rounds_done += 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)

    about = describe(options)
    options.json.write_text(json.dumps({"about": about, "http": scenarios, "polls": polls}, indent=1) + "\n")
    print(f"{about['date']}, commit {about['commit']}, {about['machine']}, {about['nginx']}; {rounds_done} rounds of "
          f"{about['seconds_per_run']:g} s a run, wrk with {options.wrk_threads} thread(s) on the same cores; medians, "
          "ratios with (lowest–highest) of the rounds.\n")
    print("\n".join(bench_report.http_table(scenarios)), end="\n\n")
    print("\n".join(bench_report.polls_table(polls)), end="\n\n")
    notes = bench_report.warnings(scenarios)
    if rounds_done < options.rounds:
        notes.append(f"Only {rounds_done} of {options.rounds} rounds fitted into {options.limit:g} s.")
    print("\n".join(notes or ["No run was disturbed by others."]))


if __name__ == "__main__":
    try:
        main()
    except BenchError as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")
