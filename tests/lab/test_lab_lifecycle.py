"""Start and end of a lab: it ends with its owner and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from lab import clean_up, cli, lifecycle
from lab.processes import Identity, identify
from lab.storage import is_mounted
from tests.suite import run_command
from tests.waiting import eventually

if TYPE_CHECKING:
    from lab.state import Lab


def processes_of(directory: Path) -> list[Identity]:
    """Return the supervisor and its children."""
    description = lifecycle.describe(directory)
    pids = [process["pid"] for process in description["processes"].values()]
    identities = [identify(pid) for pid in [*pids, description["supervisor"]]]
    return [identity for identity in identities if identity]


def all_ended(processes: list[Identity]) -> bool:
    """Return whether none of the processes is alive."""
    return not any(process.is_alive() for process in processes)


def test_lab_ends_with_its_owner(tmp_path: Path, lab: Lab) -> None:
    """When the owner is killed, its lab ends completely; another lab keeps running."""
    owner = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        second = lifecycle.up(tmp_path / "second", owner=owner.pid, broker=False)
        assert not second.broker
        started = processes_of(second.directory)
        assert len(started) == 5
    finally:
        owner.kill()
        owner.communicate()
    eventually(lambda: all_ended(started), "the end of the second lab")
    assert not is_mounted(second.storage_root)
    assert {path.name for path in second.directory.iterdir()} <= clean_up.KEPT
    assert httpx.get(lab.api_url + "/readyz").status_code == 200
    lifecycle.down(second.directory)


def test_children_end_with_a_killed_supervisor(tmp_path: Path) -> None:
    """After SIGKILL of the supervisor, its children end, and `down` removes the mount."""
    running = lifecycle.up(tmp_path / "killed", owner=os.getpid(), broker=False)
    started = processes_of(running.directory)
    clean_up.load_processes(running.directory, "supervisor")[0].kill()
    eventually(lambda: all_ended(started), "the end of the children")
    lifecycle.down(running.directory)
    assert not is_mounted(running.storage_root)
    assert [path.name for path in running.directory.iterdir()] == [clean_up.MARKER]


def test_second_up_starts_nothing(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """A second `up` starts no process and says that the lab is up already, and how to repair it."""
    before = lifecycle.describe(lab.directory)["supervisor"]
    assert cli.main(["up", "--dir", str(lab.directory)]) == 0
    text = capsys.readouterr().out
    assert "up already" in text
    heal = f"python -m lab heal --dir {lab.directory}"
    assert f"{heal}; systemctl and rabbitmqctl do not reach these processes" in text
    assert lifecycle.describe(lab.directory)["supervisor"] == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["status"], "no lab is running"),
        (["inject", "worker-killed"], "no lab in"),
        (["up", "--owner", "4194999"], "does not exist"),
    ],
)
def test_an_error_is_one_sentence(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command that fails prints one line on stderr and exits with 1."""
    assert cli.main([arguments[0], "--dir", str(tmp_path / "none"), *arguments[1:]]) == 1
    error = capsys.readouterr().err
    assert sentence in error
    assert len(error.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("command", "status"),
    [
        *[(f"lab {name}", 1) for name in ("up", "down", "status", "heal", "inject worker-killed")],
        ("pytest --target lab -p no:cacheprovider", 4),
    ],
)
def test_a_lab_of_another_user_is_one_sentence(tmp_path: Path, command: str, status: int) -> None:
    """Its folder cannot be read; the sentence says how to have a lab of one's own."""
    folder = tmp_path / "lab"
    folder.mkdir()
    clean_up.save_supervisor(folder)
    folder.chmod(0)
    # Without its capabilities, a root who runs the tests may not read it either.
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    done = run_command(
        *drop, sys.executable, "-m", *command.split(), environ={"VEZA_LAB_DIR": str(folder)}
    )
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    (sentence,) = done.stderr.strip().splitlines()
    assert f"the lab in {folder} belongs to another user" in sentence
    assert "VEZA_LAB_DIR" in sentence


def test_directory_with_other_files_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`up` refuses a directory with other files and does not change it."""
    (tmp_path / "thesis.txt").write_text("precious")
    assert cli.main(["up", "--dir", str(tmp_path)]) == 1
    assert "not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
