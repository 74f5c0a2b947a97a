"""The log probe with real files on a real host, locally and through ssh."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures.probes.errors import NotOffered, Unreachable
from fixtures.probes.host.processes import ProcessProbe
from fixtures.probes.host.shell import Shell
from fixtures.probes.logs import kinds
from fixtures.probes.logs import scan as log_scan
from fixtures.probes.logs.questions import LogProbe
from fixtures.probes.logs.reader import LogSource
from fixtures.probes.logs.results import WorkerLines
from fixtures.probes.postgres.database import DatabaseProbe
from fixtures.probes.postgres.job_results import Flow
from fixtures.probes.postgres.overdue import Overdue
from fixtures.probes.postgres.uploads import NewestCompleted, StuckUploads
from fixtures.probes.rabbitmq.queue import QueueProbe
from fixtures.probes.reachability import Reachability
from fixtures.probes.subjects import UNUSED_ID, Subject
from tests.lab.fix_journal import UNIT, MadeJournal
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    Make = Callable[..., LogProbe]


def zap(age: float, msg: str, level: str = "info", **fields: object) -> str:
    """Return a line as zap writes it, `age` seconds old."""
    values = {"level": level, "ts": time.time() - age, "caller": "x/y.go:1", "msg": msg, **fields}
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")) + "\n"


@pytest.fixture
def log_dir(tmp_path: Path) -> Path:
    """A directory for logs with shell characters in its name."""
    path = tmp_path / "it's $(touch pwned) données"
    path.mkdir()
    return path


@pytest.fixture
def logs_of(shell: Shell, log_dir: Path) -> Make:
    """Return a function that makes a probe for the logs of the directory."""

    def build(worker: str | None = None, window: float = 900.0, most: int = 2**20) -> LogProbe:
        own = LogSource((shell,), (worker,)) if worker else None
        return LogProbe(LogSource((shell,), (f"{log_dir}/*.log",)), own, window, most)

    return build


def test_recent_errors_are_found(log_dir: Path, logs_of: Make) -> None:
    """Recent errors count, in JSON and in text; old and informational lines do not.

    A line without a time is as old as the line before it, unless that is too old to tell.
    """
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 30))
    (log_dir / "a.log").write_text(
        "upload error, at any time\n"
        + zap(7200, "upload processing failed", "error", error="old")
        + zap(60, "upload processing failed", "error", error="context deadline exceeded")
        + zap(50, "upload error rate 0")
        + zap(40, "slow", "warn", timeout="30s")
        + f"{stamp}\tERROR\tx/y.go:1\tjob 7 failed\n"
        + f"{stamp}\tINFO\tx/y.go:1\tjob 8 failed never\n"
        + "upload error, some time\n"
    )
    logs = logs_of()
    errors = logs.errors()
    assert (errors.counts, errors.undated, errors.none) == ((3,), 0, False), errors
    # The stamp and the host's clock are whole seconds, and the way to a busy host takes its time.
    assert errors.newest == pytest.approx(30, abs=20)
    assert ", the newest " in str(errors)
    assert logs.timeouts().counts == (1,), logs.timeouts()


@pytest.mark.parametrize(
    "form",
    [
        '{{"@t":"{time}","@mt":"timeout {{Max}}"{level},"Max":"30s"}}',
        "{time} [{short}] timeout 30s",
    ],
)
def test_informational_lines_of_serilog_displace_no_others(
    log_dir: Path, logs_of: Make, form: str
) -> None:
    """Its compact JSON has no level where it informs, and its text has one of three letters."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 30))
    warning = form.format(time=moment, level=',"@l":"Warning"', short="WRN")
    lines = [warning, *[form.format(time=moment, level="", short="INF")] * 600]
    (log_dir / "a.log").write_text("\n".join(lines) + "\n")
    timeouts = logs_of().timeouts()
    assert (timeouts.counts, timeouts.undated) == ((1,), 0), timeouts


def test_entries_of_an_exported_journal_are_read(log_dir: Path, logs_of: Make) -> None:
    """Entries of the journal in JSON have their times in microseconds, and numbers for levels."""
    entries = [
        {
            "__REALTIME_TIMESTAMP": f"{(time.time() - age) * 1e6:.0f}",
            "PRIORITY": level,
            "MESSAGE": text,
        }
        for age, level, text in (
            (7200, "3", "tâche 1 impossible"),
            (60, "3", "tâche 2: boom"),
            (50, "6", "tâche 3: fine"),
        )
    ]
    (log_dir / "a.log").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    errors = logs_of().errors()
    assert (errors.counts, errors.undated) == ((1,), 0), errors


@pytest.mark.parametrize(
    ("hours", "form"),
    [
        *((hours, "%Y-%m-%d %H:%M:%S") for hours in (-5, 5.5, 2, 0)),
        (-5, "%Y%m%dT%H%M%S"),
        (2, "%d.%m.%Y %H:%M:%S"),
        (1, "[Nest] 8  - %m/%d/%Y, %-I:%M:%S %p"),
    ],
)
def test_times_of_another_zone_are_read(
    log_dir: Path, logs_of: Make, hours: float, form: str
) -> None:
    """Times without a zone are in the zone of the program, which the file's last write shows."""
    lines = [
        f"{time.strftime(form, time.gmtime(time.time() - age + hours * 3600))},123 "
        f"ERROR Verarbeitung von Upload {age} fehlgeschlagen: cp: No space left on device\n"
        for age in (3600, 1200, 100, 1)
    ]
    (log_dir / "a.log").write_text("".join(lines))
    errors = logs_of().storage_errors()
    assert errors.counts == (2,), errors
    assert errors.newest == pytest.approx(1, abs=20)


