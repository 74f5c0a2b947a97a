"""The HTML report as a person meets it: opened from disk in a browser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from core.journey import Journey, Stage
from reports.history.trend import Point
from reports.render.chat import render as as_chat
from reports.render.verdict import impact
from tests import made, saved_runs

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    Visit = Callable[..., Page]

HERE = Path(__file__).parent
CONTRAST = (HERE / "contrast.js").read_text(encoding="utf-8").partition("\n")[2]
BROKEN_WORDS = (HERE / "broken_words.js").read_text(encoding="utf-8").partition("\n")[2]
UNFOLD = "document.querySelectorAll('details').forEach((one) => { one.open = true })"

BELOW_THE_BAR = """(() => {
  const bar = document.querySelector("header");
  const one = document.activeElement;
  return !bar.contains(one) && !one.matches(".skip")
    && one.getBoundingClientRect().top < bar.getBoundingClientRect().bottom;
})()"""

PHONE = {"width": 390, "height": 844}
FINGER = 44
"""Pixels of a side that a finger hits."""

STAGES = (Stage("received", True, 60.0, "uploads"), Stage("picked up", False, None, "job_queue"))

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

REAL = {
    "dead worker": saved_runs.load("incident"),
    "two causes": saved_runs.load("two_causes"),
    "outside": saved_runs.load("outside"),
    "named upload": replace(
        saved_runs.load("incident", partial=True),
        journeys=(Journey("bcb9269b-800b-4717-9841-05a4b1aed44c", "uploading", STAGES),),
    ),
}


def bottom(place: Locator) -> float:
    """Where an element ends, in pixels from the top of what is seen."""
    box = place.bounding_box()
    assert box is not None
    return box["y"] + box["height"]


def shown(page: Page) -> list[str]:
    """The ids of the checks that are visible."""
    return page.locator(".check:visible > .what > p .id").all_inner_texts()


def clipboard(page: Page) -> str:
    """The text on the clipboard."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


@pytest.mark.parametrize("name", REPORTS)
def test_verdict_is_read_first(visit: Visit, name: str) -> None:
    """The first heading of the page has state, target and impact; so has its title."""
    page = visit(REPORTS[name])
    heading = page.get_by_role("heading", level=1).inner_text()
    assert heading == f"{name.upper()} live {impact(REPORTS[name])}"
    assert page.title().casefold().startswith(name)


def test_first_screen_has_verdict_cause_action_and_break(visit: Visit) -> None:
    """On a laptop nothing needs to be scrolled to see what is wrong, where, why, what to do."""
    page = visit(REPORTS["incident"])
    for place in ("#verdict", "#first .command .copy", ".station.broken"):
        assert bottom(page.locator(place)) <= 800, place
    assert "Broken here: Job worker down" in page.locator(".station.broken").inner_text()


@pytest.mark.parametrize("name", REAL)
def test_first_action_is_on_the_first_two_screens_of_a_phone(visit: Visit, name: str) -> None:
    """A thumb scrolls once at most before it can copy the first command."""
    page = visit(REAL[name], **PHONE)
    assert bottom(page.locator("#first .command .copy")) <= 2 * PHONE["height"]


@pytest.mark.parametrize("width", [390, 1280])
def test_bar_stays_in_sight(visit: Visit, width: int) -> None:
    """State, impact and "Copy for chat" stay at the top, also at the end of the page."""
    page = visit(REAL["dead worker"], width=width, height=844)
    page.evaluate("scrollTo({ top: document.body.scrollHeight, behavior: 'instant' })")
    page.wait_for_function("scrollY > 800")
    box = page.locator("header.verdict").bounding_box()
    assert box is not None
    assert box["y"] == 0
    assert box["height"] <= 200
    expect(page.get_by_role("button", name="Copy for chat")).to_be_in_viewport()


def test_bar_stays_small_whatever_the_target_says(visit: Visit) -> None:
    """A long reason in the bar must not hide the page below it."""
    failed = ["upload_status/api_is_reachable"]
    page = visit(made.report(failed, seen="the API says: " + "endless words " * 200), **PHONE)
    box = page.locator("header.verdict").bounding_box()
    assert box is not None
    assert box["height"] <= PHONE["height"] / 3


