#!/usr/bin/env python3
"""Long polls that wait for a message: how fast they are taken, what a waiting one costs, how long waking all takes.

weir and nginx with nchan in turn, with the same client (tests/bench/client), which checks every body. By itself:
polls.py --weir build/release/weir --client build/release/weir_bench_client --work FOLDER prints the rows as JSON.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from load_client import LoadClient, run_seconds
from peers import IN_MEMORY_ONLY, SYNCED_BEFORE_THE_ANSWER
from servers import ADMIN_TOKEN, BenchError, Nchan, Weir, raise_descriptor_limit
from workload import CONFIGURATIONS, SCHEMA, message

POLLS = 10_000
TOPICS = 1_000
WARM_UP_POLLS = 64
POLLS_MAX = 100_000  # memory of the kernel for both ends of so many connections: about 1 GiB
DESCRIPTORS_ASIDE = 400  # of the server: its files, its listeners, the client's other connections
SHARE_OF_CONNECTIONS = 15 / 16  # nginx closes idle connections to keep a sixteenth of its worker_connections free
PUBLISHERS = 100  # connections that publish when there are many topics
_WILDCARD = "\x01"  # see weir_bench_client --help


def measure(weir, client, folder, rounds, quick=False, note=lambda text: None):
    """Runs all in alternating rounds and returns the rows. `folder` is for temporary data, `note` is told the progress.

    Each round starts each server afresh, one at a time.
    """
    descriptors = int((raise_descriptor_limit() - DESCRIPTORS_ASIDE) * SHARE_OF_CONNECTIONS)
    most = min(POLLS_MAX, descriptors) // TOPICS * TOPICS
    waves = [(min(POLLS, most), 1), (min(POLLS, most), TOPICS)]
    if most > POLLS and not quick:
        waves.append((most, 1))
    configurations = list(CONFIGURATIONS)[: 1 if quick else None]
    servers = ["weir"] + ([] if Nchan.missing() else ["nginx + nchan"])
    rows = {}
    for number in range(rounds):
        note(f"long polls, round {number + 1} of {rounds}")
        for configuration in configurations:
            for polls, topics in waves:
                for name in servers:
                    _run(rows, name, configuration, polls, topics, weir, client, folder)
    return list(rows.values())


def _run(rows, name, configuration, polls, topics, weir, client, folder):
    run_folder = Path(tempfile.mkdtemp(dir=folder))
    try:
        if name == "weir":
            settings = CONFIGURATIONS[configuration] + ["rate_limit.management_per_minute=0"]
            side = _WeirSide(Weir(weir, run_folder, settings))
        else:
            side = _NchanSide(Nchan(run_folder, 1 if CONFIGURATIONS[configuration] else os.cpu_count()))
        with side.server:
            parked, woken = wave(side, client, run_folder, polls, topics)
    finally:
        shutil.rmtree(run_folder, ignore_errors=True)
    publishes = "one publish" if topics == 1 else f"{topics:,} publishes on as many topics"
    titles = {f"long poll: {polls:,} woken by {publishes}": woken}
    if topics == 1:
        titles = {f"long poll: {polls:,} parked": parked, **titles}
    for title, result in titles.items():
        row = rows.setdefault((title, name, configuration), {
            "scenario": title,
            "system": name,
            "variant": configuration,
            "role": "weir" if name == "weir" else "peer",
            "unit": "polls",
            "against": "nginx + nchan" if name == "weir" and not Nchan.missing() else None,
            "rounds": [],
            "survives": SYNCED_BEFORE_THE_ANSWER if name == "weir" else IN_MEMORY_ONLY,
            "notes": "",
        })
        row["rounds"].append(result)


def wave(side, client, folder, polls, topics):
    """Parks `polls` polls on `topics` new topics of a fresh server and wakes them by a publish on each."""
    server = side.server
    # What the first polls of a process allocate is not per poll.
    plan = side.plan(folder, "warm-up", 1, WARM_UP_POLLS)
    with LoadClient(client, folder, "polls", port=server.port, plan=plan, polls=WARM_UP_POLLS) as warm_up:
        warm_up.next("parked")
        warm_up.tell("go")
        warm_up.next("woken")
        warm_up.tell("end")
    plan = side.plan(folder, "wave", topics, polls)
    empty, kernel, used = server.memory(), kernel_bytes(), run_seconds(server.pids())
    with LoadClient(client, folder, "polls", port=server.port, plan=plan, polls=polls, publishers=PUBLISHERS) as session:
        parked = session.next("parked")
        used = run_seconds(server.pids()) - used
        full, kernel = server.memory(), kernel_bytes() - kernel
        before = run_seconds(server.pids())
        session.tell("go")
        woken = session.next("woken")
        waking = run_seconds(server.pids()) - before
        session.tell("end")
    memory = {"rss_mib": full["rss"] / 2**20, "pss_mib": full["pss"] / 2**20}
    return {
        "rate": polls / parked["seconds"],
        "p50_ms": None, "p99_ms": None, "p999_ms": None,
        "cpu_us": used / polls * 1e6,
        **memory,
        "empty_rss_mib": empty["rss"] / 2**20,
        "rss_kib_per_poll": (full["rss"] - empty["rss"]) / polls / 1024,
        "pss_kib_per_poll": (full["pss"] - empty["pss"]) / polls / 1024,
        "kernel_kib_per_poll": kernel / polls / 1024,  # of both ends: the client is on the same machine
        "client_cores": parked["client_cpu_seconds"] / parked["seconds"],
    }, {
        "rate": polls / woken["seconds"],
        "all_ms": woken["seconds"] * 1000,
        "p50_ms": woken["wake_p50_ms"], "p99_ms": woken["wake_p99_ms"], "p999_ms": woken["wake_p999_ms"],
        "cpu_us": waking / polls * 1e6,
        **memory,
        "last_publish_ms": woken["publish_last_ms"],
        "client_cores": woken["client_cpu_seconds"] / woken["seconds"],
    }


class _WeirSide:
    def __init__(self, server):
        self.server = server

    def plan(self, folder, name, topics, polls):
        head = f"Host: 127.0.0.1\r\nAuthorization: Bearer {self.server.token}\r\nContent-Type: application/json\r\n"
        path = folder / f"{name}.plan"
        with open(path, "wb") as plan:
            status = "GET /api/admin/status HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer "
            _record(plan, "status", f"{status}{ADMIN_TOKEN}\r\n\r\n")
            _record(plan, "parked", f'"polls_waiting":{polls}')
            for number in range(topics):
                topic = self.server.create_topic(f"bench {name} {number}", SCHEMA)
                text = message(order=f"{name} {number} ")
                consume = '{"timeout_secs":60}'
                _record(plan, "subscribe", f"POST /api/v1/topics/{topic}/consume HTTP/1.1\r\n{head}"
                                           f"Content-Length: {len(consume)}\r\n\r\n{consume}")
                _record(plan, "publish", f"POST /api/v1/topics/{topic}/publish HTTP/1.1\r\n{head}"
                                         f"Content-Length: {len(text)}\r\n\r\n{text}")
                _record(plan, "answer", f'{{"message_id":"{_WILDCARD}"}}')
                _record(plan, "body", f'{{"messages":[{{"message_id":"{_WILDCARD}","payload":{text},'
                                      f'"time":"{_WILDCARD}"}}]}}')
        return path


class _NchanSide:
    def __init__(self, server):
        self.server = server

    def plan(self, folder, name, topics, polls):
        # The same head fields as weir's requests have.
        head = f"Host: 127.0.0.1\r\nAuthorization: Bearer {'x' * 40}\r\nContent-Type: application/json\r\n"
        name = name.replace("-", "_")
        path = folder / f"{name}.plan"
        with open(path, "wb") as plan:
            _record(plan, "status", "GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            _record(plan, "parked", f"subscribers: {polls}")
            for number in range(topics):
                text = message(order=f"{name} {number} ")
                _record(plan, "subscribe", f"GET /sub/{name}{number} HTTP/1.1\r\n{head}\r\n")
                _record(plan, "publish", f"POST /pub/{name}{number} HTTP/1.1\r\n{head}"
                                         f"Content-Length: {len(text)}\r\n\r\n{text}")
                _record(plan, "answer", "")
                _record(plan, "body", text)
        return path


def _record(plan, key, text):
    data = text.encode()
    plan.write(f"{key} {len(data)}\n".encode() + data + b"\n")


def kernel_bytes():
    """What the kernel holds for its objects and for bytes in sockets, of the whole machine."""
    slab = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("Slab:"))
    tcp = next(line for line in Path("/proc/net/sockstat").read_text().splitlines() if line.startswith("TCP:"))
    return int(slab.split()[1]) * 1024 + int(tcp.split()[-1]) * os.sysconf("SC_PAGE_SIZE")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", required=True, type=Path, help="the binary")
    parser.add_argument("--client", required=True, type=Path, help="weir_bench_client")
    parser.add_argument("--work", required=True, type=Path, help="folder for temporary data, on the disk to measure")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="the default configuration and 10,000 polls only")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    rows = measure(options.weir, options.client, options.work, options.rounds, options.quick,
                   lambda text: print(text, file=sys.stderr))
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    try:
        main()
    except BenchError as error:
        sys.exit(f"bench: {error}")
