"""The verdict as a message for a chat: plain text of a few lines, times in UTC."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from core.language import tr
from core.outcome import counted, counts_in_words
from core.text import capitalized, clean, cut
from reports.model.headline import journey_sentence
from reports.model.report import state_word
from reports.render.first_steps import first_steps
from reports.render.path import drawn, stations
from reports.render.verdict import verdict_of
from reports.render.verdict_words import evidence_lines, failed_components
from reports.render.words import moment, plain

if TYPE_CHECKING:
    from reports.history.trend import Point
    from reports.model.report import Report
    from reports.render.verdict import Verdict

LINE_MAX = 200
COMMAND_MAX = 1_000
EVIDENCE_MAX = 2

_MENTION = re.compile(r"@(?=everyone|here|channel|all)", re.IGNORECASE)
"""A mention of everybody, which a log line may contain."""

MARKS = {"healthy": "✓", "at risk": "!", "incident": "✗"}


def render(report: Report, runs: Sequence[Point] = ()) -> str:
    """Return the verdict as plain text; `runs` are the runs up to this one, which is the last."""
    return "".join(f"{clean(line)}\n" for line in _lines(report, runs))


def _lines(report: Report, runs: Sequence[Point]) -> Iterator[str]:
    verdict = verdict_of(report, runs)
    mark = "?" if verdict.kind == "open" else MARKS[report.state]
    state = tr("PARTIAL RUN") if report.partial else state_word(report.state).upper()
    yield _line(f"{mark} {_titled(f'{state} {report.target.name}', verdict.impact)}")
    yield _times(report, verdict)
    yield from (_line(journey_sentence([journey], report.layout)) for journey in report.journeys)
    if report.state == "healthy":
        return
    row = stations(report)
    if any(station.kind == "broken" for station in row):
        yield tr("Path: {path}", path=drawn(row))
    if verdict.cause:
        yield _line(_titled(verdict.label, verdict.cause))
    if verdict.before:
        yield _line(verdict.before)
    yield from map(_line, evidence_lines(report, EVIDENCE_MAX, LINE_MAX))
    if verdict.rivals:
        yield _line(tr("Or: {causes}", causes=verdict.rivals))
    yield from _to_do(report, verdict)
    numbers = counts_in_words(counted(result.outcome for result in report.results))
    places = ", ".join(f"{name} {number}" for name, number in failed_components(report))
    failed = tr(" (failed: {components})", components=places) if places else ""
    checks = tr("Checks: {counts}", counts=numbers) if numbers else tr("Checks: none")
    yield _line(checks + failed)


def _titled(title: str, text: str) -> str:
    return tr("{title}: {text}", title=title, text=text)


def _times(report: Report, verdict: Verdict) -> str:
    """Return since when, and when the run was."""
    parts = [verdict.streak, tr("seen {time}", time=moment(report.started))]
    if verdict.since:
        day = "clock" if verdict.since.at[:10] == report.started[:10] else "short"
        ago = f" ({verdict.since.duration})" if verdict.since.duration else ""
        parts.insert(0, f"{verdict.since.words} {moment(verdict.since.at, day)}{ago}")
    return capitalized(", ".join(filter(None, parts)))


def _to_do(report: Report, verdict: Verdict) -> Iterator[str]:
    steps = first_steps(report)
    if steps:
        yield tr("Do this:")
    elif verdict.action and verdict.action.title:
        yield _line(verdict.action.title)
    for number, step in enumerate(steps, start=1):
        warning = f" ⚠ {tr('changes the system')}" if step.dangerous else ""
        yield _line(f"{number}. {step.title}{warning}")
        for command in step.commands:
            if len(command.text) > COMMAND_MAX:
                yield tr("   (the command is in the report)")
                continue
            yield from (f"   {line}" for line in command.text.strip().splitlines())
    if steps:
        yield tr("Then verify: {command}", command=verdict.again)
    else:
        yield tr("Check again: {command}", command=verdict.again)


def _line(text: str) -> str:
    return cut(_MENTION.sub("(at)", plain(text)), LINE_MAX)
