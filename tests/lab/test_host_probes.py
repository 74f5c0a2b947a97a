"""The probes look at a real host: this one as it is, and this one behind a real ssh server."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures.probes import processes as processes_module
from fixtures.probes.errors import NotOffered, Unreachable
from fixtures.probes.logs import Logs, Source
from fixtures.probes.processes import Processes
from fixtures.probes.shell import Hosts, Shell, TimedOut
from fixtures.probes.storage import Storage
from fixtures.probes.subjects import Subject
from fixtures.units import Amount
from tests.lab.fix_ssh import free_port, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lab.fix_ssh import SshServer

HOSTILE = 'it\'s $(touch pwned) `id` "q" \\ *'


# The shell


def test_arguments_arrive_as_they_are(shell: Shell, tmp_path: Path) -> None:
    """Quotes, dollars, newlines and other letters reach the host unharmed, and run nothing."""
    words = (HOSTILE, "two\nlines", "données", "-n", "", "%s %d")
    answer = shell.run('cd "$1"; shift; printf "%s|" "$@"', str(tmp_path), *words)
    assert answer.stdout == "".join(f"{word}|" for word in words)
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_hangs_is_ended(shell: Shell) -> None:
    """A command without end is ended on the host, and leaves no process there."""
    shell.run("exit 0")
    started = time.monotonic()
    with pytest.raises(TimedOut, match=r"a nap gave no answer on .* within 0\.3 s"):
        shell.run("sleep 61.75 & sleep 61.75", timeout=0.3, doing="a nap")
    assert time.monotonic() - started < 2.5
    wait_for(lambda: "sleep 61.75" not in shell.run("ps -ewwo args").stdout, "the nap to end")


def test_a_flood_is_cut_off(shell: Shell) -> None:
    """A command that says more than is taken is ended."""
    with pytest.raises(Unreachable, match="said more than 8 MiB"):
        shell.run("yes", timeout=20)


def test_bytes_that_are_no_text_are_taken(shell: Shell) -> None:
    """Bytes that are not UTF-8 are replaced, and the exit code is the command's."""
    answer = shell.run(r"printf '\377\303\251'; exit 7")
    assert (answer.rc, answer.stdout) == (7, "\ufffdé")


def test_a_host_is_reached(shell: Shell) -> None:
    """A host that runs a command is reachable, and the sentence says in what time."""
    reach = shell.reach()
    assert reach.ok, reach
    assert "answered in" in str(reach)


def test_a_port_without_a_server_is_unreachable_at_once() -> None:
    """A refused connection is one sentence, and is not tried a second time."""
    port = free_port()
    shell = Shell(f"ssh://nobody@127.0.0.1:{port}")
    assert "cannot be reached: connect to host 127.0.0.1" in shell.reach().reason
    with socket.create_server(("127.0.0.1", port)) as late:
        assert "Connection refused" in shell.reach().reason
        assert callers(late) == 0
    shell.close()