def test_coloured_info_lines_stay_on_the_host(log_dir: Path, logs_of: Make) -> None:
    """Coloured lines of the level info are left out, so that an older error is transferred."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 30))
    info = f"{stamp}\t\x1b[34mINFO\x1b[0m\tx/y.go:1\tjob 8 failed never\n"
    (log_dir / "a.log").write_text(f"{stamp}\t\x1b[31mERROR\x1b[0m\tx\tjob 7 failed\n" + info * 600)
    assert logs_of().errors().counts == (1,), logs_of().errors()


DOCKER = '"stream":"stdout","time":"{iso}"}}'


@pytest.mark.parametrize(
    ("info", "error"),
    [
        ('{{"level":30,"time":{ms},"msg":"{msg}"}}', '{{"level":50,"time":{ms},"msg":"{msg}"}}'),
        (
            '{{"@timestamp":"{iso}","log.level":"info","message":"{msg}"}}',
            '{{"@timestamp":"{iso}","log.level":"error","message":"{msg}"}}',
        ),
        (
            '{{"log":"{{\\"level\\":\\"info\\",\\"msg\\":\\"{msg}\\"}}\\n",' + DOCKER,
            '{{"log":"{{\\"level\\":\\"error\\",\\"msg\\":\\"{msg}\\"}}\\n",' + DOCKER,
        ),
        ("[Nest] 8  - {nest}     LOG [X] {msg}", "[Nest] 8  - {nest}   ERROR [X] {msg}"),
        (
            '{{"level":"log","timestamp":{ms},"message":"{msg}"}}',
            '{{"level":"error","timestamp":{ms},"message":"{msg}"}}',
        ),
    ],
    ids=["pino", "ECS", "docker", "NestJS", "NestJS JSON"],
)
def test_info_lines_of_each_form_stay_on_the_host(
    log_dir: Path, logs_of: Make, info: str, error: str
) -> None:
    """However a program writes the level, its many info lines displace no error."""
    now = time.time() - 30
    iso = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    nest = time.strftime("%m/%d/%Y, %-I:%M:%S %p", time.gmtime(now))

    def line(form: str, msg: str) -> str:
        return form.format(ms=int(now * 1000), iso=iso, nest=nest, msg=msg) + "\n"

    (log_dir / "a.log").write_text(
        line(error, "job 7 failed") + line(info, "GET /upload 200, keep-alive timeout=5") * 600
    )
    assert logs_of().timeouts().none, logs_of().timeouts()
    (log_dir / "a.log").write_text(line(error, "job 7 failed") + line(info, "job failed: 0") * 600)
    assert logs_of().errors().counts == (1,), logs_of().errors()


def test_a_number_within_is_not_the_level(log_dir: Path, logs_of: Make) -> None:
    """An error line with a field "level" of something else is transferred."""
    (log_dir / "a.log").write_text(zap(30, "job 7 failed", "error", battery={"level": 30}))
    assert logs_of().errors().counts == (1,), logs_of().errors()


def test_the_file_in_use_is_read_beside_many_old_ones(log_dir: Path, logs_of: Make) -> None:
    """A program that keeps all its rotated files has hundreds, whose names come first."""
    for number in range(600):
        old = log_dir / f"app-2026-01-01T00-00-{number:05}.log"
        old.write_text("old\n")
        os.utime(old, (time.time() - 90_000,) * 2)
    (log_dir / "app.log").write_text(zap(60, "upload processing failed", "error"))
    logs = logs_of()
    assert logs.activity(300).is_within(300), logs.activity(300)
    assert logs.errors().counts == (1,), logs.errors()


def test_rotated_and_compressed_logs_are_read(log_dir: Path, logs_of: Make) -> None:
    """Every file that was written to in the window is read, rotated and compressed ones too."""
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


def test_only_regular_files_are_opened(log_dir: Path, logs_of: Make) -> None:
    """A FIFO, a directory, a device and a dead link among the logs are skipped."""
    os.mkfifo(log_dir / "fifo.log")
    (log_dir / "dir.log").mkdir()
    (log_dir / "zero.log").symlink_to("/dev/zero")
    (log_dir / "dead.log").symlink_to("nowhere")
    assert "no regular file matches" in str(logs_of().activity(300))
    (log_dir / "two\nlines.log").write_text(zap(5, "upload error", "error"))
    (log_dir / "a.log").write_text(zap(60, "upload error", "error"))
    (log_dir / "same.log").symlink_to("a.log")
    os.link(log_dir / "a.log", log_dir / "again.log")
    logs = logs_of()
    assert logs.errors().counts == (1,), logs.errors()
    assert logs.activity(1e9).is_within(60)
    assert not (Path.cwd() / "pwned").exists()


def test_missing_log_is_one_failure(log_dir: Path, logs_of: Make) -> None:
    """Without a log the application is not logging, and the other checks are unreachable."""
    logs = logs_of()
    assert not logs.activity(1e9).is_within(1e9)
    assert f"no regular file matches {log_dir}/*.log on " in str(logs.activity(300))
    for name, limits in (
        ("errors", ()),
        ("timeouts", ()),
        ("starts", ()),
        ("worker_lines", (300,)),
    ):
        with pytest.raises(Unreachable, match="nothing to check: no regular file"):
            getattr(logs, name)(*limits)


@pytest.fixture
def unprivileged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """This host for a user without root's rights: root's commands run as nobody."""
    with tempfile.TemporaryDirectory() as folder:
        if os.geteuid() == 0:
            Path(folder).chmod(0o755)
            wrapper = Path(folder) / "sh"
            drop = "setpriv --reuid=65534 --regid=65534 --clear-groups"
            wrapper.write_text(f'#!/bin/sh\nexec {drop} /bin/sh "$@"\n')
            wrapper.chmod(0o755)
            monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        yield Shell("local://", timeout=PATIENCE)


@pytest.mark.parametrize("closed", ["logs", "logs/api"])
@pytest.mark.parametrize("mode", [0, 4, 1])
def test_a_closed_directory_is_unreachable(unprivileged: Shell, closed: str, mode: int) -> None:
    """Logs in a directory that may not be read are unreachable, not missing."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / closed
        (Path(folder) / "logs/api").mkdir(parents=True)
        (Path(folder) / "logs/api/a.log").write_text(zap(5, "x"))
        path.chmod(mode * (0o001 if os.geteuid() == 0 else 0o100))
        logs = LogProbe(
            LogSource((unprivileged,), (f"{folder}/logs/api/*.log",)), None, 900.0, 2**20
        )
        try:
            if closed == "logs" and mode == 1:
                assert logs.activity(1e9).is_within(60), "entering it is enough"
                return
            for name, limits in (("activity", (300,)), ("errors", ())):
                with pytest.raises(Unreachable) as refused:
                    getattr(logs, name)(*limits)
                assert f"{path} on local cannot be read: Permission denied" in str(refused.value)
        finally:
            path.chmod(0o755)


@pytest.mark.parametrize("hours", [0, 9, -11])
@pytest.mark.parametrize(
    "form",
    [
        "{}.120 request_id=F1c2 [error] upload failed {}",
        "{}.120 [main] ERROR c.v.Worker - upload failed {}",
        "[{} ERR] upload failed {}",
        "\x1b[90m{}\x1b[0m \x1b[31mERR\x1b[0m upload failed {}",
    ],
    ids=["elixir", "logback", "serilog", "coloured"],
)
def test_times_without_a_date_are_of_the_last_days(
    logs_of: Make, log_dir: Path, form: str, hours: int
) -> None:
    """The last line is as old as the file, in any zone; each time that falls is of another day."""
    now = time.time()
    ages = [hour * 3600 for hour in (40, 30, 20, 10)] + [300, 4]
    lines = [
        form.format(time.strftime("%H:%M:%S", time.gmtime(now - age + hours * 3600)), number)
        for number, age in enumerate(ages)
    ]
    (log_dir / "a.log").write_text("\n".join(lines) + "\n")
    errors = logs_of().errors()
    assert errors.counts == (2,)
    assert errors.newest is not None
    assert errors.newest < 4 + PATIENCE
    assert logs_of(window=39 * 3600.0).errors().counts == (5,)


def test_a_date_behind_the_time_is_kept(logs_of: Make, log_dir: Path) -> None:
    """Only a time without any date gets one."""
    old = time.strftime("%H:%M:%S %d/%m/%Y", time.localtime(time.time() - 86_400))
    (log_dir / "a.log").write_text(f"{old} ERROR upload failed\n")
    with pytest.raises(Unreachable, match="log the date and time of each line"):
        logs_of().errors()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_log_without_space_tells_nothing_new(shell: Shell, tmp_path: Path) -> None:
    """A write that fails for want of space renews the file's time: the log seems to go on."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "veza-test", str(tmp_path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("this container may not mount")
    try:
        log = tmp_path / "api.log"
        log.write_text(f"{zap(5, 'x')}\n")
        source = LogSource((shell,), (f"{tmp_path}/*.log", f"{tmp_path}/*.err"))
        assert LogProbe(source, source, 900.0, 2**20).activity(300.0).is_within(300)
        with suppress(OSError), (tmp_path / "other").open("wb", buffering=0) as other:
            while True:
                other.write(b"x" * 4096)
        logs = LogProbe(source, source, 900.0, 2**20)
        activity = logs.activity(300.0)
        assert not activity.is_within(300)
        full = f"the file system of {tmp_path} on {shell.name} has no space left for logs"
        assert str(activity).startswith(f"{full}; ")
        for question in (logs.worker_log, logs.worker_lines):
            with pytest.raises(Unreachable, match=re.escape(f"{full}; what the worker does")):
                question(300.0)
        assert logs.errors().none
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_closed_log_of_the_worker_is_unreachable(unprivileged: Shell) -> None:
    """A worker whose own log may not be read is not called silent."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "a.log").write_text(zap(400, "upload received"))
        own = Path(folder) / "own"
        own.mkdir(mode=0o000)
        source = LogSource((unprivileged,), (f"{folder}/*.log",))
        worker = LogSource((unprivileged,), (f"{own}/*.log",))
        with pytest.raises(Unreachable, match="own on local cannot be read: Permission denied"):
            LogProbe(source, worker, 900.0, 2**20).worker_lines(300)


def test_an_open_directory_without_a_log_is_a_failure(unprivileged: Shell) -> None:
    """A directory that may be read, or does not exist, has no log."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        for place in (folder, f"{folder}/gone/too"):
            logs = LogProbe(LogSource((unprivileged,), (f"{place}/*.log",)), None, 900.0, 2**20)
            assert f"no regular file matches {place}/*.log" in str(logs.activity(300))


def test_silence_is_measured_from_the_last_write(log_dir: Path, logs_of: Make) -> None:
    """The newest write to any file counts, and an empty new file after rotation does not."""
    (log_dir / "a.log").touch()
    (log_dir / "a.log.1").write_text("x\n")
    os.utime(log_dir / "a.log.1", (time.time() - 1800,) * 2)
    activity = logs_of().activity(1e9)
    assert activity.is_within(1900)
    assert not activity.is_within(1700)
    assert "was last written to 30 min ago" in str(activity)


def test_worker_log_is_separate(log_dir: Path, logs_of: Make, tmp_path: Path) -> None:
    """The worker's own log is checked by itself; a target without one skips the check."""
    (log_dir / "a.log").write_text(zap(60, "x"))
    with pytest.raises(NotOffered):
        logs_of().worker_log(300)
    logs = logs_of(worker=f"{tmp_path}/w*.log")
    assert "no regular file matches" in str(logs.worker_log(300))
    assert logs.errors().none
    line = zap(60, "upload processing failed", "error")
    (tmp_path / "w1.log").write_text(line)
    (log_dir / "a.log").write_text(line)
    logs = logs_of(worker=f"{tmp_path}/w*.log")
    assert logs.worker_log(300).is_within(60)
    assert logs.errors().counts == (1,), "one event, written to two files"


