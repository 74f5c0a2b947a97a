"""One earlier run as a trend shows it, and the series that a run adds itself to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reports.model.report import Report

POINTS_MAX = 100
"""Runs that a trend shows; older ones are left to the history."""


@dataclass(frozen=True)
class Point:
    """What a trend follows of one run.

    `started` is ISO 8601 in UTC, `seconds` the run's wall time; `figures` holds the run's figures
    by id, None where one was not observed.
    """

    started: str
    state: str
    seconds: float
    figures: Mapping[str, float | None]


def point_of(report: Report) -> Point:
    """Return what a trend follows of this run."""
    figures = {figure.id: figure.value for figure in report.figures}
    return Point(report.started, report.state, report.seconds, figures)


def trend_of(report: Report, history: Sequence[Point]) -> tuple[Point, ...]:
    """Return the last runs up to this report's, oldest first, at most POINTS_MAX.

    `history` may hold the report's own run already, and later ones when an old report is rendered
    again: neither changes the trend. Both stamps are UTC as the report writes it, so they compare
    as text.
    """
    earlier = [point for point in history if point.started < report.started]
    return (*earlier[-(POINTS_MAX - 1) :], point_of(report))
