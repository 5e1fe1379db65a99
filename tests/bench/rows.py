"""The rows of a run: what every scenario returns and the report reads.

A row is a dictionary:
  scenario  what was done; the same text for all that are compared with each other
  system    who did it: "weir", "nginx", …
  variant   how weir was set up (workload.CONFIGURATIONS), "" if that says nothing
  role      "weir", "peer" (another system that one could use) or "yardstick" (what the machine can do at most)
  against   the system that this row is compared with: the row of the same scenario and variant; None: with nobody
  unit      what is counted: "requests" unless said otherwise
  rounds    one dictionary of figures a round; round i is paired with round i of `against`. A figure may be None or missing
            (not measured). Known: rate (units per second), p50_ms, p99_ms, p999_ms, cpu_us (of the server, per unit),
            rss_mib, pss_mib, syncs_per_s, client_cores, foreign_share; others are shown with their own names.
  syscalls  {name: calls per request} from a run under strace, or None with the reason in syscalls_missing
  survives  {"kill -9", "host crash", "disk loss"}: what is left of the answered messages (a text, or True for all)
  notes     what a reader has to know
"""

import statistics

SURVIVES_KEYS = ("kill -9", "host crash", "disk loss")


class Rows:
    def __init__(self):
        self._rows = {}

    def add(self, figures, *, scenario, system, variant="", role, survives, against=None, unit="requests", notes=""):
        """Adds a round to a row, which is made by its first round. Returns the row."""
        row = self._rows.setdefault((scenario, system, variant), {
            "scenario": scenario, "system": system, "variant": variant, "role": role, "against": against, "unit": unit,
            "rounds": [], "syscalls": None, "syscalls_missing": "not measured", "survives": survives, "notes": notes,
        })
        row["rounds"].append(figures)
        return row

    def extend(self, rows):
        """Takes whole rows from a scenario that does its own rounds."""
        for row in rows:
            row = {"unit": "requests", "variant": "", "against": None, "notes": "", "syscalls": None,
                   "syscalls_missing": "not measured", **row}
            self._rows[(row["scenario"], row["system"], row["variant"])] = row

    def all(self):
        return list(self._rows.values())


def find(rows, scenario, system, variant):
    for row in rows:
        if (row["scenario"], row["system"], row["variant"]) == (scenario, system, variant):
            return row
    return None


def figures(row, key):
    """The values of a figure in all rounds that have it."""
    return [one[key] for one in row["rounds"] if one.get(key) is not None]


def ratios(row, other, key):
    """This row's figure divided by the other's, round by round."""
    return [
        ours[key] / theirs[key]
        for ours, theirs in zip(row["rounds"], other["rounds"])
        if ours.get(key) is not None and theirs.get(key)
    ]


def median(values):
    return statistics.median(values) if values else None


def with_range(values, digits=2):
    """The median and, if there are several values, the lowest and the highest."""
    if not values:
        return "–"
    text = f"{statistics.median(values):,.{digits}f}"
    return text if len(values) == 1 else f"{text} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"
