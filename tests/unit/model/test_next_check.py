"""The next check to run, on the terminal and on the page."""

from __future__ import annotations

import re

from reports.model.headline import next_check_of
from reports.render.html.page import render as as_html
from reports.render.terminal import render as as_terminal
from tests import made

APART = "Next check, to tell"


def note(page: str) -> str:
    """Return the page's sentence on the next check, without its markup."""
    (text,) = re.findall(f"<p class=.note.>({APART}.*?)</p>", page)
    return re.sub("<[^>]*>", "", text)


def test_a_check_that_was_not_selected_is_named_once() -> None:
    """It has no sentence, so its id stands for it."""
    report = made.report(["signal/no_upload_is_stuck"], only="signal/")
    proposed = next_check_of(report.diagnosis)
    assert proposed is not None
    text = " ".join(as_terminal(report, width=120, verbose=True).split())
    assert f": {proposed.check} " in text
    assert f"[{proposed.check}]" not in text
    assert note(as_html(report)).endswith(f": {proposed.check}")


def test_a_check_that_was_not_run_is_named_with_its_sentence() -> None:
    """The id follows the sentence."""
    report = made.report(
        ["signal/no_upload_is_stuck"],
        statuses={row.id: "missing" for row in made.bundle().evidence.checks[5:]},
    )
    proposed = next_check_of(report.diagnosis)
    assert proposed is not None
    text = " ".join(as_terminal(report, width=120, verbose=True).split())
    assert f": {proposed.check} holds. [{proposed.check}]" in text
    assert note(as_html(report)).endswith(f": {proposed.check} holds. {proposed.check}")


def test_no_check_is_proposed_for_improbable_causes() -> None:
    """Where neither of the two causes is worth naming, nor is the check between them."""
    report = made.report(["logs/no_recent_processing_errors"], only="logs/")
    assert report.diagnosis.next_check is not None
    assert next_check_of(report.diagnosis) is None
    assert APART not in as_terminal(report, verbose=True)
    assert APART not in as_html(report)
