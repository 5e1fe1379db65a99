"""Scenarios 1 to 4: weir's requests beside nginx's, the store's and the disk's.

A unit has a `name`, `seconds` (about how long a round of it takes) and `run(suite, last)`, which does one round and adds
it to `suite.rows`. With `last` it also counts system calls, after everything that is timed.
"""

import http.client
import json
import os
import random
import subprocess
import time

from loads import Wrk, measure, system_calls
from machine import cpu_seconds, drop_caches
from peers import STORES_NOTHING, SYNCED_BEFORE_THE_ANSWER
from servers import BenchError, Nginx, Weir, die_with_parent
from workload import BATCH_MESSAGES, CONFIGURATIONS, DEFAULT, MESSAGE_BYTES, PAGE_MESSAGES, SCHEMA, batch, message

HEALTHZ = "GET /healthz, 64 connections"
TAIL = f"consume the tail page of {PAGE_MESSAGES}, 64 connections"
EMPTY = "consume, nothing new, 64 connections"
OLD_WARM = f"consume old pages of {PAGE_MESSAGES}, warm cache, 64 connections"
OLD_COLD = f"consume old pages of {PAGE_MESSAGES}, cold cache, 1 connection"
ONE_BY_ONE = f"durable publish of {MESSAGE_BYTES} bytes, one at a time"
START_SECONDS = 1.0  # about: a fresh weir and nginx, and their end
TRACE_SECONDS = 1.0
MANY_TOPICS = 1000
FREE_MANAGEMENT = "rate_limit.management_per_minute=0"  # to create that many topics


def publish_title(size, connections, topics=1):
    size = "1 KiB" if size == 1024 else f"{size} bytes"
    return f"durable publish of {size}, {counted(connections, 'connection')}, {counted(topics, 'topic')}"


def batch_title(connections):
    return f"batch publish of {BATCH_MESSAGES} × {MESSAGE_BYTES} bytes, {counted(connections, 'connection')}"


def counted(number, what):
    return f"{number:,} {what}{'s' if number != 1 else ''}"


class Pair:
    """What weir and nginx are asked in turn. `topics`: where each answered request must have stored a message."""

    def __init__(self, title, weir, nginx, topics=(), trace=False):
        self.title = title
        self.weir = weir
        self.nginx = nginx
        self.topics = topics
        self.trace = trace


def stored(server, topics):
    return sum(server.published_total(topic) for topic in topics)


def checked(client, server, seconds, disk, topics, each=1):
    """A round of publishes; every answered one must be there."""
    before = stored(server, topics)
    figures = measure(client, server, seconds, disk)
    found = stored(server, topics) - before
    if topics and found < figures["requests"] * each:
        raise BenchError(f"{figures['requests'] * each} messages were acknowledged, {found} stored")
    return figures


