"""The overview as a team meets it: on a wall, at a desk, on a phone."""

from __future__ import annotations

import http.server
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from reports.render.html.index import render
from reports.render.index import SLOTS, Past, Row, broken_row, overview_of
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    Open = Callable[..., Page]

HERE = Path(__file__).parent
CONTRAST = (HERE / "contrast.js").read_text(encoding="utf-8").partition("\n")[2]
NOW = datetime(2026, 3, 2, 10, 3, tzinfo=UTC)
STRIP = (None,) * 8 + ("healthy",) * 30 + ("incident", "unknown", "at risk") + ("healthy",) * 15

GOOD = Row(
    "staging",
    "staging",
    "staging",
    "Upload stuck",
    "healthy",
    impact="all 53 checks passed",
    since="2026-02-20T08:00:00+00:00",
    started="2026-03-02T10:00:00+00:00",
    overdue_after=600.0,
    strip=STRIP,
    page="report.html",
)
ROWS = (
    GOOD,
    replace(GOOD, folder="risky", target="risky", state="at risk", cause="Disk nearly full"),
    replace(GOOD, folder="blind", target="blind", state="unknown", impact="nothing was seen"),
    replace(
        GOOD,
        folder="live",
        target="live",
        state="incident",
        impact="8 uploads of 1 user stuck, oldest 47 min",
        cause="Job worker down (certain)",
        since="2026-03-02T09:13:00+00:00",
    ),
    replace(GOOD, folder="hourly", target="hourly", overdue_after=7200.0),
    broken_row("torn", "report.json is cut short: it ends within line 7", Past(), "", NOW),
)
assert len(STRIP) == SLOTS


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Open an overview from disk: `open_page(rows, now=…, width=…)` is its page.

    The test fails if the page wrote to the console, or raised an error.
    """
    troubles: list[str] = []
    context = None

    def open_page(
        rows: tuple[Row, ...] = ROWS,
        *,
        now: datetime = NOW,
        width: int = 1280,
        height: int = 800,
        refresh: float | None = None,
        address: str = "",
        **options: object,
    ) -> Page:
        nonlocal context
        file = tmp_path / "index.html"
        file.write_text(render(overview_of(rows, NOW), refresh), encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": height}, **options)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE * 1000)
        page = context.new_page()
        page.clock.install(time=now)
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(address or file.as_uri())
        return page

    yield open_page
    if context:
        context.close()
    assert not troubles


def names(page: Page) -> list[str]:
    """The targets in the order of their rows."""
    texts: list[str] = page.locator(".row:visible h2").evaluate_all(
        "all => all.map((one) => one.firstChild.textContent.trim())"
    )
    return texts


def test_the_worst_row_is_read_first(open_page: Open) -> None:
    """Incident, unknown, what is grey, at risk, healthy; the counts and the colour above."""
    page = open_page()
    assert names(page) == ["live", "blind", "torn", "risky", "hourly", "staging"]
    assert page.locator("h1").inner_text().split() == (
        ["1", "incident", "2", "unknown", "1", "at", "risk", "2", "healthy", "0", "overdue"]
    )
    assert page.title() == "1 incident, 2 unknown, 1 at risk and 2 healthy"
    expect(page.locator("header")).to_have_class("top bad")
    assert "50 min" in page.locator(".row.bad .since").inner_text()
    assert page.locator(".row.bad .seen").inner_text() == "3 min ago"


def test_rows_turn_grey_while_the_page_is_open(open_page: Open) -> None:
    """When the runs stop, nobody writes the page again: it knows the time by itself."""
    page = open_page(ROWS[:1] + ROWS[4:5])
    assert names(page) == ["hourly", "staging"]
    expect(page.locator(".row.late")).to_have_count(0)
    page.clock.run_for(timedelta(minutes=10).seconds * 1000)
    expect(page.locator(".row.late h2")).to_contain_text("staging")
    assert names(page) == ["staging", "hourly"]
    assert "overdue" in page.locator(".row.late .state").inner_text().lower()
    assert page.locator("[data-count=overdue] b").inner_text() == "1"
    assert page.locator("[data-count=healthy] b").inner_text() == "1"
    expect(page.locator("header")).to_have_class("top open")


def test_a_run_from_the_future_is_grey(open_page: Open) -> None:
    """A clock that is wrong must not keep a row green."""
    page = open_page((replace(GOOD, started="2026-03-02T11:00:00+00:00"),))
    assert "in the future" in page.locator(".row.late .seen").inner_text()


def test_page_can_be_read_from_three_metres(open_page: Open) -> None:
    """On a wall the state and the target of trouble are large, and few rows need no scrolling."""
    page = open_page(width=1920, height=1080)
    for place in (".row.bad .state", ".row.bad h2", ".row.bad .cause"):
        size = page.locator(place).evaluate("one => parseFloat(getComputedStyle(one).fontSize)")
        assert size >= 28, place
    assert page.evaluate("document.documentElement.scrollHeight") <= 1080


@pytest.mark.parametrize("width", [320, 390, 768, 1280, 1920])
def test_page_fits_the_width(open_page: Open, width: int) -> None:
    """Nothing has to be scrolled sideways, and no text runs out of its row."""
    long = replace(ROWS[3], target="a-target-with-a-long-name.production.example", folder="x")
    page = open_page((*ROWS, long), width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wide = """[...document.querySelectorAll(".row")].filter((row) => [...row.querySelectorAll("*")]
      .some((one) => one.getBoundingClientRect().right > row.getBoundingClientRect().right + 1))
      .map((one) => one.innerText)"""
    assert page.evaluate(wide) == []


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_text_has_contrast(open_page: Open, color_scheme: str) -> None:
    """Each text stands out as WCAG's level AA asks; grey rows too."""
    page = open_page((*ROWS, replace(GOOD, overdue_after=1.0)), color_scheme=color_scheme)
    contrasts = page.evaluate(CONTRAST)
    assert contrasts["looked"] > 60
    assert not contrasts["weak"]