@pytest.mark.parametrize(
    ("arrivals", "reason"),
    [
        ([], "no line of an arrival is recognised"),
        ([1300], "no line of an arrival is recognised"),  # before the window
        ([701], "the worker had nothing to log"),  # the job that the worker's last line is about
        ([0], "the worker had nothing to log"),  # just now
        ([120], ""),
        ([500, 0], ""),
    ],
)
def test_a_worker_without_work_may_be_silent(
    log_dir: Path, logs_of: Make, arrivals: list[int], reason: str
) -> None:
    """A log of jobs alone may be silent until an upload arrives."""
    own = log_dir / "own"
    own.mkdir()
    (own / "w.log").write_text(zap(700, "process_upload: completed"))
    os.utime(own / "w.log", (time.time() - 700,) * 2)
    (log_dir / "a.log").write_text("".join(zap(age, "upload received") for age in arrivals) + "x\n")
    logs = logs_of(worker=f"{own}/*.log")
    if not reason:
        assert not logs.worker_log(300).is_within(300)
        assert "; an upload arrived " in str(logs.worker_log(300))
        return
    with pytest.raises(NotOffered, match=rf"written to 1\d min ago .* {reason}"):
        logs.worker_log(300)
    assert logs.worker_log(900).is_within(900), "a log that is not silent passes"


def test_worker_starts_are_counted(log_dir: Path, logs_of: Make) -> None:
    """A start is recognised with its accent in UTF-8, in Latin-1, and escaped."""
    (log_dir / "a.log").write_text(zap(60, "Job Worker démarré"))
    assert logs_of().starts().are_at_most(1)
    escaped = json.dumps({"ts": time.time() - 3, "msg": "Job Worker démarré"}) + "\n"
    latin = zap(2, "Job Worker démarré").encode("latin-1")
    (log_dir / "b.log").write_bytes(escaped.encode() + latin)
    starts = logs_of().starts(3)
    assert starts.counts == (3,), starts
    assert starts.are_at_most(3)
    assert not starts.are_at_most(2)


def test_workers_of_one_process_start_at_once(log_dir: Path, shell: Shell) -> None:
    """A process with several threads logs a start for each; an earlier start is not its own."""
    name = f"worker-{log_dir.parent.name}"
    command = [sys.executable, "-c", "input()", name]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as own:
        workers = ProcessProbe([shell], name)
        source = LogSource((shell,), (f"{log_dir}/*.log",))
        probe = LogProbe(source, None, 900.0, 2**20, workers=workers)
        (log_dir / "a.log").write_text(zap(0, "Job Worker started", worker=1))
        (log_dir / "b.log").write_text(zap(0, "Job Worker started", worker=2))
        assert workers.uptime().processes, workers.uptime()
        assert probe.starts().counts == (2,)
        assert probe.starts().are_at_most(1), probe.starts()
        (log_dir / "c.log").write_text(zap(300, "Job Worker started", worker=1))
        again = LogProbe(source, None, 900.0, 2**20, workers=workers).starts()
        assert not again.are_at_most(1), again
        own.communicate(b"\n")


@pytest.mark.parametrize(
    ("completed", "late", "shows"), [(3, False, False), (3, True, True), (1, False, True)]
)
def test_starts_between_completed_jobs_show_no_crash_loop(
    log_dir: Path, shell: Shell, completed: int, late: bool, shows: bool
) -> None:
    """A worker may end after a number of jobs, as PHP's do; one in a crash loop completes none."""

    class Jobs(MadeUploads):
        def flow(self, window: float) -> Flow:
            return Flow("db", window, 0, None, completed, 5.0)

    (log_dir / "a.log").write_text("".join(zap(age, "Job Worker started") for age in (90, 60, 30)))
    source = LogSource((shell,), (f"{log_dir}/*.log",))
    workers = ProcessProbe([shell], "no-such-worker", is_work_late=lambda: late)
    logs = LogProbe(source, None, 900.0, 2**20, database=Jobs({}), workers=workers)
    assert logs.starts(3).are_at_most(3)
    if shows:
        assert not logs.starts(1).are_at_most(1)
        return
    with pytest.raises(NotOffered, match="3 jobs completed in that time and none is late"):
        logs.starts(1)


@pytest.mark.parametrize("of", ["errors", "storage_errors"])
def test_lines_about_the_id_that_the_checks_ask_for_do_not_count(
    log_dir: Path, logs_of: Make, of: str
) -> None:
    """An API whose ids are numbers may log an error for it, at each run; an empty id is another."""
    text = "upload {}: processing failed: open /var/x/1: permission denied"
    (log_dir / "a.log").write_text(zap(9, text.format(UNUSED_ID), "error"))
    assert getattr(logs_of(), of)().none
    (log_dir / "b.log").write_text(
        zap(9, text.format("00000000-0000-0000-0000-000000000000"), "error")
    )
    assert not getattr(logs_of(), of)().none


def test_worker_must_log_while_uploads_arrive(log_dir: Path, logs_of: Make) -> None:
    """A worker must log after an upload arrives; without uploads it may be silent."""
    (log_dir / "a.log").write_text(zap(800, "job worker heartbeat"))
    with pytest.raises(NotOffered, match="no line of an arrival is recognised"):
        logs_of().worker_lines(300)
    assert logs_of().worker_lines(850).keeps_up(850)
    (log_dir / "b.log").write_text(zap(200, "upload accepted", id="u2", status="uploading"))
    with pytest.raises(NotOffered, match="since, 3 min ago; the worker may take 5 min to log one"):
        logs_of().worker_lines(300)
    (log_dir / "b.log").write_text(zap(400, "upload accepted", id="u1", status="uploading"))
    lines = logs_of().worker_lines(300)
    assert not lines.keeps_up(300)
    assert "; 1 upload arrived since, 7 min ago" in str(lines)
    (log_dir / "c.log").write_text(zap(350, "published to process_upload"))
    assert not logs_of().worker_lines(300).keeps_up(300), "enqueueing is not working"
    (log_dir / "c.log").write_text(zap(250, "Upload u1 queued for processing, job j1"))
    assert not logs_of().worker_lines(300).keeps_up(300), "queueing is not working"
    (log_dir / "c.log").write_text(zap(250, "process_upload: uploading -> processing"))
    assert logs_of().worker_lines(300).keeps_up(300)


def test_worker_lines_without_a_time_prove_no_silence(log_dir: Path, logs_of: Make) -> None:
    """Where the worker's lines have no time, it may have logged a moment ago."""
    (log_dir / "a.log").write_text("[main] INFO Runner - job worker takes u1\n")
    (log_dir / "b.log").write_text(zap(400, "upload accepted", id="u1", status="uploading"))
    with pytest.raises(Unreachable, match=r"1 worker line may be recent, .*: .*takes u1"):
        logs_of().worker_lines(300)
    (log_dir / "c.log").write_text(zap(250, "process_upload: uploading -> processing"))
    assert logs_of().worker_lines(300).keeps_up(300)


def test_a_worker_that_logs_elsewhere_is_skipped(log_dir: Path, logs_of: Make) -> None:
    """Without any line of the worker and without log_files the check is skipped."""
    (log_dir / "a.log").write_text(zap(400, "upload received") + "x\n")
    with pytest.raises(NotOffered, match=r"no line of the worker; .* log_files in \[worker\]"):
        logs_of().worker_lines(300)


@pytest.mark.parametrize("own", [False, True])
def test_a_worker_that_is_silent_for_longer_than_the_window_fails(
    log_dir: Path, logs_of: Make, own: bool
) -> None:
    """Lines from before the window show that the worker logs here; uploads, that it should."""
    place = log_dir / "own" if own else log_dir
    place.mkdir(exist_ok=True)
    (place / "w.log").write_text(zap(1000, "process_upload: completed"))
    (log_dir / "a.log").write_text(zap(400, "upload received"))
    if own:
        os.utime(place / "w.log", (time.time() - 1000,) * 2)
    lines = logs_of(worker=f"{place}/w.log" if own else None).worker_lines(300)
    assert not lines.keeps_up(300)
    assert "the worker logged nothing in the last 15 min" in str(lines)


