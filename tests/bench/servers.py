"""The servers that the benchmark starts itself: weir, nginx and nginx with nchan; the other peers stand in peers.py.

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
from contextlib import contextmanager
from pathlib import Path

from machine import free_port, listening_sockets, memory_bytes

ADMIN_TOKEN = "bench-admin-token-0123456789"
START_SECONDS_MAX = 20
STOP_SECONDS_MAX = 15
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class BenchError(Exception):
    """The benchmark cannot go on; the text is for the person who started it."""


def die_with_parent(how=signal.SIGKILL):
    """For subprocess's preexec_fn: nothing that the benchmark starts survives it, not even when it is paused."""
    _libc.prctl(_PR_SET_PDEATHSIG, how)


def raise_descriptor_limit():
    """Gives this process and those that it starts all the descriptors that the system allows; returns how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def accepts(port):
    """Whether somebody accepts connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class Process:
    """A child with its output in a file; subclasses say when it is ready."""

    name = ""
    parent_death = signal.SIGKILL

    def __init__(self, command, log_path, env=None, start_seconds_max=START_SECONDS_MAX):
        self.log_path = log_path
        self.port = getattr(self, "port", 0)
        with open(log_path, "wb") as log:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=env,
                preexec_fn=lambda: die_with_parent(self.parent_death),
            )
        self.pid = self._child.pid
        try:
            self._wait_until_ready(start_seconds_max)
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

    def memory(self):
        """Resident and proportional memory of all of them, in bytes."""
        sizes = [memory_bytes(pid) for pid in self.pids()]
        return {key: sum(size[key] for size in sizes) for key in ("rss", "pss")}

    @contextmanager
    def paused(self):
        """Within it this server does nothing at all, so that another one is alone on the machine."""
        pids = self.pids()
        self._signal(pids, signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(pids, signal.SIGCONT)

    def stop(self, how=signal.SIGTERM):
        if self._child.poll() is None:
            self._child.send_signal(how)
            try:
                self._child.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
                raise BenchError(f"{self.name} did not stop within {STOP_SECONDS_MAX} s") from None

    @staticmethod
    def _signal(pids, number):
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def _wait_until_ready(self, seconds_max):
        deadline = time.monotonic() + seconds_max
        while not self.is_ready():
            if self._child.poll() is not None:
                raise BenchError(f"{self.name} did not start:\n{self.log_path.read_text(errors='replace')}")
            if time.monotonic() > deadline:
                raise BenchError(f"{self.name} was not ready within {seconds_max} s, see {self.log_path}")
            time.sleep(0.01)


class Weir(Process):
    """A weir of its own: free port, data under `folder` (kept if it is there), nothing from the caller's environment."""

    name = "weir"

    def __init__(self, binary, folder, settings=(), start_seconds_max=START_SECONDS_MAX):
        self.folder = folder
        self.data_dir = folder / "data"
        self.port = 0
        env = {key: value for key, value in os.environ.items() if not key.startswith("WEIR_")}
        env["WEIR_ADMIN_TOKEN"] = ADMIN_TOKEN
        command = [str(binary), "serve", "--data-dir", str(self.data_dir), "--listen", "127.0.0.1:0"]
        for setting in settings:
            command += ["--set", setting]
        (self.data_dir / "weir.address").unlink(missing_ok=True)  # of a server that was killed
        super().__init__(command, folder / "weir.log", env, start_seconds_max)
        self.loops = listening_sockets(self.port)
        self.token = self.call(
            "POST", "/api/admin/tokens", {"name": f"bench {os.urandom(4).hex()}", "privileges": ["publish", "consume"]}
        )["data"]["token"]

    def is_ready(self):
        try:
            address = (self.data_dir / "weir.address").read_text().strip()
        except OSError:
            return False
        if not address:
            return False
        self.port = int(address.rsplit(":", 1)[1])
        return True

    def bearer(self):
        return {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}

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
    parent_death = signal.SIGTERM  # the workers end with the master only if it tells them
    connections_max = 16384  # of each worker

    def __init__(self, folder, workers, body, page_bytes):
        (folder / "page").write_bytes(b"x" * page_bytes)
        self._start(folder, workers, "", "", f"""
    location = /ok {{ return 200 '{body}'; }}
    location = /page {{ root {folder}; }}""")

    def _start(self, folder, workers, modules, http, locations):
        self.port = free_port()
        user = "user root;" if os.geteuid() == 0 else ""  # the folder is nobody else's
        connections = min(self.connections_max, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 64)
        config = folder / "nginx.conf"
        config.write_text(f"""
{modules}
daemon off; worker_processes {workers}; {user}
pid {folder}/nginx.pid; error_log {folder}/error.log warn;
events {{ worker_connections {connections}; }}
http {{
  access_log off; server_tokens off; default_type application/json;
  sendfile on; tcp_nodelay on; open_file_cache max=16; open_file_cache_valid 600s;
  keepalive_requests 2000000000; keepalive_timeout 75s;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  {http}
  server {{
    listen 127.0.0.1:{self.port} reuseport backlog=4096;{locations}
  }}
}}
""")
        command = ["nginx", "-p", str(folder), "-c", str(config), "-e", f"{folder}/error.log"]
        super().__init__(command, folder / "nginx.log")

    def is_ready(self):
        return accepts(self.port) and len(self.pids()) > 1

    def pids(self):
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid] + [int(pid) for pid in children]


class Nchan(Nginx):
    """nginx with the module nchan: POST /pub/NAME publishes, GET /sub/NAME is a long poll for what comes next, GET /status
    says how many wait.

    Messages are kept in memory only, the last 100 of a channel. A poll that waited gets the message as the body. A
    subscriber that has no Last-Modified and Etag to send waits for the next message.
    """

    name = "nginx + nchan"
    connections_max = 65536
    module = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")

    @classmethod
    def missing(cls):
        """Why it cannot be started, or an empty string."""
        return "" if cls.module.exists() else f"{cls.module} is missing (package libnginx-mod-nchan)"

    def __init__(self, folder, workers):  # no page, no /ok
        self._start(folder, workers, f"load_module {self.module};", "nchan_shared_memory_size 512M;", """
    location ~ /pub/(\\w+)$ {
      nchan_publisher; nchan_channel_id $1; nchan_message_buffer_length 100; nchan_message_timeout 1h;
    }
    location ~ /sub/(\\w+)$ {
      nchan_subscriber longpoll; nchan_channel_id $1; nchan_subscriber_first_message newest; nchan_subscriber_timeout 0;
    }
    location = /status { nchan_stub_status; }""")
