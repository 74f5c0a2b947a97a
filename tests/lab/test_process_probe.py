"""The process probe with real processes, locally and through ssh."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import repeat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures.probes.errors import NotOffered, Unreachable
from fixtures.probes.host.processes import Process, ProcessProbe
from fixtures.probes.host.shell import Shell
from lab.processes import process_state
from tests.waiting import PATIENCE, eventually


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A process that waits, and the pattern that only its command line matches."""
    name = f"job-worker-{tmp_path.parent.name}-{tmp_path.name}"
    program = "import sys; print(flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    process.stdout.readline()
    eventually(lambda: process_state(process.pid) == "S", "the worker to wait")
    yield process, f"JOB-worker.*{tmp_path.parent.name}-{tmp_path.name}$"
    process.kill()
    process.communicate()


def test_worker_is_found(shell: Shell, worker: tuple[subprocess.Popen[bytes], str]) -> None:
    """The worker is found by its pattern; a tool whose arguments match is not."""
    process, pattern = worker
    tail = ["tail", "-f", "/dev/null", f"/dev/null/job-worker-{pattern[12:-1]}"]
    tool = subprocess.Popen(tail, stderr=subprocess.DEVNULL)
    probe = ProcessProbe([shell], pattern)
    try:
        running = probe.running()
    finally:
        tool.kill()
        tool.wait()
    assert [p.pid for p in running.processes] == [process.pid], running
    assert probe.responsiveness().all_responsive
    assert not probe.uptime().all_longer_than(30)


@pytest.mark.parametrize(
    "title", ["[celeryd: {name}@vm:MainProcess] -active- (-A veza)", "[{name}]"]
)
def test_a_worker_with_a_title_in_brackets_is_found(
    shell: Shell, tmp_path: Path, title: str
) -> None:
    """Celery sets such titles, which look as ps shows a thread of the kernel."""
    name = f"job-worker-{tmp_path.parent.name}-{tmp_path.name}"
    sleep = shutil.which("sleep") or "sleep"
    process = subprocess.Popen([title.format(name=name), "1000"], executable=sleep)
    try:
        running = ProcessProbe([shell], name).running()
    finally:
        process.kill()
        process.wait()
    assert [p.pid for p in running.processes] == [process.pid], running


def test_a_worker_that_has_just_started_counts_beside_late_work(
    shell: Shell, worker: tuple[subprocess.Popen[bytes], str]
) -> None:
    """Each deployment starts it: without late work it is skipped; where nobody knows, it fails."""
    _, pattern = worker
    with pytest.raises(NotOffered, match=r"has been up .*does not show a crash loop; .*30 s"):
        ProcessProbe([shell], pattern, is_work_late=lambda: False).settled(30.0)
    late = ProcessProbe([shell], pattern, is_work_late=lambda: True)
    assert not late.settled(30.0).all_longer_than(30)
    assert not ProcessProbe([shell], pattern).settled(30.0).all_longer_than(30)


@pytest.fixture
def listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Shell]:
    """Return a function that makes a host whose ps prints a given text."""

    def host(text: str) -> Shell:
        program = tmp_path / "ps"
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        return Shell("local://", timeout=PATIENCE)

    return host


INIT = "    1     0 Ss   2-00:00:00 /sbin/init\n"


def test_a_worker_that_began_just_now_is_listed_again(
    tmp_path: Path, listing: Callable[[str], Shell]
) -> None:
    """For ps it is millions of years old until a hundredth of a second has gone by."""
    shell = listing("")
    (tmp_path / "ps").write_text(
        f"#!/bin/sh\nage=441077234-00:18:40\n[ ! -e {tmp_path}/seen ] || age=00:00\n"
        f">{tmp_path}/seen\ncat <<END\n{INIT}  777     1 S    $age job-worker\nEND\n"
    )
    running = ProcessProbe([shell], "job-worker").running()
    assert [process.pid for process in running.processes] == [777]


