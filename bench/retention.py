"""The history over 100,000 runs: it reaches its limits, stays within them and stays fast.

    python -m bench.retention [--runs 100000] [--kills 60] [--seed 5] [--folder DIR]

The runs are five minutes apart, and one in fifty is an incident, whose report is kept. Then a
process that drops runs is killed with SIGKILL at random moments: the history must be intact, and
the next run must be able to write. Exits with 1 otherwise.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from reports.history.store import NAME, History, Retention
from reports.model.report import Report
from tests import made

ROOT = Path(__file__).resolve().parents[1]
EVERY = timedelta(minutes=5)
INCIDENT_EVERY = 50
STEPS, SAMPLED = 10, 100
INCIDENT, HEALTHY = made.incident(), made.recovered()
SECONDS_MAX = 0.25
"""Seconds that one run may take on average to be added and to read the last hundred."""
SLACK = 8 << 20
"""Bytes that the file may have beyond the limit: the write-ahead log and one run."""
SMALL = Retention(size=32 << 20)
"""Limits that have half of a full history dropped at once."""


def report(number: int) -> Report:
    """Return the report of a run: an incident, or healthy."""
    kind = HEALTHY if number % INCIDENT_EVERY else INCIDENT
    return replace(kind, started=at(number))


def at(number: int) -> str:
    """Return the time at which a run starts."""
    return (datetime.fromisoformat(made.STARTED) + number * EVERY).isoformat()


def size_of(path: Path) -> int:
    """Return the bytes of the history with its write-ahead log."""
    return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))


def fill(path: Path, runs: int) -> bool:
    """Add runs, every hundredth as a run of the checks does; return whether the limits held."""
    is_within = True
    started = time.perf_counter()
    limit = Retention().size + SLACK
    every = max(runs // STEPS, SAMPLED)
    for first in range(0, runs, every):
        seconds = [
            sampled(path, number, min(SAMPLED, runs - number))
            for number in range(first, min(first + every, runs), SAMPLED)
        ]
        size = size_of(path)
        mean = statistics.mean(seconds)
        is_within = is_within and size <= limit and mean <= SECONDS_MAX
        print(
            f"{min(first + every, runs):>7} runs  {count(path):>6} kept  {size / 2**20:5.1f} MiB  "
            f"{mean * 1000:5.1f} ms a run, {max(seconds) * 1000:6.1f} ms the slowest",
            flush=True,
        )
    print(f"{runs:,} runs in {time.perf_counter() - started:.0f} s")
    return is_within


def sampled(path: Path, first: int, runs: int) -> float:
    """Add runs from number `first` on; return the seconds of the last one, opened for itself."""
    with History.to_write(path) as history:
        for number in range(first, first + runs - 1):
            history.append(report(number))
    before = time.perf_counter()
    with History.to_write(path) as history:
        history.append(report(first + runs - 1))
        history.runs(100)
    return time.perf_counter() - before


def count(path: Path) -> int:
    """Return the number of runs in a history."""
    with closing(sqlite3.connect(path)) as database:
        (number,) = database.execute("SELECT count(*) FROM runs").fetchone()
    return int(number)


def drop(path: Path) -> None:
    """Add a run to a history under smaller limits, in a process that is to be killed."""
    print("ready", flush=True)
    with History.to_write(path) as history:
        history.append(made.recovered(), SMALL)


def kill_while_dropping(full: Path, kills: int, seed: int) -> bool:
    """Kill a process that drops runs at random moments; return whether the history survived."""
    random_source = random.Random(seed)  # noqa: S311 - moments, not secrets
    copy = full.parent / "copy" / NAME
    before = count(full)
    usual = 0.0
    outcomes = {"all kept": 0, "dropped": 0}
    problems: list[str] = []
    for number in range(kills + 1):
        copy.parent.mkdir()
        shutil.copy(full, copy)
        with subprocess.Popen(
            [sys.executable, "-m", "bench.retention", "--drop", str(copy)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            started = time.perf_counter()
            if number:
                time.sleep(random_source.uniform(0, usual))
                os.kill(process.pid, signal.SIGKILL)
            process.wait()
            usual = usual or time.perf_counter() - started
        if number:
            kept = count(copy)
            outcomes["all kept" if kept >= before else "dropped"] += 1
            problems += broken(copy, kept)
        else:
            print(f"dropping {before - count(copy):,} of {before:,} runs takes {usual:.2f} s")
        shutil.rmtree(copy.parent)
    print(f"{kills} kills while runs are dropped: {outcomes}, problems: {problems}")
    return not problems


def broken(path: Path, kept: int) -> list[str]:
    """Return what is wrong with a history after a kill, and after the next run."""
    problems = []
    with closing(sqlite3.connect(path)) as database:
        (result,) = database.execute("PRAGMA integrity_check").fetchone()
        orphans = database.execute(
            "SELECT count(*) FROM outcomes WHERE run NOT IN (SELECT id FROM runs)"
        ).fetchone()[0]
    if result != "ok" or orphans:
        problems.append(f"{result}, {orphans} outcomes without a run")
    with History.to_write(path) as history:
        history.append(made.incident(), SMALL)
        if history.runs(1)[0].state != "incident":
            problems.append("the next run is not in it")
    if size_of(path) > SMALL.size + SLACK or count(path) > kept + 1:
        problems.append(f"{size_of(path)} bytes after the next run")
    return problems


def main() -> int:
    """Read the command line, run, and return the exit status."""
    parser = argparse.ArgumentParser(description="Fill a history, and kill what drops its runs.")
    parser.add_argument("--runs", type=int, default=100_000, metavar="N", help="runs to add")
    parser.add_argument("--kills", type=int, default=60, metavar="N", help="processes to kill")
    parser.add_argument("--seed", type=int, default=5, help="seed of the random moments")
    parser.add_argument("--folder", metavar="DIR", help="where the history is made")
    parser.add_argument("--drop", type=Path, metavar="FILE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.drop:
        drop(options.drop)
        return 0
    with tempfile.TemporaryDirectory(prefix="veza-retention-", dir=options.folder) as folder:
        path = Path(folder) / NAME
        is_within = fill(path, options.runs)
        survived = kill_while_dropping(path, options.kills, options.seed)
    return 0 if is_within and survived else 1


if __name__ == "__main__":
    sys.exit(main())
