"""Every fault of the login, injected for real: the second runbook names what is true of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab import faults
from lab.bench import run_trial

if TYPE_CHECKING:
    from lab.state import Lab


@pytest.mark.parametrize("name", faults.of_runbook(faults.LOGIN_FAILS))
def test_the_truth_is_named(lab: Lab, name: str) -> None:
    """The true hypothesis comes first, a fault outside accuses none, and a control is healthy."""
    trial, report = run_trial(lab.directory, (name,), runbook=faults.LOGIN_FAILS)
    seen = {check: status for check, status in trial.statuses.items() if status != "passed"}
    assert trial.is_right, (trial.answer, trial.ranking, seen)
    assert lab.passwords.login not in report
    assert "synthetic@" not in report