def test_a_silent_server_is_given_up_in_time() -> None:
    """A server that accepts and says nothing costs its time limit, once."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        shell = Shell(f"ssh://nobody@127.0.0.1:{silent.getsockname()[1]}", timeout=1)
        reach = shell.reach()
        assert not reach.ok
        assert reach.seconds < 5
        assert callers(silent) == 1
        assert shell.reach().reason == reach.reason
        assert callers(silent) == 0
        shell.close()


def callers(server: socket.socket) -> int:
    """How many connections came in that nobody has taken yet; takes and ends them."""
    server.setblocking(False)
    number = 0
    while True:
        try:
            server.accept()[0].close()
        except BlockingIOError:
            return number
        number += 1


def test_an_unknown_key_is_refused(ssh_server: SshServer) -> None:
    """A server whose key is not known is not talked to, and the remedy is named."""
    config = ssh_server.config("unknown", known_hosts="nothing")
    shell = Shell(ssh_server.spec, ssh_config=config, ssh_identity=ssh_server.identity)
    assert "Host key verification failed. Add its key to known_hosts" in shell.reach().reason
    shell.close()


def test_a_stranger_is_denied(ssh_server: SshServer) -> None:
    """A key that is not let in is one sentence, and the remedy is named."""
    stranger = str(ssh_server.folder / "stranger")
    shell = Shell(ssh_server.spec, ssh_config=ssh_server.config(), ssh_identity=stranger)
    assert "Permission denied (publickey). Name a key" in shell.reach().reason
    shell.close()


def test_closing_leaves_nothing(ssh_server: SshServer) -> None:
    """After close() no ssh of ours runs, and no socket is left."""
    shell = ssh_server.shell()
    assert shell.reach().ok
    assert [command for command in children() if "ControlMaster=yes" in command]
    folder = Path(shell._master._folder)  # type: ignore[union-attr, arg-type]
    assert list(folder.iterdir())
    shell.close()
    assert not [command for command in children() if command.startswith("ssh ")]
    assert not folder.exists()


def test_a_killed_run_leaves_no_connection(ssh_server: SshServer) -> None:
    """When the process that looked is killed outright, its connection ends by itself."""
    code = (
        "import sys\nfrom fixtures.probes.shell import Shell\n"
        "shell = Shell(sys.argv[1], ssh_config=sys.argv[2], ssh_identity=sys.argv[3])\n"
        "print(shell.reach().ok, shell._master._process.pid, shell._master._folder, flush=True)\n"
        "sys.stdin.read()\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", code, ssh_server.spec, ssh_server.config(), ssh_server.identity],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    with run:
        assert run.stdout
        ok, pid, folder = run.stdout.readline().split()
        assert ok == "True"
        run.kill()
    wait_for(lambda: not alive(int(pid)), "the connection to end")
    Path(folder).rmdir()


def test_one_host_is_opened_once() -> None:
    """A spec that storage, logs and worker share is one host."""
    hosts = Hosts()
    assert hosts.shell("local://") is hosts.shell("local://")
    assert hosts.reach("local://").ok
    hosts.close()


# The storage


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    """An upload directory with a difficult name."""
    path = tmp_path / HOSTILE
    path.mkdir()
    return path


def test_directory_is_there(shell: Shell, uploads: Path) -> None:
    """A directory is found, whatever its name, and there is room in it."""
    storage = Storage([shell], str(uploads), "root")
    assert storage.directory().exists, storage.directory()
    assert storage.space().is_at_least(Amount.parse("1 B"))
    assert not storage.space().is_at_least(Amount.parse("1000 TiB"))
    assert storage.inodes().is_at_least(Amount.parse("0%"))


def test_missing_directory_is_one_message(shell: Shell, tmp_path: Path) -> None:
    """A missing directory fails its own check; everything else about it cannot be looked at."""
    storage = Storage([shell], str(tmp_path / "gone"), "root")
    assert not storage.directory().exists
    assert str(storage.directory()) == f"there is no {tmp_path}/gone on {shell.name}"
    for look in (storage.access, storage.space, storage.inodes):
        with pytest.raises(Unreachable, match="there is nothing to look at: there is no "):
            look()
    with pytest.raises(Unreachable, match="there is nothing to look at"):
        storage.files((Subject("a"),))


def test_file_in_place_of_the_directory(shell: Shell, tmp_path: Path) -> None:
    """A file where the directory should be is called one."""
    (tmp_path / "up").write_text("x")
    directory = Storage([shell], str(tmp_path / "up"), "root").directory()
    assert str(directory) == f"{tmp_path}/up is a regular file, not a directory, on {shell.name}"


@pytest.mark.parametrize(("mode", "granted"), [(0o755, True), (0o555, False), (0o644, False)])
def test_access_goes_by_bits(shell: Shell, uploads: Path, mode: int, granted: bool) -> None:
    """Without w or x for its owner the directory is no use to the service, root or not."""
    uploads.chmod(mode)
    access = Storage([shell], str(uploads), me()).access()
    uploads.chmod(0o755)
    assert access.is_granted is granted, access
    assert granted or f"may not write to {uploads} on {shell.name}: mode {mode:04o}" in str(access)


def test_a_closed_parent_shuts_the_service_out(shell: Shell, tmp_path: Path) -> None:
    """Every directory above must let the service pass, also above where a link leads."""
    (tmp_path / "closed" / "up").mkdir(parents=True)
    (tmp_path / "link").symlink_to("closed/up")
    (tmp_path / "closed").chmod(0o600)
    access = Storage([shell], str(tmp_path / "link"), me()).access()
    (tmp_path / "closed").chmod(0o700)
    assert f"may not pass through {tmp_path}/closed on" in str(access)


def test_unknown_service_user_is_said(shell: Shell, uploads: Path) -> None:
    """A service user whom the host does not know leaves the question open."""
    storage = Storage([shell], str(uploads), "no_such_user")
    with pytest.raises(Unreachable, match="there is no user no_such_user"):
        storage.access()
    assert storage.directory().exists


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_read_only_mount_and_full_disk(shell: Shell, tmp_path: Path) -> None:
    """A file system of its own shows as read-only, as full, and as out of inodes."""
    options = "size=1m,nr_inodes=10,mode=755"
    mount = ["mount", "-t", "tmpfs", "-o", options, "veza-test", str(tmp_path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("this container may not mount")
    try:
        (tmp_path / "full").write_bytes(b"x" * 1000 * 1024)
        for number in range(8):
            (tmp_path / f"file-{number}").touch()
        subprocess.run(["mount", "-o", "remount,ro", str(tmp_path)], check=True)
        storage = Storage([shell], str(tmp_path), "root")
        assert "is mounted read-only" in str(storage.access())
        assert not storage.space().is_at_least(Amount.parse("10%")), storage.space()
        assert not storage.inodes().is_at_least(Amount.parse("10%")), storage.inodes()
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_files_of_uploads(shell: Shell, uploads: Path) -> None:
    """Files are found in a directory, by name, by suffix; empty, short, locked ones are told."""
    for name in ("in-dir", "empty", "short", "locked", "closed", "no-file"):
        (uploads / name).mkdir()
    (uploads / "in-dir" / HOSTILE).write_bytes(b"12345")
    (uploads / "in-dir" / "x\nfile 9 0 0 644 gone").touch()
    (uploads / "plain").write_bytes(b"12345")
    (uploads / "suffix.wav").write_bytes(b"12345")
    (uploads / "empty" / "x").touch()
    (uploads / "short" / "x").write_bytes(b"1")
    (uploads / "locked" / "x").write_bytes(b"12345")
    (uploads / "locked" / "x").chmod(0o000)
    (uploads / "closed" / "x").write_bytes(b"12345")
    (uploads / "closed").chmod(0o644)
    os.mkfifo(uploads / "no-file" / "fifo")
    names = ["in-dir", "plain", "suffix", "empty", "short"]
    names += ["locked", "closed", "no-file", "gone", "suff"]
    subjects = tuple(Subject(name, size=5) for name in names)
    storage = Storage([shell], str(uploads), me())
    assert storage.files(subjects).bad == ("no-file", "gone", "suff")
    assert storage.readable_files(subjects).bad == ("locked", "closed")
    assert storage.whole_files(subjects).bad == ("empty", "short")
    assert "empty (0 bytes of 5), short (1 bytes of 5)" in str(storage.whole_files(subjects))
    with pytest.raises(Unreachable, match="no stuck upload has a file"):
        storage.whole_files((Subject("gone"),))
    (uploads / "closed").chmod(0o755)


@pytest.mark.parametrize("upload", ["../x", "a b", "-rf", "a\nb", "", "a" * 65, "$(id)"])
def test_what_is_no_upload_id_is_never_looked_for(upload: str, uploads: Path) -> None:
    """An id that cannot be one reaches no shell."""
    storage = Storage([Shell("local://")], str(uploads), "root")
    with pytest.raises(Unreachable, match="is no upload id"):
        storage.files((Subject(upload),))


# The logs


def zap(age: float, msg: str, level: str = "info", **fields: object) -> str:
    """Return a line as zap writes it, `age` seconds old."""
    values = {"level": level, "ts": time.time() - age, "caller": "x/y.go:1", "msg": msg, **fields}
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")) + "\n"


@pytest.fixture
def log_dir(tmp_path: Path) -> Path:
    """A directory for logs with a difficult name."""
    path = tmp_path / "it's $(touch pwned) données"
    path.mkdir()
    return path


@pytest.fixture
def logs_of(shell: Shell, log_dir: Path) -> Callable[..., Logs]:
    """Build the probe for the logs of the directory."""

    def build(worker: str | None = None, window: float = 900.0, most: int = 2**20) -> Logs:
        own = Source((shell,), (worker,)) if worker else None
        return Logs(Source((shell,), (f"{log_dir}/*.log",)), own, window, most)

    return build


def test_recent_errors_are_found(log_dir: Path, logs_of: Callable[..., Logs]) -> None:
    """Errors of the window count, in JSON and in text; old, quiet and undated lines do not."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 30))
    (log_dir / "a.log").write_text(
        zap(7200, "upload processing failed", "error", error="old")
        + zap(60, "upload processing failed", "error", error="context deadline exceeded")
        + zap(50, "upload error rate 0")
        + zap(40, "slow", "warn", timeout="30s")
        + f"{stamp}\tERROR\tx/y.go:1\tjob 7 failed\n"
        + f"{stamp}\tINFO\tx/y.go:1\tjob 8 failed never\n"
        + "upload error, some time\n"
    )
    logs = logs_of()
    errors = logs.errors()
    assert (errors.counts, errors.undated, errors.none) == ((2,), 1, False), errors
    # The stamp and the host's clock are whole seconds, and the way to the host takes its time.
    assert errors.newest == pytest.approx(30, abs=4)
    assert ", the newest " in str(errors)
    assert "1 more without a date" in str(errors)
    assert logs.timeouts().counts == (1,), logs.timeouts()


