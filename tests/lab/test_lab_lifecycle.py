"""A lab never outlives its owner, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from lab import cli, lifecycle, remains
from lab.processes import Identity, identify
from lab.storage import is_mounted
from tests.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from lab.state import Lab


def processes_of(directory: Path) -> list[Identity]:
    """Supervisor and children of the lab."""
    description = lifecycle.describe(directory)
    pids = [each["pid"] for each in description["processes"].values()]
    return [found for pid in [*pids, description["supervisor"]] if (found := identify(pid))]


def all_ended(processes: list[Identity]) -> bool:
    """Whether none of them is alive."""
    return not any(process.is_alive() for process in processes)


def test_lab_ends_with_its_owner(tmp_path: Path, lab: Lab) -> None:
    """When the owner is killed everything of its lab goes, and the lab beside it stays."""
    owner = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        second = lifecycle.up(tmp_path / "second", owner=owner.pid, broker=False)
        assert not second.broker
        started = processes_of(second.directory)
        assert len(started) == 5
    finally:
        owner.kill()
        owner.communicate()
    eventually(lambda: all_ended(started), "the second lab's end")
    assert not is_mounted(second.storage_root)
    assert {path.name for path in second.directory.iterdir()} <= remains.KEPT
    assert httpx.get(lab.api_url + "/readyz").status_code == 200
    lifecycle.down(second.directory)


def test_killed_supervisor_takes_its_children_with_it(tmp_path: Path) -> None:
    """After SIGKILL no process is left at once, and `down` takes the mount away."""
    running = lifecycle.up(tmp_path / "killed", owner=os.getpid(), broker=False)
    started = processes_of(running.directory)
    remains.recall(running.directory, "supervisor")[0].kill()
    eventually(lambda: all_ended(started), "the children's end")
    lifecycle.down(running.directory)
    assert not is_mounted(running.storage_root)
    assert [path.name for path in running.directory.iterdir()] == [remains.MARKER]


def test_up_again_finds_the_running_lab(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """A second `up` starts nothing and says so."""
    before = lifecycle.describe(lab.directory)["supervisor"]
    assert cli.main(["up", "--dir", str(lab.directory)]) == 0
    assert "up already" in capsys.readouterr().out
    assert lifecycle.describe(lab.directory)["supervisor"] == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["status"], "no lab is running"),
        (["inject", "worker-killed"], "no lab in"),
        (["up", "--owner", "4194999"], "does not exist"),
    ],
)
def test_wrong_use_gets_one_sentence(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be done is said in one line that names the remedy or the place."""
    assert cli.main([arguments[0], "--dir", str(tmp_path / "none"), *arguments[1:]]) == 1
    said = capsys.readouterr().err
    assert sentence in said
    assert len(said.strip().splitlines()) == 1


def test_directory_of_somebody_else_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A directory that holds other things is not taken over."""
    (tmp_path / "thesis.txt").write_text("precious")
    assert cli.main(["up", "--dir", str(tmp_path)]) == 1
    assert "not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
