"""What the benchmark starts: weir, nginx and wrk; and what the kernel says that they cost.

Every process is ended by its own pid, and dies with this one should it be killed. All speak over loopback only.
"""

import ctypes
import json
import os
import resource
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

ADMIN_TOKEN = "bench-admin-token-0123456789"
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
START_SECONDS_MAX = 20
STOP_SECONDS_MAX = 15
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class BenchError(Exception):
    """The benchmark cannot go on; the text is for the person who started it."""


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def raise_descriptor_limit():
    """Gives this process and those that it starts all the descriptors that the system allows; returns how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu_seconds(pids):
    """User and system time of all threads of `pids` so far."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS_PER_SECOND


def machine_busy_seconds():
    """Time that all cores together spent on anything but idling, the hypervisor's share (steal) included."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle, iowait = fields[3], fields[4]
    return (sum(fields) - idle - iowait) / TICKS_PER_SECOND


def memory_bytes(pid):
    """Resident and proportional memory of a process."""
    sizes = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        words = line.split()
        if words[0] in ("Rss:", "Pss:"):
            sizes[words[0][:-1].lower()] = int(words[1]) * 1024
    return sizes


class Process:
    """A child with its output in a file; subclasses say when it is ready."""

    name = ""

    def __init__(self, command, log_path, env=None):
        self.log_path = log_path
        with open(log_path, "wb") as log:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=env,
                preexec_fn=_die_with_parent,
            )
        self.pid = self._child.pid
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def is_ready(self):
        raise NotImplementedError

    def pids(self):
        """All processes that do the work of this server."""
        return [self.pid]

    def stop(self):
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
                raise BenchError(f"{self.name} did not stop within {STOP_SECONDS_MAX} s") from None

    def _wait_until_ready(self):
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self.is_ready():
            if self._child.poll() is not None:
                raise BenchError(f"{self.name} did not start:\n{self.log_path.read_text(errors='replace')}")
            if time.monotonic() > deadline:
                raise BenchError(f"{self.name} was not ready within {START_SECONDS_MAX} s, see {self.log_path}")
            time.sleep(0.01)


class Weir(Process):
    """A weir of its own: free port, fresh data folder under `folder`, nothing from the caller's environment."""

    name = "weir"

    def __init__(self, binary, folder, settings):
        self.folder = folder
        self.data_dir = folder / "data"
        self.port = 0
        env = {key: value for key, value in os.environ.items() if not key.startswith("WEIR_")}
        env["WEIR_ADMIN_TOKEN"] = ADMIN_TOKEN
        command = [str(binary), "serve", "--data-dir", str(self.data_dir), "--listen", "127.0.0.1:0"]
        for setting in settings:
            command += ["--set", setting]
        super().__init__(command, folder / "weir.log", env)
        self.token = self.call(
            "POST", "/api/admin/tokens", {"name": "bench", "privileges": ["publish", "consume"]}
        )["data"]["token"]

    def is_ready(self):
        try:
            address = (self.data_dir / "weir.address").read_text().strip()
        except OSError:
            return False
        self.port = int(address.rsplit(":", 1)[1])
        return True

    def call(self, method, path, body=None, token=ADMIN_TOKEN):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as answer:
            return json.load(answer)

    def create_topic(self, name, schema):
        return self.call("POST", "/api/event_streams/topics", {"name": name, "schema": schema})["data"]["id"]

    def published_total(self, topic):
        return self.call("GET", f"/api/admin/topics/{topic}/stats")["data"]["published_total"]


class Nginx(Process):
    """nginx from the distribution with a configuration of its own: `workers` workers, a port each core listens on by
    itself (as weir does), connections that are never closed for their number of requests, no access log.

    GET and POST /ok answer 200 with `body`; GET /page is a file of `page_bytes` bytes.
    """

    name = "nginx"

    def __init__(self, folder, workers, body, page_bytes):
        self.port = free_port()
        (folder / "page").write_bytes(b"x" * page_bytes)
        user = "user root;" if os.geteuid() == 0 else ""  # the folder is nobody else's
        config = folder / "nginx.conf"
        config.write_text(f"""
daemon off; worker_processes {workers}; {user}
pid {folder}/nginx.pid; error_log {folder}/error.log warn;
events {{ worker_connections 16384; }}
http {{
  access_log off; server_tokens off; default_type application/json;
  sendfile on; tcp_nodelay on; open_file_cache max=16; open_file_cache_valid 600s;
  keepalive_requests 2000000000; keepalive_timeout 75s;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{self.port} reuseport backlog=4096;
    location = /ok {{ return 200 '{body}'; }}
    location = /page {{ root {folder}; }}
  }}
}}
""")
        command = ["nginx", "-p", str(folder), "-c", str(config), "-e", f"{folder}/error.log"]
        super().__init__(command, folder / "nginx.log")

    def is_ready(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return len(self.pids()) > 1

    def pids(self):
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid] + [int(pid) for pid in children]


_WRK_SCRIPT = """
wrk.method = "{method}"
{body}
{headers}
function done(summary, latency, requests)
  local errors = summary.errors
  io.stderr:write(string.format(
    '{{"requests":%d,"microseconds":%d,"p50_us":%d,"p99_us":%d,"failed":%d}}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


class Load:
    """One kind of request, as wrk sends it."""

    def __init__(self, folder, name, method, path, body=None, headers=None):
        self.path = path
        self._script = folder / f"{name}.lua"
        lines = [f'wrk.headers["{key}"] = "{value}"' for key, value in (headers or {}).items()]
        body_line = "" if body is None else f"wrk.body = [==[{body}]==]"
        self._script.write_text(_WRK_SCRIPT.format(method=method, body=body_line, headers="\n".join(lines)))

    def run(self, server, connections, seconds, threads=1):
        """Loads `server` and returns what wrk counted, the server's CPU time and that of everything else."""
        _wrk(self, server.port, connections, 0.3, threads)  # connections, caches, the CPU's clock
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        machine, used, begin = machine_busy_seconds(), cpu_seconds(server.pids()), time.monotonic()
        counted = _wrk(self, server.port, connections, seconds, threads)
        elapsed = time.monotonic() - begin
        used = cpu_seconds(server.pids()) - used
        machine = machine_busy_seconds() - machine
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        client = after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime
        if counted["failed"]:
            raise BenchError(f"{counted['failed']} requests to {server.name} {self.path} failed, see {server.log_path}")
        return {
            "requests": counted["requests"],
            "rate": counted["requests"] / (counted["microseconds"] / 1e6),
            "p50_ms": counted["p50_us"] / 1000,
            "p99_ms": counted["p99_us"] / 1000,
            "cpu_us": used / counted["requests"] * 1e6,
            "client_cores": client / elapsed,
            "foreign_share": max(0.0, machine - used - client) / (elapsed * os.cpu_count()),
        }


def _wrk(load, port, connections, seconds, threads):
    # wrk counts in whole seconds; a shorter run is ended by the signal that makes it report.
    command = ["wrk", f"-t{threads}", f"-c{connections}", "-d60s", "--timeout", "30s", "-s", str(load._script)]
    child = subprocess.Popen(
        command + [f"http://127.0.0.1:{port}{load.path}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_die_with_parent,
    )
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGINT)
    try:
        output, report = child.communicate(timeout=40)
    except BaseException:
        child.kill()
        child.wait()
        raise
    try:
        return json.loads(report.strip().splitlines()[-1])
    except (IndexError, ValueError):
        raise BenchError(f"wrk gave no result:\n{output}{report}") from None