def test_transitions_of_each_upload(log_dir: Path, logs_of: Make) -> None:
    """Each upload's statuses come from its own lines, also from before the window."""
    (log_dir / "a.log").write_text(
        zap(3000, "upload accepted", id="u1", status="uploading")
        + zap(2990, "process_upload: uploading -> processing", id="u1", status="processing")
        + zap(2980, "process_upload: processing -> completed", id="u1", status="completed")
        + zap(2970, "upload accepted", id="u10", status="uploading")
        + zap(2960, "job completed", id="u10")
        + zap(2950, "processing", id="other")
    )
    subjects = (Subject("u1", age_seconds=3000.0), Subject("u10", age_seconds=2970.0))
    transitions = logs_of().transitions(subjects)
    assert [(t.upload, t.missing) for t in transitions.missing] == [
        ("u10", ("processing", "completed"))
    ]
    assert "the logs do not have every status of 1 of 2 uploads" in str(transitions)
    assert logs_of().transitions(()).complete
    with pytest.raises(Unreachable, match="older than the 24 h of logs"):
        logs_of().transitions((Subject("u1", age_seconds=1e6),))
    with pytest.raises(Unreachable, match="is not a valid upload id"):
        logs_of().transitions((Subject("u1|.*"),))


def test_only_the_end_of_a_large_log_is_read(log_dir: Path, logs_of: Make) -> None:
    """Of a file beyond the limit only the end is read, and the sentence says so."""
    early, late = zap(60, "upload error early", "error"), zap(50, "upload error late", "error")
    huge = zap(55, "upload error " + "x" * 300_000, "error")
    (log_dir / "a.log").write_text(early + "x" * 200_000 + "\n" + late + huge)
    errors = logs_of(most=400_000).errors()
    assert errors.counts == (2,), errors
    assert f"(only the end of {log_dir}/a.log was read)" in str(errors)
    assert len(str(errors)) < 2000


@pytest.mark.parametrize("compressed", [False, True])
def test_an_end_that_does_not_reach_back_far_enough_proves_nothing(
    log_dir: Path, logs_of: Make, *, compressed: bool
) -> None:
    """Without an error in it, the end of a log must have a line from before the window."""
    lines = [zap(age, "upload received", detail="x" * 200) for age in range(2000, 0, -1)]
    path = log_dir / "a.log"
    if compressed:
        path.touch()
        (log_dir / "a.log.1.gz").write_bytes(gzip.compress("".join(lines).encode()))
    else:
        path.write_text("".join(lines))
    assert logs_of(most=300_000).errors().none
    with pytest.raises(Unreachable, match=r"reach back .* of 15 min; raise log_scan_max"):
        logs_of(most=100_000).errors()
    path.write_text(zap(60, "upload error", "error"))
    assert logs_of(most=100_000).errors().counts == (1,)


@pytest.mark.parametrize("content", ["\0" * 300_000, "a line without a time\n" * 20_000])
def test_an_end_without_a_time_proves_nothing(log_dir: Path, logs_of: Make, content: str) -> None:
    """How far a log without a time was read is unknown, and so is what stands before."""
    (log_dir / "a.log").write_text(zap(60, "upload error", "error") + content)
    with pytest.raises(Unreachable, match=r"a\.log on .* have no time that can be read"):
        logs_of(most=100_000).errors()


def test_many_errors_are_capped(log_dir: Path, logs_of: Make) -> None:
    """Thousands of errors become a minimum count and a few samples."""
    (log_dir / "a.log").write_text(
        "".join(zap(60, f"job {n} failed", "error") for n in range(2000))
    )
    errors = logs_of().errors()
    assert errors.counts == (500,)
    assert "500 or more error lines" in str(errors)
    assert "job 1999 failed" in str(errors)


def test_many_arrivals_do_not_displace_errors(log_dir: Path, logs_of: Make) -> None:
    """Thousands of arrivals are transferred cut, so that an error of another file is too."""
    for number in range(8):
        (log_dir / f"{number}.log").write_text(
            "".join(
                zap(60 + n / 100, "upload received", id=f"{n}", x="x" * 400) for n in range(2500)
            )
        )
    quiet = log_dir / "z.log"
    quiet.write_text(
        zap(50, "job 7 failed", "error") + zap(40, "process_upload: done", pad="x" * 400)
    )
    os.utime(quiet, (time.time() - 30,) * 2)
    logs = logs_of()
    assert logs.errors().counts == (1,), logs.errors()
    assert logs.worker_lines(300).newest == pytest.approx(40, abs=9), logs.worker_lines(300)


def test_a_cut_answer_is_unreachable(
    log_dir: Path, logs_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines that were not transferred are not taken for missing."""
    monkeypatch.setattr(log_scan, "ANSWER_MAX", 20 * 1024)
    (log_dir / "a.log").write_text("".join(zap(400 + n, "upload received") for n in range(300)))
    own = log_dir / "own"
    own.mkdir()
    (own / "w.log").write_text(zap(50, "job 7 failed", "error") + zap(40, "process_upload: done"))
    os.utime(own / "w.log", (time.time() - 30,) * 2)
    logs = logs_of(worker=f"{own}/w.log")
    assert logs.worker_log(300).is_within(60), "the names of the files come before the lines"
    for name, limits in (("errors", ()), ("worker_lines", (10,))):
        with pytest.raises(Unreachable, match=r"the matching lines are more than 20\.0 KiB"):
            getattr(logs, name)(*limits)


def test_only_the_newest_files_are_read(
    log_dir: Path, logs_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the limit of files, the oldest are named as not read."""
    monkeypatch.setattr(log_scan, "FILES_MAX", 2)
    for age in (10, 20, 30):
        (log_dir / f"{age}.log").write_text("x\n")
        os.utime(log_dir / f"{age}.log", (time.time() - age,) * 2)
    with pytest.raises(Unreachable, match=f"too many files: {re.escape(str(log_dir))}/30.log"):
        logs_of().errors()
    (log_dir / "20.log").write_text(zap(20, "upload error", "error"))
    assert logs_of().errors().counts == (1,)


def test_a_stack_trace_is_as_old_as_its_error(logs_of: Make, log_dir: Path) -> None:
    """The line behind it may be new. The same trace may have been logged again."""
    text = {
        age: time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() - age))
        + "Z ERROR 7 --- [task-1] c.v.Uploads : Processing failed for upload 42\n"
        "\tat c.v.Uploads.store(Uploads.java:7)\n"
        "Caused by: java.io.IOException: No space left on device\n"
        for age in (7000, 60)
    }
    log = log_dir / "a.log"
    log.write_text(text[7000] + zap(20, "upload stored"))
    assert logs_of().storage_errors().none
    log.write_text(text[7000] + text[60])
    assert logs_of().storage_errors().counts == (1,)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (
            (
                '  File "/app/upload/process.py", line 7, in get_with_timeout\n'
                "    ret = job(timeout=app.conf.upload_error,\n        permission denied)\n"
            ),
            "upload.errors.Failed: timed out",
        ),
        ("\tat c.v.UploadProcessor.createTimeoutException(Pool.java:7)\n", "Caused by: timeout"),
        ("    at Timeout._onTimeout (/app/upload/process.js:7:1)\n", "Error: timed out"),
        ("#0 /app/Upload/Process.php(7): Worker->timeout()\n", "Timeout"),
        ("/lib/timeout.rb:7:in `block in timeout'\n", "/lib/x.rb:7:in 'a': timeout (Error)"),
    ],
    ids=["python", "java", "javascript", "php", "ruby"],
)
def test_a_frame_of_a_stack_trace_is_no_message(
    logs_of: Make, log_dir: Path, frames: str, message: str
) -> None:
    """It is a place in the code, as is the source that Python prints below it."""
    time_of = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() - 20))
    head = f"{time_of}Z ERROR uploads: it went wrong\n"
    log = log_dir / "a.log"
    log.write_text(head + frames + head)
    assert logs_of().timeouts().none
    log.write_text(head + frames + message + "\n" + head)
    (sample,) = logs_of().timeouts().samples
    assert message in sample


