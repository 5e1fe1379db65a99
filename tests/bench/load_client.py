"""weir_bench_client (tests/bench/client): starts it, reads what it reports, says when to go on."""

import json
import subprocess
from pathlib import Path

from servers import BenchError, die_with_parent


class LoadClient:
    """One run; it ends with the `with`, and BenchError says so if it found anything that is not as it must be.

    Reports are JSON lines with an `event`; `weir_bench_client --help` describes them, the arguments and the words.
    """

    def __init__(self, binary, folder, scenario, **arguments):
        command = [str(binary), scenario]
        for name, value in arguments.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        self._errors = open(folder / "client.log", "w+b")  # closed by __exit__
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True,
            preexec_fn=die_with_parent,
        )

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self._child.kill()
        try:
            self._child.communicate()
            if kind is None and self._child.returncode != 0:
                self._fail()
        finally:
            self._errors.close()

    def next(self, event):
        """Waits for the next report, which must be `event`."""
        line = self._child.stdout.readline()
        if not line:
            self._fail()
        report = json.loads(line)
        if report["event"] != event:
            raise BenchError(f"weir_bench_client reported {line!r} instead of {event}")
        return report

    def tell(self, word):
        self._child.stdin.write(word + "\n")
        self._child.stdin.flush()

    def _fail(self):
        self._child.wait()
        self._errors.seek(0)
        raise BenchError(self._errors.read().decode(errors="replace").strip() or "weir_bench_client ended")


def run_seconds(pids):
    """Time that all threads of `pids` have run so far, to the nanosecond: waking 10,000 polls takes few clock ticks."""
    nanoseconds = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            nanoseconds += int((task / "schedstat").read_text().split()[0])
    return nanoseconds / 1e9
