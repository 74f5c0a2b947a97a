"""The verdict as a message for a chat: plain text, times in UTC."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from core.language import tr
from core.text import capitalized, titled
from reports.history.trend import Point
from reports.model.headline import journey_sentence
from reports.model.report import Report, state_word
from reports.render.message import lines_of, message
from reports.render.verdict import Verdict, verdict_of
from reports.render.words import form_beside, moment, plain

MARKS = {"healthy": "✓", "at risk": "!", "incident": "✗"}


def render(report: Report, runs: Sequence[Point] = ()) -> str:
    """Return the verdict as plain text; `runs` are the runs up to this one, which is the last."""
    head = map(plain, _head(report, verdict_of(report, runs)))
    return (lines_of(head) if report.state == "healthy" else message(report, head)) + "\n"


def _head(report: Report, verdict: Verdict) -> Iterator[str]:
    """Yield what users feel, since when, the named items, and what is known of the cause."""
    mark = "?" if verdict.kind == "open" else MARKS[report.state]
    state = tr("PARTIAL RUN") if report.partial else state_word(report.state).upper()
    yield f"{mark} {titled(f'{state} {report.target.name}', verdict.impact)}"
    yield _times(report, verdict)
    yield from (journey_sentence([journey], report.layout) for journey in report.journeys)
    if verdict.cause:
        yield titled(verdict.label, verdict.cause)
    if verdict.before:
        yield verdict.before
    if verdict.rivals:
        yield tr("Or: {causes}", causes=verdict.rivals)


def _times(report: Report, verdict: Verdict) -> str:
    """Return since when, and when the run was."""
    parts = [verdict.streak, tr("seen {time}", time=moment(report.started))]
    if verdict.since:
        time = moment(verdict.since.at, form_beside(verdict.since.at, report.started))
        ago = f" ({verdict.since.duration})" if verdict.since.duration else ""
        parts.insert(0, f"{verdict.since.words} {time}{ago}")
    return capitalized(", ".join(filter(None, parts)))