def test_rotated_and_compressed_logs_are_read(log_dir: Path, logs_of: Callable[..., Logs]) -> None:
    """What the window reaches into is read, whoever rotated and compressed it."""
    (log_dir / "a.log").touch()
    (log_dir / "a.log.1").write_text(zap(60, "upload error 1", "error"))
    (log_dir / "a.log.2.gz").write_bytes(gzip.compress(zap(70, "upload error 2", "error").encode()))
    (log_dir / "a.log.3.bz2").write_bytes(bz2.compress(zap(70, "upload error 3", "error").encode()))
    (log_dir / "a.log-20251215").write_text(zap(80, "upload error 4", "error"))
    lumberjack = log_dir / "a-2025-12-15T10-00-00.000.log.gz"
    lumberjack.write_bytes(gzip.compress(zap(80, "upload error 5", "error").encode()))
    old = log_dir / "a.log.4"
    old.write_text(zap(60, "upload error 6", "error"))
    os.utime(old, (time.time() - 3600,) * 2)
    (log_dir / "b.txt").write_text(zap(60, "upload error 7", "error"))
    assert logs_of().errors().counts == (5,), logs_of().errors()


def test_only_regular_files_are_opened(log_dir: Path, logs_of: Callable[..., Logs]) -> None:
    """A FIFO, a directory, a device and a dead link among the logs hang and break nothing."""
    os.mkfifo(log_dir / "fifo.log")
    (log_dir / "dir.log").mkdir()
    (log_dir / "zero.log").symlink_to("/dev/zero")
    (log_dir / "dead.log").symlink_to("nowhere")
    assert "no regular file matches" in str(logs_of().activity())
    (log_dir / "two\nlines.log").write_text(zap(5, "upload error", "error"))
    (log_dir / "a.log").write_text(zap(60, "upload error", "error"))
    (log_dir / "same.log").symlink_to("a.log")
    os.link(log_dir / "a.log", log_dir / "again.log")
    logs = logs_of()
    assert logs.errors().counts == (1,), logs.errors()
    assert logs.activity().is_within(60)
    assert not (Path.cwd() / "pwned").exists()


