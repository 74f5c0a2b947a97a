"""The bench in a running lab: its trials, what it keeps, and a trial that cannot be run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import faults
from lab.bench import ROOT, bench
from lab.errors import LabError
from tests.waiting import PATIENCE, eventually

if TYPE_CHECKING:
    from lab.state import Lab


def test_each_trial_leaves_a_report_and_a_row(
    lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two rounds give two reports and two rows; a failed injection does not end the bench."""
    if not lab.broker:
        pytest.skip("no RabbitMQ on this machine")
    rows_file, keep = tmp_path / "trials.json", tmp_path / "reports"
    # Nobody can purge a queue that is gone.
    runs = bench(
        lab.directory, ["queue-deleted+messages-purged", "healthy"], 2, rows_file, (), keep
    )
    assert [failure.split(":")[1] for failure in runs.failures] == [
        " queue-deleted+messages-purged"
    ] * 2
    rows = json.loads(rows_file.read_text())
    assert [(row["variant"], row["names"], row["round"]) for row in rows] == [
        ("standard", ["healthy"], 1),
        ("standard", ["healthy"], 2),
    ]
    for number in (1, 2):
        report = json.loads(
            (keep / "standard" / "healthy" / str(number) / "report.json").read_text()
        )
        assert report["state"] == rows[number - 1]["state"] == "healthy"
    output = capsys.readouterr().out
    assert "variant standard:" in output
    assert output.count("could not be run") == 2


def test_a_broken_lab_is_left_alone(lab: Lab) -> None:
    """The bench heals after each trial, so it refuses a lab that somebody else has broken."""
    faults.inject(lab.directory, ["user-errors"])
    try:
        with pytest.raises(LabError, match="broken already"):
            bench(lab.directory, ["healthy"], 1, None)
        assert faults.active(lab.directory) == ["user-errors"]
    finally:
        faults.heal(lab.directory)


def test_a_bench_that_is_ended_leaves_no_folder(tmp_path: Path) -> None:
    """SIGTERM, also while its lab starts, ends the lab and removes its folder."""
    command = [sys.executable, "-m", "lab", "bench", "--variant", "bare", "--fault", "healthy"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    ended = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        eventually(
            lambda: any(tmp_path.glob("veza-bench-*/supervisor.log")), "the lab of the bench"
        )
        ended.terminate()
        assert ended.wait(PATIENCE) == 143
    finally:
        ended.kill()
        ended.wait()
    assert list(tmp_path.iterdir()) == []
