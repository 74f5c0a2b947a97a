"""The looks of `python -m actions`: runs of the checks as processes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from actions.looks import LookSettings
from fixtures.target.load import load
from tests.suite import ROOT
from tests.targets import storage_target


@pytest.mark.patient
def test_the_runbook_of_the_environment_is_not_that_of_a_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VEZA_RUNBOOK is for a person's own runs; a look is at the checks of the report's runbook."""
    monkeypatch.setenv("VEZA_RUNBOOK", "login_fails")
    file = tmp_path / "targets.toml"
    file.write_text(storage_target("here", tmp_path))
    looks = LookSettings(load(file, "here", {}), file, ROOT / "checks/upload_stuck")
    report = looks.run(["storage/directory_exists"])
    assert [result.outcome.status for result in report.results] == ["passed"]


@pytest.mark.patient
def test_a_look_has_the_secrets_of_the_checks_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no right to change anything, unless the checks use the same account."""
    file = tmp_path / "targets.toml"
    shared, own = "postgresql://veza:one@127.0.0.1:9/veza", "amqp://fixer:two@127.0.0.1:9/"
    file.write_text(
        storage_target("here", tmp_path)
        + '[targets.here.database]\ndsn = "env:SHARED"\n'
        + '[targets.here.actions]\ndsn = "env:SHARED"\nbroker_url = "env:OWN"\n'
    )
    monkeypatch.setenv("SHARED", shared)
    monkeypatch.setenv("OWN", own)
    looks = LookSettings(load(file, "here", os.environ), file, ROOT / "checks/upload_stuck")
    environment = looks._environment()
    assert (environment.get("SHARED"), environment.get("OWN")) == (shared, None)
    assert looks.run(["database/database_is_reachable"]).state == "incident"
