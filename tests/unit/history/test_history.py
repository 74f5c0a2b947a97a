"""The history of a target: its runs, incidents over time, and a file that cannot be used."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import tempfile
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from reports.history import file as history_file
from reports.history import store as history
from reports.history.incidents import RunRecord, flapping, incidents, last_incident, recovery
from reports.history.store import History, HistoryError, Retention, record
from reports.model.report import Report, WatchedMetric
from reports.render import history as history_text
from reports.render.incident_times import times_of_runs
from tests import made
from tests.waiting import PATIENCE

METRICS = made.incident().watch
LAYOUT = made.bundle().layout


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a target's history."""
    return tmp_path / "live" / history.NAME


def at(minutes: float) -> str:
    """A time that many minutes after the first run."""
    return (datetime.fromisoformat(made.STARTED) + timedelta(minutes=minutes)).isoformat()


def record_all(path: Path, reports: Sequence[Report]) -> tuple[RunRecord, ...]:
    """Record these reports, and return the history's runs."""
    for report in reports:
        record(path, report)
    with History.to_read(path) as opened:
        return opened.runs(1000)


def test_a_run_is_kept_with_its_state_figures_outcomes_and_ranking(path: Path) -> None:
    """A recorded run is read back as it was."""
    (run,) = record_all(path, [made.incident()])
    assert (run.number, run.started, run.state) == (1, made.STARTED, "incident")
    assert run.seconds == 1.5
    assert run.headline == made.incident().headline
    assert run.figures["uploads_stuck"] == 2
    assert run.figures["processing_seconds"] is None
    assert run.outcomes["worker/process_is_running"] == "failed"
    assert len(run.outcomes) == len(made.bundle().evidence.checks)
    assert list(run.accepted) == ["Job worker down"]
    assert run.accepted["Job worker down"] > 0.9


def test_the_last_runs_come_oldest_first(path: Path) -> None:
    """A reader gets as many runs as it asks for."""
    record_all(path, [made.recovered(started=at(n)) for n in range(5)])
    with History.to_read(path) as opened:
        runs = opened.runs(3)
    assert [run.started for run in runs] == [at(2), at(3), at(4)]
    assert runs[-1].figures["backlog"] == 0


def test_the_symptoms_tell_the_incidents(path: Path) -> None:
    """What a reader of incidents alone gets is little, and tells the same incidents."""
    starts = [(made.incident, 0), (made.incident, 10), (made.recovered, 20), (made.incident, 30)]
    whole = record_all(path, [report(started=at(minutes)) for report, minutes in starts])
    with History.to_read(path) as opened:
        small = opened.runs(1000, symptoms_only=True)
    roles = {row.id: row.role for row in made.bundle().evidence.checks}
    assert {roles[check] for run in small for check in run.outcomes} == {"symptom"}
    assert not any(run.figures or run.accepted for run in small)

    def course(runs: Sequence[RunRecord]) -> list[tuple[list[int], bool]]:
        return [([run.number for run in one.runs], bool(one.after)) for one in incidents(runs)]

    assert course(small) == course(whole) == [([1, 2], True), ([4], False)]


def test_recording_returns_the_runs(path: Path) -> None:
    """The new run comes back with the earlier ones, oldest first, for the report's trends."""
    record(path, made.recovered())
    runs, note = record(path, made.incident(started=at(5)))
    assert [run.state for run in runs] == ["healthy", "incident"]
    assert note == ""


def test_the_report_of_a_run_that_was_not_healthy_is_kept(path: Path) -> None:
    """An incident's report can be read again later; a healthy one takes no space."""
    record_all(path, [made.recovered(), made.incident()])
    with History.to_read(path) as opened:
        assert opened.report(2) == made.incident()
        assert opened.report(1) is None


