"""The rhythm of a target's runs: their interval, and the worst state of each time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.history.schedule import GAPS_MIN, WORST_FIRST, interval_of, worst_states
from reports.history.trend import Point

START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTES = 60.0


def run(minutes: float, state: str = "healthy") -> Point:
    """A run that many minutes after the start of the day."""
    return Point((START + timedelta(minutes=minutes)).isoformat(), state, 1.0, {})


def every(minutes: float, number: int, state: str = "healthy") -> list[Point]:
    """Runs with that interval."""
    return [run(minutes * place, state) for place in range(number)]


def states(runs: Iterable[Point], slots: int = 4, hold: float = 0.0) -> tuple[str | None, ...]:
    """The worst state of each of the first hours of the day."""
    return worst_states(tuple(runs), START + slots * HOUR, HOUR, slots, hold)


def test_interval_is_the_usual_gap() -> None:
    """One run by hand and one pause do not change it."""
    runs = [*every(5, 20), run(96), run(300), run(305)]
    assert interval_of(runs) == 5 * MINUTES


def test_looks_that_follow_a_bad_run_do_not_count() -> None:
    """In trouble a schedule looks every minute; that is not the interval of a healthy target."""
    runs = [*every(5, 5), *(run(25 + n, "incident") for n in range(60))]
    assert interval_of(runs) == 5 * MINUTES


def test_interval_of_a_target_that_is_never_healthy() -> None:
    """Where there is no healthy run, all gaps count."""
    assert interval_of(every(7, 10, "at risk")) == 7 * MINUTES


@pytest.mark.parametrize(
    "runs",
    [
        [],
        every(5, GAPS_MIN),
        [run(0), run(0), run(0), run(0)],
        [Point("never", "healthy", 1.0, {})],
    ],
)
def test_too_few_runs_have_no_interval(runs: list[Point]) -> None:
    """Some gaps must be known; runs at the same time, or without one, make none."""
    assert interval_of(runs) is None


def test_the_worst_state_of_an_hour_is_shown() -> None:
    """The order is that in which somebody has to look."""
    runs = [run(10), run(20, "incident"), run(30, "unknown"), run(70, "at risk"), run(80)]
    runs += [run(130, "unknown"), run(140, "at risk")]
    assert states(runs) == ("incident", "at risk", "unknown", None)


def test_an_hour_without_a_run_is_empty() -> None:
    """Silence is not health."""
    assert states([run(10), run(190)]) == ("healthy", None, None, "healthy")


def test_a_run_stands_for_the_time_up_to_the_next() -> None:
    """A run every two hours fills the hour between, but not a longer pause."""
    assert states([run(10), run(130)], hold=130 * MINUTES) == ("healthy",) * 4
    assert states([run(10)], hold=110 * MINUTES) == ("healthy", "healthy", None, None)
    assert states([run(10, "incident"), run(30)], hold=600 * MINUTES) == (
        "incident",
        "healthy",
        "healthy",
        "healthy",
    )


def test_a_run_that_ends_with_the_hour_is_not_in_the_next() -> None:
    """A slot has its start and not its end."""
    assert states([run(0, "incident"), run(60)]) == ("incident", "healthy", None, None)
    assert states([run(0)], hold=60 * MINUTES) == ("healthy", None, None, None)


def test_a_wrong_clock_changes_nothing() -> None:
    """Runs before the first hour, after the last one and without a time are left out."""
    wrong = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "today", "")
    runs = [run(10), *(Point(text, "incident", 1.0, {}) for text in wrong)]
    assert states(runs, hold=10 * MINUTES) == ("healthy", None, None, None)
    assert interval_of(runs) is None


RUNS = st.lists(
    st.builds(run, st.floats(-600, 600), st.sampled_from([*WORST_FIRST, "a state of its own"]))
)


@given(RUNS, st.floats(0, 1e6))
def test_no_state_is_made_up(runs: list[Point], hold: float) -> None:
    """An hour has at most the worst of all states, and without a run none."""
    known = {one.state if one.state in WORST_FIRST else "unknown" for one in runs}
    hours = states(runs, hold=hold)
    assert len(hours) == 4
    assert {one for one in hours if one} <= known
    for one in runs:
        hour = int((one.at - START) // HOUR) if one.at else -1
        if 0 <= hour < 4:
            assert hours[hour] is not None
            assert WORST_FIRST.index(hours[hour] or "") <= (
                WORST_FIRST.index(one.state) if one.state in WORST_FIRST else 1
            )
