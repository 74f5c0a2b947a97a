"""Kill corrective actions at random moments, and check that nothing is done twice.

    python -m bench.kill_actions [--kills 30] [--seed 5]

A lab of its own has uploads without jobs, and one call of `python -m actions` creates the jobs and
publishes their messages. SIGKILL ends each call at a random moment: every other one at any time
before its usual end, and the rest while it changes something, which is a small part of that. After
each kill the journal must be readable, no upload may have two jobs, and the next call must say what
is half-done, and run nothing then. A last call repairs what is left. Exits with 1 otherwise.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from actions.folders import remove_abandoned
from actions.journal import Journal
from bench.recovery import numbers_of
from lab import faults, lifecycle
from reports.model.report_json import load_report
from tests.lab.fix_operator import Operator
from tests.suite import ROOT, run_suite

if TYPE_CHECKING:
    from lab.state import Lab

FAULT = "job-rows-deleted"

WITHOUT_JOB = """
SELECT count(*) FROM uploads AS u WHERE status IN ('uploading', 'pending') AND NOT EXISTS
    (SELECT FROM job_queue WHERE payload ->> 'upload_id' = u.id::text)
"""
WITH_SEVERAL = """
SELECT count(*) FROM (SELECT FROM job_queue GROUP BY payload ->> 'upload_id' HAVING count(*) > 1)
    AS several
"""

CHANGES = 0.08
"""Seconds from a call's first line in the journal within which it changes something."""

CALL_MAX = 300.0
REPORT_AGE_MAX = 300.0
"""Seconds after which the checks run again: a report of ten minutes permits no action."""

HALF_DONE = re.compile("half-done: (.*)")
REFUSED = 2
"""Exit status of a call that refuses to run anything."""


class RepairTrial:
    """An incident of a lab, in a folder of its own, and the calls that repair it."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        folder.mkdir()
        self.lab = lab
        self.operator = Operator(lab, folder)
        self._targets = lab.directory / "targets.toml"
        self._out = folder / "out"
        self._report = self._out / "lab/upload_stuck/report.json"
        self._words: list[str] = []
        self._looked = 0.0
        self.journal = Journal(self._report.parent)
        faults.inject(lab.directory, [FAULT])

    def look(self) -> None:
        """Run the checks, unless their report is young enough."""
        if time.monotonic() - self._looked < REPORT_AGE_MAX and self._looked:
            return
        run_suite("--target=lab", f"--targets-file={self._targets}", out=self._out)
        steps = numbers_of(load_report(self._report), FAULT)
        self._words = [word for number in steps.values() for word in ("--do", str(number))]
        self._looked = time.monotonic()

    def start(self) -> subprocess.Popen[str]:
        """Start a call that repairs the incident."""
        words = ("--execute", *self._words)
        return subprocess.Popen(
            self.operator.act_command(self._report, self._targets, *words),
            cwd=ROOT,
            env=self.operator.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def call(self) -> tuple[int, str]:
        """Repair the incident; return the exit status and the output of the call."""
        with self.start() as process:
            text, _ = process.communicate(timeout=CALL_MAX)
        return process.returncode, text

    def count(self, query: str) -> int:
        """Return a count of the database."""
        with psycopg.connect(self.lab.owner_dsn) as session:
            row = session.execute(query.encode()).fetchone()
        return int(row[0]) if row else 0

    @property
    def is_repaired(self) -> bool:
        """True if no upload waits without a job."""
        return self.count(WITHOUT_JOB) == 0


def kill(trial: RepairTrial, delay: float, *, as_it_changes: bool) -> tuple[str, list[str]]:
    """Kill a call after so many seconds; return what it had come to, and what is wrong.

    `as_it_changes`: they count from its first line in the journal.
    """
    before = len(trial.journal.events())
    with trial.start() as process:
        while as_it_changes and process.poll() is None:
            if len(trial.journal.events()) > before:
                break
            time.sleep(0.002)
        try:
            process.communicate(timeout=delay)
        except subprocess.TimeoutExpired:
            process.kill()
    events = [event["event"] for event in trial.journal.events()][before:]
    wrong = ["an upload has several jobs"] * bool(trial.count(WITH_SEVERAL))
    if trial.journal.half_done():
        status, text = trial.call()
        following = [event["event"] for event in trial.journal.events()][before + len(events) :]
        if status != REFUSED or not HALF_DONE.search(text) or following != ["told"]:
            wrong.append(f"the next call: {status}, {following}, {text[-200:]!r}")
    return events[-1] if events else "nothing noted", wrong


def kill_calls(lab: Lab, folder: Path, kills: int, seed: int) -> bool:
    """Kill calls and print a row for each; return whether nothing was wrong."""
    moments = random.Random(seed)  # noqa: S311 - moments, not secrets
    trial = RepairTrial(lab, folder / "first")
    trial.look()
    started = time.monotonic()
    status, text = trial.call()
    usual = time.monotonic() - started
    print(f"a call without a kill: {usual:.1f} s, {text.strip().splitlines()[-1]}\n")
    print("| kill | seconds | from | last event in the journal | wrong |")
    print("|---:|---:|---|---|---|")
    wrong = [] if status == 0 else [text]
    came_to: Counter[str] = Counter()
    for number in range(1, kills + 1):
        if trial.is_repaired:
            faults.heal(lab.directory)
            trial = RepairTrial(lab, folder / str(number))
        trial.look()
        as_it_changes = number % 2 == 0
        delay = moments.uniform(0.0, CHANGES if as_it_changes else usual)
        event, sentences = kill(trial, delay, as_it_changes=as_it_changes)
        came_to[event] += 1
        wrong += sentences
        since = "the first line" if as_it_changes else "the start"
        row = (number, f"{delay:.2f}", since, event, "; ".join(sentences))
        print(f"| {' | '.join(map(str, row))} |", flush=True)
    if not trial.is_repaired:
        trial.look()
        status, text = trial.call()
        wrong += [] if status == 0 else [text]
    faults.heal(lab.directory)
    rows = ", ".join(f"{event} {times}" for event, times in came_to.most_common())
    print(f"\n{kills} kills (last events: {rows}), {len(wrong)} wrong")
    return not wrong


def main() -> int:
    """Read the command line, run, and return the exit status."""
    parser = argparse.ArgumentParser(description="Kill corrective actions at random moments.")
    parser.add_argument("--kills", type=int, default=30, metavar="N", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=5, help="of the random moments")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="veza-kills-") as name:
        directory = Path(name, "lab")
        directory.mkdir()
        lab = lifecycle.up(directory, owner=os.getpid())
        try:
            return 0 if kill_calls(lab, Path(name), options.kills, options.seed) else 1
        finally:
            lifecycle.down(directory)
            # No call follows that would.
            remove_abandoned()


if __name__ == "__main__":
    sys.exit(main())
