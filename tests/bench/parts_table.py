#!/usr/bin/env python3
"""Prints what Google Benchmark wrote as JSON (the files given) as one Markdown table."""

import json
import sys

PER_NANOSECOND = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}


def main():
    print("\n| Part alone | items/s | ns each |\n|---|--:|--:|")
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            for row in json.load(file)["benchmarks"]:
                rate = row.get("items_per_second") or 1e9 / (row["real_time"] * PER_NANOSECOND[row["time_unit"]])
                name = row["name"].removesuffix("/real_time")
                print(f"| `{name}` | {rate / 1000:,.0f} k | {1e9 / rate:,.0f} |")


if __name__ == "__main__":
    main()
