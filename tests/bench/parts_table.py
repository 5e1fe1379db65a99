#!/usr/bin/env python3
"""Prints what Google Benchmark wrote as JSON (the files given) as one Markdown table, each row in words."""

import json
import re
import sys

PER_NANOSECOND = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}
PAGES = {"newest": "the newest messages", "oldest": "the oldest messages", "anywhere": "messages anywhere"}


def describe(name):
    """What a benchmark's name stands for: (row, what one item is). An unknown name is an error: describe it here."""
    name = re.sub(r"/(real_time|iterations:\d+)", "", name)
    words = dict(part.split(":", 1) for part in name.split("/") if ":" in part)
    kind = "/".join(part for part in name.split("/") if ":" not in part)
    size = int(words.get("bytes", 0))
    bytes_text = f"{size // 1024} KiB" if size and size % 1024 == 0 else f"{size} bytes"
    if kind.startswith("append_messages/"):
        durable = "unsynced" if kind.endswith("os") else "synced"
        bytes_text = "1 KiB" if kind.endswith("_1KiB") else "200 bytes"
        each = "" if words["payloads"] == "1" else f" of {words['payloads']} messages each"
        return (f"store: {durable} appends{each}, {bytes_text} a message, {int(words['in_flight']):,} in flight",
                "message")
    if kind == "one_fdatasync":
        return f"disk: write and fdatasync of the record of one message of {bytes_text}, nothing else", "sync"
    if kind.startswith("read_warm/"):
        return f"store: pages of 50, {PAGES[kind.split('/')[1]]}, warm", "message"
    if kind == "read_cold":
        return "store: pages of 50 far apart, block cache and page cache dropped", "message"
    if kind.startswith("drop/"):
        what = "purge" if kind.endswith("purge") else "retention (trim)"
        return f"store: {what} of {int(words['messages']):,} messages, and the next append", "call"
    if kind == "open_unflushed":
        return f"store: open with {int(words['messages']):,} messages in the log only", "message"
    if kind == "check/any_object":
        return f"check of a message of {bytes_text}: JSON, any object", "message"
    if kind == "check/five_fields":
        return f"check of a message of {bytes_text}: JSON and a schema of five fields", "message"
    raise KeyError(f"parts_table.py does not describe the benchmark {name}")


def rows(paths):
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for row in json.load(file)["benchmarks"]:
                rate = row.get("items_per_second") or 1e9 / (row["real_time"] * PER_NANOSECOND[row["time_unit"]])
                yield (*describe(row["name"]), rate)


def main():
    print("\n| Part alone | item | items/s | ns each |\n|---|---|--:|--:|")
    for text, item, rate in rows(sys.argv[1:]):
        print(f"| {text} | {item} | {rate:,.0f} | {1e9 / rate:,.0f} |")


if __name__ == "__main__":
    main()
