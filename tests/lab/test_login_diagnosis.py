"""Faults of the login, injected for real: the second runbook names what is true of them.

One for each hypothesis and a control; all of them by VEZA_ALL_FAULTS=1, and by the bench.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lab import faults
from lab.bench import run_trial
from reports.cli.main import main

if TYPE_CHECKING:
    from lab.state import Lab


SELECTION = (
    "wrong-passwords",
    "login-panics",
    "tokens-not-yet-valid",
    "hash-cost-raised",
    "rate-limit-by-proxy",
    "accounts-locked",
    "accounts-table-locked",
)


def _marked(name: str) -> Any:
    is_skipped = name not in SELECTION and not os.environ.get("VEZA_ALL_FAULTS")
    reason = "set VEZA_ALL_FAULTS to inject every fault"
    return pytest.param(name, marks=[pytest.mark.skip(reason=reason)] if is_skipped else [])


def test_a_fault_of_each_hypothesis_is_selected() -> None:
    """What is left out of an ordinary run of the tests makes no other hypothesis true."""
    known = faults.of_runbook(faults.LOGIN_FAILS)
    truths = {faults.FAULTS[name].truth for name in known if faults.FAULTS[name].kind == "single"}
    assert {faults.FAULTS[name].truth for name in SELECTION} >= truths


@pytest.mark.parametrize("name", [_marked(name) for name in faults.of_runbook(faults.LOGIN_FAILS)])
def test_the_truth_is_named(
    lab: Lab, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The true hypothesis comes first, a fault outside accuses none, and a control is healthy.

    The report is about logins alone, and holds neither the account nor its password.
    """
    trial, report = run_trial(lab.directory, (name,), runbook=faults.LOGIN_FAILS)
    not_passed = {check: status for check, status in trial.statuses.items() if status != "passed"}
    assert trial.is_right, f"{trial.answer}, {trial.ranking}, {not_passed}"
    assert lab.passwords.login not in report
    assert "synthetic@" not in report
    (tmp_path / "report.json").write_text(report, encoding="utf-8")
    # A post-mortem is for an incident.
    commands = ["render", "render --format html"]
    commands += ["postmortem"] if trial.state == "incident" else []
    for command in commands:
        main([*command.split(), str(tmp_path / "report.json")])
        shown = capsys.readouterr().out
        assert len(shown) > 100
        assert "upload" not in shown.replace("upload_stuck", "").lower()
