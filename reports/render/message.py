"""What each message says below its first lines: the path, the evidence, what to do, the checks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from core.language import tr
from core.outcome import counted, counted_status
from core.text import clean, listed
from reports.model.report import Report
from reports.render.first_steps import first_steps, verify_command
from reports.render.path import drawn, stations
from reports.render.verdict_words import evidence_lines, failed_components, where_to_look

EVIDENCE_MAX = 2
"""Pieces of evidence for the only cause; each of several has one."""

LINE_MAX = 300
BODY_MAX = 1_800
"""Characters of a message; the strictest of the common services takes 2,000."""

_MENTION = re.compile(r"@(?=everyone|here|channel|all)|<(?=[!@#])", re.IGNORECASE)
"""A mention of everybody, as some services write it; a log line may contain one."""


def message(report: Report, head: Iterable[str], foot: str = "") -> str:
    """Return the text below the lines of `head`; the last line is `foot`, which is not cut."""
    first = lines_of(head)
    why = lines_of(_why(report))
    last = "\n".join(filter(None, [lines_of(_counts(report)), foot]))
    room = BODY_MAX - len(first) - len(why) - len(last) - 6
    return "\n\n".join(filter(None, [first, why, to_do(report, room), last]))


def lines_of(texts: Iterable[str]) -> str:
    """Return each text on one line, harmless."""
    return "\n".join(map(harmless, texts))


def harmless(text: str) -> str:
    """Return one line of a text without control characters, and with mentions defused."""
    return _MENTION.sub(lambda match: f"{match[0]}\N{ZERO WIDTH SPACE}", clean(text, LINE_MAX))


def _why(report: Report) -> Iterator[str]:
    """Yield the path with its break, and the evidence for what is named as the cause."""
    row = stations(report)
    broken = [one.name for one in row if one.kind == "broken"]
    if broken:
        yield tr("Broken at {stations}: {path}", stations=listed(broken), path=drawn(row))
    most = EVIDENCE_MAX if len(report.diagnosis.accepted) < 2 else 1
    yield from evidence_lines(report, most)


def to_do(report: Report, limit: int) -> str:
    """Return the first steps, with as many whole commands as fit into `limit` characters."""
    parts: list[str] = []
    left_out = False
    for number, step in enumerate(first_steps(report), start=1):
        warning = f" ({tr('changes the system')})" if step.dangerous else ""
        parts.append(harmless(f"{number}. {step.title}{warning}"))
        for command in step.commands:
            lines = [f"    {line}" for line in command.text.strip().splitlines()]
            if any(len(line) > LINE_MAX or _MENTION.search(line) for line in lines):
                # Half of a command, or another one, is worse than none; what follows may need it.
                left_out = True
                break
            parts.append("\n".join(map(harmless, lines)))
    parts = parts or [harmless(f"- {place}") for place in where_to_look(report)]
    verify, more = verify_command(report), tr("(more in the report)")
    mentions = bool(_MENTION.search(verify))
    if not parts:
        return more if mentions else harmless(tr("To look again: {command}", command=verify))
    last = "" if mentions else harmless(tr("Then verify: {command}", command=verify))
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
    statuses = counted(report.outcomes)
    failed = statuses.pop("failed", 0)
    parts = [counted_status(number, status) for status, number in statuses.items()]
    if failed:
        total = len(report.results)
        first = tr(
            "failed {failed} of {total} ({places})", failed=failed, total=total, places=places
        )
        parts.insert(0, first)
    if parts:
        yield tr("Checks: {counts}", counts=tr("; ").join(parts))
