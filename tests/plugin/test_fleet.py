"""Several targets in one call: one run, one line and one report each, the worst as the status."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.suite import run_suite

if TYPE_CHECKING:
    from pathlib import Path

TARGETS = """
[targets.here]
environment = "staging"

[targets.here.storage]
path = "{folder}"
service_user = "root"

[targets.gone]
environment = "staging"

[targets.gone.storage]
path = "{folder}/nowhere"
service_user = "root"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two targets: a directory that is there, and one that is not."""
    path = tmp_path / "targets.toml"
    (tmp_path / "uploads").mkdir()
    path.write_text(TARGETS.format(folder=tmp_path / "uploads"))
    return path


@pytest.mark.parametrize("named", ["here,gone", "all"])
def test_each_target_has_its_own_verdict(file: Path, tmp_path: Path, named: str) -> None:
    """Each has a line and a report, and the worst exit status is the call's."""
    out = tmp_path / "out"
    run = run_suite(
        f"--targets-file={file}", "--target", named, "-k",
        "directory_exists", "-n", "2", out=out,
    )  # fmt: skip
    assert run.status == 1, run.text + run.errors
    lines = {line.partition(": ")[0]: line for line in run.text.splitlines() if ": " in line}
    assert lines["here"].startswith("here: Healthy as far as it was looked: ")
    assert lines["gone"].startswith("gone: At risk: ")
    states = {p.parent.name: json.loads(p.read_text())["state"] for p in out.glob("*/report.json")}
    assert states == {"here": "healthy", "gone": "at risk"}


def test_an_unknown_target_among_them_is_refused(file: Path, tmp_path: Path) -> None:
    """Nothing runs where one of the names is mistyped, and the nearest is offered."""
    run = run_suite(f"--targets-file={file}", "--target", "here,gon", out=tmp_path / "out")
    assert run.status == 4
    assert run.errors.strip().endswith("which has: gone, here; did you mean 'gone'?")
    assert not (tmp_path / "out").exists()
