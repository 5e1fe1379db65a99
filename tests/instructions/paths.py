"""What is measured: requests with fixed bytes, from one client that sends the next one when the server has nothing to do."""

import json
import re
import socket
from dataclasses import dataclass
from typing import Callable

from callgrind_server import ADMIN_TOKEN, ANSWER_SECONDS_MAX, MeasureError

# Not taken from the benchmark: what that sends may change, but counts can be compared for the same bytes only.
MESSAGE_BYTES = 200
BATCH_MESSAGES = 100
PAGE_MESSAGES = 50
POLLS = 200
PUBLISHERS = 64
SCHEMA = [
    {"name": "OrderId", "type": "string", "optional": False},
    {"name": "Quantity", "type": "integer", "optional": False},
    {"name": "Price", "type": "number", "optional": False},
    {"name": "Express", "type": "boolean", "optional": True},
    {"name": "PlacedAt", "type": "date_time", "optional": True},
]


def message():
    fields = {"Quantity": 3, "Price": 129.5, "Express": True, "PlacedAt": "2026-03-02T08:15:30.042+00:00"}
    empty = json.dumps({"OrderId": "", **fields}, separators=(",", ":"))
    return json.dumps({"OrderId": "A" * (MESSAGE_BYTES - len(empty)), **fields}, separators=(",", ":"))


def request(method, target, body="", token=None):
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    content = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    # The host has no port in it: the port is another one each time, and so might be its length.
    return f"{method} {target} HTTP/1.1\r\nHost: weir.test\r\n{authorization}{content}\r\n{body}".encode()


class Connection:
    def __init__(self, port):
        self._socket = socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS_MAX)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self):
        self._socket.close()

    def send(self, data):
        self._socket.sendall(data)

    def answer(self):
        """The body of the next answer, which must be a 200."""
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._receive()
        head, body = received.split(b"\r\n\r\n", 1)
        length = int(re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE).group(1))
        while len(body) < length:
            body += self._receive()
        if not head.startswith(b"HTTP/1.1 200 ") or len(body) != length:
            raise MeasureError(f"weir answered\n{received.decode(errors='replace')}")
        return body

    def _receive(self):
        data = self._socket.recv(1 << 20)
        if not data:
            raise MeasureError("weir closed the connection")
        return data


def _nothing():
    pass


@dataclass
class Path:
    """One number of the baseline: the instructions of `run` divided by `count`. What `before` and `after` do is not
    counted."""

    name: str
    count: int
    run: Callable[[], None]
    before: Callable[[], None] = _nothing
    after: Callable[[], None] = _nothing