def test_whole_reports_are_kept_at_changes_and_every_five_minutes(path: Path) -> None:
    """In between the small rows are enough: the report then is that of the last change."""
    unread = {"statuses": {"queue/queue_exists": "unreachable"}}
    worse = ("storage/disk_space_is_free", *made.DEAD_WORKER)
    course = [
        *[made.incident() for _ in range(7)],
        made.report(worse),
        made.incident(),
        made.incident(**unread),
        made.recovered(),
        made.incident(),
    ]
    dated = [replace(report, started=at(n)) for n, report in enumerate(course)]
    runs = record_all(path, dated)
    with closing(sqlite3.connect(path)) as other:
        kept = other.execute("SELECT id FROM runs WHERE report IS NOT NULL ORDER BY id").fetchall()
    assert [number for (number,) in kept] == [1, 6, 8, 9, 12]
    with History.to_read(path) as opened:
        reports = [opened.report(number) for number in range(1, 13)]
    began = [report and report.started for report in reports]
    assert began == [
        *[at(0)] * 5,
        *[at(5)] * 2,
        at(7),
        *[at(8)] * 2,
        None,
        at(11),
    ]
    assert [run.started for run in runs] == [at(n) for n in range(12)]
    assert all(run.figures and run.outcomes for run in runs)


def test_a_run_in_another_language_is_no_change(path: Path) -> None:
    """A cause is known by its id: its title is in the language of the run."""
    english = made.incident()
    causes = [replace(one, title="Worker arrêté") for one in english.diagnosis.hypotheses]
    french = replace(
        english,
        started=at(1),
        diagnosis=replace(english.diagnosis, hypotheses=tuple(causes)),
    )
    runs = record_all(path, [english, french])
    assert [list(run.accepted) for run in runs] == [["Worker arrêté"]] * 2
    with closing(sqlite3.connect(path)) as other:
        kept = other.execute("SELECT id FROM runs WHERE report IS NOT NULL").fetchall()
    assert kept == [(1,)]


def test_a_clock_that_was_set_back_costs_no_report(path: Path) -> None:
    """The run before may have been years ahead."""
    record_all(path, [made.incident(started=at(60)), made.incident(started=at(0))])
    with History.to_read(path) as opened:
        report = opened.report(2)
    assert report
    assert report.started == at(0)


def test_a_broken_report_in_the_history_is_one_sentence(path: Path) -> None:
    """A report that was damaged in the history is refused."""
    record_all(path, [made.incident()])
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE runs SET report = ?", (b"\x78\x9cnonsense",))
    with History.to_read(path) as opened, pytest.raises(HistoryError, match="has a broken report"):
        opened.report(1)


def test_old_runs_are_dropped_by_age(path: Path) -> None:
    """Beyond the retention's days only the least number of runs stays."""
    with History.to_write(path) as opened:
        for day in range(10):
            report = made.recovered(started=at(day * 1440))
            opened.append(report, Retention(days=3, least=2))
        kept = [run.started for run in opened.runs(100)]
    assert kept == [at(day * 1440) for day in (5, 6, 7, 8, 9)]


def test_a_clock_that_is_ahead_once_drops_nothing(path: Path) -> None:
    """The age of the runs counts from a clock that two of them agree on."""
    kept = []
    with History.to_write(path) as opened:
        for minutes in (0, 5, 10, 15, 60 * 24 * 365, 20, 25):
            opened.append(made.recovered(started=at(minutes)), Retention(days=3, least=1))
            kept.append(len(opened.runs(100)))
    assert kept == [1, 2, 3, 4, 5, 6, 7]


def test_a_clock_that_was_years_ahead_does_not_cost_the_history(path: Path) -> None:
    """One run with a wrong clock drops none of the last runs, and later runs come after it."""
    runs = record_all(
        path,
        [
            made.incident(started=at(0)),
            made.recovered(started="2099-01-01T00:00:00+00:00"),
            made.recovered(started=at(-60)),
        ],
    )
    assert [run.number for run in runs] == [1, 2, 3]
    assert runs[-1].started == at(-60)
    assert history_text.render(runs, 10, METRICS, layout=LAYOUT).count("\n") >= 3


def test_a_clock_that_was_set_back_gives_no_negative_duration(path: Path) -> None:
    """An incident that seems to end before it started has no duration."""
    runs = record_all(path, [made.incident(started=at(0)), made.recovered(started=at(-60))])
    incident = last_incident(runs)
    assert incident is not None
    assert incident.after is not None
    times = times_of_runs(incident, LAYOUT.impact)
    assert times is not None
    assert times.seconds is None