def test_page_is_whole_without_scripts(open_page: Open) -> None:
    """Times are absolute, what was overdue is grey, and no field is there that does nothing."""
    rows = (*ROWS, *(replace(GOOD, folder=f"t{n}") for n in range(9)))
    page = open_page(
        (*rows, replace(GOOD, target="old", overdue_after=1.0)), java_script_enabled=False
    )
    assert page.locator(".row.late h2").inner_text().startswith("old")
    assert "since 2 Mar, 09:13" in page.locator(".row.bad .since").inner_text()
    assert page.locator(".row.bad .seen").inner_text() == "2 Mar, 10:00"
    assert "Times are UTC" in page.locator("footer").inner_text()
    assert not page.locator("input:visible").count()


def test_rows_are_filtered_by_words(open_page: Open) -> None:
    """The words stay in the address: they outlive the next load of the page."""
    page = open_page((*ROWS, *(replace(GOOD, folder=f"t{n}", target=f"t{n}") for n in range(9))))
    page.get_by_role("searchbox").fill("stuck LIVE")
    assert names(page) == ["live"]
    page.get_by_role("searchbox").fill("nowhere")
    expect(page.get_by_text("No row has these words.")).to_be_visible()
    page.get_by_role("searchbox").fill("live")
    page.reload()
    assert page.get_by_role("searchbox").input_value() == "live"
    assert names(page) == ["live"]


def test_page_loads_itself_again(open_page: Open, tmp_path: Path) -> None:
    """From disk too: what a later run wrote is seen without a hand."""
    page = open_page(refresh=60)
    later = replace(ROWS[3], state="healthy", cause="")
    (tmp_path / "index.html").write_text(render(overview_of((later,), NOW), 60))
    page.clock.run_for(61_000)
    expect(page.locator("[data-count=incident] b")).to_have_text("0")
    assert names(page) == ["live"]


def test_page_stays_when_its_server_is_away(browser: Browser, tmp_path: Path) -> None:
    """A wall must not end with an error page: the rows stay, turn grey, and come back."""
    file = tmp_path / "index.html"
    file.write_text(render(overview_of(ROWS[:1], NOW), 60), encoding="utf-8")
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        context = browser.new_context()
        context.set_default_timeout(PATIENCE * 1000)
        page = context.new_page()
        page.clock.install(time=NOW)
        try:
            page.goto(f"http://127.0.0.1:{server.server_port}/index.html")
            file.rename(tmp_path / "away.html")
            page.clock.run_for(61_000)
            expect(page.locator(".trouble")).to_contain_text("cannot be loaded again")
            assert names(page) == ["staging"]
            file.write_text(render(overview_of(ROWS[3:4], NOW), 60), encoding="utf-8")
            # HTTP tells two versions of a file apart by whole seconds.
            os.utime(file, (time.time() + 60,) * 2)
            page.clock.run_for(61_000)
            expect(page.locator(".row.bad h2")).to_contain_text("live")
            expect(page.locator(".trouble")).to_be_hidden()
        finally:
            context.close()
            server.shutdown()
            thread.join()
