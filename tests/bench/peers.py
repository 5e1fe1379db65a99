"""Other systems that keep messages: Redis, webdis in front of it, NATS JetStream, the Rust Durable Streams server.

Each is a class like those in servers.py, with `missing(...)` (why it cannot be started here, or an empty string),
`stored()` (how many messages it says that it keeps) and SURVIVES, what is left of the messages that it has answered.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import urllib.request
from pathlib import Path

from machine import free_port
from servers import BenchError, Process, accepts

STREAM = "bench"


def _survives(kill, crash, disk="nothing"):
    return {"kill -9": kill, "host crash": crash, "disk loss": disk}


# What is left of the answered messages. One server each, no replication: a lost disk is a lost store everywhere.
SYNCED_BEFORE_THE_ANSWER = _survives("all", "all")
STORES_NOTHING = _survives("stores nothing", "stores nothing", "stores nothing")
IN_MEMORY_ONLY = _survives("nothing", "nothing")


class Redis(Process):
    """Redis with an append-only file that is synced before every answer, and no snapshots."""

    name = "Redis"
    SURVIVES = SYNCED_BEFORE_THE_ANSWER

    @staticmethod
    def missing():
        absent = [tool for tool in ("redis-server", "redis-benchmark") if not shutil.which(tool)]
        return f"{' and '.join(absent)} not found (packages redis-server, redis-tools)" if absent else ""

    def __init__(self, folder):
        self.port = free_port()
        (folder / "redis").mkdir()
        super().__init__(
            ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(folder / "redis"),
             "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--tcp-backlog", "4096",
             "--daemonize", "no"],
            folder / "redis.log",
        )

    def is_ready(self):
        return accepts(self.port)

    def ask(self, *words):
        """One command; its answer as one line of text."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as client:
            client.sendall("".join([f"*{len(words)}\r\n", *(f"${len(word)}\r\n{word}\r\n" for word in words)]).encode())
            return client.makefile("rb").readline().decode().strip()

    def stored(self):
        return int(self.ask("XLEN", STREAM).removeprefix(":"))


class Webdis:
    """webdis, an HTTP server that passes commands on to Redis, and the Redis behind it (synced as above).

    PUT /XADD/STREAM/*/data with the message as body.
    """

    name = "webdis + Redis"
    SURVIVES = SYNCED_BEFORE_THE_ANSWER

    @staticmethod
    def missing():
        if not shutil.which("webdis"):
            return "webdis not found (package webdis)"
        return Redis.missing()

    class _Front(Process):
        name = "webdis"

        def __init__(self, folder, port, threads):
            self.port = free_port()
            config = folder / "webdis.json"
            config.write_text(json.dumps({
                "redis_host": "127.0.0.1", "redis_port": port, "http_host": "127.0.0.1", "http_port": self.port,
                "threads": threads, "daemonize": False, "database": 0, "acl": [{"enabled": ["*"]}], "verbosity": 1,
                "logfile": str(folder / "webdis.log.own"), "pidfile": str(folder / "webdis.pid"),
            }))
            super().__init__(["webdis", str(config)], folder / "webdis.log")

        def is_ready(self):
            return accepts(self.port)

    def __init__(self, folder, threads):
        self._redis = Redis(folder)
        try:
            self._front = self._Front(folder, self._redis.port, threads)
        except BaseException:
            self._redis.stop()
            raise
        self.port = self._front.port
        self.log_path = self._front.log_path
        self.stored = self._redis.stored

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def pids(self):
        return self._front.pids() + self._redis.pids()

    def memory(self):
        sizes = [server.memory() for server in (self._front, self._redis)]
        return {key: sum(size[key] for size in sizes) for key in ("rss", "pss")}

    def stop(self):
        try:
            self._front.stop()
        finally:
            self._redis.stop()