class MadeUploads(DatabaseProbe):
    """Uploads of a database with their statuses; `asked` has the ids of each question."""

    def __init__(
        self,
        statuses: dict[str, str] | None,
        reason: str | None = None,
        completed: float = 5.0,
        arrived: float | None = None,
        unfinished: int = 0,
        *,
        has_jobs: bool = True,
        ages: tuple[float, ...] | None = None,
        users: dict[str, str] | None = None,
        age: float | None = None,
        jobs: dict[str, str] | None = None,
        ended: tuple[int, int] = (0, 0),
        told: dict[str, float] | None = None,
        up: float | None = None,
    ) -> None:
        self.up = up
        self.jobs = jobs or {}
        self.told = told or {}
        self.ended = ended
        self.statuses = statuses
        self.age = age
        self.users = users or {}
        self.ages = ages
        self.has_jobs = has_jobs
        self.reason = reason
        self.completed = completed
        self.arrived = arrived
        self.unfinished = unfinished
        self.asked: list[tuple[str, ...]] = []

    def arrivals(self, seconds: float) -> tuple[float, ...]:
        return (seconds / 2,) if self.ages is None else self.ages

    def job_arrivals(self, seconds: float) -> tuple[float, ...]:
        return (seconds / 2,) if self.has_jobs else ()

    def newest_completed(self) -> NewestCompleted:
        return NewestCompleted("here", "u9", None, self.completed, self.arrived)

    def up_seconds(self) -> float:
        if self.up is None:
            raise Unreachable("refused")
        return self.up

    def stuck_uploads(self, after: float) -> StuckUploads:
        return StuckUploads("here", after, self.unfinished, None, (), None)

    def overdue_processing(self, after: float) -> Overdue:
        return Overdue("here", "upload", "processing", after, 0, 0.0, ())

    def uploads_of_ids(self, ids: tuple[str, ...]) -> dict[str, str]:
        return {one: self.jobs[one] for one in ids if one in self.jobs}

    def ended_uploads(self, seconds: float) -> tuple[int, int]:
        return self.ended

    def told_uploads(self, seconds: float, cap: int) -> tuple[Subject, ...]:
        if self.reason is None:
            return ()
        return tuple(
            Subject(one, "failed", updated_seconds=age, error_message=self.reason)
            for one, age in self.told.items()
            if age <= seconds
        )

    def subjects(self, ids: tuple[str, ...] | None, after: float, cap: int) -> tuple[Subject, ...]:
        self.asked.append(ids or ())
        if self.statuses is None:
            raise Unreachable("refused")
        return tuple(
            Subject(
                one,
                self.statuses.get(one),
                age_seconds=self.age,
                error_message=self.reason,
                user_id=self.users.get(one),
            )
            for one in ids or ()
        )


EVERY_TEN = tuple(float(age) for age in range(200, 1200, 10))
BURST = tuple(250.0 + number / 10 for number in range(100))


@pytest.mark.parametrize(
    ("ages", "error", "statuses", "refused"),
    [
        (EVERY_TEN, {"path": "/api/v1/uploads"}, {}, True),
        (EVERY_TEN, {"upload_id": "upl_7a"}, {}, True),
        (EVERY_TEN, {"upload_id": "upl_7a"}, {"upl_7a": "failed"}, False),
        ((20.0, *EVERY_TEN), {"path": "/api/v1/uploads"}, {}, False),
        (BURST, {"path": "/api/v1/uploads"}, {}, None),
        (EVERY_TEN[::8], {"path": "/api/v1/uploads"}, {}, None),
        ((), {"path": "/api/v1/uploads"}, {}, None),
    ],
    ids=["none named", "unknown", "recorded", "others arrive", "burst", "rare", "none ever"],
)
def test_uploads_that_are_refused_are_not_recorded(
    shell: Shell,
    log_dir: Path,
    ages: tuple[float, ...],
    error: dict[str, str],
    statuses: dict[str, str],
    refused: bool | None,
) -> None:
    """Errors since the last arrival tell it, where many uploads would have arrived meanwhile."""
    (log_dir / "a.log").write_text(
        zap(400, "upload stored", "error")
        + "".join(
            zap(age, "upload not stored: disk full", "error", **error) for age in (150, 90, 30)
        )
    )
    database = MadeUploads(statuses, ages=ages)
    logs = LogProbe(
        LogSource((shell,), (f"{log_dir}/*.log",)), None, 900.0, 2**20, database=database
    )
    if refused is None:
        with pytest.raises(NotOffered, match="too few uploads arrived before to tell"):
            logs.errors_beside_arrivals()
        return
    errors = logs.errors_beside_arrivals()
    assert errors.keep_uploads_out == refused, errors
    if refused:
        assert re.search(
            r"3 errors .*none arrived for 3 min; before, at least 20 in each 3 min",
            str(errors),
        ), errors


@pytest.mark.parametrize(
    ("ages", "number", "kept_out"),
    [(EVERY_TEN, 10, True), (EVERY_TEN, 9, False), (EVERY_TEN[::8], 10, False)],
    ids=["as many", "a user's", "rare"],
)
def test_requests_that_are_refused_keep_uploads_out(
    shell: Shell, log_dir: Path, ages: tuple[float, ...], number: int, kept_out: bool
) -> None:
    """Where at least half as many were refused as usually arrive; users' bad files are fewer."""
    refused = {"method": "POST", "path": "/api/v1/upload", "status": 413}
    (log_dir / "a.log").write_text(
        "".join(zap(160 - 10 * n, "request", "info", **refused) for n in range(number))
    )
    database = MadeUploads({}, ages=ages)
    logs = LogProbe(
        LogSource((shell,), (f"{log_dir}/*.log",)), None, 900.0, 2**20, database=database
    )
    errors = logs.errors_beside_arrivals()
    assert errors.keep_uploads_out is kept_out, errors
    assert ('"status":413' in str(errors)) is kept_out


@pytest.mark.parametrize(("path", "kept_out"), [("/api/v1/upload", True), ("/api/v1/likes", False)])
def test_a_request_and_its_answer_may_be_on_two_lines(
    shell: Shell, log_dir: Path, path: str, kept_out: bool
) -> None:
    """As Rails logs them, with the request's id on both; only one has the path."""

    def lines(age: int) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - age))
        head = f"I, [{at}.284218 #8111]  INFO -- : [e6919aa1-878d-4ec2-9dff-1cf536d1cd{age}]"
        return (
            f'{head} Started POST "{path}" for 10.0.0.7 at {at} +0000\n'
            f"{head} Completed 500 Internal Server Error in 5ms (Allocations: 310)\n"
        )

    (log_dir / "a.log").write_text("".join(lines(160 - 10 * number) for number in range(10)))
    logs = LogProbe(
        LogSource((shell,), (f"{log_dir}/*.log",)),
        None,
        900.0,
        2**20,
        database=MadeUploads({}, ages=EVERY_TEN),
    )
    errors = logs.errors_beside_arrivals()
    assert errors.keep_uploads_out is kept_out, errors
    assert ("Completed 500 Internal Server Error" in str(errors)) is kept_out


def test_uploads_that_were_not_asked_for_may_be_recorded(shell: Shell, log_dir: Path) -> None:
    """Of many uploads that errors name only some are asked for; the others are not refused."""
    names = [f"upl_{number}" for number in range(150)]
    (log_dir / "a.log").write_text(
        "".join(zap(150, "upload not stored", "error", upload_id=name) for name in names)
    )
    database = MadeUploads(dict.fromkeys(names, "failed"), ages=EVERY_TEN)
    logs = LogProbe(
        LogSource((shell,), (f"{log_dir}/*.log",)), None, 900.0, 2**20, database=database
    )
    assert not logs.errors_beside_arrivals().errors


def test_an_upload_without_a_job_is_no_work_for_a_worker(shell: Shell, log_dir: Path) -> None:
    """Where the API creates no jobs, the worker's silence is none of its faults."""
    (log_dir / "a.log").write_text(zap(800, "job worker heartbeat"))
    source = LogSource((shell,), (f"{log_dir}/*.log",))

    def lines(*, has_jobs: bool) -> WorkerLines:
        database = MadeUploads({}, has_jobs=has_jobs)
        return LogProbe(source, None, 900.0, 2**20, database=database).worker_lines(300)

    assert not lines(has_jobs=True).keeps_up(300)
    with pytest.raises(NotOffered, match="no job was created since"):
        lines(has_jobs=False)


