"""Times in reports: as much of a date as a reader needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.language import ENGLISH, set_language
from core.outcome import Affected
from reports.alerts.message import body_of
from reports.alerts.policy import Change
from reports.model.report import Report
from reports.render.chat import render as as_chat
from reports.render.html.index import render as as_index
from reports.render.html.page import render as as_page
from reports.render.terminal import render as as_terminal
from tests import made
from tests.html_page import Page
from tests.unit.render.test_index import overview, row
from tests.unit.render.test_snapshots import FOOTER

DAY = 86_400.0


def stuck_for(days: float) -> Report:
    """An incident whose oldest upload is stuck for as long; it was seen on 2 March 2026."""
    return made.incident(stuck=[Affected("upload-1", user_id="ada", age_seconds=days * DAY)])


@pytest.mark.parametrize(
    ("code", "days", "date"),
    [("en", 372, "23 Feb 2025"), ("fr", 372, "23 févr. 2025"), ("en", 70, "22 Dec 2025")],
)
def test_a_day_of_another_year_has_the_year(code: str, days: float, date: str) -> None:
    """Nobody takes a day of last year for one of this year, in whatever format it stands."""
    report = stuck_for(days)
    change = Change("alert", "incident", report.started, 0.0, "1")
    set_language(code)
    try:
        texts = (
            as_terminal(report, width=120, footer=FOOTER),
            as_chat(report),
            Page(as_page(report)).text,
            body_of(report, change, Path("out/live/report.json"), None),
        )
    finally:
        set_language(ENGLISH)
    assert [date in text for text in texts] == [True] * 4, texts


def test_a_day_of_this_year_has_no_year() -> None:
    """What a reader takes for granted is left out."""
    report = stuck_for(20)
    for text in (as_chat(report), Page(as_page(report)).text):
        assert "about 10 Feb, 10:00 UTC" in text
    assert "10 Feb 2026" not in as_terminal(report, width=120, footer=FOOTER)


def test_an_old_row_of_the_overview_has_the_year() -> None:
    """A target that was last seen a year ago, or is ill since then."""
    old = replace(row("live"), started="2025-02-20T00:00:00+00:00")
    assert "20 Feb 2025, 00:00 UTC" in Page(as_index(overview(old), 60)).text
    ill = replace(row("live"), since="2025-02-21T00:00:00+00:00")
    assert "21 Feb 2025, 00:00 UTC" in Page(as_index(overview(ill), 60)).text
