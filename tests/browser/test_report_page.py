"""The HTML report as a person meets it: opened from disk in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests import made

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    Visit = Callable[..., Page]

CONTRAST = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8").partition("\n")[2]

REPORTS = {
    "healthy": made.recovered(),
    "at risk": made.report(["storage/disk_space_is_free"]),
    "incident": made.incident(problems=["the run was interrupted"]),
    "unknown": made.report(
        statuses={
            row.id: ("unreachable", "missing", "error", "skipped")[number % 4]
            for number, row in enumerate(made.bundle().evidence.checks)
        }
    ),
}


def shown(page: Page) -> list[str]:
    """The ids of the checks that are visible."""
    return page.locator(".check:visible .what > p:first-child .id").all_inner_texts()


@pytest.mark.parametrize("name", REPORTS)
def test_verdict_is_read_first(visit: Visit, name: str) -> None:
    """The first heading of the page, and its title, tell the state."""
    page = visit(REPORTS[name])
    assert page.get_by_role("heading", level=1).inner_text() == REPORTS[name].headline
    assert page.title().casefold().startswith(name)


def test_first_screen_has_verdict_path_ranking_and_actions(visit: Visit) -> None:
    """On a laptop nothing needs to be scrolled to see what is wrong, why, and what to do."""
    page = visit(REPORTS["incident"])
    for place in ("#verdict", ".station.broken", ".ranking", "#actions li >> nth=0"):
        box = page.locator(place).bounding_box()
        assert box is not None, place
        assert box["y"] + box["height"] <= 800, place
    assert "Broken here: Job worker down" in page.locator(".station.broken").inner_text()


def test_action_is_copied(visit: Visit) -> None:
    """The copy button puts the whole command on the clipboard and says so."""
    page = visit(REPORTS["incident"])
    command = page.locator("#actions .command").first
    command.get_by_role("button").click()
    # The browser answers when it has written to the clipboard, not with the click.
    expect(command.get_by_role("button")).to_have_text("Copied")
    # A field of one line takes a line's end as a space.
    one_line = command.locator("code").inner_text().replace("\n", " ")
    page.locator("#filter-text").focus()
    page.keyboard.press("Control+V")
    expect(page.locator("#filter-text")).to_have_value(one_line)


def test_checks_are_filtered_by_keyboard(visit: Visit) -> None:
    """A slash leads to the filter, words and a status narrow the checks, Escape shows all."""
    page = visit(REPORTS["incident"])
    everything = len(shown(page))
    page.keyboard.press("/")
    page.keyboard.type("queue consumer")
    some = shown(page)
    assert "queue/queue_has_a_consumer" in some
    assert all(check.startswith("queue/") for check in some)
    assert page.locator("#filter-count").inner_text() == f"{len(some)} of {everything} shown"
    page.keyboard.press("Escape")
    assert len(shown(page)) == everything
    page.keyboard.press("Tab")
    page.keyboard.type("failed")
    assert sorted(shown(page)) == sorted(made.DEAD_WORKER)
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("no such check")
    assert page.locator("#filter-none").is_visible()


def test_evidence_leads_to_its_check_even_if_filtered_away(visit: Visit) -> None:
    """A link from the evidence shows the check that a filter hides."""
    page = visit(REPORTS["incident"])
    page.locator("#filter-text").fill("storage")
    page.locator("#causes").get_by_role("link", name="worker/process_is_running").first.click()
    page.wait_for_function("document.querySelector('.check:target')?.checkVisibility()")
    assert "worker/process_is_running" in page.locator(".check:target").inner_text()


def test_ranking_opens_the_evidence(visit: Visit) -> None:
    """A cause of the ranking leads to what speaks for and against it."""
    page = visit(REPORTS["incident"])
    page.locator(".ranking").get_by_role("link", name="Queue blocked").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.getElementById('why-queue_blocked').open")
    assert "Against" in page.locator("#why-queue_blocked").inner_text()


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("name", REPORTS)
def test_text_has_contrast(visit: Visit, name: str, color_scheme: str) -> None:
    """Each text stands out as WCAG's level AA asks, in light and in dark."""
    page = visit(REPORTS[name], color_scheme=color_scheme)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    seen = page.evaluate(CONTRAST)
    assert seen["looked"] > 100
    assert not seen["weak"]


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
@pytest.mark.parametrize("name", ["incident", "unknown"])
def test_page_fits_the_width(visit: Visit, name: str, width: int) -> None:
    """Nothing of the page has to be scrolled sideways, on a phone neither."""
    page = visit(REPORTS[name], width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_page_is_whole_without_scripts(visit: Visit) -> None:
    """Where scripts do not run, all is there to read, and no button that does nothing."""
    page = visit(REPORTS["incident"], java_script_enabled=False)
    assert len(shown(page)) == len(REPORTS["incident"].results)
    assert not page.locator("button:visible").count()


def test_page_prints(visit: Visit) -> None:
    """On paper there are no controls, and the text is black on white, also from a dark screen."""
    page = visit(REPORTS["incident"], color_scheme="dark")
    page.emulate_media(media="print")
    assert not page.locator("button:visible, input:visible").count()
    color = "getComputedStyle(document.body).color"
    assert page.evaluate(color) == "rgb(0, 0, 0)"
    assert not page.evaluate(CONTRAST)["weak"]


def test_hostile_text_runs_nothing(visit: Visit) -> None:
    """A script that a target slips into what it says is shown and does not run."""
    hostile = "<img src=x onerror='document.title=1'><script>document.title=1</script>"
    page = visit(made.incident(seen=hostile, problems=[hostile]))
    assert page.title().startswith("Incident")
    assert hostile in page.locator(".problems").inner_text()
