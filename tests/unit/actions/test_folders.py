"""The folders of looks: one is removed when its process is gone, and not before."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from actions.folders import PREFIX, own_folder, remove_abandoned
from tests.suite import ROOT
from tests.waiting import eventually

HOLD = """
import subprocess, sys
from actions.folders import own_folder
with own_folder() as (folder, held):
    child = subprocess.Popen(["cat"], pass_fds=(held,), stdin=0)
    print(folder, child.pid, flush=True)
    child.wait()
"""


@pytest.fixture(autouse=True)
def _in_its_own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_a_folder_is_gone_after_its_use(tmp_path: Path) -> None:
    """While it is in use, nobody removes it."""
    with own_folder() as (folder, _):
        (folder / "report.json").touch()
        remove_abandoned()
        assert (folder / "report.json").exists()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_killed_call_is_removed(tmp_path: Path) -> None:
    """As soon as the run that it had started has ended as well."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as call:
        assert call.stdout
        assert call.stdin
        name, _ = call.stdout.readline().split()
        call.kill()
        call.wait()
        remove_abandoned()
        assert [str(path) for path in tmp_path.iterdir()] == [name]
        call.stdin.close()

        def is_removed() -> bool:
            remove_abandoned()
            return not list(tmp_path.iterdir())

        eventually(is_removed, "the end of the child")


def test_what_is_no_folder_of_ours_stays(tmp_path: Path) -> None:
    """A link leads elsewhere, and a file is something else."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / f"{PREFIX}link").symlink_to(elsewhere)
    (tmp_path / f"{PREFIX}file").touch()
    remove_abandoned()
    assert len(list(tmp_path.iterdir())) == 3
