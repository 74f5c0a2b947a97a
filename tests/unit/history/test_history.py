"""The history of a target: what it keeps, what runs say together, and a file that is not well."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import tempfile
import threading
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reports.history import file as history_file
from reports.history import store as history
from reports.history.incidents import flapping, last_episode, recovery
from reports.history.store import History, HistoryError, Retention, record
from reports.render import history as past
from tests import made

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

    from reports.history.incidents import Run
    from reports.model.report import Report


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the history of a target is."""
    return tmp_path / "live" / history.NAME


def at(minutes: float) -> str:
    """A time that many minutes after the first run."""
    return (datetime.fromisoformat(made.STARTED) + timedelta(minutes=minutes)).isoformat()


def written(path: Path, reports: Sequence[Report]) -> tuple[Run, ...]:
    """The runs of a history that holds these reports."""
    for report in reports:
        record(path, report)
    with History.to_read(path) as opened:
        return opened.runs(1000)


def test_a_run_is_kept_with_its_state_figures_outcomes_and_ranking(path: Path) -> None:
    """What a run found is read again as it was."""
    (run,) = written(path, [made.incident()])
    assert (run.number, run.started, run.state) == (1, made.STARTED, "incident")
    assert run.seconds == 1.5
    assert run.headline == made.incident().headline
    assert run.figures["uploads_stuck"] == 2
    assert run.figures["processing_seconds"] is None
    assert run.outcomes["worker/process_is_running"] == "failed"
    assert len(run.outcomes) == len(made.bundle().evidence.checks)
    assert list(run.held) == ["Job worker down"]
    assert run.held["Job worker down"] > 0.9


def test_points_are_the_last_runs_oldest_first(path: Path) -> None:
    """A trend gets as many runs as it asks for, the newest last."""
    written(path, [made.recovered(started=at(n)) for n in range(5)])
    with History.to_read(path) as opened:
        points = opened.points(3)
    assert [point.started for point in points] == [at(2), at(3), at(4)]
    assert points[-1].figures["backlog"] == 0


def test_recording_gives_the_runs_back(path: Path) -> None:
    """What is recorded comes back with the earlier runs, for the report's trends."""
    record(path, made.recovered())
    found = record(path, made.incident(started=at(5)))
    assert [run.state for run in found.runs] == ["healthy", "incident"]
    assert [point.state for point in found.points] == ["healthy", "incident"]
    assert found.note == ""


def test_only_a_run_that_was_not_healthy_is_kept_whole(path: Path) -> None:
    """An incident's report can be read again when all is well; a healthy one takes no room."""
    written(path, [made.recovered(), made.incident()])
    with History.to_read(path) as opened:
        assert opened.report(2) == made.incident()
        assert opened.report(1) is None


def test_a_broken_report_within_the_history_is_told(path: Path) -> None:
    """A report that somebody damaged in the history is one sentence."""
    written(path, [made.incident()])
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE runs SET report = ?", (b"\x78\x9cnonsense",))
    with History.to_read(path) as opened, pytest.raises(HistoryError, match="is broken"):
        opened.report(1)


def test_old_runs_are_dropped_by_age(path: Path) -> None:
    """Beyond the days that are kept only the least number of runs stays."""
    with History.to_write(path) as opened:
        for day in range(10):
            report = made.recovered(started=at(day * 1440))
            opened.append(report, Retention(days=3, least=2))
        kept = [run.started for run in opened.runs(100)]
    assert kept == [at(day * 1440) for day in (6, 7, 8, 9)]


def test_a_clock_that_was_years_ahead_does_not_cost_the_history(path: Path) -> None:
    """One run of a wrong clock drops nothing of the last runs, and later runs come after it."""
    runs = written(
        path,
        [
            made.incident(started=at(0)),
            made.recovered(started="2099-01-01T00:00:00+00:00"),
            made.recovered(started=at(-60)),
        ],
    )
    assert [run.number for run in runs] == [1, 2, 3]
    assert runs[-1].started == at(-60)
    assert past.render(runs, 10).count("\n") >= 3


def test_a_clock_that_was_set_back_gives_no_negative_duration(path: Path) -> None:
    """An incident that seems to end before it began has no duration."""
    runs = written(path, [made.incident(started=at(0)), made.recovered(started=at(-60))])
    episode = last_episode(runs)
    assert episode is not None
    assert episode.after is not None
    assert episode.seconds is None


