"""A watch ends after two looks without a symptom, once the metrics to watch recover."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from reports.history import store as history
from reports.history.watched import Watched
from reports.model.report import Report
from tests import made

AT_RISK = ("storage/disk_space_is_free",)


class Looks:
    """A watch whose looks are one minute apart, and its history."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / history.NAME
        self.watched = Watched()
        self._minutes = 0

    def record(self, report: Report) -> Report:
        """Write a run to the history, as a schedule does."""
        self._minutes += 1
        at = datetime.fromisoformat(made.STARTED) + timedelta(minutes=self._minutes)
        dated = replace(report, started=at.isoformat())
        self.runs, _ = history.record(self.path, dated, 1000)
        return dated

    def take(self, *reports: Report) -> str:
        """Look once for each of these reports; return what the end waits for then."""
        for report in reports:
            dated = self.record(report)
            self.watched.take(dated, self.runs)
        return self.watched.waits_for


@pytest.fixture
def looks(tmp_path: Path) -> Looks:
    """A watch that has not looked yet."""
    return Looks(tmp_path)


def test_two_looks_without_a_symptom_end_it(looks: Looks) -> None:
    """One look may be luck."""
    assert looks.take(made.incident()) == "2 looks in a row without a symptom"
    assert looks.take(made.recovered()) == "another look that sees no symptom"
    assert looks.take(made.recovered()) == ""


def test_a_lost_look_in_between_starts_the_count_again(looks: Looks) -> None:
    """Nobody saw what was between the two."""
    looks.take(made.incident(), made.recovered())
    looks.watched.lose("the run ended")
    assert looks.watched.waits_for == "2 looks in a row without a symptom"
    assert looks.take(made.recovered()) == "another look that sees no symptom"
    assert looks.take(made.recovered()) == ""
    assert (looks.watched.looks, looks.watched.lost) == (5, 1)


def test_lost_looks_are_never_a_recovery(looks: Looks) -> None:
    """However many."""
    looks.take(made.incident())
    for _ in range(5):
        looks.watched.lose("the run ended")
    assert looks.watched.waits_for


def test_a_symptom_that_nobody_observed_is_not_gone(looks: Looks) -> None:
    """The wait says which check must be observed."""
    hidden = made.recovered(statuses={"signal/no_upload_is_stuck": "unreachable"})
    waits = looks.take(made.incident(), hidden, hidden)
    assert waits == "a look that observes signal/no_upload_is_stuck"


def test_metrics_that_do_not_recover_are_waited_for(looks: Looks) -> None:
    """Also for longer than the history follows a recovery."""
    stalled = made.recovered(
        figures={"backlog": 10, "uploads_completed": 0, "uploads_uploading": 0}
    )
    waits = looks.take(made.incident(), *[stalled] * 15)
    assert waits.startswith("the recovery of veza_file_uploads_total")
    assert "ready messages" in waits
    assert looks.take(made.recovered()) == ""


def test_a_metric_that_is_no_longer_observed_has_not_recovered(looks: Looks) -> None:
    """The backlog was seen during the incident, so it can be waited for."""
    blind = made.recovered(figures={"uploads_completed": 12, "uploads_uploading": 0})
    assert "ready messages" in looks.take(made.incident(), blind, blind)


def test_a_cause_that_is_left_does_not_prolong_an_incident(looks: Looks) -> None:
    """Users no longer feel anything; the result says that the target is at risk."""
    figures = {figure.id: figure.value for figure in made.recovered().figures if figure.value}
    risk = made.report(AT_RISK, figures={"backlog": 0, "uploads_uploading": 0, **figures})
    assert risk.state == "at risk"
    assert looks.take(made.incident(), risk, risk) == ""


def test_without_an_incident_a_risk_is_waited_for(looks: Looks) -> None:
    """There is no symptom that could go, so the end is a healthy target."""
    risk = made.report(AT_RISK)
    assert looks.take(risk, risk, risk) == "2 looks in a row that are healthy"
    assert looks.take(made.recovered(), made.recovered()) == ""


def test_an_incident_that_was_over_before_is_not_watched(looks: Looks) -> None:
    """The metrics of yesterday's incident keep no watch open."""
    looks.record(made.incident())
    looks.record(made.recovered())
    looks.watched = Watched(already=2)
    looks.take(made.recovered(figures={}))
    assert looks.watched.incident is None
    assert looks.take(made.recovered(figures={})) == ""


def test_an_incident_that_went_on_before_is_watched(looks: Looks) -> None:
    """It may have been repaired before the first look."""
    looks.record(made.incident())
    looks.watched = Watched(already=1)
    looks.take(made.recovered())
    assert looks.watched.incident


def test_without_a_history_nothing_is_over(looks: Looks) -> None:
    """A look that cannot be compared with the incident counts as no recovery, and says so."""
    looks.take(made.incident())
    for _ in range(3):
        looks.watched.take(made.recovered(), (), "the history is locked")
    assert looks.watched.problem == "the history is locked"
    assert looks.watched.waits_for


def test_changes_are_those_since_the_last_whole_look(looks: Looks) -> None:
    """A lost look changes nothing."""
    looks.take(made.incident())
    looks.watched.lose("the run ended")
    looks.take(made.incident(statuses={"queue/queue_exists": "unreachable"}))
    assert looks.watched.changes == {"queue/queue_exists": "unreachable"}


def quiet(idle: float | None) -> Report:
    """A report without a symptom in whose time nothing completed; idle for so many seconds."""
    figures = {"backlog": 0, "uploads_completed": 0, "uploads_uploading": 0}
    return made.recovered(figures=figures if idle is None else {**figures, "idle_seconds": idle})


def test_on_a_quiet_night_nothing_need_complete(looks: Looks) -> None:
    """Nothing came for five minutes after the first look without a symptom."""
    looks.take(made.incident())
    for minutes in range(5):
        waits = looks.take(quiet(3600 + 60 * minutes))
        assert waits, minutes
        assert looks.watched.idle == ()
    assert waits.startswith("the recovery of veza_file_uploads_total")
    assert looks.take(quiet(4000)) == ""
    (name,) = looks.watched.idle
    assert "completed" in name


@pytest.mark.parametrize("idle", [None, 0, 299])
def test_an_upload_that_came_must_complete(looks: Looks, idle: float | None) -> None:
    """It came after the symptoms went, or is unfinished, or nobody knows."""
    looks.take(made.incident(), *[quiet(idle)] * 9)
    assert looks.watched.waits_for.startswith("the recovery of veza_file_uploads_total")


def test_a_symptom_that_comes_back_ends_the_rest(looks: Looks) -> None:
    """The five minutes begin again with the next look without a symptom."""
    looks.take(made.incident(), *[quiet(9000)] * 3, made.incident())
    assert looks.take(*[quiet(9000)] * 5)
    assert looks.take(quiet(9000)) == ""
