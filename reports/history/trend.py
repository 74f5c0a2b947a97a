"""The series of runs that a report's trends show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from core.frozen import frozen
from reports.model.report import Report

POINTS_MAX = 100
"""Runs that a trend shows; older ones are only in the history."""


@frozen
class Point:
    """One run of a trend.

    `started` is ISO 8601 in UTC, `seconds` the run's wall time. `figures` has values by the
    figure's id, None where one was not observed.
    """

    started: str
    state: str
    seconds: float
    figures: Mapping[str, float | None]

    @property
    def at(self) -> datetime | None:
        """Return when the run began; None where its time cannot be read."""
        try:
            at = datetime.fromisoformat(self.started)
        except ValueError:
            return None
        return at if at.tzinfo else at.replace(tzinfo=UTC)


def trend_of(report: Report, history: Sequence[Point]) -> tuple[Point, ...]:
    """Return the last runs up to this report's, oldest first, at most POINTS_MAX.

    `history` may contain the report's own run, and later ones when an old report is rendered again:
    neither changes the trend. Starts are UTC as the report writes them, so they compare as text.
    """
    earlier = [point for point in history if point.started < report.started]
    figures = {figure.id: figure.value for figure in report.figures}
    own = Point(report.started, report.state, report.seconds, figures)
    return (*earlier[-(POINTS_MAX - 1) :], own)
