"""Reads the files that callgrind writes (format: valgrind manual, "Callgrind Format Specification")."""

import re

_NAME = re.compile(r"^c?fn=(\(\d+\))(?: (.*))?$")


def total(text):
    """All instructions in the file. ValueError unless the file is whole, and its lines sum up to what was executed."""
    executed = re.search(r"^summary: (\d+)$", text, re.MULTILINE)
    listed = re.search(r"^totals: (\d+)$", text, re.MULTILINE)
    if executed is None or listed is None or executed.group(1) != listed.group(1):
        raise ValueError("not a whole file of callgrind's")
    return int(listed.group(1))


def by_function(text):
    """{function: instructions spent in itself, without what it calls}."""
    names, costs = {}, {}
    function = None
    of_a_call = False
    for line in text.splitlines():
        name = _NAME.match(line)
        if name:
            if name.group(2) is not None:
                names[name.group(1)] = name.group(2)
            if line.startswith("fn="):
                function = names[name.group(1)]
        elif line.startswith("calls="):
            of_a_call = True  # the next line is what the called function cost
        elif function is not None and line[:1] in "0123456789+-*" and line:
            if not of_a_call:
                costs[function] = costs.get(function, 0) + int(line.split()[1])
            of_a_call = False
    return costs


def simdjson_kernel(text):
    """Which of simdjson's implementations ran, such as "haswell", or "none"."""
    kernels = sorted(set(re.findall(r"\bsimdjson::(haswell|icelake|westmere|fallback|arm64|ppc64|lsx|lasx)::", text)))
    return "+".join(kernels) or "none"


def differences(before, after, count):
    """[(change, before, after, function)] of two by_function(), for each of `count` requests, largest change first."""
    rows = []
    for function in before.keys() | after.keys():
        was, now = before.get(function, 0) / count, after.get(function, 0) / count
        rows.append((now - was, was, now, function))
    return sorted(rows, key=lambda row: (-abs(row[0]), row[3]))