def test_missing_log_is_one_message(log_dir: Path, logs_of: Callable[..., Logs]) -> None:
    """Without any log the application is not logging, and nothing else can be said."""
    logs = logs_of()
    assert not logs.activity().is_within(1e9)
    assert f"no regular file matches {log_dir}/*.log on " in str(logs.activity())
    for look in (logs.errors, logs.timeouts, logs.starts, logs.worker_lines):
        with pytest.raises(Unreachable, match="there is nothing to look at: no regular file"):
            look()


def test_silence_goes_by_the_last_write(log_dir: Path, logs_of: Callable[..., Logs]) -> None:
    """The newest write to any file counts, and an empty new file after rotation does not."""
    (log_dir / "a.log").touch()
    (log_dir / "a.log.1").write_text("x\n")
    os.utime(log_dir / "a.log.1", (time.time() - 1800,) * 2)
    activity = logs_of().activity()
    assert activity.is_within(1900)
    assert not activity.is_within(1700)
    assert "moved 30 min ago" in str(activity)


def test_worker_log_is_its_own(log_dir: Path, logs_of: Callable[..., Logs], tmp_path: Path) -> None:
    """The worker's own log has its own silence; a target without one offers none."""
    (log_dir / "a.log").write_text(zap(60, "x"))
    with pytest.raises(NotOffered):
        logs_of().worker_log()
    logs = logs_of(worker=f"{tmp_path}/w*.log")
    assert "no regular file matches" in str(logs.worker_log())
    assert logs.errors().none
    line = zap(60, "upload processing failed", "error")
    (tmp_path / "w1.log").write_text(line)
    (log_dir / "a.log").write_text(line)
    logs = logs_of(worker=f"{tmp_path}/w*.log")
    assert logs.worker_log().is_within(60)
    assert logs.errors().counts == (1,), "one event, written to two files"


