"""Running the checks as a user does, in a process of its own, and reading what it left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Run:
    """A finished run: its exit status, what it printed, and report.json (None: not written)."""

    status: int
    text: str
    errors: str
    report: dict[str, Any] | None

    @property
    def state(self) -> str:
        """The state of the report."""
        assert self.report is not None, self.text + self.errors
        return str(self.report["state"])

    @property
    def statuses(self) -> dict[str, str]:
        """The status of each check in the report; a check that is there twice fails the test."""
        assert self.report is not None, self.text + self.errors
        outcomes = [r["outcome"] for r in self.report["results"]]
        statuses = {outcome["check"]: outcome["status"] for outcome in outcomes}
        assert len(statuses) == len(outcomes), "a check has two outcomes"
        return statuses

    @property
    def unsettled(self) -> list[dict[str, Any]]:
        """The outcomes of checks that broke or did not run."""
        assert self.report is not None, self.text + self.errors
        outcomes = [result["outcome"] for result in self.report["results"]]
        return [outcome for outcome in outcomes if outcome["status"] in ("error", "missing")]

    def outcome(self, check: str) -> dict[str, Any]:
        """The outcome of one check in the report."""
        assert self.report is not None, self.text + self.errors
        outcomes: list[dict[str, Any]] = [
            r["outcome"] for r in self.report["results"] if r["outcome"]["check"] == check
        ]
        assert len(outcomes) == 1, f"{check} has {len(outcomes)} outcomes"
        return outcomes[0]


def run_suite(*arguments: str, out: Path, environ: Mapping[str, str] | None = None) -> Run:
    """Run `pytest` in the project's root with these arguments and a report in `out`."""
    done = run_command(*command(out, arguments), environ=environ)
    return Run(done.returncode, done.stdout, done.stderr, newest_report(out))


def run_command(
    *words: str | Path, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in the project's root, without input."""
    return subprocess.run(
        words,
        cwd=ROOT,
        env=environment(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def newest_report(out: Path) -> dict[str, Any] | None:
    """Return the report that was written last in this folder, of a whole run or a partial one."""
    reports = [*out.glob("*/*/report.json"), *out.glob("*/*/partial/report.json")]
    newest = max(reports, key=lambda path: path.stat().st_mtime_ns, default=None)
    return json.loads(newest.read_text(encoding="utf-8")) if newest else None


@contextmanager
def started_suite(
    *arguments: str, out: Path, environ: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Start the same in a session of its own, to be signalled; killed at the end if it still runs.

    Its standard output holds its errors too. Read it with `communicate(timeout=PATIENCE)`.
    """
    with subprocess.Popen(
        # A shell that starts the tests with `&` has them ignore SIGINT, and every child inherits
        # that: without the default a test could not interrupt its run.
        ["env", "--default-signal", *command(out, arguments)],
        cwd=ROOT,
        env=environment(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def command(out: Path, arguments: tuple[str, ...]) -> list[str]:
    """Return the command line of a run."""
    return [sys.executable, "-m", "pytest", f"--out={out}", *arguments]


def environment(more: Mapping[str, str] | None) -> dict[str, str]:
    """Return this environment with `more`, without what the running tests have set."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        # Of the pytest that runs this test, and of the person who runs it.
        if not name.startswith(("PYTEST_", "VEZA_"))
    }
    return {**inherited, **(more or {})}
