"""A partial run has a folder of its own, and changes nothing of the last whole run."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.suite import Run, run_command, run_suite, started_suite
from tests.waiting import PATIENCE

TARGET = """
[targets.here]
environment = "staging"

[targets.here.storage]
path = "{folder}/uploads"
service_user = "root"
"""

NODE = "checks/upload_stuck/test_storage.py::test_directory_exists"

UPLOAD = "7f9c2b1e-0d4a-4c58-9e6f-3a1b5d7c8e90"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the whole run of a target that was not healthy then, and is now."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "targets.toml").write_text(TARGET.format(folder=folder))
    whole = run(folder)
    assert whole.state == "at risk", whole.text
    assert whole.report is not None
    assert not whole.report["partial"]
    (folder / "uploads").mkdir()
    return folder


def run(folder: Path, *options: str, out: str = "out") -> Run:
    """Run the checks against the target of a folder."""
    options = (f"--targets-file={folder}/targets.toml", "--target", "here", *options)
    return run_suite(*options, out=folder / out)


def contents(folder: Path) -> dict[str, bytes]:
    """Return the content of each file in a folder, without the lock and the notes of its holder."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file() and p.name[0] != "."}


def reports(command: str, report: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of `python -m reports` on a report."""
    return run_command(sys.executable, "-m", "reports", command, report, *arguments)


def nagios(report: Path) -> tuple[int, str]:
    """Return exit status and line of `python -m reports nagios`."""
    done = reports("nagios", report)
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    "options",
    [
        ("-k", "disk_space"),
        pytest.param(("-m", "verification_4"), marks=pytest.mark.patient),
        pytest.param((NODE,), marks=pytest.mark.patient),
        pytest.param(("--deselect", NODE), marks=pytest.mark.patient),
        pytest.param(("--ignore=checks/upload_stuck/test_queue.py",), marks=pytest.mark.patient),
        pytest.param(("--upload-id", UPLOAD), marks=pytest.mark.patient),
        ("-x",),
        pytest.param(("--setup-plan",), marks=pytest.mark.patient),
    ],
    ids=" ".join,
)
def test_a_narrowed_run_replaces_nothing(folder: Path, options: tuple[str, ...]) -> None:
    """Report, page, metrics and history stay those of the last whole run."""
    before = contents(folder / "out/here/upload_stuck")
    assert {"report.json", "report.html", "metrics.prom", "history.sqlite3"} <= before.keys()
    narrowed = run(folder, *options)
    assert narrowed.report is not None
    assert narrowed.report["partial"]
    assert narrowed.report["headline"].startswith("Partial run"), narrowed.text
    assert contents(folder / "out/here/upload_stuck") == before
    files = sorted(path.name for path in (folder / "out/here/upload_stuck/partial").iterdir())
    assert files == ["report.html", "report.json"]


@pytest.mark.patient
@pytest.mark.parametrize("option", ["--last-failed", "--stepwise"])
def test_a_run_by_the_cache_replaces_nothing(tmp_path: Path, option: str) -> None:
    """pytest says of no check that it is left out: a file without failures is not even read."""
    (tmp_path / "targets.toml").write_text(TARGET.format(folder=tmp_path))
    whole = run(tmp_path)
    assert whole.state == "at risk"
    before = contents(tmp_path / "out/here/upload_stuck")
    cache = f"--override-ini=cache_dir={tmp_path / 'cache'}"
    run(tmp_path, cache, NODE)
    again = run(tmp_path, cache, option)
    assert again.report is not None
    assert again.report["partial"], again.text
    assert contents(tmp_path / "out/here/upload_stuck") == before


@pytest.mark.patient
def test_a_partial_run_tells_nobody(folder: Path) -> None:
    """Nagios keeps the whole run's line; no message, heartbeat or pushed metric comes from it."""
    whole = folder / "out/here/upload_stuck/report.json"
    partial = whole.parent / "partial/report.json"
    line = nagios(whole)
    run(folder, NODE)
    assert line[0] == 1
    assert nagios(whole) == line
    status, text = nagios(partial)
    assert status == 3
    assert re.match(r"UNKNOWN: Partial run: 1 of \d+ checks, passed\.", text)
    for command, place in (("notify", "env:NOWHERE"), ("push", "http://127.0.0.1:9")):
        done = reports(command, partial, "--to", place)
        assert done.returncode == 2, command
        assert done.stderr.strip().endswith(
            "is of a partial run, which says nothing of the whole target"
        ), command


@pytest.mark.patient
@pytest.mark.parametrize("options", [("checks",), ("-n2",), ("-k", "not canary")], ids=" ".join)
def test_a_run_of_every_check_is_whole(folder: Path, options: tuple[str, ...]) -> None:
    """It does not matter how a run comes to have every check of the runbook."""
    out = "-".join(options)
    whole = run(folder, *options, out=out)
    assert whole.report is not None
    assert not whole.report["partial"]
    assert (folder / out / "here/upload_stuck/metrics.prom").exists()
    assert not (folder / out / "here/partial").exists()


@pytest.mark.patient
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_replaces_nothing(tmp_path: Path, number: int) -> None:
    """A run that a person or the system ended is not the state of the target."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        port = server.getsockname()[1]
        file = tmp_path / "targets.toml"
        api = f'url = "http://127.0.0.1:{port}"\ntoken = "swordfish"\ntimeout = "10 min"\n'
        file.write_text(f'[targets.here]\nenvironment = "staging"\n\n[targets.here.api]\n{api}')
        arguments = (f"--targets-file={file}", "--target", "here")
        with started_suite(*arguments, out=tmp_path / "out") as process:
            connection, _ = server.accept()
            os.killpg(process.pid, number)
            text, _ = process.communicate(timeout=PATIENCE)
            connection.close()
    assert "Partial run, interrupted: " in text
    assert not (tmp_path / "out/here/upload_stuck/report.json").exists()
    status, line = nagios(tmp_path / "out/here/upload_stuck/partial/report.json")
    assert status == 3
    assert line.startswith("UNKNOWN: Partial run, interrupted: ")


@pytest.mark.patient
def test_a_run_whose_budget_is_used_up_is_whole(tmp_path: Path) -> None:
    """A target that is too slow is not hidden: the run was not narrowed, and its report counts."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        file = tmp_path / "targets.toml"
        api = f'url = "http://127.0.0.1:{port}"\ntoken = "swordfish"\ntimeout = "10 min"\n'
        file.write_text(f'[targets.here]\nenvironment = "staging"\n\n[targets.here.api]\n{api}')
        arguments = (f"--targets-file={file}", "--target", "here", "--budget", "6 s")
        slow = run_suite(*arguments, out=tmp_path / "out")
    assert "missing" in slow.statuses.values()
    assert (tmp_path / "out/here/upload_stuck/metrics.prom").exists()
    assert not (tmp_path / "out/here/upload_stuck/partial").exists()