def test_worker_starts_are_counted(log_dir: Path, logs_of: Callable[..., Logs]) -> None:
    """Its start is recognised with an accent in UTF-8, in Latin-1, and escaped."""
    (log_dir / "a.log").write_text(zap(60, "Job Worker démarré"))
    assert logs_of().starts().are_at_most(1)
    escaped = json.dumps({"ts": time.time() - 3, "msg": "Job Worker démarré"}) + "\n"
    latin = zap(2, "Job Worker démarré").encode("latin-1")
    (log_dir / "b.log").write_bytes(escaped.encode() + latin)
    starts = logs_of().starts()
    assert starts.counts == (3,), starts
    assert starts.are_at_most(3)
    assert not starts.are_at_most(2)


def test_worker_must_log_while_uploads_arrive(log_dir: Path, logs_of: Callable[..., Logs]) -> None:
    """An arrival that no line of the worker follows in time is a silent worker; idleness is not."""
    (log_dir / "a.log").write_text(zap(800, "job worker heartbeat"))
    assert logs_of().worker_lines().keeps_up(300)
    arrived = zap(400, "upload accepted", id="u1", status="uploading")
    (log_dir / "b.log").write_text(arrived)
    lines = logs_of().worker_lines()
    assert not lines.keeps_up(300)
    assert "an upload has been waiting in the log for 7 min" in str(lines)
    (log_dir / "c.log").write_text(zap(350, "published to process_upload"))
    assert not logs_of().worker_lines().keeps_up(300), "enqueueing is not working"
    (log_dir / "c.log").write_text(zap(350, "process_upload: uploading -> processing"))
    assert logs_of().worker_lines().keeps_up(300)


def test_transitions_of_each_upload(log_dir: Path, logs_of: Callable[..., Logs]) -> None:
    """Each upload's statuses are collected from its own lines alone, beyond the window too."""
    (log_dir / "a.log").write_text(
        zap(3000, "upload accepted", id="u1", status="uploading")
        + zap(2990, "process_upload: uploading -> processing", id="u1", status="processing")
        + zap(2980, "process_upload: processing -> completed", id="u1", status="completed")
        + zap(2970, "upload accepted", id="u10", status="uploading")
        + zap(2960, "job completed", id="u10")
        + zap(2950, "processing", id="other")
    )
    subjects = (Subject("u1", age_seconds=3000.0), Subject("u10", age_seconds=2970.0))
    found = logs_of().transitions(subjects)
    assert [(t.upload, t.missing) for t in found.missing] == [("u10", ("processing", "completed"))]
    assert "1 of 2 uploads did not log every status" in str(found)
    assert logs_of().transitions(()).complete
    with pytest.raises(Unreachable, match="older than the day"):
        logs_of().transitions((Subject("u1", age_seconds=1e6),))
    with pytest.raises(Unreachable, match="is no upload id"):
        logs_of().transitions((Subject("u1|.*"),))


