"""The goals of the project, each computed from the rows of one run. Nothing here is written by hand but the goals."""

from rows import figures, find, median, ratios
from scenarios_http import HEALTHZ, ONE_BY_ONE, TAIL, batch_title, publish_title
from scenarios_peers import DURABLE_STREAMS, NATS, NATS_LIBRARY, REDIS, WEBDIS
from workload import CONFIGURATIONS, DEFAULT



class Goal:
    """`measured(rows, variant)` gives the values of the rounds, empty if this run has none."""

    def __init__(self, what, sign, bound, measured, unit=""):
        self.what = what
        self.sign = sign  # one of ≥ ≤ <
        self.bound = bound
        self.measured = measured
        self.unit = unit

    def target(self):
        return f"{self.sign} {self.bound:g}{self.unit}"

    def is_met(self, value):
        return {"≥": value >= self.bound, "≤": value <= self.bound, "<": value < self.bound}[self.sign]


def ratio(scenario, key, against=None, inverse=False):
    """weir's figure divided by that of the system it is compared with; `inverse`: the other way round."""

    def measured(rows, variant):
        for row in rows:
            if row["scenario"] == scenario and row["system"] == "weir" and row["variant"] == variant and row["against"]:
                other = find(rows, scenario, against or row["against"], variant)
                if other:
                    return ratios(other, row, key) if inverse else ratios(row, other, key)
        return []

    return measured


def batch_ratio(rows, variant):
    """Of the batch scenario that was run, whatever the number of connections."""
    for row in rows:
        if row["scenario"].startswith(batch_title(0).split(",")[0]) and row["system"] == "weir":
            return ratio(row["scenario"], "rate")(rows, variant)
    return []


def calls(*scenarios):
    """System calls per request; the worst of the scenarios."""

    def measured(rows, variant):
        found = [find(rows, scenario, "weir", variant) for scenario in scenarios]
        found = [sum(row["syscalls"].values()) for row in found if row and row["syscalls"]]
        return [max(found)] if found else []

    return measured


def figure(scenario_begin, key):
    """A figure of the first of weir's rows whose scenario begins so and that has it."""

    def measured(rows, variant):
        for row in rows:
            if row["system"] == "weir" and row["variant"] == variant and row["scenario"].startswith(scenario_begin):
                if found := figures(row, key):
                    return found
        return []

    return measured


def woken_ratio(rows, variant):
    """10,000 polls on one topic: weir's time over nchan's."""
    for row in rows:
        if row["scenario"].startswith("long poll: 10,000 woken by one publish") and row["system"] == "weir":
            return ratio(row["scenario"], "all_ms")(rows, variant)
    return []


def growth_ratio(rows, variant):
    """CPU per published message with 20 million stored; the number of topics for which it grew most."""
    found = [
        ratios(row, other, "cpu_us")
        for row in rows
        if row["scenario"].startswith("publish in") and row.get("stored") == 20_000_000 and row["variant"] == variant
        and (other := find(rows, row["scenario"], row["against"], variant))
    ]
    return max(found, key=median, default=[])


def unflushed_start(rows, variant):
    """Seconds."""
    for row in rows:
        if row["scenario"].startswith("start after kill -9") and row.get("unflushed") == 1_000_000 \
                and row["variant"] == variant:
            return figures(row, "start_s")
    return []


_64, _256 = publish_title(200, 64), publish_title(200, 256)
GOALS = [
    Goal("`GET /healthz`, requests/s against nginx `return 200`", "≥", 1.0, ratio(HEALTHZ, "rate")),
    Goal("durable publish, 200 bytes, 64 connections: CPU per request against nginx", "≤", 1.5, ratio(_64, "cpu_us")),
    Goal("durable publish, 200 bytes, 256 connections: CPU per request against nginx", "≤", 1.5, ratio(_256, "cpu_us")),
    Goal("durable publish, 200 bytes, 256 connections: requests/s against nginx", "≥", 0.75, ratio(_256, "rate")),
    Goal("durable publish, 64 connections: against Redis XADD, `appendfsync always`", "≥", 1.0, ratio(REDIS, "rate")),
    Goal("durable publish, 64 connections: against NATS JetStream, which does not sync, its own client library", "≥", 2.0,
         ratio(NATS_LIBRARY, "rate")),
    Goal("the same with a client of NATS that costs as little as weir's", "≥", 2.0, ratio(NATS, "rate")),
    Goal("durable publish over HTTP, 64 connections: against webdis and Redis `always`", "≥", 2.0, ratio(WEBDIS, "rate")),
    Goal("durable publish, one topic: requests/s per core of the server against Durable Streams (Rust)", "≥", 1.0,
         ratio(DURABLE_STREAMS, "cpu_us", inverse=True)),
    Goal("batch publish: messages/s against the store's own group commit", "≥", 0.8, batch_ratio),
    Goal("one publish at a time: p50 against one fdatasync of the same bytes", "≤", 1.5, ratio(ONE_BY_ONE, "p50_ms")),
    Goal("tail page of 50 × 200 bytes: requests/s against nginx and a file of that size", "≥", 0.9, ratio(TAIL, "rate")),
    Goal("memory per idle long poll, KiB", "≤", 1.0, figure("long poll: 10,000 parked", "rss_kib_per_poll")),
    Goal("10,000 polls woken by one publish: time against nchan", "<", 1.0, woken_ratio),
    Goal("system calls per publish under load, 64 and 256 connections", "≤", 2.5, calls(_64, _256)),
    Goal("publish cost per message at 20 million stored messages against 10 thousand", "≤", 1.2, growth_ratio),
    Goal("start after kill -9 with 1 million unflushed messages, s", "≤", 2.0, unflushed_start),
]


def evaluate(rows):
    """For each goal: what, target, {variant: values}, verdict; the verdict is for the server as it comes."""
    results = []
    for goal in GOALS:
        values = {variant: found for variant in CONFIGURATIONS if (found := goal.measured(rows, variant))}
        if DEFAULT in values:
            verdict = "met" if goal.is_met(median(values[DEFAULT])) else "missed"
        else:
            verdict = "not measured in this run"
        results.append({"what": goal.what, "goal": goal.target(), "values": values, "verdict": verdict})
    return results