@pytest.mark.parametrize(
    ("statuses", "left"),
    [
        ({"upl_7a": "completed", "0193a2f4-7c1e": "completed"}, 1),
        ({"upl_7a": "completed", "0193a2f4-7c1e": "failed"}, 2),
        ({}, 4),
        (None, 4),
    ],
)
@pytest.mark.parametrize("question", ["errors", "timeouts", "expired_jobs"])
def test_an_error_of_an_upload_that_completed_is_over(
    shell: Shell, log_dir: Path, statuses: dict[str, str] | None, left: int, question: str
) -> None:
    """A later attempt went well. What names no upload counts, as does all without a database."""
    late = {"level": "error", "error": "deadline exceeded"}
    (log_dir / "a.log").write_text(
        zap(40, "processing failed", upload_id="upl_7a", attempt=1, **late)
        + zap(30, "processing failed", upload_id="upl_7a", attempt=2, **late)
        + zap(20, "processing of upload 0193a2f4-7c1e failed", **late)
        + zap(10, "job failed", id=7, **late)
    )
    database = MadeUploads(statuses)
    source = LogSource((shell,), (f"{log_dir}/*.log",))
    errors = getattr(LogProbe(source, None, 900.0, 2**20, database=database), question)()
    assert (sum(errors.counts), errors.recovered) == (left, 4 - left)
    assert database.asked == [("u9", "0193a2f4-7c1e", "upl_7a")]
    assert ("over: uploads completed since" in str(errors)) == (left < 4)


TASK = "9dc6ab60-1b4c-48d1-8488-b8aae00db8aa"


@pytest.mark.parametrize(
    ("reason", "ended", "none"),
    [
        ("not an audio file", (19, 2), True),
        ("not an audio file", (17, 2), False),
        ("No space left on device: /srv/u", (19, 2), False),
        (None, (19, 2), False),
    ],
    ids=["few", "many", "the disk", "no reason"],
)
def test_bad_files_of_several_users_are_few_of_many_uploads(
    shell: Shell, log_dir: Path, reason: str | None, ended: tuple[int, int], none: bool
) -> None:
    """Their users were told; a line may have the job's id, the reason, or the exception alone."""
    text = "".join(
        time.strftime("[%Y-%m-%d %H:%M:%S", time.gmtime(time.time() - age))
        + f"Z: ERROR/ForkPoolWorker-2] {words}\n"
        for age, words in (
            (800, "media u-7a-2025-12-15-fe failed: not an audio file"),
            (20, f"Task tracks.transcode[{TASK}] raised unexpected: ValueError('no audio')"),
            # These jobs have no row.
            (20, "Error performing Work (Job ID: 4f8a7d41-5c1e-4a55) in 4ms: (not an audio file)"),
            (19, "Chord 'd4d73c4a-e4f0-4386' of upload raised: ValueError('not an audio file')"),
            (
                790,
                "Error performing Work (Job ID: 7d0d2f7c-9a1e-4a55) in 4ms: Media::NotAudio (none)",
            ),
            (790, "Discarded Work job due to a Media::NotAudio."),
        )
    )
    (log_dir / "a.log").write_text(text)
    database = MadeUploads(
        {"u1": "failed", "u2": "failed", "u9": "completed"},
        reason,
        users={"u1": "ann", "u2": "bob", "u9": "cleo"},
        jobs={"u-7a-2025-12-15-fe": "u1", TASK: "u2", "7d0d2f7c-9a1e-4a55": "u2"},
        ended=ended,
        told={"u2": 21.0},
    )
    logs = LogProbe(
        LogSource((shell,), (f"{log_dir}/*.log",)), None, 900.0, 2**20, database=database
    )
    errors = logs.errors()
    assert errors.none is none, errors


def test_a_write_that_failed_is_no_notice(shell: Shell, log_dir: Path) -> None:
    """PHP logs it so, and its program goes on with a file that is cut."""
    failed = (
        "file_put_contents(): Write of 40964 bytes failed with errno=28 No space left on device"
    )
    now = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    (log_dir / "a.log").write_text(
        f"[{now}] php.NOTICE: E_NOTICE: {failed} []\n"
        f"[{now}] php.NOTICE: E_NOTICE: fwrite(): Write of 8192 bytes failed with errno=32 "
        "Broken pipe in /srv/uploads/stream.php []\n"
        f"[{now}] app.NOTICE: cleanup: 3 uploads freed, no space left on device before []\n"
    )
    source = LogSource((shell,), (f"{log_dir}/*.log",))
    errors = LogProbe(source, None, 900.0, 2**20).storage_errors()
    assert sum(errors.counts) == 1
    assert "Write of 40964 bytes failed with errno=28" in str(errors)


RETRY = (
    "messenger.WARNING: Error thrown while handling message App\\Message\\ProcessUpload. Sending "
    'for retry #1 using 1000 ms delay. Error: "Handling "App\\Message\\ProcessUpload" failed: {}"'
)
TOO_LARGE = (
    "[error] 31#31: *1 client intended to send too large body: 30000000 bytes, client: ::1, "
    'request: "POST /api/v1/upload HTTP/1.1"'
)


@pytest.mark.parametrize(
    ("words", "completed", "none"),
    [
        (RETRY.format("Connection reset"), 19, True),
        (RETRY.format("Connection reset"), 17, False),
        (RETRY.format("mkdir(): No space left on device"), 19, False),
        (RETRY.format("Connection reset").replace("WARNING", "CRITICAL"), 19, False),
        (TOO_LARGE, 19, True),
        (TOO_LARGE, 17, False),
    ],
    ids=["few", "many", "the disk", "the last attempt", "few too large", "many too large"],
)
def test_single_requests_that_failed_are_few_of_many_uploads(
    shell: Shell, log_dir: Path, words: str, completed: int, none: bool
) -> None:
    """A framework may log a failure that it tries again, and a proxy a refusal, without the id."""
    (log_dir / "a.log").write_text(
        "".join(
            time.strftime("[%Y-%m-%dT%H:%M:%S+00:00] ", time.gmtime(time.time() - age))
            + f"{words}\n"
            for age in (800, 20)
        )
    )
    database = MadeUploads({}, completed=5.0, unfinished=1, ended=(completed, 0))
    source = LogSource((shell,), (f"{log_dir}/*.log",))
    errors = LogProbe(source, None, 900.0, 2**20, database=database).errors()
    assert errors.none is none, errors


REFUSED = {
    "broker_refusals": "amqp: ACCESS_REFUSED - login was refused using authentication PLAIN",
    "database_refusals": 'FATAL: password authentication failed for user "veza"',
    "refused_writes": "cannot execute INSERT in a read-only transaction",
    "storage_errors": "write /srv/uploads/7a: no space left on device",
}
RIGHT = "ERROR: permission denied for table uploads (SQLSTATE 42501)"


@pytest.mark.parametrize(
    ("ages", "arrived", "unfinished", "text", "none"),
    [
        ((300, 240), 200, 0, None, True),
        ((240,), 200, 0, None, True),
        ((300, 240), 250, 0, None, False),
        ((300, 240), None, 0, None, False),
        # An upload of that time waits: it is why.
        ((300, 240), 200, 1, None, False),
        # They come and go.
        ((300, 100), 60, 0, None, False),
        # Another statement may be refused than those of an upload.
        ((300, 240), 200, 0, RIGHT, False),
    ],
)
@pytest.mark.parametrize("question", REFUSED)
def test_a_refusal_is_over_when_later_uploads_have_completed(
    shell: Shell,
    log_dir: Path,
    question: str,
    ages: tuple[float, ...],
    arrived: float | None,
    unfinished: int,
    text: str | None,
    none: bool,
) -> None:
    """Such an upload shows that it ended; no upload that waits since then is explained by it."""
    if text and question != "database_refusals":
        pytest.skip("a right is the database's")
    lines = [zap(age, "upload failed", "error", error=text or REFUSED[question]) for age in ages]
    (log_dir / "a.log").write_text("".join(lines))
    database = MadeUploads({}, arrived=arrived, unfinished=unfinished)
    source = LogSource((shell,), (f"{log_dir}/*.log",))
    logs = LogProbe(source, None, 900.0, 2**20, database=database)
    refusals = getattr(logs, question)()
    assert refusals.none is none, refusals
    assert ("over: uploads completed since" in str(refusals)) is none
    # The same lines are errors of an upload; another one is not over with them.
    assert logs.errors().none is none, logs.errors()
    with (log_dir / "a.log").open("a") as file:
        file.write(zap(200, "upload processing failed", "error", error="disk full"))
    logs = LogProbe(source, None, 900.0, 2**20, database=database)
    assert not logs.errors().none


