"""The last runs over time: a strip of their states, and a chart of each figure, as SVG.

All of them share one axis of time. Each run stands for the time around it, half-way to its
neighbours; where no run was for long, nothing is drawn: silence is not health.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from math import isfinite
from statistics import median
from typing import Any
from xml.etree import ElementTree as ET

from core.frozen import frozen
from core.language import numeral, tr
from core.target_summary import TargetSummary
from core.text import LINE_MAX, clean, titled
from reports.history.trend import Point
from reports.model.figures import limit, percent, quantity
from reports.model.layout import FigureKind
from reports.render.verdict import STATE_CLASSES
from reports.render.words import moment

WIDTH, HEIGHT = 340, 130
LEFT, RIGHT, TOP, BOTTOM = 46, 6, 16, 8
"""Units of a chart, and its margins: at the left stand the values, at the top the limit's word."""

STRIP_WIDTH, STRIP_HEIGHT = 1000, 24

LARGEST = 1e12
"""A larger figure is a wrong reading and would flatten all others."""

DAY = 86_400.0

TOUCHING = 1e-6
"""Share of the axis up to which two spans count as touching."""

STATE_HEIGHTS = {"good": 8, "warn": 16, "bad": 24, "open": 12}
"""The height of a state in the strip: it differs without colours too."""


@frozen
class Span:
    """The time around one run, as shares of the whole axis from 0 to 1; `at` is the run's own."""

    start: float
    at: float
    end: float
    point: Point


@frozen
class Axis:
    """The axis of time: its runs, and the ISO times of its start, middle and end.

    `form` says how these are written: "hours" within a day, else "days".
    """

    spans: tuple[Span, ...]
    marks: tuple[str, ...]
    form: str


@frozen
class Trend:
    """A chart with what a reader who cannot see it needs: the last value, the range, the limit.

    `svg` is safe markup that holds no text but numbers; it is empty where nothing was observed.
    """

    title: str
    last: str
    least: str
    most: str
    limit: str
    svg: str


def axis_of(points: Sequence[Point]) -> Axis:
    """Return the axis of these runs, by their times; a run without a time is dropped."""
    stamped = sorted(
        ((stamp, point) for point in points if (stamp := _stamp(point)) is not None),
        key=lambda pair: pair[0],
    )
    if not stamped:
        return Axis((), (), "hours")
    stamps = [stamp for stamp, _ in stamped]
    gaps = [after - before for before, after in pairwise(stamps)]
    reach = max(median([gap for gap in gaps if gap] or [600.0]), 1.0)
    first, length = stamps[0] - reach / 2, stamps[-1] - stamps[0] + reach
    spans = []
    for place, (stamp, point) in enumerate(stamped):
        before = gaps[place - 1] / 2 if place else reach / 2
        after = gaps[place] / 2 if place < len(gaps) else reach / 2
        start, at, end = (
            (one - first) / length
            for one in (stamp - min(before, reach), stamp, stamp + min(after, reach))
        )
        spans.append(Span(start, at, end, point))
    marks = tuple(
        datetime.fromtimestamp(min(max(first + share * length, 0.0), 2e11), UTC).isoformat()
        for share in (0, 0.5, 1)
    )
    return Axis(tuple(spans), marks, "hours" if length <= DAY else "days")


def states(axis: Axis) -> str:
    """Return a strip with the state of each run, coloured and shaped by it."""
    root = _root(STRIP_WIDTH, STRIP_HEIGHT, "strip")
    root.set("preserveAspectRatio", "none")
    for span in axis.spans:
        kind = STATE_CLASSES.get(span.point.state, "open")
        tall = STATE_HEIGHTS[kind]
        bar = _rect(root, kind, span.start, span.end, (0, STRIP_WIDTH), STRIP_HEIGHT - tall, tall)
        when, state = moment(span.point.started), tr(span.point.state)
        text = titled(when, state)
        ET.SubElement(bar, "title").text = clean(text, LINE_MAX)
    return ET.tostring(root, encoding="unicode")


def trends(axis: Axis, target: TargetSummary, kinds: Sequence[FigureKind]) -> tuple[Trend, ...]:
    """Return the charts of these figures, each with its limit and the incidents shaded."""
    return tuple(_trend(axis, target, one.id, one.chart, one.unit) for one in kinds if one.chart)