class Client:
    """One client of `server`, with a token and topics of its own."""

    def __init__(self, server):
        self._server = server
        self._connection = Connection(server.port)
        self._more = []
        self._topics = 0
        self._token = None
        token = {"name": "instructions", "privileges": ["publish", "consume"]}
        self._token = self._call("/api/admin/tokens", token, ADMIN_TOKEN)["data"]["token"]

    def close(self):
        for connection in [self._connection, *self._more]:
            connection.close()

    def healthz(self, name, count):
        return Path(name, count, lambda: self._repeat(count, request("GET", "/healthz"), b'"ok"'))

    def publish(self, name, count):
        data = request("POST", f"/api/v1/topics/{self._new_topic()}/publish", message(), self._token)
        return Path(name, count, lambda: self._repeat(count, data, b'"message_id"'))

    def publish_together(self, name, rounds):
        """One publish on each of PUBLISHERS connections, all there at once, so that they share a commit."""
        data = request("POST", f"/api/v1/topics/{self._new_topic()}/publish", message(), self._token)
        publishers = [Connection(self._server.port) for _ in range(PUBLISHERS)]
        self._more += publishers

        def run():
            for _ in range(rounds):
                with self._server.stopped():
                    for connection in publishers:
                        connection.send(data)
                for connection in publishers:
                    if b'"message_id"' not in connection.answer():
                        raise MeasureError("a publish was answered without an id")
                self._server.wait_until_idle()

        return Path(name, rounds * PUBLISHERS, run)

    def batch_publish(self, name, count):
        body = '{"payloads":[' + ",".join([message()] * BATCH_MESSAGES) + "]}"
        data = request("POST", f"/api/v1/batch/topics/{self._new_topic()}/publish", body, self._token)
        return Path(name, count, lambda: self._repeat(count, data, b'"success"', BATCH_MESSAGES))

    def consume_tail(self, name, count):
        """The last page of a topic that has four."""
        topic = self._new_topic()
        batch = {"payloads": [json.loads(message())] * BATCH_MESSAGES}
        for _ in range(2):
            answer = self._call(f"/api/v1/batch/topics/{topic}/publish", batch, self._token)
        after = answer["message_ids"][str(BATCH_MESSAGES - PAGE_MESSAGES - 1)]["message_id"]
        body = json.dumps({"after_message_id": after, "batch_size": PAGE_MESSAGES})
        data = request("POST", f"/api/v1/topics/{topic}/consume", body, self._token)
        return Path(name, count, lambda: self._repeat(count, data, b'"message_id"', PAGE_MESSAGES))

    def consume_nothing(self, name, count):
        topic = self._new_topic()
        last = self._call(f"/api/v1/topics/{topic}/publish", json.loads(message()), self._token)["message_id"]
        body = json.dumps({"after_message_id": last})
        data = request("POST", f"/api/v1/topics/{topic}/consume", body, self._token)
        return Path(name, count, lambda: self._repeat(count, data, b'{"messages":[]}'))

    def polls(self, park_name, wake_name):
        """Two paths: POLLS polls that begin to wait on as many connections, and one publish that wakes them all (its own
        cost is in it)."""
        topic = self._new_topic()
        publish = request("POST", f"/api/v1/topics/{topic}/publish", message(), self._token)
        consume = f"/api/v1/topics/{topic}/consume"
        last = [self._call(f"/api/v1/topics/{topic}/publish", json.loads(message()), self._token)["message_id"]]
        polls = [Connection(self._server.port) for _ in range(POLLS)]
        self._more += polls
        self._server.wait_until_idle()

        def park():
            data = request("POST", consume, json.dumps({"after_message_id": last[0], "timeout_secs": 3600}), self._token)
            for connection in polls:
                connection.send(data)
                # The bytes are in the server's socket when send returns, so it is not idle before it has read them.
                self._server.wait_until_idle()

        def all_wait():
            while self._get("/api/admin/status")["data"]["polls_waiting"] != POLLS:
                self._server.wait_until_idle()

        def park_all():
            park()
            all_wait()

        def wake_all():
            all_wait()
            wake()

        def wake():
            last[0] = json.loads(self._ask(publish))["message_id"]
            for connection in polls:
                body = connection.answer()
                if not body.startswith(f'{{"messages":[{{"message_id":"{last[0]}",'.encode()):
                    raise MeasureError(f"a poll that was to be woken by {last[0]} got {body!r}")
            self._server.wait_until_idle()

        return Path(park_name, POLLS, park, after=wake_all), Path(wake_name, POLLS, wake, before=park_all)

    def _ask(self, data):
        self._connection.send(data)
        return self._connection.answer()

    def _repeat(self, count, data, part, times=1):
        for _ in range(count):
            body = self._ask(data)
            if body.count(part) != times:
                raise MeasureError(f"expected {times} of {part!r} in the answer to {data[:60]!r}, which was {body!r}")
            self._server.wait_until_idle()

    def _call(self, target, body, token):
        return json.loads(self._ask(request("POST", target, json.dumps(body), token)))

    def _get(self, target):
        return json.loads(self._ask(request("GET", target, token=ADMIN_TOKEN)))

    def _new_topic(self):
        self._topics += 1
        topic = {"name": f"instructions {self._topics}", "schema": SCHEMA}
        return self._call("/api/event_streams/topics", topic, ADMIN_TOKEN)["data"]["id"]
