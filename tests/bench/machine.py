"""What the kernel says of this machine and of what processes on it cost."""

import os
import platform
import socket
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


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


def listening_sockets(port):
    """How many IPv4 sockets listen on `port`: with SO_REUSEPORT one for each loop or worker."""
    listens = "0A"
    count = 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        count += words[3] == listens and int(words[1].rsplit(":", 1)[1], 16) == port
    return count


class Disk:
    """The block device under a folder, as far as it can be told (not for overlays, tmpfs or a network's)."""

    def __init__(self, folder):
        device = os.stat(folder).st_dev
        self._number = None
        entry = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
        if entry.exists():
            entry = entry.resolve()
            if (entry / "partition").exists():  # the kernel counts flushes of the whole disk
                entry = entry.parent
            self._number = (entry / "dev").read_text().strip()

    def flushes(self):
        """Cache flushes that the disk has completed: one for each sync, whoever asked for it. None: not known."""
        if self._number is None:
            return None
        for line in Path("/proc/diskstats").read_text().splitlines():
            words = line.split()
            if ":".join(words[:2]) == self._number:
                return int(words[18]) if len(words) > 18 else None
        return None


def describe():
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    model = models[0] if models else platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, Linux {platform.release()}"


def drop_caches():
    """Forgets what the kernel remembers of files. False where this user may not."""
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3\n")
    except OSError:
        return False
    return True
