"""`python -m reports watch`: look after look, until the symptoms are gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reports.cli.looks import Looks
from tests.suite import ROOT, Run, environment
from tests.waiting import PATIENCE, eventually

CHECK = '''
import os
import signal
from pathlib import Path

course = Path("course")
now, *later = course.read_text().split()
course.write_text(" ".join(later))
with Path("processes").open("a") as file:
    print(os.getpid(), file=file)

def test_no_upload_is_stuck():
    """No upload is stuck."""
    if now == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if now == "hangs":
        Path("hanging").write_text(str(os.getpid()))
        signal.pause()
    assert now == "good", "8 uploads are stuck"
'''

OPTION = """
def pytest_addoption(parser):
    parser.addoption("--target")
"""

COUNT = """
def pytest_configure(config):
    print(len(config.invocation_params.args), "argument")
"""


@pytest.fixture
def project(pytester: pytest.Pytester, run_checks: Callable[..., Run]) -> Path:
    """A project whose only check, a symptom, ends in each look as the file `course` says."""
    folder = pytester.path / "checks/upload_stuck"
    (folder / "test_signal.py").write_text(CHECK)
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text() + OPTION)
    return pytester.path


def watch(project: Path, course: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a watch in the project whose looks have this course."""
    (project / "course").write_text(course)
    command = [sys.executable, "-m", "reports", "watch", "--target=made-up", *arguments]
    return subprocess.Popen(
        # A test that was started in the background would have its children ignore SIGINT.
        ["env", "--default-signal", *command],
        cwd=project,
        env=environment({"PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Return the exit status and the output of a watch that has ended."""
    with process:
        try:
            output, _ = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    return process.returncode, output


@pytest.mark.patient
def test_it_ends_by_itself_and_a_lost_look_is_no_recovery(project: Path) -> None:
    """The look before the one that was killed does not count, and the lost one is told."""
    status, text = ended(watch(project, "bad good killed good good never", "--every=1s"))
    assert status == 0, text
    assert "look 1: Incident: 8 uploads are stuck." in text
    assert "look 2: incident → healthy" in text
    assert "look 3: lost: " in text
    assert "look 4: healthy, nothing changed" in text
    assert text.splitlines()[-1].endswith("5 looks (1 lost).")
    assert (project / "course").read_text() == "never"


@pytest.mark.patient
def test_one_process_makes_the_looks(project: Path) -> None:
    """Each look imports the checks anew; a process that was killed costs the look it was making."""
    status, text = ended(watch(project, "bad good killed good good", "--every=1s"))
    assert status == 0, text
    first, second, third, fourth, fifth = (project / "processes").read_text().split()
    assert first == second == third != fourth == fifth
    for process in (third, fifth):
        with pytest.raises(ProcessLookupError):
            os.kill(int(process), 0)


@pytest.mark.patient
def test_a_later_look_is_as_the_first(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look has the output of no earlier one, and the arguments are not more each time."""
    conftest = project / "conftest.py"
    conftest.write_text(conftest.read_text() + COUNT)
    (project / "course").write_text("bad bad bad")
    monkeypatch.chdir(project)
    for name, value in environment({"PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": "-q"}).items():
        monkeypatch.setenv(name, value)
    looks = Looks(["--target=made-up"])
    try:
        outputs = [looks.look()[1].splitlines()[0] for _ in range(3)]
    finally:
        looks.end()
    assert outputs[0] == outputs[1] == outputs[2] == "1 argument"


@pytest.mark.patient
def test_a_process_that_ends_between_looks_costs_none(project: Path) -> None:
    """The next look is made by another one."""
    process = watch(project, "good bad good good", "--every=4s")
    assert process.stdout
    assert "look 1: Healthy" in process.stdout.readline()
    os.kill(int((project / "processes").read_text()), signal.SIGKILL)
    status, text = ended(process)
    assert status == 0, text
    assert "look 2: healthy → incident" in text
    assert "lost" not in text


@pytest.mark.patient
def test_its_time_is_limited(project: Path) -> None:
    """It ends with the status of the last look, and says what it waited for."""
    status, text = ended(watch(project, "bad bad bad", "--every=1h", "--for=1min"))
    assert status == 1
    assert "1 look, while waiting for 2 looks in a row without a symptom." in text
    assert (project / "course").read_text() == "bad bad"


def test_a_healthy_look_is_no_recovery_when_the_time_is_over(project: Path) -> None:
    """Its status is not 0: what was waited for has not been seen."""
    status, text = ended(watch(project, "good", "--every=1h", "--for=1min"))
    assert status == 1, text


@pytest.mark.patient
def test_a_watch_without_a_reader_has_not_recovered(project: Path) -> None:
    """What stops with its reader, as `tee` on a full disk, has seen no end of the incident."""
    process = watch(project, "bad bad bad", "--every=1s")
    assert process.stdout
    assert "look 1: Incident" in process.stdout.readline()
    process.stdout.close()
    try:
        assert process.wait(PATIENCE) == 1
    finally:
        process.kill()


@pytest.mark.patient
def test_ctrl_c_ends_it_with_the_last_verdict(project: Path) -> None:
    """The look in progress is ended too; the status is that of the last whole look."""
    process = watch(project, "bad hangs", "--every=1s")
    hanging = project / "hanging"
    eventually(lambda: hanging.exists() and hanging.read_text() != "", "the second look")
    process.send_signal(signal.SIGINT)
    status, text = ended(process)
    assert status == 1, text
    assert "✗ INCIDENT  made-up" in text
    assert "Ended after" in text.splitlines()[-1]
    with pytest.raises(ProcessLookupError):
        os.kill(int(hanging.read_text()), 0)


def test_a_refused_first_look_ends_it(project: Path) -> None:
    """Nothing gets better by looking again with a wrong option."""
    conftest = project / "conftest.py"
    conftest.write_text(conftest.read_text().replace(OPTION, ""))
    status, text = ended(watch(project, "bad"))
    assert status == 4
    assert "--target" in text
    assert "Traceback" not in text


@pytest.mark.patient
@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--target=staging,live"], "name one target"),
        (["--target=all"], "name one target"),
        (["--target=../x"], "name one target"),
        (["--every=often"], "argument --every: write it like"),
    ],
)
def test_a_wrong_command_line_is_refused(project: Path, arguments: list[str], error: str) -> None:
    """With one sentence, before anything is looked at."""
    status, text = ended(watch(project, "bad", *arguments))
    assert status == 2
    assert error in text
    assert (project / "course").read_text() == "bad"
