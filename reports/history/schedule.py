"""The rhythm of a target's runs: how far apart they are, and the worst state of each time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from reports.history.trend import Point

WORST_FIRST = ("incident", "unknown", "at risk", "healthy")
"""The states in the order in which somebody has to look."""

GAPS_MIN, GAPS_MAX = 3, 50
"""Gaps between runs from which an interval is known, and those that are looked at."""

RESOLUTION = timedelta(microseconds=1)
"""The smallest difference of two times: a slot ends before the next one begins."""


def interval_of(runs: Sequence[Point]) -> float | None:
    """Return the usual seconds from one run to the next; None where there are too few runs.

    After a run that was not healthy the schedule looks again within the minute, so the gaps after
    healthy runs count, where there are any.
    """
    stamped = sorted((at, run.state) for run in runs if (at := run.at))
    gaps = [
        (state, (after - before).total_seconds())
        for (before, state), (after, _) in pairwise(stamped)
        if after > before
    ]
    for chosen in ([gap for state, gap in gaps if state == "healthy"], [gap for _, gap in gaps]):
        if len(chosen) >= GAPS_MIN:
            return median(chosen[-GAPS_MAX:])
    return None


def worst_states(
    runs: Sequence[Point], end: datetime, slot: timedelta, slots: int, hold: float
) -> tuple[str | None, ...]:
    """Return the worst state in each of the slots before `end`, None where no run was.

    A run stands for the time up to the next one, but at most for `hold` seconds. Runs after `end`
    have a clock that is wrong, and are left out.
    """
    start = end - slots * slot
    stamped = sorted((at, run.state) for run in runs if (at := run.at) and at < end)
    worst: list[str | None] = [None] * slots
    for place, (at, state) in enumerate(stamped):
        until = min(at + timedelta(seconds=hold), end)
        if place + 1 < len(stamped):
            until = min(until, stamped[place + 1][0])
        first, last = (at - start) // slot, max(at - start, until - start - RESOLUTION) // slot
        for number in range(max(first, 0), min(last + 1, slots)):
            worst[number] = worse(worst[number], state)
    return tuple(worst)


def worse(one: str | None, other: str) -> str:
    """Return the worse of two states; any that is not known counts as unknown."""
    known = [state if state in WORST_FIRST else "unknown" for state in (one or other, other)]
    return min(known, key=WORST_FIRST.index)