@pytest.mark.parametrize(
    ("text", "status", "none"),
    [
        ("open /srv/uploads/upl_7a: no such file or directory", "failed", False),
        ("read /srv/uploads/upl_7a: input/output error", "failed", False),
        ("open /srv/uploads/upl_7a: no such file or directory", "completed", True),
        ("open /srv/uploads/upl_7a: no such file or directory", None, True),
        ("write /srv/uploads/upl_7a: no space left on device", "failed", True),
    ],
)
def test_a_lost_file_is_not_over(
    shell: Shell, log_dir: Path, text: str, status: str | None, none: bool
) -> None:
    """A storage that had no room has some again; a file that its upload lost does not come back."""
    lines = [zap(age, "job failed", "error", upload_id="upl_7a", error=text) for age in (300, 240)]
    (log_dir / "a.log").write_text("".join(lines))
    database = MadeUploads({"upl_7a": status} if status else {}, "lost", 5.0, 200)
    source = LogSource((shell,), (f"{log_dir}/*.log",))
    logs = LogProbe(source, None, 900.0, 2**20, database=database)
    assert (logs.storage_errors().none, logs.errors().none) == (none, none), logs.storage_errors()


UNREACHED = (
    "failed to connect to `host=db1 user=veza database=veza`: dial error"
    " (dial tcp 10.0.0.7:5432: connect: connection refused)"
)


@pytest.mark.parametrize(
    ("ages", "up", "completed", "none"),
    [
        (range(90, 0, -10), 9000.0, 600.0, False),
        ([2.0] * kinds.DATABASE.most, 9000.0, 600.0, False),
        # The server began after the last line, or a moment before it.
        (range(90, 0, -10), 5.0, 600.0, True),
        (range(90, 0, -10), 25.0, 600.0, True),
        # The application goes on: it has found its database again, or has another one.
        (range(90, 0, -10), 9000.0, 5.0, True),
        (range(180, 90, -10), 9000.0, 600.0, True),
        (range(20, 0, -10), 9000.0, 600.0, True),
        # Nothing is known of the database.
        (range(90, 0, -10), None, 600.0, True),
    ],
)
def test_a_database_that_only_the_checks_reach_refuses_the_application(
    shell: Shell,
    log_dir: Path,
    ages: Sequence[float],
    up: float | None,
    completed: float,
    none: bool,
) -> None:
    """An address that is wrong or closed for the service is no server that was down."""
    lines = [zap(age, "heartbeat failed", "warn", error=UNREACHED) for age in ages]
    (log_dir / "a.log").write_text("".join(lines))
    database = MadeUploads({}, completed=completed, up=up)
    source = LogSource((shell,), (f"{log_dir}/*.log",))
    refusals = LogProbe(source, None, 900.0, 2**20, database=database).database_refusals()
    assert refusals.none is none, refusals


class MadeQueue(QueueProbe):
    """A broker that is up, down, or refuses the checks, where `up` is None."""

    def __init__(self, *, up: bool | None) -> None:
        self.up = up

    def reach(self) -> Reachability:
        if self.up is None:
            raise Unreachable("refused")
        return Reachability("here", self.up, "")


@pytest.mark.parametrize(
    ("up", "completed", "none"),
    [(True, 600.0, False), (True, 5.0, True), (False, 600.0, True), (None, 600.0, True)],
    ids=["out of reach", "uploads complete", "down", "unknown"],
)
def test_a_broker_that_only_the_checks_reach_refuses_the_application(
    shell: Shell, log_dir: Path, up: bool | None, completed: float, none: bool
) -> None:
    """A worker with a wrong address is no worker that is down."""
    error = "amqp dial: dial tcp 10.0.0.8:5672: connect: connection refused"
    lines = [zap(age, "connect failed", "error", error=error) for age in range(90, 0, -10)]
    (log_dir / "a.log").write_text("".join(lines))
    source = LogSource((shell,), (f"{log_dir}/*.log",))
    database, queue = MadeUploads({}, completed=completed), MadeQueue(up=up)
    logs = LogProbe(source, None, 900.0, 2**20, database=database, queue=queue)
    assert logs.broker_refusals().none is none, logs.broker_refusals()


@pytest.mark.parametrize(
    ("message", "ages", "arrived", "unfinished", "none"),
    [
        ("worker lost its connection", (300, 240), 200, 0, True),
        ("worker lost its connection", (300, 240), 250, 0, False),
        ("worker lost its connection", (300, 240), 200, 1, False),
        ("worker lost its connection", (300, 100), 60, 0, False),
        ("job 7 failed in the worker", (300, 240), 200, 0, False),
        ("worker could not read the upload", (300, 240), 200, 0, False),
    ],
)
def test_a_trouble_of_no_upload_is_over_when_later_ones_have_completed(
    shell: Shell,
    log_dir: Path,
    message: str,
    ages: tuple[float, ...],
    arrived: float,
    unfinished: int,
    none: bool,
) -> None:
    """After a restart of a server its clients' errors are over; a failed job or upload is not."""
    (log_dir / "a.log").write_text("".join(zap(age, message, "error") for age in ages))
    database = MadeUploads({}, arrived=arrived, unfinished=unfinished)
    source = LogSource((shell,), (f"{log_dir}/*.log",))
    errors = LogProbe(source, None, 900.0, 2**20, database=database).errors()
    assert errors.none is none, errors


@pytest.mark.parametrize(
    ("status", "reason", "level", "completed", "none"),
    [
        ("failed", "not an audio file", "warn", 5.0, True),
        ("quarantined", "infected", "warn", 5.0, True),
        ("failed", None, "warn", 5.0, False),
        ("failed", "disk full", "error", 5.0, False),
        ("processing", "not an audio file", "warn", 5.0, False),
        # All fail: it is not their users.
        ("failed", "not an audio file", "warn", 600.0, False),
    ],
)
def test_a_warning_of_an_upload_whose_user_was_told_is_no_error(
    shell: Shell,
    log_dir: Path,
    status: str,
    reason: str | None,
    level: str,
    completed: float,
    none: bool,
) -> None:
    """A user's bad file fails with a reason and a warning; an error is one, whoever was told."""
    (log_dir / "a.log").write_text(
        zap(40, "processing failed", "warn", upload_id="upl_7a")
        + zap(30, "processing failed", level, upload_id="upl_7a")
    )
    database = MadeUploads({"upl_7a": status}, reason, completed)
    source = LogSource((shell,), (f"{log_dir}/*.log",))
    assert LogProbe(source, None, 900.0, 2**20, database=database).errors().none is none


@pytest.mark.parametrize(
    ("users", "completed", "none"),
    [
        ({"upl_7a": "ana", "upl_7b": "ana", "u9": "bob"}, 5.0, True),
        ({"upl_7a": "ana", "upl_7b": "eve", "u9": "bob"}, 5.0, False),
        ({"upl_7a": "ana", "upl_7b": "ana", "u9": "bob"}, 35.0, False),
        ({"upl_7a": "ana", "upl_7b": "ana", "u9": "ana"}, 5.0, False),
        ({}, 5.0, False),
    ],
)
def test_errors_of_one_users_bad_files_are_none(
    shell: Shell, log_dir: Path, users: dict[str, str], completed: float, none: bool
) -> None:
    """One user's files failed with a reason, and another user's has completed since."""
    (log_dir / "a.log").write_text(
        zap(40, "processing failed", "error", upload_id="upl_7a")
        + zap(30, "processing failed", "error", upload_id="upl_7b")
    )
    failed = dict.fromkeys(("upl_7a", "upl_7b"), "failed")
    database = MadeUploads(failed, "not an audio file", completed, users=users)
    source = LogSource((shell,), (f"{log_dir}/*.log",))
    assert LogProbe(source, None, 900.0, 2**20, database=database).errors().none is none


