"""The text of an alert: what has changed, since when, what every message says, and a link."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from core.language import mark, tr, trn
from core.text import count, titled
from core.units import format_duration
from reports.alerts.policy import Change
from reports.model.report import Report
from reports.render.message import harmless, lines_of, message
from reports.render.verdict_words import CAUSES_MAX, began, seen_before
from reports.render.words import clock

TITLES = {
    ("alert", "incident"): mark("Veza {target}: incident"),
    ("alert", "at risk"): mark("Veza {target}: at risk"),
    ("alert", "unknown"): mark("Veza {target}: cannot tell"),
    ("reminder", "incident"): mark("Veza {target}: still incident"),
    ("reminder", "at risk"): mark("Veza {target}: still at risk"),
    ("reminder", "unknown"): mark("Veza {target}: still cannot tell"),
    ("recovery", "incident"): mark("Veza {target}: incident over"),
    ("recovery", "at risk"): mark("Veza {target}: at risk over"),
    ("recovery", "unknown"): mark("Veza {target}: observed again"),
}
"""The title by the event and the kind of alert; one that got worse has that of a new one."""


def title_of(report: Report, change: Change) -> str:
    """Return the title: the target, and what has changed."""
    event = "alert" if change.event == "worse" else change.event
    return tr(TITLES[event, change.kind], target=harmless(report.target.name))


def body_of(report: Report, change: Change, path: Path, link_base: str | None) -> str:
    """Return the body. `path` is the report's file, `link_base` the URL of the targets' folders.

    Times are the machine's own.
    """
    head = _head(report, change)
    place = link_of(report, link_base) if link_base else path.resolve().with_name("report.html")
    foot = tr("Report: {place}", place=place)
    if change.event == "recovery":
        return f"{lines_of(head)}\n\n{foot}"
    return message(report, head, foot)


def _head(report: Report, change: Change) -> Iterator[str]:
    """Yield the headline, since when, and for each cause that was confirmed before how it ended."""
    yield report.headline
    yield _duration(report, change)
    if change.event != "recovery":
        for finding in report.diagnosis.accepted[:CAUSES_MAX]:
            before = seen_before(report, finding)
            if before:
                yield titled(finding.title, before)


def link_of(report: Report, base: str) -> str:
    """Return the report's address below the URL of the targets' folders."""
    parts = filter(None, (report.target.name, report.runbook_name, "report.html"))
    return "/".join([base.rstrip("/"), *(quote(part, safe="") for part in parts)])


def _duration(report: Report, change: Change) -> str:
    if change.seconds is None:
        return tr("Duration unknown: a clock was set back.")
    at, seconds = change.since, change.seconds
    start = began(report, ())
    if change.event != "recovery" and start and start[0] < datetime.fromisoformat(at):
        # What suffers is older than the first run that saw it.
        seconds += (datetime.fromisoformat(at) - start[0]).total_seconds()
        at = start[0].isoformat()
    since = clock(at, report.started)
    if change.event == "recovery":
        return tr(
            "It lasted {duration}, since {since}.",
            duration=format_duration(seconds),
            since=since,
        )
    impact = report.layout.impact
    owners = report.figure(impact.owners) if impact else None
    duration = format_duration(seconds)
    if not (impact and owners):
        return tr("Since {since} ({duration}).", since=since, duration=duration)
    return trn(
        "Since {since} ({duration}); {users} affected.",
        "Since {since} ({duration}); {users} affected.",
        round(owners),
        since=since,
        duration=duration,
        users=count(round(owners), impact.owner),
    )
