"""The post-mortem: what was seen is filled in, what is not known stays open, nothing is markup."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from core.outcome import Affected
from reports.history import store as history
from reports.history.actions import Action
from reports.history.confirmed import Confirmation, Learned
from reports.history.incidents import RunRecord, last_incident
from reports.model.report import Report
from reports.render.markdown import coded, escaped, fenced
from reports.render.postmortem import render
from tests import made

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


def post_mortem_in_time(path: Path) -> str:
    """The post-mortem of that incident, in UTC."""
    runs = in_time(path)
    return render(made.incident(), RUNBOOK, last_incident(runs), runs)


def test_what_the_history_knows_is_filled_in(path: Path) -> None:
    """Begin, end, duration and the worst numbers come from the runs."""
    text = post_mortem_in_time(path)
    assert "**Upload affected**: `upload-1, upload-2`" in text
    assert "**Number of uploads affected**: 7 at worst" in text
    assert "**Number of users affected**: 7 at worst" in text
    assert re.search(r"\*\*Root cause\*\*.*: Job worker down\n", text)
    assert re.search(
        r"from what evidence\*\*: (0\.9\d|1\.00), from worker/process_is_running", text
    )
    assert "**Ended**: 2 Mar 2026, 10:20 UTC" in text
    assert "| messages that wait in the upload queue | 10 | 10 | 0 |" in text
    assert "- recovers: veza\\_file\\_uploads\\_total" in text


def test_begin_is_told_by_all_who_know_it(path: Path) -> None:
    """The oldest upload, the last good run and the first bad one say since when."""
    text = post_mortem_in_time(path)
    assert "| Oldest stuck upload | 2 Mar 2026, 09:13 UTC |" in text
    assert "| Last good run | 2 Mar 2026, 09:50 UTC |" in text
    assert "| First bad run | 2 Mar 2026, 10:00 UTC |" in text
    assert "| First good run after it | 2 Mar 2026, 10:20 UTC |" in text


def test_duration_begins_with_the_oldest_upload(path: Path) -> None:
    """Users suffered before the suite saw it: 67 minutes, not the 20 between the runs."""
    text = post_mortem_in_time(path)
    assert "**Began**: about 2 Mar 2026, 09:13 UTC, by the oldest stuck upload" in text
    assert "**Duration**: 67 min" in text
    assert "It lasted 67 min, from about 2 Mar 2026, 09:13 UTC to 2 Mar 2026, 10:20 UTC" in text


def test_duration_begins_with_the_first_bad_run_where_no_upload_is_known(path: Path) -> None:
    """Where no upload was seen, the first run that saw a symptom is the earliest that is known."""
    failed = ["upload_status/api_is_reachable"]
    runs = runs_of(path, [made.recovered(started="2026-03-02T09:50:00+00:00"), made.report(failed)])
    text = render(made.report(failed), RUNBOOK, last_incident(runs), runs)
    assert "**Began**: between 2 Mar 2026, 09:50 UTC and 2 Mar 2026, 10:00 UTC" in text
    assert "| Oldest stuck upload | not observed |" in text


def test_times_are_local_with_their_zone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader need not add hours: each time is the machine's own, with the zone."""
    runs = in_time(path)
    monkeypatch.setenv("TZ", "IST-5:30")
    time.tzset()
    try:
        text = render(made.incident(), RUNBOOK, last_incident(runs), runs)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert "| First bad run | 2 Mar 2026, 15:30 IST |" in text
    assert "UTC" not in text


def test_timeline_has_each_run(path: Path) -> None:
    """The course of the incident is told run by run, from the oldest upload to the recovery."""
    text = post_mortem_in_time(path)
    timeline = text.partition("### Timeline")[2].partition("###")[0]
    times = re.findall(r"^\| 2 Mar 2026, (\d\d:\d\d) UTC", timeline, re.MULTILINE)
    assert times == ["09:13", "09:50", "10:00", "10:10", "10:20"]


def test_long_timeline_keeps_its_begin_and_its_end(path: Path) -> None:
    """Of an incident of many hours the first runs are told, and the last ones."""
    made_runs = [
        made.incident(started=f"2026-03-02T{10 + n // 12}:{n % 12 * 5:02}:00+00:00")
        for n in range(50)
    ]
    runs = runs_of(path, made_runs)
    text = render(made_runs[0], RUNBOOK, last_incident(runs), runs)
    assert "20 more runs" in text
    assert "14:05 UTC | incident" in text
    assert text.count("| incident |") == 30


