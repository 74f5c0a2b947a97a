"""Every single fault of the lab, injected for real: the suite names what is true of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab import faults
from lab.bench import run_trial

if TYPE_CHECKING:
    from lab.state import Lab

NOT_TOLD_YET: dict[str, str] = {}
"""Faults that the suite does not tell yet, each with what is missing. Strict: a fix shows here."""


def _with_what_is_missing(name: str) -> object:
    missing = NOT_TOLD_YET.get(name)
    marks = [pytest.mark.xfail(reason=missing, strict=True)] if missing else []
    return pytest.param(name, marks=marks)


@pytest.mark.parametrize(
    "name",
    [
        _with_what_is_missing(name)
        for name in faults.of_runbook(faults.UPLOAD_STUCK)
        if faults.FAULTS[name].kind != "control"
    ],
)
def test_the_truth_is_named(lab: Lab, name: str) -> None:
    """The true hypothesis comes first; a fault outside the runbook accuses none of them."""
    missing = faults.missing_needs(lab.directory, [name])
    if missing:
        pytest.skip(f"{name} needs {missing}")
    trial, _ = run_trial(lab.directory, (name,))
    not_passed = {check: status for check, status in trial.statuses.items() if status != "passed"}
    assert trial.is_right, f"{trial.answer}, {trial.ranking}, {not_passed}"


@pytest.mark.parametrize("name", ["healthy-busy", "old-errors", "user-errors"])
def test_a_control_raises_no_alarm(lab: Lab, name: str) -> None:
    """What is only busy, long over, or a user's own mistake leaves the verdict healthy."""
    trial, _ = run_trial(lab.directory, (name,))
    not_passed = {check: status for check, status in trial.statuses.items() if status != "passed"}
    assert trial.is_right, f"{not_passed}"