def fill(server, topic, batches):
    """Publishes batches of 100 to a topic; returns the ids of the last message of each."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    body, ids = batch(), []
    for _ in range(batches):
        connection.request("POST", f"/api/v1/batch/topics/{topic}/publish", body, server.bearer())
        answer = json.load(connection.getresponse())
        ids.append(answer["message_ids"][str(BATCH_MESSAGES - 1)]["message_id"])
    connection.close()
    return ids


class Http:
    """Weir and nginx on the same requests, in one configuration: `wanted` names the groups, `publishes` the loads."""

    def __init__(self, configuration, wanted, publishes, seconds):
        self.configuration = configuration
        self.wanted = wanted
        self.publishes = publishes  # (bytes, connections, topics), ...
        runs = 2 * (("healthz" in wanted) + len(publishes) + 2 * ("consume" in wanted))
        self.seconds = runs * (seconds + 0.5) + START_SECONDS + (5 if self._many_topics() else 0)
        self.name = f"{', '.join(wanted)} beside nginx ({configuration})"

    def _many_topics(self):
        return any(topics > 1 for _, _, topics in self.publishes)

    def run(self, suite, last):
        settings = CONFIGURATIONS[self.configuration] + ([FREE_MANAGEMENT] if self._many_topics() else [])
        with suite.folder() as folder, Weir(suite.weir, folder, settings) as weir:
            pairs, page_bytes = self._prepare(folder, weir)
            (folder / "nginx").mkdir()
            with Nginx(folder / "nginx", weir.loops, '{"message_id":"B00"}', page_bytes) as nginx:
                for pair in pairs:
                    with nginx.paused():
                        ours = checked(pair.weir, weir, suite.seconds, suite.disk, pair.topics)
                    with weir.paused():
                        theirs = measure(pair.nginx, nginx, suite.seconds, suite.disk)
                    rows = self._add(suite, pair, ours, theirs)
                    if last and pair.trace:
                        for row, client, server in zip(rows, (pair.weir, pair.nginx), (weir, nginx)):
                            row["syscalls"], row["syscalls_missing"] = system_calls(client, server, TRACE_SECONDS, folder)

    def _add(self, suite, pair, ours, theirs):
        survives = SYNCED_BEFORE_THE_ANSWER if pair.topics else {}
        same = {"scenario": pair.title, "variant": self.configuration}
        return (
            suite.rows.add(ours, **same, system="weir", role="weir", against="nginx", survives=survives),
            suite.rows.add(theirs, **same, system="nginx", role="yardstick",
                           survives=STORES_NOTHING if pair.topics else {}),
        )

    def _prepare(self, folder, weir):
        bearer = weir.bearer()
        pairs = []
        if "healthz" in self.wanted:
            pairs.append(Pair(HEALTHZ, Wrk(folder, "healthz", 64, "GET", "/healthz"),
                              Wrk(folder, "nginx-get", 64, "GET", "/ok"), trace=True))
        created = {}
        for size, connections, topics in self.publishes:
            if topics not in created:
                created[topics] = [weir.create_topic(f"bench {topics} {number}", SCHEMA) for number in range(topics)]
            text = message(size)
            paths = [f"/api/v1/topics/{topic}/publish" for topic in created[topics]]
            requests = [(path, text) for path in paths] if topics > 1 else None
            pairs.append(Pair(
                publish_title(size, connections, topics),
                Wrk(folder, f"publish-{size}-{topics}", connections, "POST", paths[0], text, bearer, requests),
                Wrk(folder, f"nginx-{size}", connections, "POST", "/ok", text, bearer),
                topics=created[topics], trace=size == MESSAGE_BYTES and topics == 1 and connections in (64, 256)))
        page_bytes = 0
        if "consume" in self.wanted:
            topic = weir.create_topic("bench consume", SCHEMA)
            ids = fill(weir, topic, 10)
            consume = f"/api/v1/topics/{topic}/consume"
            # Asked for by its cursor, as a reader does: the ids of a topic say which message is 50 before the end.
            before = weir.call("POST", consume, {"after_message_id": ids[-2], "batch_size": PAGE_MESSAGES}, weir.token)
            body = json.dumps({"after_message_id": before["messages"][-1]["message_id"], "batch_size": PAGE_MESSAGES})
            page_bytes = check_page(post(weir, consume, body))
            pairs.append(Pair(TAIL, Wrk(folder, "tail", 64, "POST", consume, body, bearer),
                              Wrk(folder, "nginx-page", 64, "GET", "/page"), trace=True))
            empty = json.dumps({"after_message_id": ids[-1]})
            pairs.append(Pair(EMPTY, Wrk(folder, "empty", 64, "POST", consume, empty, bearer),
                              Wrk(folder, "nginx-empty", 64, "POST", "/ok", empty, bearer), trace=True))
        return pairs, page_bytes


def post(server, path, body, connection=None):
    """The body of an answer."""
    own = connection or http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    own.request("POST", path, body, server.bearer())
    answer = own.getresponse()
    data = answer.read()
    if answer.status != 200:
        raise BenchError(f"POST {path} was answered {answer.status}: {data!r}")
    if connection is None:
        own.close()
    return data


def check_page(body):
    """The length of an answer, which must hold a whole page."""
    count = len(json.loads(body)["messages"])
    if count != PAGE_MESSAGES:
        raise BenchError(f"a page has {count} messages instead of {PAGE_MESSAGES}")
    return len(body)


class OneByOne:
    """One publish at a time against one append and fdatasync of the same bytes in a file beside weir's."""

    name = "one publish at a time beside fdatasync"

    def __init__(self, configurations, seconds):
        self.configurations = configurations
        self.seconds = len(configurations) * (2 * seconds + 0.5 + START_SECONDS)

    def run(self, suite, _):
        for configuration in self.configurations:
            with suite.folder() as folder, Weir(suite.weir, folder, CONFIGURATIONS[configuration]) as weir:
                topic = weir.create_topic("bench", SCHEMA)
                client = Wrk(folder, "one", 1, "POST", f"/api/v1/topics/{topic}/publish", message(), weir.bearer())
                ours = checked(client, weir, suite.seconds, suite.disk, [topic])
                with weir.paused():
                    theirs = appends(folder / "appended", message().encode(), suite.seconds)
            suite.rows.add(ours, scenario=ONE_BY_ONE, system="weir", variant=configuration, role="weir",
                           against="fdatasync", survives=SYNCED_BEFORE_THE_ANSWER)
            suite.rows.add(theirs, scenario=ONE_BY_ONE, system="fdatasync", variant=configuration, role="yardstick",
                           survives=SYNCED_BEFORE_THE_ANSWER, notes="append the message to a file and fdatasync it")