@pytest.mark.parametrize(
    ("statuses", "users", "age", "completed", "none"),
    [
        ({"upl_7a": "uploading"}, {}, 60.0, 35.0, True),
        ({"upl_7a": "processing"}, {}, 60.0, 35.0, True),
        ({"upl_7a": "uploading"}, {}, 60.0, 45.0, False),
        ({"upl_7a": "uploading"}, {}, 700.0, 35.0, False),
        (dict.fromkeys(("upl_7a", "upl_7b"), "uploading"), {}, 60.0, 5.0, False),
        (
            dict.fromkeys(("upl_7a", "upl_7b"), "uploading"),
            {"upl_7a": "ana", "upl_7b": "ana", "u9": "bob"},
            60.0,
            5.0,
            True,
        ),
        (
            {"upl_7a": "failed", "upl_7b": "uploading"},
            {"upl_7a": "ana", "upl_7b": "eve", "u9": "bob"},
            60.0,
            5.0,
            False,
        ),
    ],
)
def test_errors_of_an_upload_that_is_tried_again_are_none(
    shell: Shell,
    log_dir: Path,
    statuses: dict[str, str],
    users: dict[str, str],
    age: float,
    completed: float,
    none: bool,
) -> None:
    """It is not stuck yet, and others complete meanwhile; the trouble of several users counts."""
    (log_dir / "a.log").write_text(
        "".join(
            zap(ago, "processing failed", "error", upload_id=name)
            for ago, name in zip((40, 30), (*statuses, *statuses), strict=False)
        )
    )
    database = MadeUploads(statuses, "not an audio file", completed, users=users, age=age)
    source = LogSource((shell,), (f"{log_dir}/*.log",))
    logs = LogProbe(source, None, 900.0, 2**20, database=database, stuck_after=600.0)
    assert logs.errors().none is none


def test_a_log_without_its_tool_is_unreachable(
    log_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A compressed log that the host cannot decompress is not skipped."""
    (log_dir / "a.log").write_text(zap(60, "x"))
    (log_dir / "a.log.1.gz").write_bytes(gzip.compress(b"x"))
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("sh", "env", "timeout", "date", "stat", "sort", "tail", "head", "grep", "awk"):
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    # Here, since an ssh server's PATH is its own.
    logs = LogProbe(
        LogSource((Shell("local://", timeout=PATIENCE),), (f"{log_dir}/*.log",)), None, 900.0, 2**20
    )
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(Unreachable, match="not every log file can be read on local: no gzip"):
        logs.errors()


def test_a_log_that_is_removed_meanwhile_is_not_a_cut_one(
    log_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A rotation removes a file between the listing and the reading: the others are read."""
    (log_dir / "a.log").write_text(zap(60, "x"))
    (log_dir / "b.log").write_text(zap(60, "x"))
    tools = tmp_path / "bin"
    tools.mkdir()
    gone = shlex.quote(str(log_dir / "b.log"))
    (tools / "tail").write_text(f'#!/bin/sh\nrm -f {gone}\nexec {shutil.which("tail")} "$@"\n')
    (tools / "tail").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    os.utime(log_dir / "a.log", (time.time() - 30,) * 2)
    # Here, since an ssh server's PATH is its own.
    source = LogSource((Shell("local://", timeout=PATIENCE),), (f"{log_dir}/*.log",))
    errors = LogProbe(source, None, 900.0, 2**20).errors()
    assert not (log_dir / "b.log").exists()
    assert errors.none


def answer(probe: LogProbe) -> str:
    """Return "found", "unknown", or "none", by what the probe says of errors."""
    try:
        return "none" if probe.errors().none else "found"
    except Unreachable:
        return "unknown"


HOSTILE = (
    "upload error without a time",
    '{"level":"error","msg":"job failed","ts":' + "9" * 400 + "}",
    '{"level":"error","msg":"job failed","x":' + "[" * 1500 + "]" * 1500 + "}",
    "job failed " + "processing " * 400,
    "job failed " + "x" * 40_000,
)


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("last", ["hostile", "dated"])
def test_hostile_lines_never_hide_an_error(
    log_dir: Path, logs_of: Make, hostile: str, last: str
) -> None:
    """Hundreds of lines that cannot be read leave dated errors found; alone they are unknown."""
    dated = "".join(zap(60, f"job {n} failed", "error") for n in range(500))
    many = f"{hostile}\n" * 500
    (log_dir / "a.log").write_text(dated + many if last == "hostile" else many + dated)
    assert answer(logs_of(most=2**26)) == "found"
    (log_dir / "a.log").write_text(many)
    assert answer(logs_of(most=2**26)) == "unknown"


def test_lines_of_a_stack_trace_are_as_old_as_their_error(log_dir: Path, logs_of: Make) -> None:
    """A trace between two old lines is old; nothing of it makes the check unreachable."""
    trace = "goroutine 7:\n  jobs.process(upload) error\n"
    (log_dir / "a.log").write_text(
        zap(7200, "slow", "error") + trace + zap(7100, "x") + zap(5, "y")
    )
    errors = logs_of().errors()
    assert errors.none
    assert "no error line in the last 15 min on" in str(errors)
    assert ", among 5 lines of 1 file" in str(errors)


def test_newer_lines_of_another_feature_do_not_hide_an_error(log_dir: Path, logs_of: Make) -> None:
    """Where lines of the window were displaced, it is unknown whether one was about uploads."""
    (log_dir / "a.log").write_text(
        zap(60, "job 7 failed", "error") + zap(50, "newsletter job failed", "error") * 600
    )
    with pytest.raises(Unreachable, match="more lines that could match than the 500"):
        logs_of().errors()


def of_the_journal(unit: str = UNIT) -> LogProbe:
    """Return a probe for a unit's journal on this machine."""
    shell = Shell("local://", timeout=PATIENCE)
    return LogProbe(LogSource((shell,), (f"journald:{unit}",)), None, 900.0, 2**20)


def test_a_units_journal_is_a_log(journal: MadeJournal) -> None:
    """Its entries count as lines do: in JSON, as text, over several lines, and by their age."""
    journal.write(
        [
            (7200.0, "upload processing failed"),
            (60.0, '{"level":"error","msg":"upload processing failed","error":"disk full"}'),
            (50.0, '{"level":"info","msg":"upload error rate 0"}'),
            (40.0, "job 7 failed\n  at worker.go:12"),
        ]
    )
    journal.write([(30.0, "upload processing failed")], unit="another")
    logs = of_the_journal()
    errors = logs.errors()
    assert errors.counts == (2,), errors
    assert errors.newest == pytest.approx(40, abs=20)
    assert "job 7 failed" in errors.samples[-1]
    (written,) = logs.activity(60.0).silences
    assert written[1] == pytest.approx(40, abs=20)


def test_an_entry_with_control_characters_is_read(journal: MadeJournal) -> None:
    """journalctl prints "blob data" for what it cannot show, unless it is asked for all."""
    journal.write([(30, "ERROR upload processing failed: \x01 unexpected byte")])
    assert of_the_journal().errors().counts == (1,), of_the_journal().errors()


def test_a_unit_without_entries_has_no_log(journal: MadeJournal) -> None:
    """It is a failure that names the unit: its name may be wrong, or it never started."""
    journal.write([(10.0, "started")])
    activity = of_the_journal("veza-backend").activity(900.0)
    assert not activity.is_within(900.0)
    assert "no entry of the journal matches journald:veza-backend on" in str(activity)


def test_a_journal_without_access_is_unreachable(
    journal: MadeJournal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where journalctl says that it may not read all, or is missing, nothing is concluded."""
    shim = journal.folder.parent / "programs" / "journalctl"
    shim.write_text(
        "#!/bin/sh\necho 'No journal files were opened due to insufficient permissions.' >&2\n"
    )
    with pytest.raises(Unreachable, match=r"Permission denied; add the user .*systemd-journal"):
        of_the_journal().activity(900.0)
    programs = tmp_path / "all but one"
    programs.mkdir()
    for program in Path("/usr/bin").iterdir():
        if program.name != "journalctl":
            (programs / program.name).symlink_to(program)
    monkeypatch.setenv("PATH", str(programs))
    for unit in (UNIT, "a" * 255):
        with pytest.raises(Unreachable, match="no journalctl on this host: journald:"):
            of_the_journal(unit).activity(900.0)


def test_a_journal_without_access_is_not_hidden_by_a_file(
    journal: MadeJournal, log_dir: Path
) -> None:
    """Where one of several logs may not be read, no match in the others proves nothing.

    A match still counts.
    """
    shim = journal.folder.parent / "programs" / "journalctl"
    shim.write_text(
        "#!/bin/sh\necho 'No journal files were opened due to insufficient permissions.' >&2\n"
    )
    (log_dir / "api.log").write_text(zap(10, "started"))
    logs = (f"{log_dir}/*.log", f"journald:{UNIT}")
    shell = Shell("local://", timeout=PATIENCE)
    with pytest.raises(Unreachable, match="journald:veza-backend-api on local cannot be read"):
        LogProbe(LogSource((shell,), logs), None, 900.0, 2**20).errors()
    with (log_dir / "api.log").open("a") as log:
        log.write(zap(5, "upload processing failed", "error"))
    assert LogProbe(LogSource((shell,), logs), None, 900.0, 2**20).errors().counts == (1,)