def test_only_the_end_of_a_large_log_is_read(log_dir: Path, logs_of: Callable[..., Logs]) -> None:
    """Of a file beyond the cap the end is read, the sentence says so, and a huge line is cut."""
    early, late = zap(60, "upload error early", "error"), zap(50, "upload error late", "error")
    huge = zap(55, "upload error " + "x" * 300_000, "error")
    (log_dir / "a.log").write_text(early + "x" * 200_000 + "\n" + late + huge)
    errors = logs_of(most=400_000).errors()
    assert errors.counts == (2,), errors
    assert f"(only the end of {log_dir}/a.log was read)" in str(errors)
    assert len(str(errors)) < 2000


def test_a_flood_of_errors_is_capped(log_dir: Path, logs_of: Callable[..., Logs]) -> None:
    """Thousands of errors are a count that says it is a least one, and a few samples."""
    (log_dir / "a.log").write_text(
        "".join(zap(60, f"job {n} failed", "error") for n in range(2000))
    )
    errors = logs_of().errors()
    assert errors.counts == (500,)
    assert "500 or more error lines" in str(errors)
    assert "job 1999 failed" in str(errors)


def test_a_log_without_its_tool_leaves_it_open(
    log_dir: Path, logs_of: Callable[..., Logs], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A compressed log that the host cannot open is said, not passed over."""
    (log_dir / "a.log").write_text(zap(60, "x"))
    (log_dir / "a.log.1.gz").write_bytes(gzip.compress(b"x"))
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("sh", "env", "timeout", "date", "stat", "sort", "tail", "head", "grep", "awk"):
        (tools / tool).symlink_to(which(tool))
    logs = logs_of()
    if next(iter(logs._patterns)).name != "local":
        pytest.skip("the server's PATH is its own")
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(Unreachable, match="not every log can be read on local: no gzip"):
        logs.errors()


# The processes


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
    wait_for(lambda: state_of(process.pid) == "T", "the worker to stop")
    found = Processes([shell], pattern)
    assert found.running().at_least_one
    assert f"process {process.pid} on {shell.name} is stopped (T)" in str(found.responsiveness())
    assert not found.responsiveness().all_responsive


def test_a_dead_worker_that_nobody_buried(shell: Shell, tmp_path: Path) -> None:
    """A zombie runs nothing and does not respond."""
    program = tmp_path / "job-worker-zom"
    program.symlink_to(which("true"))
    process = subprocess.Popen([str(program)])
    wait_for(lambda: state_of(process.pid) == "Z", "the worker to end")
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
    wait_for(lambda: state_of(process.pid) == "T", "the worker to stop")
    shell = Shell("local://")
    (with_ps,) = Processes([shell], pattern).running().processes
    for tool in ("sh", "env", "timeout", "tr", "head", "getconf"):
        (tmp_path / tool).symlink_to(which(tool))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert processes_module.LIST.startswith("\n{\n  ps ")
    (without,) = Processes([shell], pattern).running().processes
    assert (without.pid, without.state, without.args) == (process.pid, with_ps.state, with_ps.args)
    assert without.seconds - with_ps.seconds in (-1, 0, 1, 2)


def children() -> list[str]:
    """Return the command lines of this process's children."""
    command = ["ps", "--ppid", str(os.getpid()), "-wwo", "args="]
    # Its exit code says whether there are any; ps is one itself.
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    return found.stdout.splitlines()


def alive(pid: int) -> bool:
    """Say whether a process is there and no zombie."""
    return state_of(pid) not in ("", "Z")


def state_of(pid: int) -> str:
    """Return the letter of a process's state, or nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


def which(tool: str) -> str:
    """Return where a tool is."""
    found = shutil.which(tool)
    assert found, tool
    return found


def me() -> str:
    """Return the name of the user who runs the tests."""
    return subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
