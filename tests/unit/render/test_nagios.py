"""The Nagios line: its status never says OK of something that nobody saw."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reports.model.report import Report
from reports.render.nagios import render, status_of
from tests import made

NOW = datetime.fromisoformat(made.STARTED) + timedelta(minutes=5)

CHECKS = [row.id for row in made.bundle().evidence.checks]

REPORTS: dict[str, tuple[Report, int]] = {
    "healthy": (made.recovered(), 0),
    "at risk": (made.report(["storage/disk_space_is_free"]), 1),
    "incident": (made.incident(), 2),
    "nothing selected": (made.report(none=True), 3),
    "all skipped": (made.report(statuses=dict.fromkeys(CHECKS, "skipped")), 3),
    "all unreachable": (made.report(statuses=dict.fromkeys(CHECKS, "unreachable")), 3),
    "collection error": (made.report(problems=["checks/x.py cannot be collected"]), 3),
    "interrupted": (made.report(problems=["the run was interrupted"]), 3),
    "a check that broke": (made.report(statuses={CHECKS[3]: "error"}), 3),
    "a check that never reported": (made.report(statuses={CHECKS[3]: "missing"}), 3),
    "an incident, then interrupted": (made.incident(problems=["interrupted"]), 2),
    "edited to be healthy": (replace(made.report(none=True), state="healthy"), 3),
}

LINE = re.compile(
    r"(OK|WARNING|CRITICAL|UNKNOWN): [^|\n]+ \|"
    r"( [A-Za-z0-9_.-]{1,80}=-?\d+(\.\d+)?s?;;;0;1?)+\n"
)


@pytest.mark.parametrize("name", REPORTS)
def test_the_status_is_that_of_the_run(name: str) -> None:
    """Each state has its exit status, and whatever was not seen is UNKNOWN."""
    report, status = REPORTS[name]
    assert status_of(report, NOW, 900) == status
    line = render(report, NOW, 900)
    assert line.startswith(("OK: ", "WARNING: ", "CRITICAL: ", "UNKNOWN: ")[status])
    assert LINE.fullmatch(line), line


def test_the_line_names_the_cause_and_the_figures() -> None:
    """The line has the headline, and the figures that were observed with their units."""
    line = render(made.incident(), NOW, 900)
    assert "2 uploads stuck, oldest 47 min. Most likely: job worker down" in line
    assert " uploads_stuck=2;;;0; " in line
    assert " oldest_stuck_seconds=2820s;;;0; " in line
    assert "p_job_worker_down=0.9" in line
    assert "processing_seconds" not in line


def test_a_problem_of_the_run_is_told_beside_an_incident() -> None:
    """An incident that an interrupted run saw says both."""
    line = render(made.incident(problems=["the run was interrupted"]), NOW, 900)
    assert "Problem of the run: the run was interrupted" in line


def test_a_report_that_is_too_old_is_unknown() -> None:
    """After its time a healthy report, and an incident as well, is UNKNOWN and says its age."""
    for report in (made.recovered(), made.incident()):
        assert status_of(report, NOW, 298) == status_of(report, NOW, 1) == 3
        assert status_of(report, NOW, 299) != 3
        line = render(report, NOW, 60)
        assert line.startswith("UNKNOWN: the last report is 5 min old, more than the 60 s allowed")


def test_a_report_from_the_future_is_unknown() -> None:
    """A clock that is wrong makes no report fresh for ever; a minute of skew is forgiven."""
    begun = datetime.fromisoformat(made.STARTED)
    assert status_of(made.recovered(), begun - timedelta(hours=1), 900) == 3
    assert "from the future" in render(made.recovered(), begun - timedelta(hours=1), 900)
    assert status_of(made.recovered(), begun - timedelta(seconds=30), 900) == 0


def test_the_age_is_that_of_now_where_none_is_given() -> None:
    """Without a time to compare with, the report's age is taken now."""
    fresh = replace(made.recovered(), started=datetime.now(UTC).isoformat(timespec="seconds"))
    assert status_of(fresh, max_age=900) == 0
    assert status_of(made.recovered(), max_age=900) == 3


def test_hostile_text_stays_on_its_line() -> None:
    """A bar and a line break in what was seen begin no figures and no second line."""
    report = replace(made.incident(), headline="a | b=1\nOK: all is well " + "x" * 5000)
    line = render(report, NOW, 900)
    assert LINE.fullmatch(line)
    assert line.startswith("CRITICAL: a / b=1 OK: all is well")
    assert len(line) < 2500
