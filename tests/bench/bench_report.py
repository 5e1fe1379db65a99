"""Turns the rounds of a run into Markdown: medians, and ratios of pairs that ran one after the other."""

import statistics

FOREIGN_SHARE_MAX = 0.15
SPREAD_MAX = 1.5  # of the highest ratio to the lowest


def median(rows, key):
    return statistics.median(row[key] for row in rows)


def ratios(ours, theirs, key):
    return [a[key] / b[key] for a, b in zip(ours, theirs)]


def _with_range(values, digits=2):
    middle = statistics.median(values)
    return f"{middle:.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def _rate(value):
    return f"{value / 1000:.1f} k"


def http_table(scenarios):
    """`scenarios`: {title: {configuration: {"weir": rows, "nginx": rows}}}, row i of both from round i."""
    lines = [
        "| What | weir | req/s | nginx req/s | rate / nginx | p50 ms | p99 ms | nginx p99 ms "
        "| CPU µs/req | nginx µs/req | CPU / nginx |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for title, configurations in scenarios.items():
        for configuration, pair in configurations.items():
            weir, nginx = pair["weir"], pair["nginx"]
            cells = [
                title,
                configuration,
                _rate(median(weir, "rate")),
                _rate(median(nginx, "rate")),
                _with_range(ratios(weir, nginx, "rate")),
                f"{median(weir, 'p50_ms'):.2f}",
                f"{median(weir, 'p99_ms'):.2f}",
                f"{median(nginx, 'p99_ms'):.2f}",
                f"{median(weir, 'cpu_us'):.1f}",
                f"{median(nginx, 'cpu_us'):.1f}",
                _with_range(ratios(weir, nginx, "cpu_us")),
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def polls_table(configurations):
    lines = [
        "| Idle polls | weir | RSS KiB/poll | Pss KiB/poll | empty server MiB | all woken ms | server CPU µs/poll |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for configuration, rows in configurations.items():
        cells = [
            f"{rows[0]['polls']:,}",
            configuration,
            _with_range([row["rss_bytes"] / 1024 for row in rows]),
            _with_range([row["pss_bytes"] / 1024 for row in rows]),
            f"{median(rows, 'empty_rss_bytes') / 2**20:.0f}",
            _with_range([row["wake_ms"] for row in rows], 0),
            _with_range([row["wake_cpu_us"] for row in rows], 1),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def warnings(scenarios):
    """What a reader must know before trusting the numbers."""
    lines = []
    pairs = [pair for configurations in scenarios.values() for pair in configurations.values()]
    rows = [row for pair in pairs for rows in pair.values() for row in rows]
    disturbed = sum(row["foreign_share"] > FOREIGN_SHARE_MAX for row in rows)
    if disturbed:
        lines.append(
            f"TOO NOISY: in {disturbed} of {len(rows)} runs others (other processes, the kernel's own threads, "
            f"the hypervisor) took more than {FOREIGN_SHARE_MAX:.0%} of the cores. Trust CPU per request at most."
        )
    for title, configurations in scenarios.items():
        for configuration, pair in configurations.items():
            for key, name in (("rate", "rate"), ("cpu_us", "CPU")):
                spread = ratios(pair["weir"], pair["nginx"], key)
                if max(spread) > SPREAD_MAX * min(spread):
                    what = f"the {name} ratio of “{title}”, {configuration}"
                    lines.append(f"TOO NOISY: {what}: {_with_range(spread)}.")
    return lines
