"""How a run ends: at its budget, at a signal, before another run of the same target."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.files import lock_file
from tests.suite import command, run_command, run_suite, started_suite
from tests.targets import api_target
from tests.waiting import PATIENCE


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[tuple[socket.socket, Path]]:
    """A server that takes every connection and says nothing, and a targets file that names it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        port = server.getsockname()[1]
        file = tmp_path / "targets.toml"
        file.write_text(
            api_target("silent", f"http://127.0.0.1:{port}", timeout="10 min")
            + f"""
[targets.silent.queue]
url = "amqp://m:hunter22@127.0.0.1:{port}/%2F"
name = "q"
timeout = "10 min"
"""
        )
        yield server, file


@pytest.mark.patient
def test_the_verdict_is_there_before_the_budget_ends(
    silent: tuple[socket.socket, Path], tmp_path: Path
) -> None:
    """A check is stopped at its deadline, and what has not run by then is missing."""
    run = run_suite(
        f"--targets-file={silent[1]}", "--target", "silent", "--budget", "15 s",
        out=tmp_path / "out",
    )  # fmt: skip
    assert run.report is not None
    # Ten times as long on a busy machine; without a budget the checks take minutes.
    assert run.report["seconds"] < 60
    assert "missing" in run.statuses.values()
    outcomes = [result["outcome"] for result in run.report["results"]]
    reasons = [outcome["seen"] for outcome in outcomes if outcome["status"] == "unreachable"]
    assert any(reason.startswith("the check was stopped at its deadline") for reason in reasons)
    assert "budget is used up" in run.text
    again = f"pytest --targets-file={silent[1]} --out={tmp_path / 'out'} --target silent"
    assert run.report["target"]["command"] == again
    assert run.status != 0


HANGING = """
import signal, threading

def pytest_runtest_call(item):
    if item.name == "test_token_is_accepted":
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        threading.Event().wait()
"""


