"""The process probe looks at real processes, here and behind ssh."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from fixtures.probes.errors import Unreachable
from fixtures.probes.host import processes as processes_module
from fixtures.probes.host.processes import Processes
from fixtures.probes.host.shell import Shell
from lab.processes import process_state
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A process whose command line only this test's pattern matches, and that pattern."""
    name = f"job-worker-{tmp_path.parent.name}-{tmp_path.name}"
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()", name], stdin=subprocess.PIPE
    )
    yield process, f"JOB-worker.*{tmp_path.parent.name}-{tmp_path.name}$"
    process.kill()
    process.communicate()


def test_worker_is_found(shell: Shell, worker: tuple[subprocess.Popen[bytes], str]) -> None:
    """The worker is found by its pattern, and nothing that holds the pattern is."""
    process, pattern = worker
    tail = ["tail", "-f", "/dev/null", f"/dev/null/job-worker-{pattern[12:-1]}"]
    looker = subprocess.Popen(tail, stderr=subprocess.DEVNULL)
    found = Processes([shell], pattern)
    try:
        running = found.running()
    finally:
        looker.kill()
        looker.wait()
    assert [p.pid for p in running.processes] == [process.pid], running
    assert found.responsiveness().all_responsive
    assert not found.uptime().all_longer_than(30)


@pytest.fixture
def listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Shell]:
    """Give a host of which ps says what it is told to."""

    def tell(text: str) -> Shell:
        program = tmp_path / "ps"
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        return Shell("local://")

    return tell


INIT = "    1     0 Ss   2-00:00:00 /sbin/init\n"


def test_a_child_does_not_unsettle_its_worker(listing: Callable[[str], Shell]) -> None:
    """What a worker started for one job is as young as the job, and the worker is not."""
    shell = listing(
        f"{INIT}  700     1 Ss   02:00:00 /opt/job-worker\n"
        "  910   700 S       00:03 ffmpeg -i /srv/job-worker/uploads/7f.wav\n"
        "  911   700 S       00:02 transcode /srv/job-worker/uploads/7f.wav"
    )
    found = Processes([shell], "job.*worker")
    assert [p.pid for p in found.running().processes] == [700, 911]
    assert found.uptime().all_longer_than(30), found.uptime()
    assert "process 700 on local, the youngest of 1 of the worker" in str(found.uptime())


def test_hidden_processes_are_not_missed(listing: Callable[[str], Shell]) -> None:
    """Where even pid 1 is hidden a worker may be too; one that is seen is judged as ever."""
    shell = listing("  812     1 Ss   10:00 sshd: monitor\n  813   812 S    00:01 cat")
    found = Processes([shell], "job.*worker")
    for look in (found.running, found.responsiveness, found.uptime):
        with pytest.raises(Unreachable, match=r"local shows its user only its own .* \(hidepid\)"):
            look()
    shell = listing("  812     1 Ss   10:00 /opt/job-worker")
    assert Processes([shell], "job.*worker").uptime().all_longer_than(30)


def test_only_the_program_is_recorded(listing: Callable[[str], Shell]) -> None:
    """A password on a worker's command line reaches no observation, thus no report."""
    shell = listing(f"{INIT}  700     1 T  00:03 /opt/job-worker --dsn postgres://u:hunter2@db/x")
    found = Processes([shell], "job.*worker.*postgres")
    for seen in (found.running(), found.responsiveness(), found.uptime()):
        assert "hunter2" not in f"{seen} {asdict(seen)}"
        assert "'program': 'job-worker'" in str(asdict(seen))


def test_no_worker_is_one_message(shell: Shell) -> None:
    """Where none runs, that is what is said; states and ages cannot be looked at."""
    found = Processes([shell], "job-worker-that-nobody-started")
    assert not found.running().at_least_one
    for look in (found.responsiveness, found.uptime):
        with pytest.raises(Unreachable, match="nothing to look at: no running process matches"):
            look()


def test_a_stopped_worker_does_not_respond(
    shell: Shell, worker: tuple[subprocess.Popen[bytes], str]
) -> None:
    """A worker that was stopped runs, but cannot work."""
    process, pattern = worker
    process.send_signal(signal.SIGSTOP)
    eventually(lambda: process_state(process.pid) == "T", "the worker to stop")
    found = Processes([shell], pattern)
    assert found.running().at_least_one
    assert f"process {process.pid} on {shell.name} is stopped (T)" in str(found.responsiveness())
    assert not found.responsiveness().all_responsive


def test_a_dead_worker_that_nobody_buried(shell: Shell, tmp_path: Path) -> None:
    """A zombie runs nothing and does not respond."""
    program = tmp_path / "job-worker-zom"
    program.symlink_to(shutil.which("true") or "true")
    process = subprocess.Popen([str(program)])
    eventually(lambda: process_state(process.pid) == "Z", "the worker to end")
    found = Processes([shell], r"job-worker-zom\] <defunct>")
    assert not found.running().at_least_one
    assert f"process {process.pid} on {shell.name} is a zombie" in str(found.responsiveness())
    process.wait()


def test_processes_are_found_without_ps(
    worker: tuple[subprocess.Popen[bytes], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A slim image without ps is read from /proc: same process, same state, same age."""
    process, pattern = worker
    process.send_signal(signal.SIGSTOP)
    eventually(lambda: process_state(process.pid) == "T", "the worker to stop")
    shell = Shell("local://")
    (before,) = Processes([shell], pattern).running().processes
    for tool in ("sh", "env", "timeout", "tr", "head", "getconf"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or tool)
    assert processes_module.LIST.startswith("\n{\n  ps ")
    with monkeypatch.context() as slim:
        slim.setenv("PATH", str(tmp_path))
        (without,) = Processes([shell], pattern).running().processes
    (after,) = Processes([shell], pattern).running().processes
    assert (without.pid, without.state, without.program) == (
        process.pid,
        before.state,
        before.program,
    )
    # Each rounds in its own way.
    assert before.seconds - 1 <= without.seconds <= after.seconds + 1