def test_old_runs_are_dropped_by_size(path: Path) -> None:
    """A file that is too large shrinks to its limit, and keeps the newest runs."""
    with History.to_write(path) as opened:
        for number in range(60):
            opened.append(made.incident(started=at(number)))
    before = path.stat().st_size
    with History.to_write(path) as opened:
        opened.append(made.incident(started=at(60)), Retention(size=before // 2))
        kept = [run.started for run in opened.runs(100)]
    assert path.stat().st_size <= before // 2
    assert kept == [at(number) for number in range(61 - len(kept), 61)]
    assert 10 < len(kept) < 60


def test_a_size_that_is_too_small_keeps_the_newest_run(path: Path) -> None:
    """The last run is kept, however small the limit."""
    with History.to_write(path) as opened:
        for number in range(3):
            opened.append(made.incident(started=at(number)), Retention(size=1))
        assert [run.started for run in opened.runs(100)] == [at(2)]


def test_a_run_after_a_long_pause_drops_some_of_the_old_ones(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dropping thousands of runs takes seconds, so each run drops the oldest few."""
    monkeypatch.setattr(history, "DROPPED_MAX", 3)
    record_all(path, [made.recovered(started=at(number)) for number in range(8)])
    later = Retention(days=3, least=1)
    kept = []
    with History.to_write(path) as opened:
        for day in (30, 31, 32):
            opened.append(made.recovered(started=at(day * 1440)), later)
            kept.append(len(opened.runs(100)))
    assert kept == [9, 7, 5]


def append_until_killed(path: Path, statement: str, steps: int, size: int) -> None:
    """Add a run that drops others, and be killed so many steps after a statement begins."""
    with History.to_write(path) as opened:
        connection = opened._db

        def kill() -> int:
            os.kill(os.getpid(), signal.SIGKILL)
            return 0

        def begins(text: str) -> None:
            if text.startswith(statement):
                connection.set_progress_handler(kill, steps) if steps else kill()

        connection.set_trace_callback(begins)
        opened.append(made.recovered(started=at(20)), Retention(size=size))


@pytest.mark.parametrize(
    ("statement", "steps"),
    [
        ("DELETE FROM runs WHERE id IN (SELECT id FROM runs WHERE id <", 0),
        ("DELETE FROM runs WHERE id IN (SELECT id FROM runs WHERE id <", 40),
        ("DELETE FROM runs WHERE id IN (SELECT id FROM runs WHERE id <", 400),
        ("COMMIT", 0),
        ("PRAGMA incremental_vacuum", 0),
        ("PRAGMA incremental_vacuum", 20),
    ],
)
def test_a_kill_while_runs_are_dropped_leaves_a_whole_history(
    path: Path, statement: str, steps: int
) -> None:
    """The runs are all there or the oldest have gone, and the next run is added within limits."""
    incident = made.incident()
    with History.to_write(path) as opened:
        for number in range(20):
            opened.append(replace(incident, started=at(number)))
    size = path.stat().st_size // 2
    process = multiprocessing.get_context("fork").Process(
        target=append_until_killed, args=(path, statement, steps, size)
    )
    process.start()
    process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with History.to_read(path) as opened:
        kept = [run.started for run in opened.runs(100)]
    committed = statement.startswith("PRAGMA")
    assert kept == [at(number) for number in range(21 - len(kept), 21)] or not committed
    assert committed or kept == [at(number) for number in range(20)]
    with History.to_write(path) as opened:
        opened.append(replace(incident, started=at(21)), Retention(size=size))
        assert opened.runs(1)[0].started == at(21)
    assert path.stat().st_size <= size


def test_writers_at_the_same_time_lose_no_run(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All runs are kept, also when several processes create the history together."""
    monkeypatch.setattr(history_file, "WAIT", PATIENCE)
    errors: list[Exception] = []
    gate = threading.Barrier(4)

    def write(number: int) -> None:
        gate.wait(PATIENCE)
        try:
            for turn in range(5):
                record(path, made.recovered(started=at(number * 10 + turn)))
        except HistoryError as exc:
            errors.append(exc)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert errors == []
    with History.to_read(path) as opened:
        assert len(opened.runs(100)) == 20


def test_a_reader_does_not_wait_for_a_writer(path: Path) -> None:
    """A reader sees the committed runs while another process writes."""
    record_all(path, [made.recovered()])
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM runs")
        with History.to_read(path) as opened:
            assert len(opened.runs(10)) == 1


def test_a_locked_history_is_one_sentence(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A history that another process locks is given up after the wait."""
    record_all(path, [made.recovered()])
    monkeypatch.setattr(history_file, "WAIT", 0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(HistoryError, match="is locked by another process, for longer than"):
            record(path, made.recovered())


@pytest.mark.parametrize("content", [b"not a database at all " * 50, None])
def test_a_corrupt_history_is_set_aside(path: Path, content: bytes | None) -> None:
    """A corrupt file is renamed with its content, and the run is kept in a new one, with a note."""
    record_all(path, [made.incident(started=at(n)) for n in range(10)])
    old = content or path.read_bytes()[:6000] + b"\xff" * 8000
    path.write_bytes(old)
    runs, note = record(path, made.recovered())
    assert [run.state for run in runs] == ["healthy"]
    assert "was corrupt; it was renamed to" in note
    (aside,) = path.parent.glob("*.corrupt-*[0-9]")
    assert aside.read_bytes() == old
    assert str(aside) in note


def test_a_history_that_another_process_replaced_is_left_alone(path: Path) -> None:
    """Of two processes that find a history corrupt, the second does not rename the new one."""
    record_all(path, [made.recovered()])
    assert history_file.set_aside(path, path.stat().st_ino + 1) is None
    assert path.exists()


def test_reading_a_corrupt_history_changes_nothing(path: Path) -> None:
    """A reader reports the corruption and leaves the file where it is."""
    path.parent.mkdir()
    path.write_bytes(b"nonsense" * 1000)
    with pytest.raises(HistoryError, match="is corrupt"):
        History.to_read(path)
    assert path.read_bytes() == b"nonsense" * 1000


def test_a_database_of_another_program_is_left_alone(path: Path) -> None:
    """A database that is not a history is neither written nor renamed."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("CREATE TABLE accounts (id)")
    with pytest.raises(HistoryError, match="is a database of another program"):
        record(path, made.recovered())
    assert [one.name for one in path.parent.iterdir()] == [history.NAME]


def test_a_history_of_a_newer_version_is_left_alone(path: Path) -> None:
    """A history of a later version is refused, not downgraded."""
    record_all(path, [made.recovered()])
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("PRAGMA user_version = 99")
    with pytest.raises(HistoryError, match="has version 99, and this veza-checks knows"):
        record(path, made.recovered())


def test_an_earlier_version_is_migrated(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A history of an earlier version is migrated once, and keeps its runs."""
    record_all(path, [made.incident()])
    later = (*history_file.MIGRATIONS, "ALTER TABLE runs ADD COLUMN version TEXT")
    monkeypatch.setattr(history_file, "MIGRATIONS", later)
    with pytest.raises(HistoryError, match="has an older version: the next run updates it"):
        History.to_read(path)
    assert [run.state for run in record(path, made.recovered())[0]] == ["incident", "healthy"]
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (len(later),)
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_reading_a_missing_history_is_one_sentence(path: Path) -> None:
    """No file is created."""
    with pytest.raises(HistoryError, match="there is no history at"):
        History.to_read(path)
    assert not path.exists()


def test_a_pipe_in_place_of_the_history_does_not_hang(path: Path) -> None:
    """A file that is not regular is refused before SQLite waits for it."""
    path.parent.mkdir()
    os.mkfifo(path)
    for way in (History.to_read, History.to_write):
        with pytest.raises(HistoryError, match="is not a regular file"):
            way(path)


def test_a_history_that_this_user_may_not_read_is_denied(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite would only say that it cannot open the file."""
    record(path, made.recovered())
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(HistoryError, match="cannot be read: Permission denied"):
        History.to_read(path)


def test_a_folder_that_cannot_be_created_is_one_sentence(tmp_path: Path) -> None:
    """A file in place of the folder is refused."""
    (tmp_path / "live").write_text("a file")
    with pytest.raises(HistoryError, match=r"cannot be (created|read)"):
        record(tmp_path / "live" / "deeper" / history.NAME, made.recovered())


def read_and_write_as_another_user(path: Path, sender: Connection) -> None:
    """Read a history and try to write it, as a user without rights; send the results."""
    if os.geteuid() == 0:
        os.setuid(65534)
    with History.to_read(path) as opened:
        sender.send(len(opened.runs(10)))
    try:
        record(path, made.recovered())
    except HistoryError as exc:
        sender.send(str(exc))
    else:
        sender.send("written")


def test_a_read_only_history_can_be_read() -> None:
    """A user who may not write the file gets its runs, and one sentence on writing."""
    report = made.recovered()
    forked = multiprocessing.get_context("fork")
    # pytest's own folders are closed to others.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / history.NAME
        record(path, report)
        path.chmod(0o444)
        path.parent.chmod(0o555)
        receiver, sender = forked.Pipe(duplex=False)
        process = forked.Process(target=read_and_write_as_another_user, args=(path, sender))
        process.start()
        sender.close()
        assert receiver.poll(PATIENCE), "the other user's process sends nothing"
        assert receiver.recv() == 1
        assert "cannot be written: it is read-only" in receiver.recv()
        process.join(PATIENCE)
        path.parent.chmod(0o755)


def test_a_check_that_changes_three_times_flaps(path: Path) -> None:
    """One that fails and stays failed does not."""
    flap, broke = "queue/queue_exists", "storage/disk_space_is_free"
    failures = [[], [flap], [broke], [flap, broke], [broke]]
    runs = record_all(path, [made.report(failed) for failed in failures])
    assert [(one.check, one.changes, one.runs) for one in flapping(runs)] == [(flap, 4, 5)]
    assert f"Flapping: {flap} changed 4 times in 5 runs." in history_text.render(runs, 5)


def test_an_unreachable_check_has_not_changed(path: Path) -> None:
    """Failures with unreachable runs between them are one failure."""
    check = "queue/queue_exists"
    unsure = made.report(statuses={check: "unreachable"})
    runs = record_all(path, [made.report([check]), unsure, made.report([check]), unsure])
    assert flapping(runs) == ()


def test_an_incident_lasts_until_the_first_run_without_a_symptom(path: Path) -> None:
    """Unknown runs between belong to it; earlier incidents do not."""
    runs = record_all(
        path,
        [
            made.incident(started=at(0)),
            made.recovered(started=at(5)),
            made.incident(started=at(10)),
            made.report(none=True, started=at(15)),
            made.incident(started=at(20)),
            made.report(["storage/disk_space_is_free"], started=at(25)),
            made.recovered(started=at(30)),
        ],
    )
    incident = last_incident(runs)
    assert incident is not None
    assert [run.number for run in incident.runs] == [3, 4, 5]
    assert incident.before == runs[1]
    assert incident.after == runs[5]
    assert incident.worst("uploads_stuck") == 2


WITHOUT_SYMPTOMS = {
    "narrowed": made.recovered(only="storage/", started=at(5)),
    "interrupted": made.report(
        ["storage/disk_space_is_free"],
        statuses={"signal/no_upload_is_stuck": "missing"},
        problems=["the run was interrupted"],
        started=at(5),
    ),
    "skipped": made.report(statuses={"signal/no_upload_is_stuck": "skipped"}, started=at(5)),
    "unreachable": made.report(
        statuses={"signal/no_upload_is_stuck": "unreachable"}, started=at(5)
    ),
}


@pytest.mark.parametrize("way", WITHOUT_SYMPTOMS)
def test_a_run_without_the_symptoms_does_not_end_an_incident(path: Path, way: str) -> None:
    """The next incident run prolongs the same incident, and a full run ends it."""
    runs = record_all(path, [made.incident(), WITHOUT_SYMPTOMS[way]])
    incident = last_incident(runs)
    assert incident is not None
    assert incident.symptoms == ("signal/no_upload_is_stuck",)
    assert incident.after is None
    (line,) = history_text.afterwards(runs, METRICS, layout=LAYOUT)
    assert line == (
        "The incident since about 2 Mar 2026, 09:13 UTC may go on: "
        "this run did not observe signal/no_upload_is_stuck."
    )
    runs = record_all(path, [made.incident(started=at(10)), made.recovered(started=at(15))])
    incident = last_incident(runs)
    assert incident is not None
    assert (incident.runs[0], incident.after) == (runs[0], runs[3])


def test_a_narrowed_run_that_observed_the_symptoms_ends_an_incident(path: Path) -> None:
    """Only the symptoms have to be observed again."""
    runs = record_all(path, [made.incident(), made.recovered(started=at(5), only="signal/")])
    incident = last_incident(runs)
    assert incident is not None
    assert incident.after == runs[1]
    assert "is over after 52 min" in history_text.afterwards(runs, METRICS, layout=LAYOUT)[0]


def test_every_symptom_of_an_incident_must_be_observed_again(path: Path) -> None:
    """Symptoms of different runs of one incident count together."""
    two = ["signal/uploads_are_completing", "upload_status/api_is_reachable"]
    reports = [made.report([check], started=at(n)) for n, check in enumerate(two)]
    runs = record_all(path, [*reports, made.recovered(started=at(5), only="upload_status/")])
    incident = last_incident(runs)
    assert incident is not None
    assert incident.symptoms == tuple(two)
    assert incident.after is None
    assert (
        "did not observe signal/uploads_are_completing."
        in history_text.afterwards(runs, METRICS, layout=LAYOUT)[0]
    )


def test_the_run_before_an_incident_observed_its_symptoms(path: Path) -> None:
    """A narrowed run cannot say that there was no incident yet."""
    before = [made.recovered(), made.recovered(started=at(5), only="storage/")]
    runs = record_all(path, [*before, made.incident(started=at(10))])
    incident = last_incident(runs)
    assert incident is not None
    assert incident.before == runs[0]


def test_in_an_older_history_any_failed_check_may_be_a_symptom(path: Path) -> None:
    """Until a run records the roles, an incident waits for all checks that failed."""
    record_all(path, [made.incident()])
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE checks SET role = ''")
    with History.to_read(path) as opened:
        (run,) = opened.runs(10)
    assert set(run.symptoms) == set(made.DEAD_WORKER)
    runs = record_all(path, [made.recovered(started=at(5))])
    assert runs[0].symptoms == ("signal/no_upload_is_stuck",)


def test_the_metrics_to_watch_recover_after_an_incident(path: Path) -> None:
    """When the worker runs again: stuck uploads fall, completed ones rise, processing is fast."""
    runs = record_all(path, [made.incident(), made.recovered(started=at(10))])
    assert [metric.recovers for metric in recovery(runs, METRICS, LAYOUT.figures)] == [True] * 4
    shown = history_text.render(runs, 10, METRICS, layout=LAYOUT)
    begin = "The incident since about 2 Mar 2026, 09:13 UTC"
    assert f"{begin} is over after 57 min. Metrics to watch:" in shown
    assert '✓ veza_file_uploads_total{status="uploading"}: 2 at worst, 0 now, falling' in shown
    assert '✓ veza_file_uploads_total{status="completed"}: 12 recently, rising' in shown
    assert "✓ veza_upload_processing_duration_seconds: 4.5 s, within the limit of 5 min" in shown
    assert "✓ The queue's ready messages: 10 at worst, 0 now, falling" in shown


def test_an_incident_that_goes_on_does_not_recover(path: Path) -> None:
    """Each metric says so, and one that was not observed says that."""
    runs = record_all(path, [made.incident(), made.incident(started=at(10))])
    assert [metric.recovers for metric in recovery(runs, METRICS, LAYOUT.figures)] == [
        False,
        False,
        None,
        False,
    ]
    assert "goes on. Metrics to watch:" in history_text.render(runs, 10, METRICS, layout=LAYOUT)
    assert "_duration_seconds: not observed by the last run" in history_text.render(
        runs, 10, METRICS
    )


def test_slow_processing_after_an_incident_is_no_recovery(path: Path) -> None:
    """Processing that takes longer than its limit on average has not recovered."""
    slow = made.recovered(figures={"processing_seconds": 480.0}, started=at(10))
    processing = recovery(record_all(path, [made.incident(), slow]), METRICS, LAYOUT.figures)[2]
    assert processing.recovers is False
    assert processing.text.endswith(": 8 min, above the limit of 5 min")


def test_a_metric_of_which_more_is_better_recovers_when_it_rises(path: Path) -> None:
    """Its worst value is its least, and a share is in percent; its limit is the least it may be."""
    full = made.incident(figures={"disk_free_ratio": 0.002})
    free = made.recovered(figures={"disk_free_ratio": 0.312}, started=at(10))
    name, figure = "free disk", "disk_free_ratio"
    metrics = [WatchedMetric(name, figure), WatchedMetric(name, figure, limit=0.1)]
    runs = record_all(path, [full, full, free])
    assert [(one.recovers, one.trend) for one in recovery(runs, metrics, LAYOUT.figures)] == [
        (True, "0.2 % at worst, 31.2 % now, rising"),
        (True, "31.2 %, within the limit of 10.0 %"),
    ]
    runs = runs[:2]
    assert [(one.recovers, one.trend) for one in recovery(runs, metrics, LAYOUT.figures)] == [
        (False, "0.2 % at worst, 0.2 % now, not rising"),
        (False, "0.2 %, below the limit of 10.0 %"),
    ]


def test_a_metric_that_no_check_observes_says_so(path: Path) -> None:
    """It is listed, and neither recovers nor does not."""
    runs = record_all(path, [made.incident(), made.recovered(started=at(10))])
    (metric,) = recovery(runs, [WatchedMetric("node_load1")], LAYOUT.figures)
    assert (metric.recovers, metric.text) == (None, "node_load1: not observed by the checks")


def test_the_end_of_an_incident_is_reported_without_metrics(path: Path) -> None:
    """A runbook need not name any."""
    runs = record_all(path, [made.incident(), made.recovered(started=at(10))])
    assert history_text.afterwards(runs, (), layout=LAYOUT) == [
        "The incident since about 2 Mar 2026, 09:13 UTC is over after 57 min."
    ]


def test_without_an_incident_there_is_no_recovery(path: Path) -> None:
    """Neither a healthy run nor the first run of an incident has a recovery."""
    runs = record_all(path, [made.recovered(), made.recovered(started=at(5))])
    assert recovery(runs, METRICS, LAYOUT.figures) == ()
    assert (
        recovery(record_all(path, [made.incident(started=at(10))]), METRICS, LAYOUT.figures) == ()
    )


def test_recovery_is_reported_for_twelve_runs(path: Path) -> None:
    """Later the incident is old news."""
    late = [made.recovered(started=at(n)) for n in range(1, 15)]
    assert recovery(record_all(path, [made.incident(), *late]), METRICS, LAYOUT.figures) == ()


def test_an_empty_history_is_one_line() -> None:
    """A history without runs is one line."""
    assert history_text.render((), 10) == "No run is in the history yet.\n"


def test_states_are_read_without_figures(path: Path) -> None:
    """An overview reads the states since a time, and a few older ones where there are few."""
    record_all(path, [made.recovered(started=at(n)) for n in range(6)])
    with History.to_read(path) as opened:
        assert [run.started for run in opened.states(at(3), least=1)] == [at(3), at(4), at(5)]
        assert [run.started for run in opened.states(at(9), least=2)] == [at(4), at(5)]
        assert opened.states(at(0))[0].figures == {}
        assert opened.states(at(0))[0].state == "healthy"


def test_a_streak_begins_after_the_last_other_state(path: Path) -> None:
    """It goes up to a run, and says whether the history begins with it."""
    bad = [made.incident(started=at(n)) for n in (2, 3)]
    good = [made.recovered(started=at(n)) for n in (0, 1, 4, 5)]
    record_all(path, sorted([*good, *bad], key=lambda report: report.started))
    with History.to_read(path) as opened:
        assert opened.streak(("healthy",), at(5)) == (at(4), False)
        assert opened.streak(("healthy",), at(1)) == (at(0), True)
        assert opened.streak(("at risk", "incident"), at(3)) == (at(2), False)
        assert opened.streak(("healthy",), at(3)) is None
        assert opened.streak(("unknown",), at(5)) is None
