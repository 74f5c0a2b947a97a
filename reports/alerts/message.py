"""The text of an alert: the terminal's verdict in short, since when, a link to the report."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from core.text import clean, count, cut, listed
from core.units import format_duration
from reports.render.first_steps import first_steps, verify_command
from reports.render.html.path import SIGNS, stations
from reports.render.terminal_words import clock, plain
from reports.render.verdict_words import (
    counted_statuses,
    failed_components,
    ruled_out,
    seen_before,
    telling,
    where_to_look,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo
    from pathlib import Path

    from reports.alerts.policy import Change
    from reports.model.report import Report

CAUSES_MAX = 3
EVIDENCE_MAX = 2
"""Pieces of evidence for the only cause; each of several has one."""

EVIDENCE_LINE_MAX = 160
LINE_MAX = 300
BODY_MAX = 1_800
"""Characters of a body; the strictest of the common services takes 2,000."""

_MENTION = re.compile(r"@(?=everyone|here|channel|all)|<(?=[!@#])", re.IGNORECASE)
"""A mention of everybody, as some services write it; a log line may contain one."""


def title_of(report: Report, change: Change) -> str:
    """Return the title: the target, and what has changed."""
    kind = "cannot tell" if change.kind == "unknown" else change.kind
    event = {
        "alert": kind,
        "worse": kind,
        "reminder": f"still {kind}",
        "recovery": "observed again" if change.kind == "unknown" else f"{kind} over",
    }[change.event]
    return f"Veza {_harmless(report.target.name)}: {event}"


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
    foot = f"Report: {place}"
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
        for one in report.diagnosis.accepted[:CAUSES_MAX]:
            before = seen_before(report, one, zone)
            if before:
                yield f"{one.title}: {before}"


def link_of(report: Report, base: str) -> str:
    """Return the report's address below the URL of the targets' folders."""
    parts = filter(None, (report.target.name, report.runbook_name, "report.html"))
    return "/".join([base.rstrip("/"), *(quote(part, safe="") for part in parts)])


def _duration(report: Report, change: Change, zone: tzinfo | None) -> str:
    if change.seconds is None:
        return "Duration unknown: a clock was set back."
    since = clock(change.since, report.started, zone)
    if change.event == "recovery":
        return f"It lasted {format_duration(change.seconds)}, since {since}."
    impact = report.layout.impact
    owners = report.figure(impact.owners) if impact else None
    affected = f"; {count(round(owners), impact.owner)} affected" if impact and owners else ""
    return f"Since {since} ({format_duration(change.seconds)}){affected}."


def _why(report: Report) -> Iterator[str]:
    """Yield the path with its break, and the evidence for what is named as the cause."""
    row = stations(report)
    broken = [one.name for one in row if one.kind == "broken"]
    if broken:
        names = [one.name.upper() if one.kind == "broken" else one.name for one in row]
        drawn = (f"{SIGNS[one.link]}{name}" for one, name in zip(row[1:], names[1:], strict=True))
        yield f"Broken at {listed(broken)}: {names[0]}{''.join(drawn)}"
    accepted = report.diagnosis.accepted
    groups = [[c.check for c in telling(one.supporting, "failed")] for one in accepted]
    groups = groups or [[r.outcome.check for r in report.results if r.outcome.status == "failed"]]
    each = EVIDENCE_MAX if len(groups) == 1 else 1
    shown: dict[str, None] = {}
    for checks in groups[:CAUSES_MAX]:
        sentences = (cut(plain(report.evidence(check)), EVIDENCE_LINE_MAX) for check in checks)
        new = [one for one in dict.fromkeys(sentences) if one and one not in shown]
        shown |= dict.fromkeys(new[:each])
    yield from (f"✗ {sentence}" for sentence in shown)
    out = ruled_out(report)
    if accepted and out:
        yield f"✓ ruled out: {', '.join(out)}"


def _to_do(report: Report, limit: int) -> str:
    """Return the first steps in as many whole lines as fit into `limit` characters."""
    lines = []
    for number, step in enumerate(first_steps(one.steps for one in report.remedies), start=1):
        mark = " (changes the system)" if step.dangerous else ""
        lines.append(f"{number}. {step.title}{mark}")
        for command in step.commands:
            lines += [f"    {line}" for line in command.text.strip().splitlines()]
    lines = lines or [f"- {place}" for place in where_to_look(report)]
    verify = verify_command(report)
    last = _harmless(f"Then verify: {verify}" if lines else f"To look again: {verify}")
    if not lines:
        return last
    text = "\n".join(map(_harmless, ["Do this:", *lines]))
    if len(text) + len(last) + 1 > limit:
        more = "(more in the report)"
        text = text[: limit - len(more) - len(last) - 2].rpartition("\n")[0] + f"\n{more}"
    return f"{text}\n{last}"


def _counts(report: Report) -> Iterator[str]:
    """Yield how many checks failed, by component, and how many had another status."""
    places = ", ".join(f"{name} {number}" for name, number in failed_components(report))
    others = [f"{number} {word}" for word, number in counted_statuses(report) if word != "failed"]
    failed = dict(counted_statuses(report)).get("failed", 0)
    parts = [f"{failed} of {len(report.results)} ({places})"] if failed else []
    yield f"Checks: {'; '.join(['failed ' + part for part in parts] + others)}"


def _harmless(text: str) -> str:
    """Return one line of a text without control characters, and with mentions defused."""
    return _MENTION.sub(lambda match: f"{match[0]}\N{ZERO WIDTH SPACE}", clean(text, LINE_MAX))
