"""What a message says: the verdict, what to do first, and where the whole report is."""

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
ACTION_LINE_MAX = 300
BODY_MAX = 1_800
"""Characters; the strictest of the common services takes 2,000."""

_WORDS = {"at risk": "at risk", "incident": "incident", "unknown": "cannot tell"}

_CALLS = re.compile(r"@(?=everyone|here|channel|all)|<(?=[!@#])", re.IGNORECASE)
"""What some services take for a call to everybody; a log line may hold it."""


def title_of(report: Report, change: Change) -> str:
    """Return the title: the target, and what has changed."""
    kind = _WORDS[change.kind]
    what = {
        "alert": kind,
        "reminder": f"still {kind}",
        "recovery": "can be seen again" if change.kind == "unknown" else f"{kind} over",
    }[change.what]
    return f"Veza {_tame(report.target.name)}: {what}"


def body_of(report: Report, change: Change, path: Path, link_base: str | None) -> str:
    """Return the text. `path` is the report's file, `link_base` where the folders are served."""
    parts = [_tame(report.headline), _duration(change)]
    if change.what != "recovery":
        parts += [_actions(remedy) for remedy in report.remedies[:1]]
    room = BODY_MAX - sum(len(part) + 2 for part in parts[:2])
    link = f"Report: {_link(report, path, link_base)}"
    if len(parts) > 2 and len(parts[2]) + len(link) + 2 > room:
        parts[2] = clean_lines(parts[2], room - len(link) - 30)
    return "\n\n".join([*parts, link])


def clean_lines(text: str, limit: int) -> str:
    """Return as many whole lines of a text as fit, and say that there are more."""
    lines: list[str] = []
    for line in text.splitlines():
        if sum(len(one) + 1 for one in lines) + len(line) > limit:
            lines.append("(more in the report)")
            break
        lines.append(line)
    return "\n".join(lines)


def _duration(change: Change) -> str:
    if change.seconds is None:
        return "How long is not known: a clock was set back meanwhile."
    if change.what == "recovery":
        return f"It lasted {format_duration(change.seconds)}, since {change.since}."
    return f"Since {change.since} ({format_duration(change.seconds)})."


def _actions(remedy: Remedy) -> str:
    lines = [f"What to do: {remedy.title}"]
    for step in remedy.steps[:ACTIONS_MAX]:
        mark = " (changes the system)" if step.dangerous else ""
        lines.append(f"{step.number}. {step.title}{mark}")
        for command in step.commands:
            lines += [f"    {line}" for line in command.text.strip().splitlines()]
    return "\n".join(_tame(line) for line in lines)


def _link(report: Report, path: Path, link_base: str | None) -> str:
    if link_base is None:
        return str(path.resolve().with_name("report.html"))
    return f"{link_base.rstrip('/')}/{quote(report.target.name, safe='')}/report.html"


def _tame(text: str) -> str:
    return _CALLS.sub(lambda match: f"{match[0]}\N{ZERO WIDTH SPACE}", clean(text, ACTION_LINE_MAX))
