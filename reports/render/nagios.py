"""The report for Nagios and its kin: one line with performance data, and an exit status.

https://nagios-plugins.org/doc/guidelines.html: status, text, a bar, then 'label'=value[unit].
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from core.language import numeral, tr
from core.text import flat
from core.units import format_duration
from reports.model.report import Report, State

OK, WARNING, CRITICAL, UNKNOWN = range(4)
WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")

STATUS: dict[State, int] = {
    "healthy": OK,
    "at risk": WARNING,
    "incident": CRITICAL,
    "unknown": UNKNOWN,
}

SKEW = 60.0
"""Seconds that a report may be from the future: two clocks are never quite one."""

TEXT_MAX = 1_000
"""Characters of the text; agents such as NRPE cut the line, and the figures come after it."""


def render(report: Report, now: datetime | None = None, max_age: float | None = None) -> str:
    """Return the line for this report; its first word is the status.

    A report that is older than `max_age` seconds at `now`, or from the future, is UNKNOWN, and so
    is that of a partial run, and a healthy one of a run that observed nothing or had problems.
    """
    status = status_of(report, now, max_age)
    stale = _staleness(report, now, max_age)
    text = (
        tr("{problem}; it said: {headline}", problem=stale, headline=report.headline)
        if stale
        else report.headline
    )
    if report.problems and report.problems[0] not in text:
        text += tr(" Problem of the run: {problem}", problem=report.problems[0])
    return f"{line(status, text)} | {_performance(report)}\n"


def line(status: int, text: str) -> str:
    """Return the status and a text on one line, without the bar that figures begin with."""
    return f"{WORDS[status]}: {flat(text.replace('|', '/'))[:TEXT_MAX]}"


def status_of(report: Report, now: datetime | None = None, max_age: float | None = None) -> int:
    """Return the exit status of the line: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN."""
    if report.partial or _staleness(report, now, max_age):
        return UNKNOWN
    status = STATUS[report.state]
    has_passed = any(result.outcome.status == "passed" for result in report.results)
    return UNKNOWN if status == OK and (report.problems or not has_passed) else status


def _staleness(report: Report, now: datetime | None, max_age: float | None) -> str:
    if max_age is None:
        return ""
    ended = datetime.fromisoformat(report.started) + timedelta(seconds=report.seconds)
    age = ((now or datetime.now(UTC)) - ended).total_seconds()
    if age < -SKEW:
        return tr("the report is {age} s from the future: a clock is wrong", age=numeral(-age, 0))
    if age > max_age:
        limit = format_duration(max_age)
        return tr(
            "the last report is {duration} old, more than the {limit} allowed",
            duration=format_duration(age),
            limit=limit,
        )
    return ""


def _performance(report: Report) -> str:
    parts = [_entry("run_seconds", report.seconds, "s", "")]
    for figure in report.figures:
        # A figure that was not observed is left out: not every reader knows the "U" of the
        # guidelines, and none may read it as 0.
        if figure.value is not None:
            unit = "s" if figure.unit == "seconds" else ""
            most = "1" if figure.unit == "ratio" else ""
            parts.append(_entry(figure.id, figure.value, unit, most))
    # Without an observation there are only the priors.
    judged = report.diagnosis.hypotheses if report.diagnosis.coverage.observed else ()
    causes = [_entry(f"p_{f.id}", round(f.probability, 4), "", "1") for f in judged]
    return " ".join([*parts, *causes])


def _entry(label: str, value: float, unit: str, most: str) -> str:
    """Return a figure, which is 0 at least, and at most `most` where there is such a limit."""
    # The format ends a label at = and a quote, and knows no exponent.
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", label)
    number = f"{value:.4f}".rstrip("0").rstrip(".")
    return f"{name}={number}{unit};;;0;{most}"
