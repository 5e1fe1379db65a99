"""Turns the rows of a run into Markdown: one table of all rows, one of the goals, and what a reader must know."""

from goals import evaluate
from rows import SURVIVES_KEYS, figures, find, median, ratios, with_range

FOREIGN_SHARE_MAX = 0.15
SPREAD_MAX = 1.5  # of the highest ratio to the lowest
SHOWN = {"rate", "p50_ms", "p99_ms", "p999_ms", "cpu_us", "rss_mib", "pss_mib", "syncs_per_s"}
HIDDEN = {"requests", "client_cores", "foreign_share", "messages_per_request"}
LABELS = {
    "all_ms": "all woken after ms",
    "rss_kib_per_poll": "RSS KiB/poll",
    "pss_kib_per_poll": "PSS KiB/poll",
    "kernel_kib_per_poll": "kernel KiB/poll, both ends",
    "empty_rss_mib": "empty server MiB",
}


def counterpart(rows, row):
    return find(rows, row["scenario"], row["against"], row["variant"]) if row["against"] else None


def _rate(value):
    if value is None:
        return "–"
    return f"{value / 1000:,.1f} k" if value >= 1000 else f"{value:,.0f}"


def _plain(value, digits):
    return "–" if value is None else f"{value:,.{digits}f}"


def _survives(row):
    words = {True: "all", False: "nothing", None: "–"}
    given = row["survives"] or {}
    return [words.get(given.get(key), str(given.get(key))) for key in SURVIVES_KEYS]


def _others(row):
    """Figures that only some scenarios have, by their names."""
    names = [name for name in dict.fromkeys(key for one in row["rounds"] for key in one) if name not in SHOWN | HIDDEN]
    found = [(name, figures(row, name)) for name in names]
    return [f"{LABELS.get(name, name.replace('_', ' '))} {with_range(values)}" for name, values in found
            if values and all(isinstance(value, (int, float)) for value in values)]


def rows_table(rows):
    lines = [
        "| what | system | variant | units/s | rate against | p50 ms | p99 ms | p99.9 ms | CPU µs/unit | CPU against "
        "| RSS MiB | PSS MiB | syncs/s | syscalls/request | kill -9 | host crash | disk loss | also |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|---|---|---|",
    ]
    for row in rows:
        other = counterpart(rows, row)
        compared = {key: with_range(ratios(row, other, key)) if other else "" for key in ("rate", "cpu_us")}
        unit = "" if row["unit"] == "requests" else f" {row['unit']}"
        also = _others(row) + ([row["notes"]] if row["notes"] else [])
        cells = [
            row["scenario"], row["system"], row["variant"],
            _rate(median(figures(row, "rate"))) + unit,
            compared["rate"] + (f" of {row['against']}" if other and compared["rate"] != "–" else ""),
            *[_plain(median(figures(row, key)), 2) for key in ("p50_ms", "p99_ms", "p999_ms")],
            _plain(median(figures(row, "cpu_us")), 1),
            compared["cpu_us"],
            _plain(median(figures(row, "rss_mib")), 0),
            _plain(median(figures(row, "pss_mib")), 0),
            _plain(median(figures(row, "syncs_per_s")), 0),
            _plain(sum(row["syscalls"].values()), 2) if row["syscalls"] else "–",
            *_survives(row),
            "; ".join(also),
        ]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return lines


def parts_table(parts):
    """`parts`: (name, items per second) of Google Benchmark's rows."""
    lines = ["| part alone | items/s | ns each |", "|---|--:|--:|"]
    for name, rate in parts:
        lines.append(f"| {name} | {_rate(rate)} | {1e9 / rate:,.0f} |")
    return lines


def goals_table(rows):
    lines = ["| goal | wanted | measured | |", "|---|--:|---|---|"]
    for result in evaluate(rows):
        values = [f"{variant}: {with_range(found)}" for variant, found in result["values"].items()]
        verdict = f"**{result['verdict']}**" if result["verdict"] == "missed" else result["verdict"]
        lines.append(f"| {result['what']} | {result['goal']} | {'; '.join(values) or '–'} | {verdict} |")
    return lines


def warnings(rows):
    """What a reader must know before trusting the numbers."""
    lines = []
    shares = [share for row in rows for share in figures(row, "foreign_share")]
    disturbed = sum(share > FOREIGN_SHARE_MAX for share in shares)
    if disturbed:
        lines.append(
            f"TOO NOISY: in {disturbed} of {len(shares)} runs others (other processes, the kernel's own threads, "
            f"the hypervisor) took more than {FOREIGN_SHARE_MAX:.0%} of the cores. Trust CPU per request at most."
        )
    for row in rows:
        other = counterpart(rows, row)
        for key, name in (("rate", "rate"), ("cpu_us", "CPU")):
            spread = ratios(row, other, key) if other else []
            if spread and max(spread) > SPREAD_MAX * min(spread):
                lines.append(f"TOO NOISY: the {name} ratio of “{row['scenario']}” ({row['variant']}) against "
                             f"{row['against']}: {with_range(spread)}.")
    return lines


def markdown(about, rows, parts, notes):
    lines = [
        "# weir measured", "",
        f"{about['date']}, commit {about['commit']}, {about['machine']}; mode {about['mode']}: {about['rounds']} rounds, "
        f"{about['seconds']:g} s a run; {', '.join(about['versions'])}. Clients run on the same cores. Figures are medians of "
        "the rounds; ratios are taken within a round: median (lowest–highest). “–”: not measured.", "",
        *rows_table(rows), "",
    ]
    if parts:
        lines += [*parts_table(parts), ""]
    lines += ["## Goals", "", "The verdict is for the default configuration.", "", *goals_table(rows), "", "## Notes", ""]
    lines += [f"- {note}" for note in warnings(rows) or ["No run was disturbed by others."]]
    lines += [f"- {note}" for note in notes]
    reasons = sorted({row["syscalls_missing"] for row in rows if row["syscalls_missing"] not in ("", "not measured")})
    lines += [f"- System calls were not counted: {reason}." for reason in reasons]
    return "\n".join(lines) + "\n"
