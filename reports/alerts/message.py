"""The text of an alert: the headline, since when, the first actions, a link to the report."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from core.text import clean
from core.units import format_duration

if TYPE_CHECKING:
    from pathlib import Path

    from reports.alerts.policy import Change
    from reports.model.report import Remedy, Report

ACTIONS_MAX = 3
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
        "reminder": f"still {kind}",
        "recovery": "observed again" if change.kind == "unknown" else f"{kind} over",
    }[change.event]
    return f"Veza {_harmless(report.target.name)}: {event}"


def body_of(report: Report, change: Change, path: Path, link_base: str | None) -> str:
    """Return the body. `path` is the report's file, `link_base` the URL of the targets' folders."""
    head = f"{_harmless(report.headline)}\n\n{_duration(change)}"
    link = f"Report: {_link(report, path, link_base)}"
    if change.event == "recovery" or not report.remedies:
        return f"{head}\n\n{link}"
    actions = _actions(report.remedies[0], BODY_MAX - len(head) - len(link) - 4)
    return f"{head}\n\n{actions}\n\n{link}"


def _duration(change: Change) -> str:
    if change.seconds is None:
        return "Duration unknown: a clock was set back."
    if change.event == "recovery":
        return f"It lasted {format_duration(change.seconds)}, since {change.since}."
    return f"Since {change.since} ({format_duration(change.seconds)})."


def _actions(remedy: Remedy, limit: int) -> str:
    """Return the first actions in as many whole lines as fit into `limit` characters."""
    lines = [f"What to do: {remedy.title}"]
    for step in remedy.steps[:ACTIONS_MAX]:
        mark = " (changes the system)" if step.dangerous else ""
        lines.append(f"{step.number}. {step.title}{mark}")
        for command in step.commands:
            lines += [f"    {line}" for line in command.text.strip().splitlines()]
    text = "\n".join(map(_harmless, lines))
    if len(text) <= limit:
        return text
    more = "(more in the report)"
    whole_lines = text[: limit - len(more)].rpartition("\n")[0]
    return f"{whole_lines}\n{more}"


def _link(report: Report, path: Path, link_base: str | None) -> str:
    if link_base is None:
        return str(path.resolve().with_name("report.html"))
    return f"{link_base.rstrip('/')}/{quote(report.target.name, safe='')}/report.html"


def _harmless(text: str) -> str:
    """Return one line of a text without control characters, and with mentions defused."""
    return _MENTION.sub(lambda match: f"{match[0]}\N{ZERO WIDTH SPACE}", clean(text, LINE_MAX))
