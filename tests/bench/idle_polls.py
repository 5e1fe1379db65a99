"""10,000 long polls that wait for one message: what a waiting one costs, and how long waking all takes."""

import json
import os
import re
import select
import socket
import time

from bench_processes import BenchError, cpu_seconds, memory_bytes

SOURCE_ADDRESSES = ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"]  # so that no port range is too small
PARK_SECONDS_MAX = 30
WAKE_SECONDS_MAX = 30
_IP_BIND_ADDRESS_NO_PORT = 24


def measure(server, polls, topic, message):
    """Parks `polls` polls on the empty `topic` of `server`, then publishes `message`.

    The time runs from before the publish is sent until every body has been received and looks whole; that the bodies
    are right is checked afterwards. The client is this process alone, on the same machine.
    """
    # What the first polls of a process allocate is not per poll.
    warm = _park(server, 16, topic)
    _wake(server, warm, topic, message)
    for client in warm:
        client.close()
    topic_end = _last_message_id(server, topic)
    empty = memory_bytes(server.pid)
    clients = _park(server, polls, topic, topic_end)
    try:
        full = memory_bytes(server.pid)
        seconds, publish_seconds, server_cpu = _wake(server, clients, topic, message)
    finally:
        for client in clients:
            client.close()
    return {
        "polls": polls,
        "rss_bytes": (full["rss"] - empty["rss"]) / polls,
        "pss_bytes": (full["pss"] - empty["pss"]) / polls,
        "empty_rss_bytes": empty["rss"],
        "wake_ms": seconds * 1000,
        "publish_ms": publish_seconds * 1000,
        "wake_cpu_us": server_cpu / polls * 1e6,
    }


def _last_message_id(server, topic):
    page = server.call("POST", f"/api/v1/topics/{topic}/consume", {"batch_size": 50}, server.token)
    return page["messages"][-1]["message_id"]


def _park(server, polls, topic, after=None):
    body = {"timeout_secs": 60}
    if after is not None:
        body["after_message_id"] = after
    body = json.dumps(body)
    request = (
        f"POST /api/v1/topics/{topic}/consume HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {server.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
    clients = []
    for number in range(polls):
        client = socket.socket()
        client.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        client.bind((SOURCE_ADDRESSES[number % len(SOURCE_ADDRESSES)], 0))
        client.connect(("127.0.0.1", server.port))
        client.sendall(request)
        client.setblocking(False)
        clients.append(client)
    deadline = time.monotonic() + PARK_SECONDS_MAX
    while (waiting := server.call("GET", "/api/admin/status")["data"]["polls_waiting"]) != polls:
        if time.monotonic() > deadline:
            raise BenchError(f"{waiting} of {polls} polls wait after {PARK_SECONDS_MAX} s")
        time.sleep(0.02)
    return clients


def _wake(server, clients, topic, message):
    epoll = select.epoll()
    by_descriptor = {client.fileno(): client for client in clients}
    received = dict.fromkeys(by_descriptor, b"")
    for descriptor in by_descriptor:
        epoll.register(descriptor, select.EPOLLIN)
    publish = (
        f"POST /api/v1/topics/{topic}/publish HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {server.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(message)}\r\n\r\n{message}"
    ).encode()
    with socket.create_connection(("127.0.0.1", server.port)) as publisher:
        publisher.settimeout(WAKE_SECONDS_MAX)
        epoll.register(publisher.fileno(), select.EPOLLIN)
        published = None
        left = len(clients)
        used = cpu_seconds(server.pids())
        begin = time.monotonic()
        publisher.sendall(publish)
        while left or published is None:
            events = epoll.poll(WAKE_SECONDS_MAX, 1024)
            if not events:
                raise BenchError(f"{left} of {len(clients)} polls were not woken within {WAKE_SECONDS_MAX} s")
            for descriptor, _ in events:
                if descriptor == publisher.fileno():
                    published = time.monotonic() - begin
                    epoll.unregister(descriptor)
                    answer = publisher.recv(4096)
                    continue
                data = os.read(descriptor, 65536)
                if not data:
                    raise BenchError("the server closed a waiting poll")
                received[descriptor] += data
                if data.endswith(b"}]}"):
                    left -= 1
        seconds = time.monotonic() - begin
        used = cpu_seconds(server.pids()) - used
    epoll.close()
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise BenchError(f"the publish was refused: {answer!r}")
    message_id = json.loads(answer.split(b"\r\n\r\n", 1)[1])["message_id"]
    for answer in received.values():
        _check(answer, message_id, message)
    return seconds, published, used


def _check(answer, message_id, message):
    head, _, body = answer.partition(b"\r\n\r\n")
    length = int(re.search(rb"\r\nContent-Length: (\d+)", head).group(1))
    messages = json.loads(body)["messages"]
    if not head.startswith(b"HTTP/1.1 200 ") or length != len(body) or len(messages) != 1:
        raise BenchError(f"a poll got a wrong answer: {answer!r}")
    if messages[0]["message_id"] != message_id or messages[0]["payload"] != json.loads(message):
        raise BenchError(f"a poll got a wrong message: {answer!r}")