def _trend(axis: Axis, target: TargetSummary, name: str, title: str, unit: str) -> Trend:
    most, least = target.limits.get(name), target.minimums.get(name)
    limit_text = limit(most, least, unit)
    threshold = _usable(least if most is None else most)
    rows = [(span, _usable(span.point.figures.get(name))) for span in axis.spans]
    observed = [value for _, value in rows if value is not None]
    if not observed:
        return Trend(title, tr("not observed"), "", "", limit_text, "")
    top = 1.0 if unit == "ratio" else max(*observed, threshold or 0.0, 1.0)
    root = _root(WIDTH, HEIGHT, "chart")
    for span in axis.spans:
        if span.point.state == "incident":
            plot = (LEFT, WIDTH - LEFT - RIGHT)
            _rect(root, "shade", span.start, span.end, plot, TOP, HEIGHT - TOP - BOTTOM)
    for value in (0.0, top):
        _level(root, "grid", value / top)
        _label(root, "tick", LEFT - 5, _y(value / top) + 4, _tick(value, unit))
    if threshold is not None:
        height = min(threshold / top, 1.0)
        _level(root, "threshold", height)
        _label(root, "limit", WIDTH - RIGHT, _y(height) - 4, limit_text)
    _line(root, [(span, None if v is None else min(v / top, 1.0)) for span, v in rows])
    last = rows[-1][1]
    return Trend(
        title,
        quantity(last, unit),
        quantity(min(observed), unit),
        quantity(max(observed), unit),
        limit_text,
        ET.tostring(root, encoding="unicode"),
    )


def _line(root: ET.Element, rows: Sequence[tuple[Span, float | None]]) -> None:
    """Draw a line through the values, with a dot at each.

    It breaks where a value is missing, and where no run was for long.
    """
    pieces: list[list[str]] = [[]]
    reached = 0.0
    for span, value in rows:
        if value is None or span.start > reached + TOUCHING:
            pieces.append([])
        reached = span.end
        if value is None:
            continue
        x, y = f"{_x(span.at):.1f}", f"{_y(value):.1f}"
        pieces[-1].append(f"{x},{y}")
        ET.SubElement(root, "circle", {"class": "dot", "cx": x, "cy": y, "r": "1.8"})
    for piece in pieces:
        if len(piece) > 1:
            ET.SubElement(root, "polyline", {"class": "line", "points": " ".join(piece)})


def _rect(
    root: ET.Element,
    kind: str,
    start: float,
    end: float,
    across: tuple[int, int],
    top: int,
    height: int,
) -> ET.Element:
    left, width = across
    return ET.SubElement(
        root,
        "rect",
        {
            "class": kind,
            "x": f"{left + start * width:.1f}",
            "y": str(top),
            "width": f"{max((end - start) * width, 1):.1f}",
            "height": str(height),
        },
    )


def _level(root: ET.Element, kind: str, height: float) -> None:
    y = f"{_y(height):.1f}"
    attributes = {"class": kind, "x1": str(LEFT), "x2": str(WIDTH - RIGHT), "y1": y, "y2": y}
    ET.SubElement(root, "line", attributes)


def _label(root: ET.Element, kind: str, x: float, y: float, text: str) -> None:
    """Write a text that ends at `x`."""
    attributes = {"class": kind, "x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": "end"}
    ET.SubElement(root, "text", attributes).text = text


def _tick(value: float, unit: str) -> str:
    return percent(numeral(value * 100, 0)) if unit == "ratio" else quantity(value, unit)


def _x(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _root(width: int, height: int, kind: str) -> ET.Element:
    # The text beside it says what it shows; a screen reader would read mere ticks.
    return ET.Element(
        "svg", {"viewBox": f"0 0 {width} {height}", "class": kind, "aria-hidden": "true"}
    )


def _usable(value: Any) -> float | None:
    known = isinstance(value, int | float) and isfinite(value) and 0 <= value <= LARGEST
    return float(value) if known else None


def _stamp(point: Point) -> float | None:
    try:
        return point.at.timestamp() if point.at else None
    except OverflowError:
        return None