class Nats(Process):
    """NATS with JetStream on files as it comes: answers when the page cache has the message, syncs every two minutes."""

    name = "NATS JetStream"
    SURVIVES = _survives("all", "loses up to 2 minutes")
    SUBJECT = "bench.publish"

    @staticmethod
    def missing(client):
        if not shutil.which("nats-server"):
            return "nats-server not found (package nats-server)"
        return "" if Path(client).exists() else f"{Path(client).name} was not built (package libnats-dev)"

    def __init__(self, folder):
        self.port = free_port()
        super().__init__(
            ["nats-server", "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(folder / "nats"),
             "-P", str(folder / "nats.pid")],
            folder / "nats.log",
        )
        answer = self._ask(f"$JS.API.STREAM.CREATE.{STREAM}",
                           json.dumps({"name": STREAM, "subjects": [self.SUBJECT], "storage": "file"}))
        if "error" in answer:
            raise BenchError(f"NATS made no stream: {answer['error']}")

    def is_ready(self):
        return accepts(self.port)

    def stored(self):
        return self._ask(f"$JS.API.STREAM.INFO.{STREAM}", "")["state"]["messages"]

    def _ask(self, subject, body):
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as client:
            lines = client.makefile("rb")
            lines.readline()  # INFO
            client.sendall(f'CONNECT {{"verbose":false}}\r\nSUB _INBOX.ask 1\r\nPUB {subject} _INBOX.ask {len(body)}'
                           f"\r\n{body}\r\n".encode())
            while not (line := lines.readline()).startswith(b"MSG"):
                if not line or line.startswith(b"-ERR"):
                    raise BenchError(f"NATS refused {subject}: {line!r}")
                if line.startswith(b"PING"):
                    client.sendall(b"PONG\r\n")
            return json.loads(lines.read(int(line.split()[-1])))


class DurableStreams(Process):
    """The Durable Streams server written in Rust (crate durable-streams) in its durable mode: a log synced for groups.

    One stream of content type application/json; POST /STREAM appends one message and is answered 204 after the sync.
    """

    name = "Durable Streams (Rust)"
    SURVIVES = SYNCED_BEFORE_THE_ANSWER

    @staticmethod
    def missing(binary):
        return "" if binary and Path(binary).exists() else "the crate durable-streams is not installed (needs cargo)"

    def __init__(self, binary, folder):
        self.port = free_port()
        super().__init__(
            [str(binary), "--host", "127.0.0.1", "--port", str(self.port), "--data-dir", str(folder / "streams"),
             "--durability", "wal"],
            folder / "durable-streams.log",
        )
        self._open("PUT")

    def is_ready(self):
        return accepts(self.port)

    def stored(self):
        """Counts what a reader gets, page by page."""
        count, offset = 0, "-1"
        while True:
            with self._open("GET", f"?offset={offset}") as answer:
                body, offset = answer.read(), answer.headers["Stream-Next-Offset"]
                done = answer.headers["Stream-Up-To-Date"] == "true"
            count += len(json.loads(body or b"[]"))
            if done:
                return count

    def _open(self, method, query=""):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/{STREAM}{query}", method=method,
                                         headers={"Content-Type": "application/json"})
        return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60)


def install_durable_streams(folder):
    """Builds the crate once into `folder`. Returns the binary and its version, or None and the reason."""
    binary = folder / "bin" / "durable-streams-server"
    if binary.exists():
        return binary, _installed_version(folder)
    cargo = shutil.which("cargo") or str(Path.home() / ".cargo/bin/cargo")
    if not os.path.exists(cargo):
        return None, "cargo is not installed, so the crate durable-streams cannot be built"
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "install.log"
    with open(log, "wb") as output:
        done = subprocess.run([cargo, "install", "durable-streams", "--locked", "--root", str(folder)],
                              stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode or not binary.exists():
        return None, f"cargo install durable-streams failed: {log.read_text(errors='replace').strip()[-300:]}"
    return binary, _installed_version(folder)


def _installed_version(folder):
    """As cargo noted it: "durable-streams 0.1.5"."""
    found = re.search(r'"(durable-streams [0-9.]+)', (folder / ".crates.toml").read_text(encoding="utf-8"))
    return found.group(1) if found else "durable-streams"
