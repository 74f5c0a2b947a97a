"""The overview: the order of its rows, its JSON, and a page that is whole, bounded and safe."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.outcome import Outcome
from core.text import clean, flat
from reports.history.trend import Point
from reports.model.report import Report
from reports.render.html.environment import BYTES_MAX
from reports.render.html.index import render
from reports.render.index import (
    OVERDUE_UNKNOWN,
    SLOTS,
    Overview,
    Past,
    Row,
    broken_row,
    overview_of,
    row_of,
    to_json,
)
from tests import made, saved_runs
from tests.html_page import NASTY, Page, harmless

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion


NOW = datetime(2026, 3, 2, 10, 3, tzinfo=UTC)
STATES = ("healthy", "at risk", "incident", "unknown")


def unreachable(outcome: Outcome) -> Outcome:
    """Let one check not be able to look."""
    if outcome.check != "storage/directory_exists":
        return outcome
    return replace(outcome, status="unreachable", seen="the host cannot be reached: timed out")


REPORTS = {
    "live": saved_runs.load("incident"),
    "preprod": saved_runs.load("healthy", unreachable),
    "sandbox": saved_runs.load("at_risk"),
    "staging": saved_runs.load("healthy"),
}


def runs(number: int = 30, minutes: float = 60, state: str = "healthy") -> tuple[Point, ...]:
    """Runs at that interval, the last one three minutes ago."""
    last = NOW - timedelta(minutes=3)
    times = [last - timedelta(minutes=minutes * n) for n in reversed(range(number))]
    return tuple(Point(at.isoformat(), state, 1.0, {}) for at in times)


def row(name: str, past: Past | None = None, **changes: Any) -> Row:
    """The row of one of REPORTS, as it was seen three minutes ago."""
    started = (NOW - timedelta(minutes=3)).isoformat(timespec="seconds")
    report = replace(REPORTS[name], started=started)
    report = replace(report, target=replace(report.target, name=name, environment="live"))
    made_row = row_of(name, report, past or Past(runs()), "report.html", NOW)
    return replace(made_row, **changes)


def overview(*rows: Row) -> Overview:
    """An overview of these rows."""
    return overview_of(rows, NOW)


def old(**changes: Any) -> Row:
    """A row whose run was two days ago."""
    started = (NOW - timedelta(days=2)).isoformat()
    return replace(row("staging"), folder="old", target="old", started=started, **changes)


def whole() -> Overview:
    """An overview with a row of every kind."""
    return overview(
        *(row(name) for name in REPORTS),
        replace(row("staging"), folder="staging/login", runbook="Login fails"),
        replace(row("live"), folder="old", target="old", started="2026-02-28T10:00:00+00:00"),
        broken_row("torn", "report.json is cut short: it ends within line 7", Past(), "", NOW),
        replace(row("staging"), folder="mute", target="mute", note="the history is locked"),
    )


def test_json(snapshot_txt: SnapshotAssertion) -> None:
    """The JSON as a program reads it, with a row of every kind."""
    assert to_json(whole()) == snapshot_txt


def test_page(snapshot_txt: SnapshotAssertion) -> None:
    """The words of the page, with a row of every kind."""
    text = Page(render(whole(), 60)).text
    assert (
        re.sub(r" (?=(?:incident|unknown|at risk|healthy) overdue was)", "\n", text) == snapshot_txt
    )


def test_the_worst_row_comes_first() -> None:
    """Rows that are grey come after those that are seen to be as bad."""
    gone = broken_row("torn", "is empty", Past(), "", NOW)
    lost = replace(row("live"), folder="lost", started="2026-02-20T00:00:00+00:00")
    rows = [row("staging"), row("sandbox"), old(), gone, row("preprod"), lost, row("live")]
    names = [one.folder for one in overview(*rows).rows]
    assert names == ["live", "lost", "preprod", "old", "torn", "sandbox", "staging"]
    assert [one.folder for one in overview(*reversed(rows)).rows] == names


def test_overdue_rows_are_counted_apart() -> None:
    """A run that is long ago is no health."""
    counts = overview(row("staging"), old(), broken_row("torn", "", Past(), "", NOW)).counts
    assert counts == {"incident": 0, "unknown": 1, "at risk": 0, "healthy": 1, "overdue": 1}


@pytest.mark.parametrize(
    ("age", "overdue"), [(0, False), (119, False), (121, True), (-0.5, False), (-2, True)]
)
def test_a_row_is_overdue_after_two_usual_gaps(age: float, overdue: bool) -> None:
    """A run every hour is missing after two; one from the future has a clock that is wrong."""
    one = replace(row("staging"), started=(NOW - timedelta(minutes=age)).isoformat())
    assert one.overdue(NOW) is overdue


def test_what_overdue_means_without_an_interval() -> None:
    """Runs that are few give a day, frequent ones ten minutes, and the option is what it says."""
    report = replace(REPORTS["staging"], started=made.STARTED)
    assert row("staging", Past(runs(2))).overdue_after == OVERDUE_UNKNOWN
    assert row("staging", Past(runs(20, 1))).overdue_after == 600
    with_option = row_of("staging", report, Past(runs()), "", NOW, overdue=42.0)
    assert with_option.overdue_after == 42


def test_since_when_is_what_the_report_says() -> None:
    """An incident began with its oldest stuck upload; a state with the first run that saw it."""
    past = Past(runs(), "2026-03-01T00:00:00+00:00", since_at_least=True)
    assert row("live", past).since == "2026-03-02T09:29:57+00:00"
    assert not row("live", past).since_at_least
    assert (row("staging", past).since, row("staging", past).since_at_least) == (past.since, True)
    assert row("staging", Past()).since == row("staging").started


def test_the_strip_has_the_report_even_without_a_history() -> None:
    """The run that the report is of counts once."""
    assert row("live", Past()).strip == (None,) * (SLOTS - 1) + ("incident",)
    assert row("live", Past(note="locked")).note == "locked"


def test_page_refreshes_itself_only_if_it_is_asked_to() -> None:
    """Without scripts a meta element does it, with them the script."""
    page = render(whole(), 60)
    assert '<noscript><meta http-equiv="refresh" content="60"></noscript>' in page
    assert '<body data-refresh="60">' in page
    assert "refresh" not in render(whole()).partition("<style>")[0]
    assert "<body>" in render(whole())


def test_page_without_a_row_says_so() -> None:
    """A folder without targets is no health either, and no error."""
    page = Page(render(overview()))
    harmless(page, r"index\.json")
    assert "No target has a folder here yet" in page.text


def test_links_are_relative_and_quoted() -> None:
    """A name of a folder cannot leave the folder of the overview, nor be an address."""
    name = "javascript:alert(1)//\"'><b>\udcff"
    page = Page(render(overview(replace(row("live"), folder=name))))
    harmless(page, r"index\.json|[\w./%-]+")
    link = page.values("href")[-2]
    assert link.startswith("javascript%3Aalert%281%29")
    assert link.endswith("%FF/report.html")


def hostile(text: str) -> Report:
    """A report with that text wherever a target can put one."""
    report = replace(REPORTS["live"], headline=text, runbook=text)
    results = tuple(
        replace(one, outcome=replace(one.outcome, seen=text, expected=text))
        for one in report.results
    )
    target = replace(report.target, name=text, environment=text)
    return replace(report, results=results, target=target)


@settings(max_examples=30, deadline=None)
@given(st.one_of(st.text(max_size=200), st.just(NASTY)))
def test_hostile_text_is_shown_and_does_nothing(text: str) -> None:
    """Whatever a report, a history or a file's name says, the page has its own elements alone."""
    rows = [
        row_of("live", hostile(text), Past((Point(text, text, 1.0, {}),), note=text), "", NOW),
        broken_row(f"x/{text}", text, Past(), "report.json", NOW),
    ]
    listing = overview(*rows)
    page = Page(render(listing, 60))
    harmless(page, r"index\.json|[\w./%~-]+")
    assert "\u202e" not in page.text
    assert " ".join(clean(text).split())[:60] in page.text
    assert json.loads(to_json(listing))["rows"][0]["headline"] == flat(clean(text))


