"""Durable publish over 64 connections beside other systems, each in turn with weir, each alone on the machine."""

import json

from loads import NatsPublish, RedisBenchmark, Wrk, measure, system_calls
from peers import IN_MEMORY_ONLY, STREAM, SYNCED_BEFORE_THE_ANSWER, DurableStreams, Nats, Redis, Webdis
from scenarios_http import START_SECONDS, TRACE_SECONDS, check_page, checked, fill, post
from servers import BenchError, Nchan, Weir
from workload import CONFIGURATIONS, DEFAULT, PAGE_MESSAGES, SCHEMA, message

CONNECTIONS = 64
REDIS = "publish beside Redis, XADD"
REDIS_READ = f"read a page of {PAGE_MESSAGES} beside Redis, XREAD"
WEBDIS = "publish over HTTP beside webdis, XADD"
NATS = "publish beside NATS JetStream, one in flight a connection"
NATS_LIBRARY = "publish beside NATS JetStream, its own client library"
NCHAN = "publish over HTTP beside nchan"
DURABLE_STREAMS = "publish over HTTP beside Durable Streams, one stream"
_HTTP = {"Content-Type": "application/json"}


class Peer:
    """A peer and what it is asked. `start(folder, loops)` gives the server, `client(folder, server)` its load."""

    def __init__(self, scenario, kind, start, client, survives, notes, missing, reads=False):
        self.scenario = scenario
        self.kind = kind
        self.start = start
        self.client = client
        self.survives = survives
        self.notes = notes
        self.missing = missing
        self.reads = reads


def peers(binaries, durable_streams):
    """All of them; those that cannot be started here say why in `missing`. `binaries`: the folder of our own clients."""
    nats_client, nats_library_client = binaries / "weir_nats_publish", binaries / "weir_nats_library_publish"
    return [
        Peer(REDIS, Redis, lambda folder, loops: Redis(folder),
             lambda folder, server: RedisBenchmark(CONNECTIONS, "XADD", STREAM, "*", "data", message()),
             Redis.SURVIVES, "appendfsync always; redis-benchmark, its own protocol, no pipelining", Redis.missing()),
        Peer(REDIS_READ, Redis, lambda folder, loops: Redis(folder),
             lambda folder, server: RedisBenchmark(CONNECTIONS, "XREAD", "COUNT", str(PAGE_MESSAGES), "STREAMS", STREAM,
                                                   "0-0"),
             {}, "redis-benchmark, its own protocol, from memory", Redis.missing(), reads=True),
        Peer(WEBDIS, Webdis, Webdis,
             lambda folder, server: Wrk(folder, "webdis", CONNECTIONS, "PUT", f"/XADD/{STREAM}/*/data", message(), _HTTP),
             Webdis.SURVIVES, "appendfsync always; as many threads as weir has loops, and Redis", Webdis.missing()),
        Peer(NATS, Nats, lambda folder, loops: Nats(folder),
             lambda folder, server: NatsPublish(nats_client, CONNECTIONS, Nats.SUBJECT, message()),
             Nats.SURVIVES, "answers from the page cache, syncs every 2 minutes; own protocol", Nats.missing(nats_client)),
        Peer(NATS_LIBRARY, Nats, lambda folder, loops: Nats(folder),
             lambda folder, server: NatsPublish(nats_library_client, CONNECTIONS, Nats.SUBJECT, message()),
             Nats.SURVIVES, "as above, published by js_Publish of libnats, a thread for each connection",
             Nats.missing(nats_library_client)),
        Peer(NCHAN, Nchan, Nchan,
             lambda folder, server: Wrk(folder, "nchan", CONNECTIONS, "POST", "/pub/bench", message(), _HTTP),
             IN_MEMORY_ONLY, "in memory, the last 100 messages", Nchan.missing()),
        Peer(DURABLE_STREAMS, DurableStreams, lambda folder, loops: DurableStreams(durable_streams, folder),
             lambda folder, server: Wrk(folder, "streams", CONNECTIONS, "POST", f"/{STREAM}", message(), _HTTP),
             DurableStreams.SURVIVES, "--durability wal, content type application/json; checks no schema and no token",
             DurableStreams.missing(durable_streams)),
    ]


class Beside:
    """weir, then the peer, each fresh and alone."""

    def __init__(self, peer, configurations, seconds):
        self.peer = peer
        self.configurations = configurations
        self.name = peer.scenario
        self.seconds = (1 + len(configurations)) * (seconds + 0.5 + START_SECONDS)

    def run(self, suite, last):
        peer, loops = self.peer, 1
        ours = {}
        for configuration in self.configurations:
            with suite.folder() as folder, Weir(suite.weir, folder, CONFIGURATIONS[configuration]) as weir:
                ours[configuration] = self._weir(suite, folder, weir)
                if configuration == DEFAULT:
                    loops = weir.loops
        with suite.folder() as folder, peer.start(folder, loops) as server:
            client = peer.client(folder, server)
            if peer.reads:
                RedisBenchmark(CONNECTIONS, "XADD", STREAM, "*", "data", message()).start(server, 0.2)
            counts = hasattr(server, "stored") and not peer.reads
            before = server.stored() if counts else 0
            theirs = measure(client, server, suite.seconds, suite.disk)
            if counts and server.stored() - before < theirs["requests"]:
                raise BenchError(f"{peer.kind.name} answered {theirs['requests']} publishes and keeps "
                                 f"{server.stored() - before}")
            calls = system_calls(client, server, TRACE_SECONDS, folder) if last else None
        for configuration, figures in ours.items():
            same = {"scenario": peer.scenario, "variant": configuration}
            suite.rows.add(figures, **same, system="weir", role="weir", against=peer.kind.name,
                           survives={} if peer.reads else SYNCED_BEFORE_THE_ANSWER)
            row = suite.rows.add(theirs, **same, system=peer.kind.name, role="peer", survives=peer.survives,
                                 notes=peer.notes)
            if calls:
                row["syscalls"], row["syscalls_missing"] = calls

    def _weir(self, suite, folder, weir):
        topic = weir.create_topic("bench", SCHEMA)
        if not self.peer.reads:
            client = Wrk(folder, "publish", CONNECTIONS, "POST", f"/api/v1/topics/{topic}/publish", message(),
                         weir.bearer())
            return checked(client, weir, suite.seconds, suite.disk, [topic])
        fill(weir, topic, 1)
        path, body = f"/api/v1/topics/{topic}/consume", json.dumps({"batch_size": PAGE_MESSAGES})
        check_page(post(weir, path, body))
        return measure(Wrk(folder, "page", CONNECTIONS, "POST", path, body, weir.bearer()), weir, suite.seconds, suite.disk)
