"""A watch on a screen of 24 lines and 80 columns, and in one line a look."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

from reports.history import store as history
from reports.history.watched import Watched
from reports.model.report import WatchedMetric
from reports.render.watch import line, result_of, screen
from tests import made, saved_runs

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

COURSE = ("incident", "two_causes", "lost", "healthy", "healthy")
"""The looks of a watch, by the names of saved runs."""

QUIET = {"backlog": 0, "uploads_completed": 0, "uploads_uploading": 0, "idle_seconds": 9000}


def watched(folder: Path, *course: str) -> Watched:
    """Return a watch that has made these looks."""
    state = Watched()
    for number, name in enumerate(course):
        if name == "lost":
            state.lose("another run is checking lab (process 12)")
            continue
        report = replace(saved_runs.load(name), started=f"2026-11-03T21:{number:02d}:00+00:00")
        runs, _ = history.record(folder / history.NAME, report, 1000)
        state.take(report, runs)
    return state


@pytest.mark.parametrize("looks", range(1, len(COURSE) + 1))
def test_each_look_as_a_screen_and_a_line(
    looks: int, tmp_path: Path, snapshot_txt: SnapshotAssertion
) -> None:
    """The screen has the verdict, what changed, the metrics and what the end waits for."""
    state = watched(tmp_path, *COURSE[:looks])
    lines = [one.plain.rstrip() for one in screen(state, 80, 24, "next in 12 s")]
    assert "\n".join([*lines, "", line(state), ""]) == snapshot_txt


@pytest.mark.parametrize("looks", range(len(COURSE) + 1))
def test_every_screen_fits(looks: int, tmp_path: Path) -> None:
    """No line is wider and none too many; the last says how the watch goes on."""
    state = watched(tmp_path, *COURSE[:looks])
    for width, height in ((80, 24), (40, 24), (60, 12), (120, 50), (20, 3)):
        lines = screen(state, width, height, "looking")
        assert len(lines) <= height, (width, height)
        assert all(cell_len(one.plain) <= width for one in lines), (width, height)
        assert lines[-1].plain.startswith(f"{looks} look"), (width, height)


def test_the_last_success_is_that_of_an_upload() -> None:
    """The youngest age that a probe saw counts."""
    from reports.render.watch import last_success

    report = made.incident()
    first = report.results[0]
    (observation, *_), outcome = first.outcome.observations or (None,), first.outcome
    assert observation
    data = {"last_completed_seconds": 250.0}
    aged = replace(outcome, observations=(replace(observation, data=data),))
    changed = replace(report, results=(replace(first, outcome=aged), *report.results[1:]))
    assert last_success(changed, ()) == "an upload completed 4 min before this look"
    assert last_success(report, ()).startswith("not known")


def test_the_result_says_how_long_it_took(tmp_path: Path) -> None:
    """With the looks, and how many of them were lost."""
    state = watched(tmp_path, *COURSE)
    assert result_of(state, 260.4) == "Recovered after 4 min 20 s, 5 looks (1 lost)."
    early = watched(tmp_path / "early", "incident")
    assert result_of(early, 7.8) == (
        "Ended after 7.8 s, 1 look, while waiting for 2 looks in a row without a symptom."
    )


def test_the_result_says_what_could_not_rise(tmp_path: Path) -> None:
    """On a quiet night no upload comes that could complete."""
    state = Watched()
    for number, report in enumerate([made.incident(), *[made.recovered(figures=QUIET)] * 6]):
        dated = replace(report, started=f"2026-11-03T21:{number:02d}:00+00:00")
        state.take(dated, history.record(tmp_path / history.NAME, dated, 1000)[0])
    assert result_of(state, 360) == (
        "Recovered after 6 min 0 s, 7 looks; nothing new has come for 5 min, so that "
        'veza_file_uploads_total{status="completed"} could not rise.'
    )


def test_a_look_that_sees_the_same_is_a_short_line(tmp_path: Path) -> None:
    """Only what changed is told."""
    assert line(watched(tmp_path, "incident", "incident")) == "look 2: incident, nothing changed"


def test_a_share_that_changes_is_in_percent(tmp_path: Path) -> None:
    """A line has each figure in its unit."""
    state = watched(tmp_path, "incident", "incident")
    assert state.report
    assert state.before
    metric = WatchedMetric("free disk", "disk_free_ratio")
    free = [
        replace(one, value=0.312) if one.id == "disk_free_ratio" else one
        for one in state.report.figures
    ]
    state.report = replace(state.report, watch=(metric,), figures=tuple(free))
    assert "free share of the fullest upload file system: 99.2 % → 31.2 %" in line(state)
