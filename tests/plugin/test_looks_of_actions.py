"""The looks of `python -m actions`: runs of the checks as processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from actions.looks import Looks
from fixtures.target.load import load
from tests.suite import ROOT
from tests.targets import storage_target

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.patient
def test_the_runbook_of_the_environment_is_not_that_of_a_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VEZA_RUNBOOK is for a person's own runs; a look is at the checks of the report's runbook."""
    monkeypatch.setenv("VEZA_RUNBOOK", "login_fails")
    file = tmp_path / "targets.toml"
    file.write_text(storage_target("here", tmp_path))
    looks = Looks(load(file, "here", {}), file, ROOT / "checks/upload_stuck")
    report = looks.run(["storage/directory_exists"])
    assert [result.outcome.status for result in report.results] == ["passed"]
