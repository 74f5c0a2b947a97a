"""A real browser, Debian's Chromium, that opens a report from disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reports.history.trend import Point
from reports.model.report import Report
from reports.render.html.page import render
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page


FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

HISTORY = tuple(
    Point(
        f"2026-03-02T08:{minute:02}:00+00:00",
        ("healthy", "at risk", "incident", "unknown")[minute % 4],
        0.5 + minute / 60,
        {"oldest_stuck_seconds": minute % 3 * 60, "backlog": minute * 2.0, "disk_free_ratio": 0.4},
    )
    for minute in range(0, 60, 5)
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; where VEZA_REQUIRE_BROWSER is set it must be there."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        assert not os.environ.get("VEZA_REQUIRE_BROWSER"), "a browser is required here"
        pytest.skip("Chromium is not installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Open a report from disk: `visit(report, width=…, color_scheme=…)` is its page.

    `history` are the runs before it, `now` the time of the browser's clock.

    The test fails if any page wrote to the console, raised an error or asked for anything but its
    own file.
    """
    troubles: list[str] = []
    asked: list[str] = []
    files: list[str] = []
    contexts: list[BrowserContext] = []

    def visit(
        report: Report,
        *,
        width: int = 1280,
        height: int = 800,
        history: Sequence[Point] = HISTORY,
        now: str = "2026-03-02T10:00:10Z",
        **options: Any,
    ) -> Page:
        file = tmp_path / f"report-{len(contexts)}.html"
        files.append(file.as_uri())
        file.write_text(render(report, history), encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE * 1000)
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        page.clock.set_fixed_time(now)
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(file.as_uri())
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not troubles
    assert asked == files