def appends(path, data, seconds):
    """Appends and syncs, one after the other."""
    microseconds = []
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        begin = time.monotonic()
        while time.monotonic() - begin < seconds:
            at = time.monotonic_ns()
            os.write(descriptor, data)
            os.fdatasync(descriptor)
            microseconds.append((time.monotonic_ns() - at) / 1000)
    finally:
        os.close(descriptor)
        path.unlink()
    return {"rate": len(microseconds) / seconds, **percentiles(microseconds)}


def percentiles(microseconds):
    ordered = sorted(microseconds)
    return {
        name: ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1000
        for name, share in (("p50_ms", 0.5), ("p99_ms", 0.99), ("p999_ms", 0.999))
    }


class Batches:
    """Batch publish over HTTP against the store alone with as many batches of the same size in flight."""

    name = "batch publish beside the store alone"

    def __init__(self, configurations, seconds, connections=64):
        self.configurations = configurations
        self.connections = connections
        self.seconds = len(configurations) * (seconds + 0.5 + START_SECONDS) + seconds + 1

    def run(self, suite, last):
        listed = subprocess.run([str(suite.store_bench), "--benchmark_list_tests"], capture_output=True, text=True,
                                check=True).stdout.split()
        in_flight, name = ceiling_name(listed, self.connections)
        if in_flight != self.connections:
            suite.note(f"the store's benchmark has no {self.connections} batches in flight: measured with {in_flight}")
        title = batch_title(in_flight)
        ceiling = store_ceiling(suite, name)
        for configuration in self.configurations:
            with suite.folder() as folder, Weir(suite.weir, folder, CONFIGURATIONS[configuration]) as weir:
                topic = weir.create_topic("bench", SCHEMA)
                client = Wrk(folder, "batch", in_flight, "POST", f"/api/v1/batch/topics/{topic}/publish", batch(),
                             weir.bearer())
                ours = checked(client, weir, suite.seconds, suite.disk, [topic], BATCH_MESSAGES)
                ours["rate"] *= BATCH_MESSAGES
                ours["cpu_us"] /= BATCH_MESSAGES
                row = suite.rows.add(ours, scenario=title, system="weir", variant=configuration, role="weir",
                                     against="the store alone", unit="messages", survives=SYNCED_BEFORE_THE_ANSWER,
                                     notes="latencies and system calls are of a batch")
                if last:
                    row["syscalls"], row["syscalls_missing"] = system_calls(client, weir, TRACE_SECONDS, folder)
            suite.rows.add({"rate": ceiling}, scenario=title, system="the store alone", variant=configuration,
                           role="yardstick", unit="messages", survives=SYNCED_BEFORE_THE_ANSWER,
                           notes="group commit with as many batches in flight (weir_store_bench)")


def ceiling_name(listed, wanted):
    """Of the store's benchmarks that with which `wanted` batches in flight can be compared: (in flight, name)."""
    known = {}
    for name in listed:
        words = dict(word.split(":") for word in name.split("/") if ":" in word)
        if (name.startswith("append_messages/fsync/") and words.get("payloads") == str(BATCH_MESSAGES)
                and words.get("bytes", str(MESSAGE_BYTES)) == str(MESSAGE_BYTES)):
            known[int(words["in_flight"])] = name
    if not known:
        raise BenchError(f"the store's benchmark appends no batches of {BATCH_MESSAGES}")
    in_flight = ceiling_choice(known, wanted)
    return in_flight, known[in_flight]


