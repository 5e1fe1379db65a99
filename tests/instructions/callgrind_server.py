"""A weir that runs under callgrind, and counts its instructions between two moments at which it has nothing to do."""

import contextlib
import ctypes
import json
import os
import platform
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path

ADMIN_TOKEN = "instructions-admin-token-0123456789"
START_SECONDS_MAX = 60
ANSWER_SECONDS_MAX = 60
STOP_SECONDS_MAX = 60
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)

# System calls in which a thread with nothing to do is blocked: epoll_wait, epoll_pwait, epoll_pwait2, futex, nanosleep,
# clock_nanosleep, poll, ppoll, rt_sigtimedwait, restart_syscall. Not read: a thread that waits for its turn under
# valgrind, which runs one thread at a time, is blocked in a read.
_IDLE_CALLS = {
    "x86_64": {"232", "281", "441", "202", "35", "230", "7", "271", "128", "219"},
    "aarch64": {"22", "441", "98", "101", "115", "73", "137", "128"},
}

# Callgrind counts every byte that a "rep movsb" moves as an instruction: copying would drown what else a page costs.
_GLIBC_TUNABLES = "glibc.cpu.x86_rep_movsb_threshold=1073741824:glibc.cpu.x86_rep_stosb_threshold=1073741824"


class MeasureError(Exception):
    """The measurement cannot go on; the text is for the person who started it."""


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class CallgrindServer:
    """A weir of its own in `folder`: free port, fresh data, nothing from the caller's environment or home.

    `port` is where it listens. Ends, by its own pid, with the `with` block.
    """

    def __init__(self, binary, folder, settings):
        for tool in ("valgrind", "vgdb"):
            if shutil.which(tool) is None:
                raise MeasureError(f"{tool} is missing: apt-get install valgrind (scripts/test.sh does it)")
        self._idle_calls = _IDLE_CALLS.get(platform.machine())
        if self._idle_calls is None:
            raise MeasureError(f"nobody has told tests/instructions which system calls {platform.machine()} waits in")
        self._folder = folder
        self._out = folder / "callgrind"
        self._dumps = 0
        self._log = folder / "log"
        self._address = folder / "data" / "weir.address"
        self.port = 0
        command = [
            "valgrind", "--tool=callgrind", f"--callgrind-out-file={self._out}", f"--vgdb-prefix={folder / 'vgdb'}",
            str(binary), "serve", "--data-dir", str(folder / "data"), "--listen", "127.0.0.1:0",
        ]
        for setting in settings:
            command += ["--set", setting]
        with open(self._log, "wb") as log:
            self._child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=folder,
                env={"PATH": os.environ["PATH"], "WEIR_ADMIN_TOKEN": ADMIN_TOKEN, "GLIBC_TUNABLES": _GLIBC_TUNABLES},
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

    def stop(self):
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
                raise MeasureError(f"weir did not stop within {STOP_SECONDS_MAX} s") from None

    def log_tail(self):
        return self._log.read_text(errors="replace")[-3000:]

    def wait_until_idle(self):
        """Returns when every thread is blocked where a thread with nothing to do is.

        Only then is the next request sent. Otherwise it would be luck whether the server finds it already there when it
        looks for more, or goes to sleep first and is woken: not the same instructions.
        """
        deadline = time.monotonic() + ANSWER_SECONDS_MAX
        while not self._idle_calls.issuperset(calls := self._blocked_in()):
            if time.monotonic() > deadline:
                raise MeasureError(
                    f"weir was still busy after {ANSWER_SECONDS_MAX} s; its threads are in the system calls "
                    f"{', '.join(calls)} (callgrind_server.py knows those in which they rest):\n{self.log_tail()}"
                )
            os.sched_yield()

    @contextlib.contextmanager
    def stopped(self):
        """The process stands still: what is sent meanwhile is all there when it goes on."""
        self.wait_until_idle()
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def start_window(self):
        """Sets the counters to zero."""
        # Not the command "zero": callgrind forgets some functions then, and their costs come up in the next file.
        self.end_window().unlink()

    def end_window(self):
        """The file with what was counted since start_window()."""
        self.wait_until_idle()
        self._command("dump")
        self._dumps += 1
        return Path(f"{self._out}.{self._dumps}")

    def _blocked_in(self):
        calls = []
        tasks = Path(f"/proc/{self.pid}/task")
        try:
            for task in os.listdir(tasks):
                with open(tasks / task / "syscall", encoding="ascii") as file:
                    calls.append(file.read().split(" ", 1)[0].strip())
        except PermissionError as error:
            raise MeasureError(f"not allowed to see what the threads of weir do: {error}") from None
        except (FileNotFoundError, ProcessLookupError):  # a thread has just ended, or all have
            if self._child.poll() is not None:
                raise MeasureError(f"weir has ended:\n{self.log_tail()}") from None
            return ["running"]
        return calls

    def _command(self, word):
        # It interrupts the blocked process (ptrace); without that it would be heard at the next request only.
        try:
            done = subprocess.run(
                ["vgdb", f"--vgdb-prefix={self._folder / 'vgdb'}", f"--pid={self.pid}", "--max-invoke-ms=1", word],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=ANSWER_SECONDS_MAX, check=False,
            )
        except subprocess.TimeoutExpired:
            raise MeasureError("vgdb got no answer from valgrind; is ptrace forbidden here?") from None
        if done.returncode != 0:
            raise MeasureError(f"vgdb could not tell valgrind to {word}:\n{done.stdout}{done.stderr}")

    def _wait_until_ready(self):
        ended = select.poll()
        handle = os.pidfd_open(self.pid)
        ended.register(handle, select.POLLIN)
        deadline = time.monotonic() + START_SECONDS_MAX
        try:
            while not self._address.exists() or not self._address.read_text().endswith("\n"):
                if ended.poll(20):
                    raise MeasureError(f"weir did not start:\n{self.log_tail()}")
                if time.monotonic() > deadline:
                    raise MeasureError(f"weir was not ready within {START_SECONDS_MAX} s:\n{self.log_tail()}")
        finally:
            os.close(handle)
        self.port = int(self._address.read_text().strip().rsplit(":", 1)[1])
