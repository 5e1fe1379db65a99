"""Compares what was measured with the baseline, and words the outcome. No I/O here."""

from dataclasses import dataclass

PERCENT_MAX = 5.0


@dataclass
class Verdict:
    """`compared` is False where the baseline says nothing about this machine; `failed` only where something was compared."""

    compared: bool
    failed: bool
    text: str


def other_toolchain(baseline, now):
    """What is not as it was when the baseline was made, one line each; empty: the counts can be compared."""
    return [
        f"{what}: baseline {baseline.get(what, 'unknown')}, here {now.get(what, 'unknown')}"
        for what in sorted(baseline.keys() | now.keys())
        if baseline.get(what) != now.get(what)
    ]


def not_compared(lines):
    return Verdict(
        False, False,
        "NOT COMPARED: counts of other compilers, libraries or processors say nothing about the baseline's.\n"
        + "".join(f"  {line}\n" for line in lines),
    )


def table(measured, baseline):
    """One line a path. `measured` is {path: [instructions of each window]}, `baseline` {path: instructions}."""
    lines = [f"{'path':<28} {'baseline':>10} {'now':>10} {'change':>8}   lowest and highest window"]
    for path, windows in measured.items():
        now, was = median(windows), baseline.get(path)
        spread = f"{100 * (min(windows) / now - 1):+.2f} % {100 * (max(windows) / now - 1):+.2f} %"
        change = "new" if was is None else f"{percent(was, now):+.1f} %"
        lines.append(f"{path:<28} {'' if was is None else was:>10} {now:>10.0f} {change:>8}   {spread}")
    return "\n".join(lines) + "\n"


def judge(measured, baseline, how_to_look):
    """Fails what costs over PERCENT_MAX percent more than in `baseline`, and what only one of the two knows.

    `how_to_look(path)` is the text with the commands that show where the instructions went.
    """
    failures, cheaper = [], []
    for path in baseline.keys() - measured.keys():
        failures.append(f"{path}: is in the baseline and was not measured\n")
    for path, windows in measured.items():
        now, was = median(windows), baseline.get(path)
        if was is None:
            failures.append(f"{path}: {now:.0f} instructions, and the baseline does not know it\n")
        elif percent(was, now) > PERCENT_MAX:
            failures.append(
                f"{path}: {now:.0f} instructions, baseline {was}: {percent(was, now):+.1f} %, allowed "
                f"{PERCENT_MAX:+.0f} %\n{how_to_look(path)}"
            )
        elif percent(was, now) < -PERCENT_MAX:
            cheaper.append(path)
    text = table(measured, baseline)
    if cheaper:
        text += (
            f"\nNOTE: cheaper by more than {PERCENT_MAX:.0f} %: {', '.join(cheaper)}. Make it the new baseline, or the gain "
            "can be lost again unseen:\n  python3 tests/instructions/measure.py --update\n"
        )
    if failures:
        text += "\nFAILED\n" + "\n".join(failures)
        text += "\nIf it is on purpose, make it the new baseline, and say why in the commit:\n"
        text += "  python3 tests/instructions/measure.py --update\n"
    return Verdict(True, bool(failures), text)


def percent(was, now):
    return 100 * (now - was) / was if was else float("inf")


def median(windows):
    """The middle one of an odd number of windows: one in which something else happened does not count."""
    return sorted(windows)[len(windows) // 2]
