"""Several targets in one call: a run, a line and a report for each, the worst exit status."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from fixtures.run import several_targets
from fixtures.run.several_targets import REPORT_MAX, TargetRun, TargetRuns, headline_of, worst
from tests.suite import run_suite, started_suite
from tests.targets import api_target, storage_target
from tests.waiting import PATIENCE


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two targets: one with a folder of uploads, and one whose folder does not exist."""
    path = tmp_path / "targets.toml"
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    path.write_text(storage_target("here", uploads) + storage_target("gone", uploads / "nowhere"))
    return path


@pytest.mark.patient
@pytest.mark.parametrize("named", ["here,gone", "all"])
def test_each_target_has_its_own_verdict(file: Path, tmp_path: Path, named: str) -> None:
    """Each target has a line and a report; the worst exit status is the call's."""
    out = tmp_path / "out"
    run = run_suite(
        f"--targets-file={file}", "--target", named, "-k",
        "directory_exists", "-n", "2", out=out,
    )  # fmt: skip
    assert run.status == 1, run.text + run.errors
    lines = {line.partition(": ")[0]: line for line in run.text.splitlines() if ": " in line}
    assert re.match(r"here: Partial run: 1 of \d+ checks, passed\.", lines["here"])
    assert re.match(r"gone: Partial run: 1 of \d+ checks, 1 failed\. At risk: ", lines["gone"])
    reports = out.glob("*/upload_stuck/partial/report.json")
    states = {p.parts[-4]: json.loads(p.read_text())["state"] for p in reports}
    assert states == {"here": "healthy", "gone": "at risk"}


def test_an_unknown_target_among_them_is_refused(file: Path, tmp_path: Path) -> None:
    """If one of the names is mistyped, no check runs and the sentence has the nearest name."""
    run = run_suite(f"--targets-file={file}", "--target", "here,gon", out=tmp_path / "out")
    assert run.status == 4
    assert run.errors.strip().endswith("which has: gone, here; did you mean 'gone'?")
    assert not (tmp_path / "out").exists()


def test_a_target_that_is_called_all_is_refused(file: Path, tmp_path: Path) -> None:
    """Its own run would be one of all targets again, and so on without end."""
    file.write_text('default_target = "all"\n' + file.read_text() + storage_target("all", tmp_path))
    run = run_suite(f"--targets-file={file}", out=tmp_path / "out")
    assert run.status == 4
    assert "the target's name 'all' is invalid" in run.errors
    assert not (tmp_path / "out").exists()
    values = {"target": "all", "targets_file": str(file)}
    config = SimpleNamespace(getoption=values.get, rootpath=tmp_path)
    with pytest.raises(pytest.UsageError, match="the target's name 'all' is invalid"):
        several_targets.targets_of(cast("pytest.Config", config))


def test_the_lab_twice_needs_no_targets_file(tmp_path: Path) -> None:
    """The lab has a file of its own; --check-config ends the call before a lab starts."""
    where = (f"--targets-file={tmp_path / 'none.toml'}", "--target", "lab,lab", "--check-config")
    run = run_suite(*where, out=tmp_path / "out")
    assert run.status == 4
    assert "--check-config describes one target" in run.errors


def test_check_config_refuses_several_targets(file: Path, tmp_path: Path) -> None:
    """--check-config describes one target, and says so."""
    run = run_suite(
        f"--targets-file={file}", "--target", "all", "--check-config", out=tmp_path / "out"
    )
    assert run.status == 4
    assert "--check-config describes one target" in run.errors


@pytest.mark.parametrize("option", ["--junitxml=junit.xml", "--clean-alluredir"])
@pytest.mark.parametrize("several", ["--target=here,gone", "--runbook=all"])
def test_several_runs_have_no_file_in_common(
    file: Path, tmp_path: Path, option: str, several: str
) -> None:
    """The last one to end would be the only one in it."""
    run = run_suite(
        f"--targets-file={file}", "--target=here", several, option, "--alluredir=allure",
        out=tmp_path / "out",
    )  # fmt: skip
    assert run.status == 4
    assert f"{option.partition('=')[0]}: each run would remove" in run.errors


def test_a_run_is_killed_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that a run has left behind holds its output open; nobody waits for that."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho started\nsleep 1000 &\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(several_targets, "RUN_MAX", 1.0)
    where = SimpleNamespace(args=(), dir=tmp_path)
    config = SimpleNamespace(
        invocation_params=where, rootpath=tmp_path, getoption=lambda _name: "out"
    )
    (run,) = TargetRuns(cast("pytest.Config", config)).run_all("here", [])
    assert run == TargetRun("here", 0, "started")


@pytest.mark.patient
def test_a_signal_ends_all_runs(tmp_path: Path) -> None:
    """SIGTERM ends the run in progress with its verdict, and no other run is started."""
    file, out = tmp_path / "targets.toml", tmp_path / "out"
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        file.write_text(api_target("first", url) + api_target("second", url))
        options = (f"--targets-file={file}", "--target", "first,second", "-n1")
        with started_suite(*options, out=out) as process:
            # The first run waits for the answer to its first request.
            connection, _ = server.accept()
            process.terminate()
            text, _ = process.communicate(timeout=PATIENCE)
            connection.close()
    assert process.returncode == 2
    lines = text.splitlines()
    assert lines[0].startswith("first: Partial run, interrupted: ")
    assert lines[1] == "second: not started: the run was interrupted"
    assert not (out / "second").exists()


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        ((0, 0), 0),
        ((5, 0), 5),
        ((5, 1, 0), 1),
        ((1, 4), 1),
        ((1, 9, 2), 1),
        ((5, 2, 0), 2),
        ((2, 4, 5), 4),
        ((4, 9), 9),
    ],
)
def test_an_incident_is_the_worst(statuses: tuple[int, ...], status: int) -> None:
    """A run that was skipped or broke off does not hide what failed on another target."""
    assert worst(statuses) == status


@pytest.mark.parametrize(
    ("text", "headline"),
    [
        (
            '{"headline": "Healthy: all 9 checks passed.", "schema": 1}',
            "Healthy: all 9 checks passed.",
        ),
        ('{"headline": 3}', None),
        ("[]", None),
        ("", None),
    ],
)
def test_the_headline_of_a_report_is_read(tmp_path: Path, text: str, headline: str | None) -> None:
    """The headline is read from a report of this run; from a broken one there is none."""
    path = tmp_path / "report.json"
    path.write_text(text)
    assert headline_of(path, path.stat().st_mtime) == headline
    assert headline_of(path, path.stat().st_mtime + 1) is None, "an older run's report"


def test_a_report_is_read_with_a_cap(tmp_path: Path) -> None:
    """A file that is too large for a report, or is not a regular file, has no headline."""
    path = tmp_path / "report.json"
    os.mkfifo(path)
    assert headline_of(path, 0) is None
    path.unlink()
    path.write_text('{"headline": "Healthy"}')
    os.truncate(path, REPORT_MAX + 1)
    assert headline_of(path, 0) is None