def test_two_hundred_rows_stay_below_a_megabyte() -> None:
    """With real texts and a strip that changes with every slot, nothing is left out."""
    strip = tuple(STATES[n % 4] for n in range(SLOTS))
    names = list(REPORTS)
    rows = [
        replace(row(names[n % 4]), folder=f"tenant-{n}", target=f"tenant-{n}", strip=strip)
        for n in range(200)
    ]
    page = render(overview(*rows), 60)
    assert len(page.encode()) < 500_000
    assert Page(page).tags.count("h2") == 200
    assert len(to_json(overview(*rows)).encode()) < 500_000


@pytest.mark.patient
def test_page_is_bounded_whatever_the_rows_say() -> None:
    """Thousands of rows with long texts are cut, and the page says how many are left out."""
    long = "äöü " * 200
    strip = tuple(STATES[n % 4] for n in range(SLOTS))
    one = replace(row("live"), impact=long, cause=long, runbook=long, strip=strip)
    rows = [replace(one, folder=f"t{n}") for n in range(3_000)]
    page = render(Overview(tuple(rows), NOW))
    assert len(page.encode()) <= BYTES_MAX
    assert "more rows are in index.json" in page


def test_equal_rows_give_equal_bytes() -> None:
    """The page has no time of its own but that of the overview."""
    assert render(whole(), 60) == render(whole(), 60)
    assert to_json(whole()) == to_json(whole())