def test_a_thread_of_the_kernel_is_no_worker(listing: Callable[[str], Shell]) -> None:
    """Some of them have `worker` in their names."""
    threads = (
        "    2     0 S   2-00:00:00 [kthreadd]\n   77     2 I<  2-00:00:00 [kworker/0:1-events]"
    )
    running = ProcessProbe([listing(INIT + threads)], "worker|kthread").running()
    assert not running.processes


def test_a_long_command_line_is_matched_at_both_ends(listing: Callable[[str], Shell]) -> None:
    """The class that Java runs stands behind a class path of any length."""
    line = f"   77     1 Sl      10:00 java -cp {'/opt/lib.jar:' * 2000} com.veza.JobWorker --all"
    for pattern in ("com[.]veza[.]JobWorker", "^java ", "--all$"):
        running = ProcessProbe([listing(INIT + line)], pattern).running()
        assert [process.pid for process in running.processes] == [77], pattern


@pytest.mark.parametrize(
    ("spec", "error", "is_stopped"),
    [
        ("docker://x", "Error response from daemon: container 7f9c is not running", True),
        ("docker://x", "Error response from daemon: Container 7f9c is restarting, wait", True),
        ("kubectl://x", 'error: unable to upgrade connection: container not found ("w")', True),
        ("docker://x", "Error response from daemon: No such container: x", False),
        ("docker://x", "error during connect: the docker daemon is not running", False),
    ],
)
def test_no_worker_runs_in_a_stopped_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, error: str, is_stopped: bool
) -> None:
    """A container that ended has no worker; one that is not there has another name, maybe."""
    program = tmp_path / spec.partition(":")[0]
    program.write_text(f"#!/bin/sh\necho '{error}' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    probe = ProcessProbe([Shell(spec, timeout=PATIENCE)], "job-worker")
    for _ in range(2):
        if is_stopped:
            assert not probe.running().at_least_one
        else:
            with pytest.raises(Unreachable, match="cannot be reached: "):
                probe.running()
        probe = ProcessProbe(probe._shells, "job-worker")


def test_a_child_of_the_worker_has_no_uptime(listing: Callable[[str], Shell]) -> None:
    """A process that a worker started for one job does not count for the uptime."""
    shell = listing(
        f"{INIT}  700     1 Ss   02:00:00 /opt/job-worker\n"
        "  910   700 S       00:03 ffmpeg -i /srv/job-worker/uploads/7f.wav\n"
        "  911   700 S       00:02 transcode /srv/job-worker/uploads/7f.wav"
    )
    probe = ProcessProbe([shell], "job.*worker")
    assert [p.pid for p in probe.running().processes] == [700, 911]
    assert probe.uptime().all_longer_than(30), probe.uptime()
    assert "process 700 on local, the youngest of 1 worker process" in str(probe.uptime())


def test_workers_are_counted_without_their_children(listing: Callable[[str], Shell]) -> None:
    """Neither a worker's own child nor a zombie stands in for a worker that is gone."""
    shell = listing(
        f"{INIT}  700     1 Ss   02:00:00 /opt/job-worker\n"
        "  701   700 S       00:03 /opt/job-worker --one-job\n"
        "  702     1 Z       00:03 [job-worker] <defunct>"
    )
    assert ProcessProbe([shell], "job.*worker", 1).worker_count().is_reached
    workers = ProcessProbe([shell], "job.*worker", 2).worker_count()
    assert not workers.is_reached
    assert str(workers) == (
        "1 worker process runs of 2 expected: job-worker (pid 700);"
        " start what is missing, or correct [worker] count"
    )


def test_no_count_is_not_offered(listing: Callable[[str], Shell]) -> None:
    """Without the key the check is skipped; without any worker it is not what fails."""
    shell = listing(INIT)
    with pytest.raises(NotOffered, match=r"\[worker\] has no count"):
        ProcessProbe([shell], "job.*worker").worker_count()
    with pytest.raises(Unreachable, match="nothing to count: no running process matches"):
        ProcessProbe([shell], "job.*worker", 2).worker_count()


def test_a_worker_that_is_gone_at_the_next_look_is_not_settled(
    listing: Callable[[str], Shell],
) -> None:
    """A worker that dies at each start may be there at one look and gone at the next."""
    seen: list[tuple[Process, ...]] = []
    shell = listing(f"{INIT}  700     1 Ss   00:03 /opt/job-worker")
    assert ProcessProbe([shell], "job.*worker", seen=seen).uptime().all_longer_than(2)
    shell = listing(INIT)
    ended = ProcessProbe([shell], "job.*worker", seen=seen).uptime()
    assert not ended.all_longer_than(2)
    assert "had been up for 3.0 s at an earlier look and has ended" in str(ended)
    with pytest.raises(Unreachable, match="nothing to check"):
        ProcessProbe([shell], "job.*worker").uptime()


def test_a_worker_that_is_back_at_the_next_look_does_not_run(
    listing: Callable[[str], Shell],
) -> None:
    """The other way round it has died before; where no work is late, it was deployed."""
    for late, runs in ((True, False), (False, True), (None, True)):
        seen: list[tuple[Process, ...]] = []
        assert not ProcessProbe([listing(INIT)], "job.*worker", seen=seen).running().at_least_one
        shell = listing(f"{INIT}  700     1 Ss   00:01 /opt/job-worker")
        probe = ProcessProbe([shell], "job.*worker", None, seen, repeat(late).__next__)
        assert probe.running().at_least_one == runs
        said = "no worker process ran at an earlier look; process 700 on local has started since"
        assert (said in str(probe.running())) == (not runs)


@pytest.mark.parametrize(
    "line",
    [
        "-7 1 S 00:10",
        "7 -1 S 00:10",
        "99999999999999999999 1 S 00:10",
        f"{'9' * 5000} 1 S 00:10",
        "seven 1 S 00:10",
        "7 1 ? 00:10",
        "7 1 S -00:10",
        "7 1 S 1-",
        f"7 1 S {'9' * 5000}",
    ],
)
def test_impossible_numbers_are_unreachable(listing: Callable[[str], Shell], line: str) -> None:
    """A worker with numbers that cannot be true is not called dead, nor the suite broken."""
    shell = listing(f"{INIT}{line} /opt/job-worker --dsn postgres://u:hunter2@db/x")
    probe = ProcessProbe([shell], "job.*worker", 1)
    for method in (probe.running, probe.worker_count, probe.responsiveness, probe.uptime):
        with pytest.raises(
            Unreachable, match=r"local lists a worker with .* cannot be true"
        ) as info:
            method()
        assert "hunter2" not in str(info.value)


def test_impossible_numbers_of_others_do_not_matter(listing: Callable[[str], Shell]) -> None:
    """The worker is found beside a process whose numbers cannot be true."""
    shell = listing(f"{INIT}-4 -4 S -1 [kernel]\n  700     1 Ss   02:00:00 /opt/job-worker")
    assert [p.pid for p in ProcessProbe([shell], "job.*worker").running().processes] == [700]


FIELD = st.one_of(
    st.integers().map(str),
    st.text(st.characters(codec="utf-8", exclude_characters="\0\n"), max_size=30),
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lines=st.lists(st.tuples(FIELD, FIELD, FIELD, FIELD), max_size=4))
def test_any_listing_is_an_observation_or_unreachable(
    listing: Callable[[str], Shell], lines: list[tuple[str, str, str, str]]
) -> None:
    """Whatever ps prints, a method returns possible numbers or raises one sentence."""
    text = "\n".join(" ".join([*fields, "/opt/job-worker"]) for fields in lines)
    probe = ProcessProbe([listing(text)], "job.*worker", 1)
    reason = ""
    processes: tuple[Process, ...] = ()
    try:
        processes = (*probe.running().processes, *probe.uptime().processes)
    except Unreachable as exc:
        reason = str(exc)
    assert bool(reason) != bool(processes)
    assert len(reason.splitlines()) <= 1
    assert all(0 <= p.pid < 2**31 and 0 <= p.seconds < 4e9 for p in processes)


def test_hidden_processes_are_unreachable(listing: Callable[[str], Shell]) -> None:
    """Where pid 1 is hidden, a worker may be hidden too; a visible one is checked as usual."""
    shell = listing("  812     1 Ss   10:00 sshd: monitor\n  813   812 S    00:01 cat")
    probe = ProcessProbe([shell], "job.*worker")
    for method in (probe.running, probe.responsiveness, probe.disk_wait, probe.uptime):
        with pytest.raises(Unreachable, match=r"local hides the processes .* \(hidepid\)"):
            method()
    shell = listing("  812     1 Ss   10:00 /opt/job-worker")
    assert ProcessProbe([shell], "job.*worker").uptime().all_longer_than(30)


def test_only_the_program_is_recorded(listing: Callable[[str], Shell]) -> None:
    """A password on a worker's command line reaches no observation, so no report."""
    shell = listing(f"{INIT}  700     1 S  00:03 /opt/job-worker --dsn postgres://u:hunter2@db/x")
    probe = ProcessProbe([shell], "job.*worker.*postgres")
    for result in (probe.running(), probe.uptime()):
        assert "hunter2" not in f"{result} {asdict(result)}"
        assert "'program': 'job-worker'" in str(asdict(result))


def test_no_worker_is_one_failure(shell: Shell) -> None:
    """Without a worker only its own check fails; the others are unreachable."""
    probe = ProcessProbe([shell], "job-worker-that-nobody-started")
    assert not probe.running().at_least_one
    for method in (probe.responsiveness, probe.disk_wait, probe.uptime):
        with pytest.raises(Unreachable, match="nothing to check: no running process matches"):
            method()


def test_a_stopped_worker_does_not_respond(
    shell: Shell, worker: tuple[subprocess.Popen[bytes], str]
) -> None:
    """A stopped worker is running, but cannot work."""
    process, pattern = worker
    process.send_signal(signal.SIGSTOP)
    eventually(lambda: process_state(process.pid) == "T", "the worker to stop")
    probe = ProcessProbe([shell], pattern)
    assert probe.running().at_least_one
    assert f"process {process.pid} on {shell.name} is stopped (T)" in str(probe.responsiveness())
    assert not probe.responsiveness().all_responsive


def test_a_worker_stopped_in_turns_responds(
    worker: tuple[subprocess.Popen[bytes], str],
) -> None:
    """A worker that is seen stopped, and is continued now and then, can work."""
    process, pattern = worker
    process.send_signal(signal.SIGSTOP)
    eventually(lambda: process_state(process.pid) == "T", "the worker to stop")
    probe = ProcessProbe([Shell("local://", timeout=PATIENCE)], pattern)
    assert [p.state for p in probe.running().processes] == ["T"]
    turns = f"while kill -CONT {process.pid} && kill -STOP {process.pid}; do sleep 0.05; done"
    limiter = subprocess.Popen(["sh", "-c", turns])
    try:
        assert probe.responsiveness().all_responsive, probe.responsiveness()
    finally:
        limiter.kill()
        limiter.wait()


SLEEPS_UNINTERRUPTIBLY = """
import ctypes, signal
if ctypes.CDLL(None).vfork() == 0:
    signal.pause()
"""
"""A parent waits for its child of vfork as it would for a disk."""


def test_a_worker_that_waits_on_disk_is_named(tmp_path: Path) -> None:
    """It counts as waiting for a disk, and as responsive: storage is the place to look."""
    name = f"job-worker-{tmp_path.parent.name}-{tmp_path.name}"
    process = subprocess.Popen(
        [sys.executable, "-c", SLEEPS_UNINTERRUPTIBLY, name], start_new_session=True
    )
    try:
        eventually(lambda: process_state(process.pid) == "D", "the worker to wait")
        probe = ProcessProbe([Shell("local://", timeout=PATIENCE)], f"{name}$")
        wait = probe.disk_wait()
        assert not wait.none_waits
        assert f"process {process.pid} on local is in uninterruptible sleep (D)" in str(wait)
        assert probe.responsiveness().all_responsive
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.parametrize(
    ("later", "is_stuck"), [("T 0:00.07", True), ("T 0:00.08", False), ("S 0:00.07", False)]
)
def test_a_second_look_without_proc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: str, is_stuck: bool
) -> None:
    """Without /proc, state and CPU time of ps tell a stopped worker from one that goes on."""
    pid = 2**22 + 1  # beyond the largest pid of Linux
    program = tmp_path / "ps"
    program.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        f"*time=*-p*) test -e {tmp_path}/again && echo '{pid} {later}' || echo '{pid} T 0:00.07'\n"
        f"  touch {tmp_path}/again ;;\n"
        f"*) echo '1 0 S 10:00 init'; echo '{pid} 1 T 09:00 /opt/job-worker' ;;\n"
        "esac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    probe = ProcessProbe([Shell("local://", timeout=PATIENCE)], "job-worker")
    assert probe.responsiveness().all_responsive is not is_stuck