def test_old_runs_are_dropped_by_size(path: Path) -> None:
    """A file that is too large shrinks to its size, and keeps the newest runs."""
    with History.to_write(path) as opened:
        for number in range(60):
            opened.append(made.incident(started=at(number)))
    before = path.stat().st_size
    with History.to_write(path) as opened:
        opened.append(made.incident(started=at(60)), Retention(size=before // 2))
        kept = [run.started for run in opened.runs(100)]
    assert path.stat().st_size <= before // 2
    assert kept == [at(number) for number in range(61 - len(kept), 61)]
    assert 20 < len(kept) < 60


def test_a_size_that_is_too_small_keeps_the_newest_run(path: Path) -> None:
    """However little may be kept, the last run is."""
    with History.to_write(path) as opened:
        for number in range(3):
            opened.append(made.incident(started=at(number)), Retention(size=1))
        assert [run.started for run in opened.runs(100)] == [at(2)]


def test_two_writers_at_once_lose_nothing(path: Path) -> None:
    """Runs that end together are all kept, also when they begin the history together."""
    errors: list[Exception] = []
    gate = threading.Barrier(4)

    def write(number: int) -> None:
        gate.wait(10)
        try:
            for turn in range(5):
                record(path, made.recovered(started=at(number * 10 + turn)))
        except HistoryError as exc:
            errors.append(exc)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []
    with History.to_read(path) as opened:
        assert len(opened.runs(100)) == 20


def test_a_reader_sees_whole_runs_while_another_writes(path: Path) -> None:
    """A reader is not held by a writer in the middle of its run."""
    written(path, [made.recovered()])
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM runs")
        with History.to_read(path) as opened:
            assert len(opened.runs(10)) == 1


def test_a_locked_history_is_told_in_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A history that another process holds is given up after a moment, with one sentence."""
    written(path, [made.recovered()])
    monkeypatch.setattr(history_file, "WAIT", 0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(HistoryError, match="is locked by another process, for longer than"):
            record(path, made.recovered())


@pytest.mark.parametrize("content", [b"not a database at all " * 50, None])
def test_a_corrupt_history_is_set_aside(path: Path, content: bytes | None) -> None:
    """A corrupt file is renamed with all it holds, the run is kept in a new one, and it is said."""
    written(path, [made.incident(started=at(n)) for n in range(10)])
    old = content or path.read_bytes()[:6000] + b"\xff" * 8000
    path.write_bytes(old)
    found = record(path, made.recovered())
    assert [run.state for run in found.runs] == ["healthy"]
    assert "was corrupt; it is set aside as" in found.note
    (aside,) = path.parent.glob("*.corrupt-*[0-9]")
    assert aside.read_bytes() == old
    assert str(aside) in found.note


def test_a_history_that_another_process_renewed_is_left_alone(path: Path) -> None:
    """Of two that find a history corrupt, the second does not set the new one aside."""
    written(path, [made.recovered()])
    assert history_file.set_aside(path, path.stat().st_ino + 1) is None
    assert path.exists()


def test_reading_a_corrupt_history_changes_nothing(path: Path) -> None:
    """A reader tells of the corruption and leaves the file where it is."""
    path.parent.mkdir()
    path.write_bytes(b"nonsense" * 1000)
    with pytest.raises(HistoryError, match="is corrupt"):
        History.to_read(path)
    assert path.read_bytes() == b"nonsense" * 1000


def test_a_database_of_another_program_is_left_alone(path: Path) -> None:
    """A database that is not a history is neither written nor set aside."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("CREATE TABLE accounts (id)")
    with pytest.raises(HistoryError, match="is a database of another program"):
        record(path, made.recovered())
    assert [one.name for one in path.parent.iterdir()] == [history.NAME]


def test_a_history_of_a_newer_version_is_left_alone(path: Path) -> None:
    """A history that a later version wrote is told, not downgraded."""
    written(path, [made.recovered()])
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("PRAGMA user_version = 99")
    with pytest.raises(HistoryError, match="has version 99, and this veza-checks knows"):
        record(path, made.recovered())


def test_migrations_lead_on_from_an_earlier_version(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A history of an earlier version is brought up to date once, and keeps its runs."""
    written(path, [made.incident()])
    later = (*history_file.MIGRATIONS, "ALTER TABLE runs ADD COLUMN version TEXT")
    monkeypatch.setattr(history_file, "MIGRATIONS", later)
    with pytest.raises(HistoryError, match="is of an older version: the next run updates it"):
        History.to_read(path)
    assert [run.state for run in record(path, made.recovered()).runs] == ["incident", "healthy"]
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (len(later),)
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_missing_history_is_told(path: Path) -> None:
    """To read a history that no run has written is one sentence, and makes no file."""
    with pytest.raises(HistoryError, match="there is no history at"):
        History.to_read(path)
    assert not path.exists()


def test_a_pipe_in_the_historys_place_does_not_hang(path: Path) -> None:
    """What is not a regular file is refused before SQLite waits for it."""
    path.parent.mkdir()
    os.mkfifo(path)
    for way in (History.to_read, History.to_write):
        with pytest.raises(HistoryError, match="is not a regular file"):
            way(path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A file where the folder should be is one sentence."""
    (tmp_path / "live").write_text("a file")
    with pytest.raises(HistoryError, match=r"cannot be (made|read)"):
        record(tmp_path / "live" / "deeper" / history.NAME, made.recovered())


def look_as_another(path: Path, said: Connection) -> None:
    """Read a history and try to write it, as a user whom rights bind; tell what came of it."""
    if os.geteuid() == 0:
        os.setuid(65534)
    with History.to_read(path) as opened:
        said.send(len(opened.runs(10)))
    try:
        record(path, made.recovered())
    except HistoryError as exc:
        said.send(str(exc))
    else:
        said.send("written")


def test_a_read_only_history_can_be_read_and_is_told() -> None:
    """Who may not write the file nor its folder reads it, and is told why nothing is added."""
    report = made.recovered()
    forked = multiprocessing.get_context("fork")
    # pytest's own folders are closed to others.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / history.NAME
        record(path, report)
        path.chmod(0o444)
        path.parent.chmod(0o555)
        hears, says = forked.Pipe(duplex=False)
        process = forked.Process(target=look_as_another, args=(path, says))
        process.start()
        says.close()
        assert hears.poll(20), "the other user's process says nothing"
        assert hears.recv() == 1
        assert "cannot be written: it is read-only" in hears.recv()
        process.join(20)
        path.parent.chmod(0o755)


def test_a_check_that_breaks_again_and_again_flaps(path: Path) -> None:
    """Three turns make a check flap; one that broke and stayed broken does not."""
    flap, broke = "queue/queue_exists", "storage/disk_space_is_free"
    failures = [[], [flap], [broke], [flap, broke], [broke]]
    runs = written(path, [made.report(failed) for failed in failures])
    assert [(one.check, one.turns, one.runs) for one in flapping(runs)] == [(flap, 4, 5)]
    assert f"Flapping: {flap} turned 4 times in 5 runs." in past.render(runs, 5)


def test_a_check_that_could_not_look_has_not_turned(path: Path) -> None:
    """Failures with runs between them that could not look are one failure."""
    check = "queue/queue_exists"
    unsure = made.report(statuses={check: "unreachable"})
    runs = written(path, [made.report([check]), unsure, made.report([check]), unsure])
    assert flapping(runs) == ()


def test_an_incident_lasts_from_the_first_run_to_the_first_that_saw_it_over(path: Path) -> None:
    """Runs between that could not tell belong to the incident; earlier incidents do not."""
    runs = written(
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
    episode = last_episode(runs)
    assert episode is not None
    assert [run.number for run in episode.runs] == [3, 4, 5]
    assert episode.before == runs[1]
    assert episode.after == runs[5]
    assert episode.seconds == 900
    assert episode.most("uploads_stuck") == 2


NOT_LOOKING = {
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


@pytest.mark.parametrize("way", NOT_LOOKING)
def test_a_run_that_did_not_look_again_does_not_end_an_incident(path: Path, way: str) -> None:
    """It is neither over nor new: the next run prolongs it, and one that looked again ends it."""
    aside = NOT_LOOKING[way]
    runs = written(path, [made.incident(), aside])
    episode = last_episode(runs)
    assert episode is not None
    assert episode.symptoms == ("signal/no_upload_is_stuck",)
    assert (episode.after, episode.seconds) == (None, None)
    (line,) = past.afterwards(runs)
    look = "did not look" if way == "narrowed" else "could not look"
    assert line == (
        f"The incident first seen {made.STARTED} is not judged by this run: "
        f"it {look} at signal/no_upload_is_stuck."
    )
    runs = written(path, [made.incident(started=at(10)), made.recovered(started=at(15))])
    episode = last_episode(runs)
    assert episode is not None
    assert (episode.runs[0], episode.after, episode.seconds) == (runs[0], runs[3], 900)


def test_a_run_that_looked_again_ends_an_incident_however_little_else_it_saw(path: Path) -> None:
    """What counts is what was the matter, not how the run was asked for."""
    runs = written(path, [made.incident(), made.recovered(started=at(5), only="signal/")])
    episode = last_episode(runs)
    assert episode is not None
    assert episode.after == runs[1]
    assert "is over after 5 min" in past.afterwards(runs)[0]


def test_every_symptom_of_an_incident_must_have_been_looked_at_again(path: Path) -> None:
    """Symptoms of different runs of one incident count together."""
    two = ["signal/uploads_are_completing", "upload_status/api_is_reachable"]
    reports = [made.report([check], started=at(n)) for n, check in enumerate(two)]
    runs = written(path, [*reports, made.recovered(started=at(5), only="upload_status/")])
    episode = last_episode(runs)
    assert episode is not None
    assert episode.symptoms == tuple(two)
    assert episode.after is None
    assert "did not look at signal/uploads_are_completing." in past.afterwards(runs)[0]


def test_an_incident_begins_after_a_run_that_looked_for_it(path: Path) -> None:
    """A run that looked elsewhere has not seen that there was no incident yet."""
    before = [made.recovered(), made.recovered(started=at(5), only="storage/")]
    runs = written(path, [*before, made.incident(started=at(10))])
    episode = last_episode(runs)
    assert episode is not None
    assert episode.before == runs[0]


def test_in_a_history_of_before_any_failed_check_may_be_a_symptom(path: Path) -> None:
    """Until a run tells which checks are symptoms, an incident waits for all that failed."""
    written(path, [made.incident()])
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE checks SET role = ''")
    with History.to_read(path) as opened:
        (run,) = opened.runs(10)
    assert set(run.symptoms) == set(made.DEAD_WORKER)
    runs = written(path, [made.recovered(started=at(5))])
    assert runs[0].symptoms == ("signal/no_upload_is_stuck",)


def test_after_an_incident_the_runbooks_figures_are_followed(path: Path) -> None:
    """When the worker is back: stuck falls, completed rises, processing is quick."""
    runs = written(path, [made.incident(), made.recovered(started=at(10))])
    assert {one.name: one.recovers for one in recovery(runs)} == {
        "uploads stuck": "yes",
        "uploads in uploading": "yes",
        "uploads completed": "yes",
        "processing time": "yes",
        "messages waiting": "yes",
    }
    shown = past.render(runs, 10)
    assert f"The incident first seen {made.STARTED} is over after 10 min. To watch:" in shown
    assert "✓ uploads stuck: 2 at worst, 0 now: falling" in shown


def test_an_incident_that_goes_on_does_not_recover(path: Path) -> None:
    """While nothing gets better it is said of each figure, and of what was not seen as well."""
    runs = written(path, [made.incident(), made.incident(started=at(10))])
    assert [one.recovers for one in recovery(runs)] == ["no", "no", "no", "not seen", "no"]
    assert "goes on. To watch:" in past.render(runs, 10)
    assert "processing time: not seen by the last run" in past.render(runs, 10)


def test_slow_processing_after_an_incident_is_no_recovery(path: Path) -> None:
    """Processing that takes longer than five minutes on average has not recovered."""
    slow = made.recovered(figures={"processing_seconds": 301.0}, started=at(10))
    watched = {one.name: one for one in recovery(written(path, [made.incident(), slow]))}
    assert watched["processing time"].recovers == "no"
    assert "not under 5 minutes" in watched["processing time"].seen


def test_without_an_incident_there_is_no_recovery(path: Path) -> None:
    """Neither health nor the first run of an incident has anything to recover from."""
    runs = written(path, [made.recovered(), made.recovered(started=at(5))])
    assert recovery(runs) == ()
    assert recovery(written(path, [made.incident(started=at(10))])) == ()


def test_recovery_is_told_for_a_while_only(path: Path) -> None:
    """Some runs after its end an incident is old news."""
    late = [made.recovered(started=at(n)) for n in range(1, 15)]
    assert recovery(written(path, [made.incident(), *late])) == ()


def test_an_empty_history_is_told() -> None:
    """A history without runs is one line."""
    assert past.render((), 10) == "No run is in the history yet.\n"
