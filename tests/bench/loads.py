"""The clients that put a server under load, and what a run of one of them is worth.

A client is an object with `start(server, seconds) -> counted`, where counted has requests, microseconds (of load),
p50_us, p99_us, p999_us (None: the client does not say) and failed. `measure` runs one and adds what the server used.
"""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import time

from machine import cpu_seconds, machine_busy_seconds
from servers import BenchError, die_with_parent

WARM_SECONDS = 0.3


def _client(command, seconds, environment=None):
    """Runs a client for `seconds`, then ends it by the signal that makes it report; what it wrote."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True, env=environment, preexec_fn=die_with_parent)
    try:
        if seconds is not None:
            try:
                child.wait(seconds)
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGINT)
        return child.communicate(timeout=60)
    except BaseException:
        child.kill()
        child.wait()
        raise


_WRK_SCRIPT = """
wrk.method = "{method}"
{body}
{headers}
{paths}
function done(summary, latency, requests)
  local errors = summary.errors
  io.stderr:write(string.format(
    '{{"requests":%d,"microseconds":%d,"p50_us":%d,"p99_us":%d,"p999_us":%d,"failed":%d}}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""
# Requests are made once, so that many paths cost the client no more than one.
_WRK_MANY = """
local wanted = {{ {table} }}
local made, at = {{}}, 0
function init(args)
  for i, one in ipairs(wanted) do made[i] = wrk.format(nil, one.path, nil, one.body) end
end
function request()
  at = at % #made + 1
  return made[at]
end
"""


class Wrk:
    """One kind of HTTP request over `connections` connections, each with one request in flight.

    `requests`, a list of (path, body), are sent in turn instead of the one.
    """

    def __init__(self, folder, name, connections, method, path, body=None, headers=None, requests=None):
        self.path = path
        self.connections = connections
        self._script = folder / f"{name}-{connections}.lua"
        lines = [f'wrk.headers["{key}"] = "{value}"' for key, value in (headers or {}).items()]
        body_line = "" if body is None else f"wrk.body = [==[{body}]==]"
        many = ""
        if requests:
            table = ",\n".join(f'{{path="{one}",body=[==[{text}]==]}}' for one, text in requests)
            many = _WRK_MANY.format(table=table)
        self._script.write_text(
            _WRK_SCRIPT.format(method=method, body=body_line, headers="\n".join(lines), paths=many)
        )

    def start(self, server, seconds):
        # wrk counts in whole seconds; a shorter run is ended by the signal that makes it report.
        output, report = _client(
            ["wrk", "-t1", f"-c{self.connections}", "-d300s", "--timeout", "30s", "-s", str(self._script),
             f"http://127.0.0.1:{server.port}{self.path}"], seconds)
        try:
            return json.loads(report.strip().splitlines()[-1])
        except (IndexError, ValueError):
            raise BenchError(f"wrk gave no result:\n{output}{report}") from None


class RedisBenchmark:
    """redis-benchmark without pipelining: it counts requests, so their number comes from the run before."""

    def __init__(self, connections, *words):
        self.connections = connections
        self._words = words
        self._rate = 20_000

    def start(self, server, seconds):
        requests = max(1000, int(self._rate * seconds))
        output, report = _client(
            ["redis-benchmark", "-h", "127.0.0.1", "-p", str(server.port), "-c", str(self.connections), "-P", "1",
             "-n", str(requests), "--precision", "3", "--csv", *self._words], None)
        # The first field is the command, message included and not escaped; then rps, avg, min, p50, p95, p99, max.
        found = re.search(r'((?:,"[0-9.]+"){7})\s*$', output)
        if not found:
            raise BenchError(f"redis-benchmark gave no result:\n{output}{report}")
        row = [float(field) for field in re.findall("[0-9.]+", found.group(1))]
        self._rate = row[0]
        return {
            "requests": requests,
            "microseconds": requests / self._rate * 1e6,
            "p50_us": row[3] * 1000,
            "p99_us": row[5] * 1000,
            "p999_us": None,
            "failed": 0,
        }


class NatsPublish:
    """tests/bench/peers/nats_publish.cc: each connection waits for JetStream's answer before it publishes again."""

    def __init__(self, binary, connections, subject, message):
        self._command = [str(binary), str(connections), subject, message]

    def start(self, server, seconds):
        output, report = _client([self._command[0], str(server.port), *self._command[1:], f"{seconds:.3f}"], None)
        try:
            return json.loads(output)
        except ValueError:
            raise BenchError(f"nats_publish gave no result:\n{output}{report}") from None


def measure(client, server, seconds, disk=None):
    """A short run to warm connections and caches, then one that counts; a round of a row (see report.py)."""
    client.start(server, WARM_SECONDS)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    flushes = disk.flushes() if disk else None
    machine, used, begin = machine_busy_seconds(), cpu_seconds(server.pids()), time.monotonic()
    counted = client.start(server, seconds)
    elapsed = time.monotonic() - begin
    used = cpu_seconds(server.pids()) - used
    machine = machine_busy_seconds() - machine
    flushes = disk.flushes() - flushes if flushes is not None else None
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    client_seconds = after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime
    requests = counted["requests"]
    if counted["failed"] or not requests:
        raise BenchError(f"{counted['failed']} requests to {server.name} failed, {requests} did not; "
                         f"see {server.log_path}")
    memory = server.memory()
    p999 = counted["p999_us"]
    return {
        "requests": requests,
        "rate": requests / (counted["microseconds"] / 1e6),
        "p50_ms": counted["p50_us"] / 1000,
        "p99_ms": counted["p99_us"] / 1000,
        "p999_ms": None if p999 is None else p999 / 1000,
        "cpu_us": used / requests * 1e6,
        "rss_mib": memory["rss"] / 2**20,
        "pss_mib": memory["pss"] / 2**20,
        "syncs_per_s": None if flushes is None else flushes / elapsed,
        "client_cores": client_seconds / elapsed,
        "foreign_share": max(0.0, machine - used - client_seconds) / (elapsed * os.cpu_count()),
    }


def system_calls(client, server, seconds, folder):
    """System calls for each request, counted by strace in a run of its own: ({name: calls per request}, reason if none).

    The server runs several times slower meanwhile, so fewer requests share a sync and nothing else of the run counts.
    Opening the connections is counted with the rest.
    """
    if not shutil.which("strace"):
        return None, "strace is not installed"
    table = folder / "strace.txt"
    command = ["strace", "-f", "-c", "-U", "calls,name", "-o", str(table)]
    for pid in server.pids():
        command += ["-p", str(pid)]
    tracer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True, preexec_fn=die_with_parent)
    try:
        if " attached" not in tracer.stderr.readline():
            return None, "this user may not trace (ptrace)"
        for _ in server.pids()[1:]:
            tracer.stderr.readline()
        counted = client.start(server, seconds)
    finally:
        if tracer.poll() is None:
            tracer.send_signal(signal.SIGINT)
        tracer.communicate()
    if counted["failed"] or not counted["requests"]:
        return None, "requests failed while traced"
    calls = {}
    for line in table.read_text().splitlines():
        words = line.split()
        if len(words) == 2 and words[0].isdigit() and words[1] != "total":
            calls[words[1]] = int(words[0]) / counted["requests"]
    return calls, ""