def test_causes_that_were_named_in_between_are_told(path: Path) -> None:
    """The runs of one incident may have named several causes, one after the other."""
    full = ["signal/no_upload_is_stuck", "storage/disk_space_is_free"]
    disk = made.report(full, started="2026-03-02T10:05:00+00:00")
    runs = runs_of(path, [made.incident(), disk])
    text = render(disk, RUNBOOK, last_incident(runs), runs)
    assert "the runs named, in this order: Job worker down, Storage problem." in text


def test_what_changed_at_the_end_is_told(path: Path) -> None:
    """The trace of a repair: the figures and the causes that were well again."""
    text = post_mortem_in_time(path)
    assert "- consumers of the upload queue: from 0 to 1" in text
    assert "- `worker/process_is_running` passes again" in text
    assert "<actions_taken>" in text


def test_what_people_confirmed_and_did_is_filled_in(path: Path) -> None:
    """The confirmed cause stands above the diagnosed one, and the journal's actions have times."""
    runs = in_time(path)
    taken = (
        Action("2026-03-02T09:00:00+00:00", "Of another incident", result="verified"),
        Action("2026-03-02T10:12:00+00:00", "Purge | the queue", (), "failed: exit 1", 2.0),
        Action("2026-03-02T10:14:00+00:00", "Restart the worker", (), "verified", 31.0, True),
    )
    confirmation = Confirmation(
        made.STARTED, made.STARTED, ("queue_blocked", "other"), "a <b>full</b> disk"
    )
    learned = Learned((confirmation,), taken)
    episode = last_incident(runs)
    text = render(made.incident(), RUNBOOK, episode, runs, learned)
    cause = "Queue blocked and none of this model's causes (confirmed): a \\<b\\>full"
    assert re.search(rf"\*\*Root cause\*\*.*: {re.escape(cause)}", text)
    assert f"Confirmed by a person: {cause}" in text
    assert f"Cause: {cause}" in text
    assert "**Actions taken**: Purge \\| the queue, Restart the worker" in text
    assert "| 2 Mar 2026, 10:14 UTC | Restart the worker | 31 s | verified |" in text
    assert "another incident" not in text
    assert "What else was done" in text


def test_a_run_that_looked_elsewhere_is_no_end(path: Path) -> None:
    """An incident that a narrowed run followed has no end yet, and a least duration."""
    aside = made.recovered(started="2026-03-02T10:10:00+00:00", only="storage/")
    runs = runs_of(path, [made.incident(), aside])
    text = render(made.incident(), RUNBOOK, last_incident(runs), runs)
    assert "**Ended**: <ended_at>" in text
    assert "**Duration**: at least 47 min, until the last run that saw it" in text


def test_what_is_not_known_stays_open(path: Path) -> None:
    """While an incident lasts, its end and what people did are blanks that are seen."""
    runs = runs_of(path, [made.incident()])
    text = render(made.incident(), RUNBOOK, last_incident(runs), runs)
    for blank in ("<ended_at>", "<actions_taken>", "<last_good_run>", "<what_made_it_so>"):
        assert blank in text


def test_a_report_alone_is_enough() -> None:
    """Without a history the report tells what one run can."""
    text = render(made.incident(), RUNBOOK)
    assert "**Number of uploads affected**: 2\n" in text
    assert "No other run is in the history." in text
    assert "**Began**: about 2 Mar 2026, 09:13 UTC" in text
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


def test_a_command_that_is_left_out_is_told() -> None:
    """Without it, the rest of the step would look like all of it."""
    report = made.incident()
    [remedy] = report.remedies
    step = replace(remedy.steps[0], left_out=("curl: <management_url> is not known",))
    text = render(replace(report, remedies=(replace(remedy, steps=(step,)),)), RUNBOOK)
    assert "  left out: curl: \\<management\\_url\\> is not known\n" in text


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
    assert "De about 2 Mar 2026, 09:13 UTC" in text
    assert "à 2 Mar 2026, 10:20 UTC" in text
    assert "**Actions prises**: Liste" in text


HOSTILE = "``` </code> <script>alert(1)</script> | [x](http://evil) ![y](z)\n# Heading\n- [ ] box `"


def test_an_id_is_text_in_a_teams_own_document() -> None:
    """There a placeholder may stand outside of a code span."""
    rows = [Affected("<img src=x onerror=alert(1)>", age_seconds=900.0), Affected("upl_1-2")]
    document = replace(RUNBOOK, postmortem="- Upload: <upload_id>")
    text = render(made.incident(stuck=rows), document)
    assert "- Upload: \\<img src=x onerror=alert(1)\\>, upl_1-2" in text


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
