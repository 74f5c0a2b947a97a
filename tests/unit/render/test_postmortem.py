"""The post-mortem: what was seen is filled in, what is not known stays open, nothing is markup."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from markdown_it import MarkdownIt

from core.outcome import Affected
from reports.history import store as history
from reports.history.incidents import last_incident
from reports.render.markdown import coded, escaped, fenced
from reports.render.postmortem import render
from tests import made

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reports.history.incidents import RunRecord
    from reports.model.report import Report

RUNBOOK = made.bundle().document

PARSER = MarkdownIt("commonmark").enable("table")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the history of a target is."""
    return tmp_path / history.NAME


def runs_of(path: Path, reports: Sequence[Report]) -> tuple[RunRecord, ...]:
    """The history of these reports."""
    return [history.record(path, report) for report in reports][-1][0]


def in_time(path: Path) -> tuple[RunRecord, ...]:
    """A healthy run, an incident that grows over two runs, and a healthy one, ten minutes apart."""
    more = [Affected(f"upload-{n}", user_id=f"user-{n}", age_seconds=3000.0) for n in range(7)]
    return runs_of(
        path,
        [
            made.recovered(started="2026-03-02T09:50:00+00:00"),
            made.incident(),
            made.incident(started="2026-03-02T10:10:00+00:00", stuck=more),
            made.recovered(started="2026-03-02T10:20:00+00:00"),
        ],
    )


def test_what_the_history_knows_is_filled_in(path: Path) -> None:
    """Begin, end, duration and the worst numbers come from the runs."""
    runs = in_time(path)
    text = render(made.incident(), RUNBOOK, last_incident(runs), runs)
    assert "**Upload affected**: `upload-1, upload-2`" in text
    assert "**Number of uploads affected**: 7 at worst" in text
    assert "**Number of users affected**: 7 at worst" in text
    assert re.search(r"\*\*Root cause\*\*.*: Job worker down\n", text)
    assert re.search(
        r"from what evidence\*\*: (0\.9\d|1\.00), from worker/process_is_running", text
    )
    assert "**Began**: between 2026-03-02T09:50:00+00:00 and 2026-03-02T10:00:00+00:00" in text
    assert "**Ended**: 2026-03-02T10:20:00+00:00" in text
    assert "**Duration**: 20 min" in text
    assert "| messages that wait in the upload queue | 10 | 10 | 0 |" in text
    assert "- recovers: veza\\_file\\_uploads\\_total" in text


def test_a_run_that_looked_elsewhere_is_no_end(path: Path) -> None:
    """An incident that a narrowed run followed has neither an end nor a duration."""
    aside = made.recovered(started="2026-03-02T10:10:00+00:00", only="storage/")
    runs = runs_of(path, [made.incident(), aside])
    text = render(made.incident(), RUNBOOK, last_incident(runs), runs)
    assert "**Ended**: <ended_at>" in text
    assert "**Duration**: <duration>" in text


def test_what_is_not_known_stays_open(path: Path) -> None:
    """While an incident lasts, its end and what people did are blanks that are seen."""
    runs = runs_of(path, [made.incident()])
    text = render(made.incident(), RUNBOOK, last_incident(runs), runs)
    for blank in ("<ended_at>", "<duration>", "<actions_taken>", "<last_good_run>"):
        assert blank in text
    assert f"**Began**: {made.STARTED} or earlier" in text


def test_a_report_alone_is_enough() -> None:
    """Without a history the report tells what one run can."""
    text = render(made.incident(), RUNBOOK)
    assert "**Number of uploads affected**: 2\n" in text
    assert "start and end are not known" in text
    assert "<ended_at>" in text


def test_boxes_and_actions_are_there_to_tick() -> None:
    """Preventive boxes, and the corrective actions with the ids filled in, can be ticked."""
    text = render(made.incident(), RUNBOOK)
    assert "  - [ ] Explicit time limit on processing" in text
    assert "- [ ] Restart the worker (changes the system)" in text
    assert "sudo systemctl restart veza-backend-api" in text
    assert "pytest --target" in text
    assert "- [ ] Monitoring: Alert on stuck uploads" in text
    assert "falls back to what it was before" in text


def test_an_unclear_cause_is_not_written_down_as_one() -> None:
    """Where the cause is not clear, its blank stays open and the suspects are named below."""
    report = made.report(["signal/no_upload_is_stuck"])
    assert report.diagnosis.certainty == "unclear"
    text = render(report, RUNBOOK)
    assert "<root_cause>" in text
    assert "<probability>" in text
    assert "Not clear:" in text


def test_a_cause_outside_the_runbook_is_named_so() -> None:
    """A database that is down is no hypothesis of the runbook."""
    report = made.report(["database/database_is_reachable"])
    assert report.diagnosis.certainty == "outside"
    assert "outside this runbook: database" in render(report, RUNBOOK)


def test_a_teams_own_document_keeps_its_words(path: Path) -> None:
    """The blanks that a French document writes in square brackets are filled too."""
    words = "- **Durée de l'incident**: De [heure début] à [heure fin]\n- **Actions prises**: Liste"
    runs = in_time(path)
    document = replace(RUNBOOK, postmortem=words)
    text = render(made.incident(), document, last_incident(runs), runs)
    assert "De between 2026-03-02T09:50:00+00:00 and" in text
    assert "à 2026-03-02T10:20:00+00:00" in text
    assert "**Actions prises**: Liste" in text


HOSTILE = "``` </code> <script>alert(1)</script> | [x](http://evil) ![y](z)\n# Heading\n- [ ] box `"


def test_what_a_target_said_is_text() -> None:
    """Tags, links, headings and table cells in what was seen stay text."""
    rows = [Affected(HOSTILE, user_id=HOSTILE, age_seconds=900.0, error_message=HOSTILE)]
    clean = PARSER.parse(render(made.incident(), RUNBOOK))
    report = replace(made.incident(seen=HOSTILE, stuck=rows), headline=HOSTILE)
    tokens = PARSER.parse(render(report, RUNBOOK))

    def kinds(found: Any) -> list[str]:
        inner = [child.type for token in found for child in token.children or ()]
        return [kind for kind in inner if kind in ("html_inline", "link_open", "image")]

    def headings(found: Any) -> int:
        return sum(token.type in ("heading_open", "html_block") for token in found)

    assert kinds(tokens) == kinds(clean)
    assert headings(tokens) == headings(clean)


@pytest.mark.parametrize(
    "text", ["plain", HOSTILE, "1. one", "a\\", "`", "``a``", "> b", "+ c", "="]
)
def test_escaped_text_reads_as_it_was(text: str) -> None:
    """Escaping for Markdown loses nothing but line breaks, in a text and in a code span."""
    flat = " ".join(text.split())
    for shown in (escaped(text), coded(text)):
        (inline,) = [one for one in PARSER.parse(f"x {shown}") if one.type == "inline"]
        assert "".join(child.content for child in inline.children or ()) == f"x {flat}"
    assert [one.type for one in PARSER.parse(escaped(text))] == [
        "paragraph_open",
        "inline",
        "paragraph_close",
    ]


def test_a_command_cannot_end_its_block() -> None:
    """A command with fences in it stays in one code block."""
    (block,) = PARSER.parse(fenced("echo\n```\nrm\n````\n", "bash"))
    assert block.type == "fence"
    assert block.content == "echo\n```\nrm\n````\n"
