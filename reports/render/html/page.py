"""The report as one HTML file that opens from disk, for a screen, a phone and paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from core.frozen import frozen
from core.language import tr
from reports.diagnosis.result import Diagnosis, Finding
from reports.history.trend import Point, trend_of
from reports.model.headline import WORTH_NAMING, next_check_of
from reports.model.report import Report
from reports.render.chat import render as as_chat
from reports.render.html import charts
from reports.render.html.checks import checks_of
from reports.render.html.environment import environment, fitting
from reports.render.journey import with_outcomes
from reports.render.path import stations
from reports.render.verdict import verdict_of


@frozen
class PageLimits:
    """Limits of what is shown: characters of a sentence and of a command, and counts."""

    sentence: int
    command: int
    checks: int
    observations: int
    evidence: int
    steps: int
    problems: int


PAGE_LIMITS = (
    PageLimits(2000, 4000, 400, 6, 12, 60, 50),
    PageLimits(600, 2000, 300, 3, 8, 40, 20),
    PageLimits(200, 1000, 200, 2, 5, 25, 10),
    PageLimits(80, 400, 100, 1, 3, 10, 5),
)
"""The first is shown unless the file would grow too large; the last always fits."""


def render(report: Report, history: Sequence[Point] = ()) -> str:
    """Return the report as one self-contained HTML page of at most BYTES_MAX bytes.

    `history` are the runs before this one, oldest first. Pure: the same report and history give the
    same bytes. What was cut to fit says so; report.json has all of it.
    """
    diagnosis = report.diagnosis
    runs = _runs(report, history)
    impact = report.layout.impact
    shown = {
        "report": report,
        "verdict": verdict_of(report, runs),
        "chat": as_chat(report, runs),
        "stations": stations(report),
        "journeys": [with_outcomes(journey, report) for journey in report.journeys],
        "accepted": {finding.id for finding in diagnosis.accepted},
        "path_title": report.layout.path,
        "impact": impact,
        "suffering": report.figure(impact.count) if impact else None,
        "owners": report.figure(impact.owners) if impact else None,
        **_over_time(report, trend_of(report, history)),
        "problems": report.problems,
        "causes": _ranked(diagnosis),
        "next_look": next_check_of(diagnosis),
        "titles": {f.id: f.title for f in diagnosis.causes},
        "words": {
            "days": tr("{days} d"),
            "ago": tr(", {duration} ago"),
            "copied": tr("Copied"),
            "select": tr("Select and copy"),
            "refused": tr("Copying is not allowed here: select the text"),
        },
    }
    templates, policy = environment("report")
    template = templates.get_template("report.html")
    return fitting(
        PAGE_LIMITS,
        lambda amount: template.render(
            shown, amount=amount, groups=checks_of(report, amount.checks), policy=policy
        ),
    )


def _runs(report: Report, history: Sequence[Point]) -> list[Point]:
    """Return the runs up to this report's, which is the last: an old report has later ones."""
    own = trend_of(report, ())[-1]
    return [*(point for point in history if point.started < report.started), own]


def _over_time(report: Report, trend: Sequence[Point]) -> dict[str, Any]:
    line = charts.axis_of(trend)
    if len(line.spans) < 2:
        return {"line": line, "trends": (), "states": ""}
    drawn = Markup(charts.states(line))  # noqa: S704 - an XML writer's, escaped
    return {
        "line": line,
        "trends": charts.trends(line, report.target, report.layout.figures),
        "states": drawn,
    }


def _ranked(diagnosis: Diagnosis) -> list[Finding]:
    """Return the hypotheses, with the causes outside the runbook that are worth a name."""
    failed = diagnosis.certainty != "none"
    return [
        one
        for one in diagnosis.ranked
        if not one.outside or (failed and one.probability >= WORTH_NAMING)
    ]