@pytest.mark.patient
def test_a_call_that_no_signal_interrupts_costs_no_verdict(tmp_path: Path) -> None:
    """A check that hangs beyond every signal is not run; what was seen before is in the verdict."""
    (tmp_path / "hanging.py").write_text(HANGING)
    file = tmp_path / "targets.toml"
    file.write_text(
        '[targets.hung]\nenvironment = "staging"\n[targets.hung.api]\n'
        'url = "http://127.0.0.1:1"\ntoken = "swordfish"\n'
    )
    run = run_suite(
        f"--targets-file={file}", "--target", "hung", "--budget", "15 s",
        "-p", "hanging", "-k", "upload_status", f"--junitxml={tmp_path}/junit.xml",
        out=tmp_path / "out",
        environ={"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert run.status == 2
    assert run.outcome("upload_status/api_is_reachable")["status"] == "failed"
    hung = run.outcome("upload_status/token_is_accepted")
    assert (hung["status"], hung["seen"].partition(":")[0]) == ("missing", "the check hangs")
    assert run.state == "incident"
    assert "the API" in run.text
    assert "Traceback" not in run.text + run.errors
    assert "token_is_accepted" in (tmp_path / "junit.xml").read_text()


@pytest.mark.patient
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_with_a_verdict(
    silent: tuple[socket.socket, Path], tmp_path: Path, number: int
) -> None:
    """SIGTERM and SIGINT to the whole group end the run with a verdict on what was seen."""
    server, file = silent
    arguments = (f"--targets-file={file}", "--target", "silent")
    with started_suite(*arguments, out=tmp_path / "out") as run:
        # A connection: the run is looking, and waits for an answer.
        connection, _ = server.accept()
        os.killpg(run.pid, number)
        text, _ = run.communicate(timeout=PATIENCE)
        connection.close()
    report = json.loads((tmp_path / "out/silent/upload_stuck/partial/report.json").read_text())
    assert run.returncode == 2, text
    assert "Partial run, interrupted: " in text
    assert report["state"] == "unknown"
    assert report["headline"].startswith("Partial run, interrupted: ")
    assert report["headline"].partition(" of ")[2].startswith(f"{len(report['results'])} checks")
    assert report["problems"] == ["the run was interrupted; the report is incomplete"]
    assert "Traceback" not in text
    assert "KeyboardInterrupt" not in text


SIGNALLED = """
import os, signal, pytest

def interrupt(place):
    if place in os.environ["SIGNALLED_IN"].split():
        signal.raise_signal(int(os.environ["SIGNAL"]))

@pytest.hookimpl(wrapper=True)
def pytest_collection():
    result = yield
    interrupt("collection")
    return result

def pytest_runtest_call(item):
    if item.name == "test_token_is_accepted":
        interrupt("check")

@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish():
    interrupt("end")

def pytest_check_report():
    interrupt("report")

def pytest_unconfigure():
    interrupt("unconfigure")
"""


@pytest.mark.patient
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("places", ["check end report unconfigure", "collection end report"])
def test_a_further_signal_breaks_no_report(tmp_path: Path, number: int, places: str) -> None:
    """The first one ends the checks, and the last whole report stays."""
    status, text = signalled(tmp_path, number, places)
    assert status == 2, text
    assert not (tmp_path / "out/here/upload_stuck/report.json").exists()
    report = json.loads((tmp_path / "out/here/upload_stuck/partial/report.json").read_text())
    assert report["headline"].startswith("Partial run, interrupted: ")
    assert "Partial run, interrupted: " in text
    assert {result["outcome"]["status"] for result in report["results"]} >= {"missing"}


@pytest.mark.patient
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_after_the_checks_ends_nothing(tmp_path: Path, number: int) -> None:
    """All has been seen: report and verdict are those of the whole run."""
    status, text = signalled(tmp_path, number, "end report unconfigure")
    assert status == 1, text
    report = json.loads((tmp_path / "out/here/upload_stuck/report.json").read_text())
    assert report["problems"] == []
    assert "missing" not in {result["outcome"]["status"] for result in report["results"]}
    assert "INCIDENT" in text


def signalled(tmp_path: Path, number: int, places: str) -> tuple[int, str]:
    """Run all checks, with a signal at each of these places; return the status and the output."""
    (tmp_path / "signalled.py").write_text(SIGNALLED)
    file = tmp_path / "targets.toml"
    file.write_text(api_target("here", "http://127.0.0.1:1"))
    arguments = (f"--targets-file={file}", "--target", "here", "-p", "signalled", "--recheck=0")
    environ = {"PYTHONPATH": str(tmp_path), "SIGNALLED_IN": places, "SIGNAL": str(int(number))}
    with started_suite(*arguments, out=tmp_path / "out", environ=environ) as run:
        text, _ = run.communicate(timeout=PATIENCE)
    for noise in ("Traceback", "INTERNALERROR", "KeyboardInterrupt"):
        assert noise not in text
    return run.returncode, text


@pytest.mark.patient
@pytest.mark.parametrize(
    ("mode", "status", "sentence"),
    [("skip", 5, "skipped: another run"), ("fail", 4, "another run"), ("wait", 4, "more time")],
)
def test_a_second_run_waits_or_leaves(
    silent: tuple[socket.socket, Path], tmp_path: Path, mode: str, status: int, sentence: str
) -> None:
    """While another run holds the target, a second one does as it was told and says who it is."""
    folder = tmp_path / "out" / "silent"
    folder.mkdir(parents=True)
    (folder / ".holder").write_text("process 4711, since 03:00:00 UTC")
    silent[1].chmod(0o600)
    with lock_file(folder / ".lock", 0.0):
        run = run_suite(
            f"--targets-file={silent[1]}", "--target", "silent", "--if-busy", mode,
            "--budget", "5 s", out=tmp_path / "out",
        )  # fmt: skip
    assert run.status == status
    assert sentence in run.text + run.errors
    assert "process 4711" in run.text + run.errors
    assert "Traceback" not in run.text + run.errors
    assert len((run.text + run.errors).strip().splitlines()) == 1
    assert run.report is None


def test_all_of_the_output_is_there_when_the_session_has_ended(tmp_path: Path) -> None:
    """Nothing that was printed depends on what Python does with a stream at its very end."""
    (tmp_path / "abrupt.py").write_text("import atexit, os\n\natexit.register(os._exit, 0)\n")
    environ = {"PYTHONPATH": str(tmp_path), "PYTHONUNBUFFERED": ""}
    whole, abrupt = (
        run_command(*command(tmp_path / "out", ("--fixtures", *more)), environ=environ).stdout
        for more in ((), ("-p", "abrupt"))
    )
    # The last line has the seconds.
    lines = whole.splitlines()[:-1]
    assert len(lines) > 20
    assert abrupt.splitlines()[:-1] == lines


@pytest.mark.parametrize(
    ("redirection", "errors"),
    [
        (">/dev/full", "standard output cannot be written: No space left on device\n"),
        (">&-", "standard output cannot be written: it is closed\n"),
        (">/dev/full 2>/dev/full", ""),
        pytest.param(">&- 2>&-", "", marks=pytest.mark.patient),
    ],
)
def test_a_run_needs_no_output(tmp_path: Path, redirection: str, errors: str) -> None:
    """A log on a full disk, or a closed one, costs neither the report nor the exit status."""
    file = tmp_path / "targets.toml"
    file.write_text(api_target("here", "http://127.0.0.1:1"))
    file.chmod(0o600)
    arguments = (f"--targets-file={file}", "--target", "here", "--recheck=0")
    run = run_command(
        "sh", "-c", f'exec "$@" {redirection}', "sh", *command(tmp_path / "out", arguments)
    )
    assert (run.returncode, run.stdout, run.stderr) == (1, "", errors)
    report = json.loads((tmp_path / "out/here/upload_stuck/report.json").read_text())
    assert report["state"] == "incident"


SLOW_REPORT = """
import time, pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "setup":
        ends = time.monotonic() + 3.0
        while time.monotonic() < ends:
            pass
    return report
"""


@pytest.mark.patient
def test_a_deadline_that_passes_in_pytest_itself_ends_no_run(tmp_path: Path) -> None:
    """A check's signal comes within the check: never while its report is being made."""
    (tmp_path / "slow_report.py").write_text(SLOW_REPORT)
    file = tmp_path / "targets.toml"
    file.write_text(
        '[targets.slow]\nenvironment = "staging"\n[targets.slow.api]\n'
        'url = "http://127.0.0.1:1"\ntoken = "swordfish"\n'
    )
    run = run_suite(
        f"--targets-file={file}", "--target", "slow", "--budget", "3 s", "-n0",
        "-p", "slow_report", "-k", "upload_status",
        out=tmp_path / "out",
        environ={"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert "INTERNALERROR" not in run.text + run.errors
    assert "error" not in run.statuses.values()
    assert "missing" in run.statuses.values()