@pytest.mark.parametrize("width", [1050, 1100, 1280])
def test_stations_have_room_for_their_names(visit: Visit, width: int) -> None:
    """Where the stations stand in a row, no name and no figure runs out of its box."""
    page = visit(REAL["dead worker"], width=width)
    wide = """[...document.querySelectorAll(".station")].filter((one) =>
      [...one.querySelectorAll("h3, dt, dd, p")].some((text) =>
        text.getBoundingClientRect().left + text.scrollWidth
          > one.getBoundingClientRect().right)).map((one) => one.innerText)"""
    assert page.evaluate(wide) == []


@pytest.mark.parametrize("width", [390, 1280])
def test_copy_buttons_are_as_large_as_a_finger(visit: Visit, width: int) -> None:
    """Each button can be hit with a finger."""
    page = visit(REAL["two causes"], width=width)
    boxes = [button.bounding_box() for button in page.locator(".copy:visible").all()]
    sizes = [min(box["width"], box["height"]) for box in boxes if box]
    assert len(sizes) > 5
    assert min(sizes) >= FINGER


def test_first_action_is_copied(visit: Visit) -> None:
    """The copy button puts the whole command on the clipboard and says so."""
    page = visit(REPORTS["incident"])
    command = page.locator("#first .command")
    command.get_by_role("button").click()
    # The browser answers when it has written to the clipboard, not with the click.
    expect(command.get_by_role("button")).to_have_text("Copied")
    assert clipboard(page) == command.locator("code").text_content()


def test_verdict_is_copied_for_a_chat(visit: Visit) -> None:
    """The message is plain text: what the terminal says, in short."""
    page = visit(REAL["dead worker"], history=())
    page.get_by_role("button", name="Copy for chat").click()
    expect(page.locator("header .copy")).to_have_text("Copied")
    assert clipboard(page) == as_chat(REAL["dead worker"]).strip()


def test_text_is_selected_where_copying_is_not_allowed(visit: Visit) -> None:
    """Without the clipboard the message is unfolded and selected, to be copied by hand."""
    page = visit(REAL["dead worker"], history=())
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject() }")
    page.evaluate("() => { document.execCommand = () => false }")
    page.get_by_role("button", name="Copy for chat").click()
    expect(page.locator("header .copy")).to_have_text("Select and copy")
    assert page.locator("#chat").is_visible()
    assert page.evaluate("getSelection().toString()").startswith("✗ INCIDENT lab")


def test_times_are_those_of_the_reader(visit: Visit) -> None:
    """The page says the reader's local time, with its zone."""
    page = visit(REPORTS["incident"], timezone_id="Asia/Kolkata")
    when = page.locator(".when").inner_text()
    assert "since about 14:43 GMT+5:30 (47 min)" in when
    assert "seen 2 Mar, 15:30 GMT+5:30" in when
    assert "Times are GMT+5:30" in page.locator("#trends").inner_text()


def test_old_page_says_how_old_it_is(visit: Visit) -> None:
    """A page that lies about looks fresh: it says how long ago the run was."""
    page = visit(REPORTS["healthy"], now="2026-03-02T13:05:00Z")
    expect(page.locator(".stale")).to_have_text(", 3 h ago")


def test_passed_checks_are_folded(visit: Visit) -> None:
    """Only checks that did not pass are seen; the keyboard unfolds the others."""
    page = visit(REPORTS["incident"])
    page.locator("#checks details").first.scroll_into_view_if_needed()
    everything = len(REPORTS["incident"].results)
    assert not shown(page)  # all four have the same reason
    group = page.locator("#checks .checks summary")
    assert "4 checks" in group.inner_text()
    group.focus()
    page.keyboard.press("Enter")
    assert sorted(shown(page)) == sorted(made.DEAD_WORKER)
    page.locator("summary", has_text="passed").focus()
    page.keyboard.press("Enter")
    assert len(shown(page)) == everything


def test_evidence_leads_to_its_check_even_if_folded(visit: Visit) -> None:
    """A link from the evidence unfolds the check that passed."""
    page = visit(REPORTS["incident"])
    page.locator("#why-queue_blocked > summary").click()
    link = page.locator("#why-queue_blocked").get_by_role("link", name="queue/queue_exists").first
    page.evaluate(UNFOLD.replace("details", "#why-queue_blocked details"))
    link.click()
    page.wait_for_function("document.querySelector('.check:target')?.checkVisibility()")
    assert "queue/queue_exists" in page.locator(".check:target").inner_text()


