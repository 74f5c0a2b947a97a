"""The trends of the last runs as SVG."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from leather import Chart, Dots, Line, Linear, Series  # type: ignore[import-untyped]

from reports.render.html.text import moment, quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.history.trend import Point

WIDTH, HEIGHT = 360, 170

LARGEST = 1e12
"""A larger figure is a wrong reading and would flatten all others."""

FOLLOWED: tuple[tuple[str, str, str], ...] = (
    ("uploads_stuck", "Stuck uploads", ""),
    ("backlog", "Queue backlog", ""),
    ("processing_seconds", "Processing time", "seconds"),
    ("disk_free_ratio", "Free disk", "ratio"),
)
"""Figures with a trend: id, title, unit. A run's duration has one as well."""

STATE_CLASSES = {"healthy": "good", "at risk": "warn", "incident": "bad"}
"""The CSS class of each state; any other is unknown."""

_LONG = re.compile(r"\.(\d)\d+")


@dataclass(frozen=True)
class Trend:
    """A chart with what a reader who cannot see it needs: the last value and the range.

    `svg` is safe markup that holds no text but numbers; it is empty where nothing was observed.
    """

    title: str
    last: str
    least: str
    most: str
    svg: str


def trends(points: Sequence[Point]) -> tuple[Trend, ...]:
    """Return a chart of each figure in FOLLOWED, and of the runs' duration."""
    placed = positions(points)
    found = [
        _trend(title, unit, [(x, point.figures.get(name)) for x, point in placed])
        for name, title, unit in FOLLOWED
    ]
    return (
        *found,
        _trend("Duration of a run", "seconds", [(x, point.seconds) for x, point in placed]),
    )


def positions(points: Sequence[Point]) -> list[tuple[float, Point]]:
    """Return each point with its position in time, 0 to 1; others are dropped."""
    stamped = [(stamp, point) for point in points if (stamp := _stamp(point.started)) is not None]
    if not stamped:
        return []
    first = min(stamp for stamp, _ in stamped)
    span = max(stamp for stamp, _ in stamped) - first
    return [((stamp - first) / span if span else 1.0, point) for stamp, point in stamped]


def states(points: Sequence[Point]) -> str:
    """Return a strip with a column for each run, coloured and shaped by its state."""
    height = {"good": 8, "warn": 16, "bad": 24, "open": 12}
    root = _root(len(points) * 10, 24, "strip")
    for number, point in enumerate(points):
        kind = STATE_CLASSES.get(point.state, "open")
        tall = height[kind]
        bar = ET.SubElement(root, "rect", x=str(number * 10 + 1), y=str(24 - tall))
        bar.attrib.update({"width": "8", "height": str(tall), "class": kind})
        ET.SubElement(bar, "title").text = f"{moment(point.started)}: {point.state}"
    return ET.tostring(root, encoding="unicode")


def _trend(title: str, unit: str, values: Sequence[tuple[float, Any]]) -> Trend:
    scale = 100 if unit == "ratio" else 1
    rows = [(x, _usable(value)) for x, value in values]
    seen = [value for _, value in rows if value is not None]
    if not seen:
        return Trend(title, "not observed", "", "", "")
    # Below 1 leather's ticks can no longer be told apart from one another.
    top = 100.0 if unit == "ratio" else max(*seen, 1.0)
    chart = Chart()
    chart.add_x_scale(0, 1)
    chart.set_y_scale(Linear(0, top))
    chart.add_x_axis(ticks=[0, 1], tick_formatter=lambda *_: "")
    chart.add_y_axis(tick_formatter=lambda value, *_: _tick(float(value), unit))
    rows_scaled = [(x, None if v is None else min(v * scale, top)) for x, v in rows]
    chart.add_series(Series(rows_scaled), _Trace())
    root = _root(WIDTH, HEIGHT, "chart")
    root.set("viewBox", f"0 6 {WIDTH} {HEIGHT - 34}")  # leather leaves room for labels below
    root.append(chart.to_svg_group(WIDTH, HEIGHT))
    last = rows[-1][1]
    return Trend(
        title,
        "not observed" if last is None else quantity(last, unit),
        quantity(min(seen), unit),
        quantity(max(seen), unit),
        _LONG.sub(r".\1", ET.tostring(root, encoding="unicode")),
    )


class _Trace:
    """A line with a dot at each run, so that a run between two gaps is seen; for leather."""

    _shapes = (Line("#0b5cad"), Dots("#0b5cad", 2))

    def validate_series(self, series: Any) -> None:
        for shape in self._shapes:
            shape.validate_series(series)

    def to_svg(self, *place: Any) -> ET.Element:
        group = ET.Element("g")
        for shape in self._shapes:
            group.append(shape.to_svg(*place))
        return group


def _root(width: int, height: int, kind: str) -> ET.Element:
    # The text beside it says what it shows; a screen reader would read mere ticks.
    return ET.Element(
        "svg", {"viewBox": f"0 0 {width} {height}", "class": kind, "aria-hidden": "true"}
    )


def _tick(value: float, unit: str) -> str:
    if unit == "ratio":
        return f"{value:.0f} %"
    text = f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"
    return f"{text} s" if unit == "seconds" else text


def _usable(value: Any) -> float | None:
    known = isinstance(value, int | float) and isfinite(value) and 0 <= value <= LARGEST
    return float(value) if known else None


def _stamp(started: str) -> float | None:
    try:
        at = datetime.fromisoformat(started)
    except ValueError:
        return None
    return at.replace(tzinfo=at.tzinfo or UTC).timestamp()
