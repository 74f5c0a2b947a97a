"""Measure how long a run takes, and how that grows.

    python -m bench.speed [round-trips] [hosts] [tables] [logs] [targets] [--runs 3]

Each case starts what it needs and removes it again; without a name all of them run. A case prints a
table in Markdown. The commands of a case take turns, so that a busy machine slows them alike:
compare the ratios.
"""

from __future__ import annotations

import argparse
import os
import platform
import time

from bench.speed import hosts, logs, many_targets, round_trips, tables

CASES = {
    "round-trips": round_trips.measure,
    "hosts": hosts.measure,
    "tables": tables.measure,
    "logs": logs.measure,
    "targets": many_targets.measure,
}


def main() -> None:
    """Read the command line, and run the cases."""
    known = ", ".join(CASES)
    parser = argparse.ArgumentParser(prog="bench.speed", description="How long a run takes.")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"default: all of {known}")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="default: %(default)s")
    options = parser.parse_args()
    if not CASES.keys() >= set(options.cases):
        parser.error(f"a case is one of {known}")
    for name in options.cases or CASES:
        now = time.strftime("%d %B %Y %H:%M UTC", time.gmtime())
        machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
        load = f"load {os.getloadavg()[0]:.0f}, --runs {options.runs}"
        print(f"\n{name}: {now}, {machine}, {load}")
        CASES[name](options.runs)


if __name__ == "__main__":
    main()