def test_a_zombie_does_not_respond(shell: Shell, tmp_path: Path) -> None:
    """A zombie is not running and does not respond."""
    program = tmp_path / "job-worker-zom"
    program.symlink_to(shutil.which("true") or "true")
    process = subprocess.Popen([str(program)])
    eventually(lambda: process_state(process.pid) == "Z", "the worker to end")
    probe = ProcessProbe([shell], r"job-worker-zom\] <defunct>")
    assert not probe.running().at_least_one
    assert f"process {process.pid} on {shell.name} is a zombie" in str(probe.responsiveness())
    process.wait()


def _install_without_ps(directory: Path) -> None:
    for tool in ("sh", "env", "timeout", "tr", "head", "getconf"):
        (directory / tool).symlink_to(shutil.which(tool) or tool)


def test_a_niced_worker_of_busybox_is_seen(
    worker: tuple[subprocess.Popen[bytes], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """busybox's ps writes the state of a niced process with a space, and cuts 70 days: 100000:."""
    process, pattern = worker
    (tmp_path / "ps").write_text(
        "#!/bin/sh\ncase $1 in -eww) echo 'ps: unrecognized option: w' >&2; exit 1 ;; esac\n"
        "echo 'PID   PPID  STAT ELAPSED COMMAND'\n"
        f"echo '{process.pid:5}     1 S N  100000: python x job-worker-{pattern[12:-1]}'\n"
    )
    (tmp_path / "ps").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (found,) = ProcessProbe([Shell("local://", timeout=PATIENCE)], pattern).running().processes
    assert (found.pid, found.state) == (process.pid, "S")
    assert found.seconds < PATIENCE


def test_a_line_break_in_a_name_hides_no_process_without_ps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A name may contain line breaks and brackets; the listing goes on behind it."""
    program = tmp_path / "job\nw) 1 (x"
    program.symlink_to(shutil.which("sleep") or "sleep")
    process = subprocess.Popen([str(program), "1000"])
    _install_without_ps(tmp_path)
    try:
        with monkeypatch.context() as slim:
            slim.setenv("PATH", str(tmp_path))
            probe = ProcessProbe([Shell("local://", timeout=PATIENCE)], f"{tmp_path.name}/job w")
            assert [p.pid for p in probe.running().processes] == [process.pid]
    finally:
        process.kill()
        process.wait()


def test_processes_are_found_without_ps(
    worker: tuple[subprocess.Popen[bytes], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without ps, as in a slim image, /proc has the same process, state and age."""
    process, pattern = worker
    process.send_signal(signal.SIGSTOP)
    eventually(lambda: process_state(process.pid) == "T", "the worker to stop")
    shell = Shell("local://", timeout=PATIENCE)
    (before,) = ProcessProbe([shell], pattern).running().processes
    _install_without_ps(tmp_path)
    with monkeypatch.context() as slim:
        slim.setenv("PATH", str(tmp_path))
        assert shutil.which("ps") is None
        (without,) = ProcessProbe([shell], pattern).running().processes
    (after,) = ProcessProbe([shell], pattern).running().processes
    assert (without.pid, without.state, without.program) == (
        process.pid,
        before.state,
        before.program,
    )
    # ps and /proc round differently.
    assert before.seconds - 1 <= without.seconds <= after.seconds + 1
