"""What a run leaves beside its report: each file for itself, and a sentence for what fails."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from reports.cli.postmortem import postmortem_of
from reports.history import store as history
from reports.run.artifacts import write_artifacts
from tests import made


def states(folder: Path) -> list[str]:
    """The states of the runs in a folder's history, oldest first."""
    with history.History.to_read(folder / history.NAME) as opened:
        return [run.state for run in opened.runs(9)]


def test_an_incident_leaves_history_metrics_and_post_mortem(tmp_path: Path) -> None:
    """All three are there, and the next run says whether things recover."""
    notes, _ = write_artifacts(tmp_path, made.incident(), made.bundle())
    assert not notes
    assert 'state="incident",target="live"} 1.0' in (tmp_path / "metrics.prom").read_text()
    assert "# Post-mortem" in (tmp_path / "postmortem.md").read_text()
    after = made.recovered(started="2026-03-02T10:10:00+00:00")
    notes, _ = write_artifacts(tmp_path, after, made.bundle())
    assert states(tmp_path) == ["incident", "healthy"]
    assert notes[0].endswith("is over after 57 min. Metrics to watch:")
    assert 'state="healthy",target="live"} 1.0' in (tmp_path / "metrics.prom").read_text()


def test_the_run_and_the_command_write_the_same_post_mortem(tmp_path: Path) -> None:
    """Both search as many runs for the start of the incident, which may be a day away."""
    path = tmp_path / history.NAME
    history.record(path, made.incident(started="2026-03-01T10:10:00+00:00"))
    with closing(sqlite3.connect(path)) as database, database:
        # Runs that did not observe the symptoms do not end the incident.
        database.execute(
            "WITH RECURSIVE many(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < 1800) "
            "INSERT INTO runs (started, seconds, state, headline, certainty) "
            "SELECT '2026-03-01T20:00:00+00:00', 1, 'unknown', 'Unknown', 'none' FROM many"
        )
    report = made.incident()
    write_artifacts(tmp_path, report, made.bundle())
    written = (tmp_path / "postmortem.md").read_text()
    assert written == postmortem_of(report, tmp_path / "report.json", None)
    assert "First bad run | 1 Mar 2026, 10:10 UTC" in written


def test_a_healthy_run_leaves_no_post_mortem(tmp_path: Path) -> None:
    """Nothing is written of an incident that was not."""
    write_artifacts(tmp_path, made.recovered(), made.bundle())
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "history.sqlite3",
        "metrics.prom",
        "report.html",
    ]


def test_what_cannot_be_written_costs_nothing_else(tmp_path: Path) -> None:
    """A history that is no history and metrics that cannot be replaced are a sentence each."""
    (tmp_path / "history.sqlite3").mkdir()
    (tmp_path / "metrics.prom").mkdir()
    notes, _ = write_artifacts(tmp_path, made.incident(), made.bundle())
    assert len(notes) == 2
    assert "history.sqlite3 is not a regular file" in notes[0]
    assert "metrics.prom cannot be written" in notes[1]
    assert "by the oldest stuck upload" in (tmp_path / "postmortem.md").read_text()


def test_a_corrupt_history_is_told_and_begun_anew(tmp_path: Path) -> None:
    """The run is kept in a new history, and the note says where the old one is."""
    (tmp_path / "history.sqlite3").write_bytes(b"nonsense" * 500)
    notes, _ = write_artifacts(tmp_path, made.recovered(), made.bundle())
    assert states(tmp_path) == ["healthy"]
    assert "was renamed to" in notes[0]