def ceiling_choice(known, wanted):
    """`wanted` if it is known, or the nearest below, or else the lowest."""
    return max([count for count in known if count <= wanted], default=min(known))


def store_ceiling(suite, name):
    """Messages per second that the store takes in that benchmark."""
    with suite.folder() as folder:
        out = folder / "ceiling.json"
        run_quietly([suite.store_bench, f"--benchmark_filter=^{name}$", f"--benchmark_out={out}",
                     f"--benchmark_min_time={suite.seconds / 2}", "--benchmark_out_format=json"], folder)
        return json.loads(out.read_text())["benchmarks"][0]["items_per_second"]


def run_quietly(command, folder):
    """A benchmark of the parts; its temporary files lie in `folder`."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env={**os.environ, "TMPDIR": str(folder)}, preexec_fn=die_with_parent, check=False)
    if done.returncode:
        raise BenchError(f"{command[0]} failed: {done.stderr.strip()[-500:]}")


class OldPages:
    """Pages that no tail in memory has: first each once with all caches cold, then the same ones by many readers."""

    name = "old pages"

    def __init__(self, batches, seconds):
        self.batches = batches
        self.seconds = 2 * (seconds + 0.5) + 2 * START_SECONDS + 1
        self._folder = None

    def run(self, suite, _):
        if self._folder is None:
            self._prepare(suite)
        dropped = drop_caches()
        with Weir(suite.weir, self._folder) as weir, suite.folder() as folder:
            bodies = [json.dumps({"after_message_id": cursor, "batch_size": PAGE_MESSAGES}) for cursor in self._cursors]
            cold = self._one_by_one(weir, random.Random(1).sample(bodies, min(300, len(bodies))))
            requests = [(self._path, body) for body in bodies[:500]]
            page = check_page(post(weir, self._path, bodies[0]))
            with Nginx(folder, weir.loops, "", page) as nginx:
                with nginx.paused():
                    warm = measure(Wrk(folder, "old", 64, "POST", self._path, bodies[0], weir.bearer(), requests), weir,
                                   suite.seconds, suite.disk)
                with weir.paused():
                    file = measure(Wrk(folder, "page", 64, "GET", "/page"), nginx, suite.seconds, suite.disk)
        suite.rows.add(cold, scenario=OLD_COLD, system="weir", variant=DEFAULT, role="weir", survives={},
                       notes="each page once, after a restart, the kernel's cache emptied" if dropped
                       else "each page once, after a restart; the kernel's cache was NOT emptied (needs root)")
        suite.rows.add(warm, scenario=OLD_WARM, system="weir", variant=DEFAULT, role="weir", against="nginx", survives={},
                       notes=f"{len(requests)} pages in turn, out of {self.batches * BATCH_MESSAGES:,} messages")
        suite.rows.add(file, scenario=OLD_WARM, system="nginx", variant=DEFAULT, role="yardstick", survives={},
                       notes="one file of a page's size")

    def _prepare(self, suite):
        self._folder = suite.keep_folder()
        with Weir(suite.weir, self._folder) as weir:
            topic = weir.create_topic("bench old", SCHEMA)
            self._path = f"/api/v1/topics/{topic}/consume"
            ids = fill(weir, topic, self.batches)
        self._cursors = ids[: len(ids) * 9 // 10]

    def _one_by_one(self, weir, bodies):
        connection = http.client.HTTPConnection("127.0.0.1", weir.port, timeout=30)
        microseconds, used = [], cpu_seconds(weir.pids())
        for body in bodies:
            at = time.monotonic_ns()
            data = post(weir, self._path, body, connection)
            microseconds.append((time.monotonic_ns() - at) / 1000)
            check_page(data)
        connection.close()
        memory = weir.memory()
        return {
            "rate": len(microseconds) / sum(microseconds) * 1e6,
            **percentiles(microseconds),
            "cpu_us": (cpu_seconds(weir.pids()) - used) / len(microseconds) * 1e6,
            "rss_mib": memory["rss"] / 2**20,
            "pss_mib": memory["pss"] / 2**20,
        }