def test_ranking_opens_the_evidence(visit: Visit) -> None:
    """A cause of the ranking leads to what speaks for and against it."""
    page = visit(REPORTS["incident"])
    page.locator(".ranking").get_by_role("link", name="Queue blocked").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.getElementById('why-queue_blocked').open")
    assert "Against" in page.locator("#why-queue_blocked").inner_text()


def test_keyboard_reaches_the_actions_and_sees_where_it_is(visit: Visit) -> None:
    """The first keys lead to the copy buttons; nothing that has the focus is below the bar."""
    page = visit(REAL["dead worker"], height=500, reduced_motion="reduce")
    names = []
    for key in (*["Tab"] * 30, *["Shift+Tab"] * 25):
        page.keyboard.press(key)
        names.append(page.evaluate("document.activeElement.textContent.trim()"))
        assert not page.evaluate(BELOW_THE_BAR), names[-1]
    assert names[:3] == ["Skip to the report", "Copy for chat", "Copy"]


def test_healthy_page_shows_the_trends_instead_of_empty_cards(visit: Visit) -> None:
    """Where all is well the second section is the course of the last runs."""
    page = visit(saved_runs.load("healthy"))
    titles = page.locator("main h2").all_inner_texts()
    assert titles == ["The upload's path", "Over time", "Checks", "Coverage"]
    assert page.locator(".strip").is_visible()
    assert page.locator(".chart .threshold").count() == page.locator(".chart").count() == 6


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("name", REPORTS)
def test_text_has_contrast(visit: Visit, name: str, color_scheme: str) -> None:
    """Each text stands out as WCAG's level AA asks, in light and in dark."""
    page = visit(REPORTS[name], color_scheme=color_scheme)
    page.evaluate(UNFOLD)
    contrasts = page.evaluate(CONTRAST)
    assert contrasts["looked"] > 100
    assert not contrasts["weak"]


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
@pytest.mark.parametrize("name", ["incident", "unknown"])
def test_page_fits_the_width(visit: Visit, name: str, width: int) -> None:
    """Nothing of the page has to be scrolled sideways, on a phone neither."""
    page = visit(REPORTS[name], width=width)
    page.evaluate(UNFOLD)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", REAL)
def test_nothing_breaks_inside_a_word_on_a_phone(visit: Visit, name: str) -> None:
    """Words, numbers and names stay whole, and nothing runs out of the page."""
    page = visit(REAL[name], **PHONE)
    page.evaluate(UNFOLD)
    broken = page.evaluate(BROKEN_WORDS)
    assert broken["looked"] > 500
    assert not broken["broken"]
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_page_is_whole_without_scripts(visit: Visit) -> None:
    """Where scripts do not run, all is there to read, and no button that does nothing."""
    page = visit(REPORTS["incident"], java_script_enabled=False)
    assert "since about 09:13 UTC" in page.locator(".when").inner_text()
    assert not page.locator("button:visible").count()
    page.locator("#checks .checks summary").click()
    page.locator("summary", has_text="passed").click()
    assert len(shown(page)) == len(REPORTS["incident"].results)


def test_page_prints(visit: Visit) -> None:
    """On paper there are no controls, and the text is black on white, also from a dark screen."""
    page = visit(REPORTS["incident"], color_scheme="dark")
    page.emulate_media(media="print")
    assert not page.locator("button:visible, input:visible").count()
    color = "getComputedStyle(document.body).color"
    assert page.evaluate(color) == "rgb(0, 0, 0)"
    assert not page.evaluate(CONTRAST)["weak"]


def test_nothing_moves_for_a_reader_who_asks_for_it(visit: Visit) -> None:
    """Where less motion is wanted, a link jumps to its place."""
    page = visit(REPORTS["incident"], reduced_motion="reduce")
    style = "getComputedStyle(document.documentElement).scrollBehavior"
    assert page.evaluate(style) == "auto"


def test_hostile_text_runs_nothing(visit: Visit) -> None:
    """A script that a target slips into what it says is shown and does not run."""
    hostile = "<img src=x onerror='document.title=1'><script>document.title=1</script>"
    history = [Point("2026-03-02T08:00:00+00:00", hostile, 0.5, {"backlog": 1.0})]
    page = visit(made.incident(seen=hostile, problems=[hostile]), history=history)
    assert page.title().startswith("Incident")
    assert hostile in page.locator(".problems").inner_text()
