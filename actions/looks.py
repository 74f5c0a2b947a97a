"""Looks at the target: runs of the checks as processes, which do not have the actions' rights."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from actions.errors import Refused
from actions.folders import own_folder
from core.frozen import frozen
from core.language import language, tr
from core.outcome import base_id, status_word
from core.runbooks import VARIABLE
from core.text import last_line, titled
from core.units import format_duration
from fixtures.target.load import read_targets
from reports.model.report_json import PARTIAL, LoadError, load_report

if TYPE_CHECKING:
    from fixtures.target.model import Target
    from reports.model.report import Report

ROOT = Path(__file__).resolve().parents[1]

START_MAX = 60.0
"""Seconds that a run may take beyond its own budget."""

PAUSE = 1.0
"""Seconds between two looks."""

HOLDS = ("passed", "skipped")
"""The statuses of a check that nothing contradicts: without a stuck upload, some are skipped."""


@frozen
class LookSettings:
    """How the target is looked at: its file, and the folder of its runbook's checks."""

    target: Target
    targets_file: Path
    checks: Path

    def run(self, checks: Sequence[str] = ()) -> Report:
        """Run these checks, or all, and return the report; raises Refused without one."""
        try:
            return self._run(checks)
        except OSError as exc:
            raise Refused("the checks cannot be run: {reason}", reason=exc.strerror) from exc

    def _run(self, checks: Sequence[str]) -> Report:
        ids = [self._node_id(check) for check in checks] or [str(self.checks)]
        with own_folder() as (out, held):
            command = [
                *(sys.executable, "-m", "pytest", f"--out={out}"),
                *(f"--targets-file={self.targets_file}", f"--target={self.target.name}"),
                # The reports of the looks are compared with each other, and shown.
                *(f"--lang={language()}", *ids),
            ]
            try:
                done = subprocess.run(
                    command,
                    cwd=ROOT,
                    env=self._environment(),
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    timeout=self.target.budget + START_MAX,
                    # The run may outlive this process.
                    pass_fds=(held,),
                    check=False,
                )
            except subprocess.TimeoutExpired as exc:
                raise Refused(tr("the checks did not end in time")) from exc
            folder = out / self.target.name
            written = [*folder.glob("*/report.json"), *folder.glob(f"*/{PARTIAL}/report.json")]
            try:
                return load_report(written[0])
            except (IndexError, LoadError) as exc:
                reason = last_line(done.stderr or done.stdout)
                raise Refused("the checks wrote no report: {reason}", reason=reason) from exc

    def until_they_hold(self, checks: Sequence[str], seconds: float) -> Iterator[Recovery]:
        """Look at these checks again and again; yield each state, the last one when it is over."""
        started = time.monotonic()
        since: dict[str, float] = {}
        while True:
            report = self.run(checks)
            passed = time.monotonic() - started
            outcomes = report.outcomes
            seen = {base_id(outcome.check) for outcome in outcomes}
            against = {
                base_id(outcome.check): titled(
                    status_word(outcome.status), report.evidence(outcome.check)
                )
                for outcome in outcomes
                if outcome.status not in HOLDS
            }
            failing = {
                check: against.get(check, status_word("missing"))
                for check in checks
                if check in against or check not in seen
            }
            since = {c: since.get(c, passed) for c in checks if c not in failing}
            recovery = Recovery(since, failing, passed)
            yield recovery
            if not failing or passed >= seconds:
                return
            time.sleep(PAUSE)

    def _node_id(self, check: str) -> str:
        module, _, function = check.partition("/")
        return f"{self.checks}/test_{module}.py::test_{function}"

    def _environment(self) -> dict[str, str]:
        references = self.target.actions.references() if self.target.actions else ()
        tables = read_targets(self.targets_file).targets[self.target.name]
        # What the checks need too is not for actions alone.
        needed = {
            text
            for name, table in tables.items()
            if name != "actions" and isinstance(table, dict)
            for text in table.values()
            if isinstance(text, str)
        }
        # What a person chose for their own runs would choose another target or other checks here.
        hidden = {"VEZA_TARGET", "VEZA_TARGETS_FILE", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", VARIABLE}
        hidden |= {text.removeprefix("env:") for text in references if text not in needed}
        return {name: value for name, value in os.environ.items() if name not in hidden}


@frozen
class Recovery:
    """The state after an action: since when each check holds, and what the others say."""

    since: dict[str, float]
    failing: dict[str, str]
    seconds: float

    def __str__(self) -> str:
        passing = [
            tr("{check} after {duration}", check=check, duration=format_duration(at))
            for check, at in sorted(self.since.items(), key=lambda item: item[1])
        ]
        if not self.failing:
            return tr("verified: {checks}", checks=", ".join(passing))
        failing = [f"{check} {seen}" for check, seen in self.failing.items()]
        parts = [tr("holds: {checks}", checks=", ".join(passing))] if passing else []
        return tr("; ").join(
            [
                tr("not verified within {duration}", duration=format_duration(self.seconds)),
                *failing,
                *parts,
            ]
        )
