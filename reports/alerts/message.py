"""The text of an alert: the terminal's verdict in short, since when, a link to the report."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from core.language import mark, tr, trn
from core.outcome import counted, counted_status
from core.text import clean, count, listed
from core.units import format_duration
from reports.render.first_steps import first_steps, verify_command
from reports.render.path import drawn, stations
from reports.render.verdict_words import (
    began,
    evidence_lines,
    failed_components,
    seen_before,
    where_to_look,
)
from reports.render.words import clock

if TYPE_CHECKING:
    from reports.alerts.policy import Change
    from reports.model.report import Report

CAUSES_MAX = 3
EVIDENCE_MAX = 2
"""Pieces of evidence for the only cause; each of several has one."""

EVIDENCE_LINE_MAX = 160
LINE_MAX = 300
BODY_MAX = 1_800
"""Characters of a body; the strictest of the common services takes 2,000."""

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

_MENTION = re.compile(r"@(?=everyone|here|channel|all)|<(?=[!@#])", re.IGNORECASE)
"""A mention of everybody, as some services write it; a log line may contain one."""


def title_of(report: Report, change: Change) -> str:
    """Return the title: the target, and what has changed."""
    event = "alert" if change.event == "worse" else change.event
    return tr(TITLES[event, change.kind], target=_harmless(report.target.name))


def body_of(
    report: Report,
    change: Change,
    path: Path,
    link_base: str | None,
    zone: tzinfo | None = None,
) -> str:
    """Return the body. `path` is the report's file, `link_base` the URL of the targets' folders.

    Times are those of `zone`, None for the machine's own.
    """
    head = "\n".join(map(_harmless, _head(report, change, zone)))
    place = link_of(report, link_base) if link_base else path.resolve().with_name("report.html")
    foot = tr("Report: {place}", place=place)
    if change.event == "recovery":
        return f"{head}\n\n{foot}"
    why = "\n".join(map(_harmless, _why(report)))
    foot = "\n".join([*map(_harmless, _counts(report)), foot])
    room = BODY_MAX - len(head) - len(why) - len(foot) - 6
    return "\n\n".join(filter(None, [head, why, _to_do(report, room), foot]))


def _head(report: Report, change: Change, zone: tzinfo | None) -> Iterator[str]:
    """Yield the headline, since when, and for each cause that was confirmed before how it ended."""
    yield report.headline
    yield _duration(report, change, zone)
    if change.event != "recovery":
        for finding in report.diagnosis.accepted[:CAUSES_MAX]:
            before = seen_before(report, finding, zone)
            if before:
                yield tr("{title}: {text}", title=finding.title, text=before)


def link_of(report: Report, base: str) -> str:
    """Return the report's address below the URL of the targets' folders."""
    parts = filter(None, (report.target.name, report.runbook_name, "report.html"))
    return "/".join([base.rstrip("/"), *(quote(part, safe="") for part in parts)])


def _duration(report: Report, change: Change, zone: tzinfo | None) -> str:
    if change.seconds is None:
        return tr("Duration unknown: a clock was set back.")
    at, seconds = change.since, change.seconds
    start = began(report, ())
    if change.event != "recovery" and start and start[0] < datetime.fromisoformat(at):
        # What suffers is older than the first run that saw it.
        seconds += (datetime.fromisoformat(at) - start[0]).total_seconds()
        at = start[0].isoformat()
    since = clock(at, report.started, zone)
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


def _why(report: Report) -> Iterator[str]:
    """Yield the path with its break, and the evidence for what is named as the cause."""
    row = stations(report)
    broken = [one.name for one in row if one.kind == "broken"]
    if broken:
        yield tr("Broken at {stations}: {path}", stations=listed(broken), path=drawn(row))
    most = EVIDENCE_MAX if len(report.diagnosis.accepted) < 2 else 1
    yield from evidence_lines(report, most, EVIDENCE_LINE_MAX, CAUSES_MAX)


def _to_do(report: Report, limit: int) -> str:
    """Return the first steps, with as many whole commands as fit into `limit` characters."""
    parts: list[str] = []
    left_out = False
    for number, step in enumerate(first_steps(report), start=1):
        warning = f" ({tr('changes the system')})" if step.dangerous else ""
        parts.append(_harmless(f"{number}. {step.title}{warning}"))
        for command in step.commands:
            lines = [f"    {line}" for line in command.text.strip().splitlines()]
            if any(len(line) > LINE_MAX or _MENTION.search(line) for line in lines):
                # Half of a command, or another one, is worse than none; what follows may need it.
                left_out = True
                break
            parts.append("\n".join(map(_harmless, lines)))
    parts = parts or [_harmless(f"- {place}") for place in where_to_look(report)]
    verify, more = verify_command(report), tr("(more in the report)")
    mentions = bool(_MENTION.search(verify))
    if not parts:
        return more if mentions else _harmless(tr("To look again: {command}", command=verify))
    last = "" if mentions else _harmless(tr("Then verify: {command}", command=verify))
    left_out |= mentions
    text = tr("Do this:")
    for place, part in enumerate(parts):
        is_last = place == len(parts) - 1 and not left_out
        room = limit - len(last) - 1 - (0 if is_last else len(more) + 1)
        if len(text) + 1 + len(part) > room:
            left_out = True
            break
        text = f"{text}\n{part}"
    return "\n".join(filter(None, [text, more if left_out else "", last]))


def _counts(report: Report) -> Iterator[str]:
    """Yield how many checks failed, by component, and how many had another status."""
    places = ", ".join(f"{name} {number}" for name, number in failed_components(report))
    statuses = counted(result.outcome for result in report.results)
    failed = statuses.pop("failed", 0)
    parts = [counted_status(number, status) for status, number in statuses.items()]
    if failed:
        total = len(report.results)
        first = tr(
            "failed {failed} of {total} ({places})", failed=failed, total=total, places=places
        )
        parts.insert(0, first)
    yield tr("Checks: {counts}", counts=tr("; ").join(parts))


def _harmless(text: str) -> str:
    """Return one line of a text without control characters, and with mentions defused."""
    return _MENTION.sub(lambda match: f"{match[0]}\N{ZERO WIDTH SPACE}", clean(text, LINE_MAX))
