"""A watch of the lab ends by itself when the fault is repaired."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lab import faults
from lab.faults.tools import FaultTools
from tests.suite import ROOT, environment
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from lab.state import Lab


def test_it_ends_when_the_worker_is_back(lab: Lab, tmp_path: Path) -> None:
    """The first look names the dead worker; after its start two looks see no symptom."""
    arguments = [
        f"--targets-file={lab.directory / 'targets.toml'}",
        *("--target=lab", "--every=2s", f"--for={PATIENCE:.0f}s", f"--out={tmp_path}"),
    ]
    faults.inject(lab.directory, ["worker-killed"])
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "reports", "watch", *arguments],
            cwd=ROOT,
            env=environment({"LC_ALL": "C.UTF-8"}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                assert process.stdout
                first = process.stdout.readline()
                with FaultTools(lab.directory) as tools:
                    for worker in tools.lab.workers:
                        tools.start(worker)
                output, _ = process.communicate(timeout=2 * PATIENCE)
            finally:
                process.kill()
    finally:
        faults.heal(lab.directory)
    assert "look 1: Incident: " in first
    assert "job worker down" in first
    assert process.returncode == 0, output
    assert "job worker down" not in output
    assert output.splitlines()[-1].startswith("Recovered after ")
    assert "is over after" in output
    assert (tmp_path / "lab/upload_stuck/history.sqlite3").exists()
