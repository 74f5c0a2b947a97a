"""What several runs say together: an incident's course, its recovery, checks that flap. Pure.

An incident is over when a run has looked again at what made it one and saw it hold. A run that did
not, for it was narrowed, interrupted or could not look, neither ends nor prolongs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from core.outcome import OBSERVED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FLAPPING_RUNS = 20
FLAPPING_TURNS = 3
"""Turns that make a check flap: one is a fault, two are its repair, three come back."""

PROCESSING_MAX = 300.0
"""Seconds that processing may take on average, as the runbook's metrics to watch have it."""

WATCH_RUNS = 12
"""Runs after an incident's end for which its recovery is told."""

Verdict = Literal["yes", "no", "not seen"]


@dataclass(frozen=True)
class Run:
    """One run of the history; `number` is its place in it. `started` is ISO 8601 in UTC.

    `figures` holds values by the figure's id (None: not observed), `outcomes` statuses by check,
    `held` the probability of each cause that was held to be true, by its title. `symptoms` are the
    failed checks that made it an incident: empty where it was none.
    """

    number: int
    started: str
    seconds: float
    state: str
    headline: str
    certainty: str
    figures: Mapping[str, float | None]
    outcomes: Mapping[str, str]
    held: Mapping[str, float]
    symptoms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Flapping:
    """A check that passed and failed in turns, `turns` times in the last `runs` runs."""

    check: str
    turns: int
    runs: int


@dataclass(frozen=True)
class Episode:
    """One incident: its runs, the last run before it and the first after, None where unknown.

    Runs in between that could not tell belong to it: an incident ends when it is seen to be over.
    """

    runs: tuple[Run, ...]
    before: Run | None
    after: Run | None

    @property
    def symptoms(self) -> tuple[str, ...]:
        """Return the checks that made it an incident: who judges it looks at each of them again."""
        return tuple(sorted({check for run in self.runs for check in run.symptoms}))

    @property
    def seconds(self) -> float | None:
        """From the first run that saw it to the first that saw it over; None while it lasts.

        Also None where a clock that was set back makes nonsense of it.
        """
        if self.after is None:
            return None
        began, ended = (datetime.fromisoformat(r.started) for r in (self.runs[0], self.after))
        length = (ended - began).total_seconds()
        return length if length >= 0 else None

    def most(self, figure: str) -> float | None:
        """Return the largest value that a figure had, None where it was never observed."""
        values = [value for run in self.runs if (value := run.figures.get(figure)) is not None]
        return max(values, default=None)


@dataclass(frozen=True)
class Watched:
    """One of the runbook's metrics to watch after an incident: does it recover?"""

    name: str
    recovers: Verdict
    seen: str


def flapping(runs: Sequence[Run]) -> tuple[Flapping, ...]:
    """Return the checks that flap in the last runs, the worst first.

    Only passes and failures count: what could not be looked at has not changed.
    """
    last = runs[-FLAPPING_RUNS:]
    found = []
    for check in sorted({check for run in last for check in run.outcomes}):
        seen = [run.outcomes.get(check) for run in last]
        told = [status for status in seen if status in ("passed", "failed")]
        turns = sum(before != after for before, after in pairwise(told))
        if turns >= FLAPPING_TURNS:
            found.append(Flapping(check, turns, len(last)))
    return tuple(sorted(found, key=lambda one: (-one.turns, one.check)))


def last_episode(runs: Sequence[Run]) -> Episode | None:
    """Return the last incident of these runs, over or not; None where there was none."""
    first: int | None = None
    after: int | None = None
    wanted: set[str] = set()
    for place, run in enumerate(runs):
        if run.state == "incident":
            if first is None or after is not None:
                first, after, wanted = place, None, set()
            wanted.update(run.symptoms)
        elif first is not None and after is None and _saw_over(run, wanted):
            after = place
    if first is None:
        return None
    before = next((r for r in reversed(runs[:first]) if _saw_over(r, runs[first].symptoms)), None)
    return Episode(tuple(runs[first:after]), before, None if after is None else runs[after])


def not_looked_at(wanted: Iterable[str], outcomes: Mapping[str, str]) -> tuple[str, ...]:
    """Return which of these checks neither passed nor failed among the outcomes of a run."""
    return tuple(check for check in sorted(wanted) if outcomes.get(check) not in OBSERVED)


def recovery(runs: Sequence[Run], processing_max: float = PROCESSING_MAX) -> tuple[Watched, ...]:
    """Return whether the runbook's metrics to watch recover, for runs soon after an incident.

    Empty where there was no incident lately, or the last run is the first that saw it.
    """
    episode = last_episode(runs)
    if episode is None or runs[-1].number == episode.runs[0].number:
        return ()
    if episode.after and runs[-1].number - episode.after.number >= WATCH_RUNS:
        return ()
    now = runs[-1].figures
    return (
        _falls("uploads stuck", episode.most("uploads_stuck"), now.get("uploads_stuck")),
        _falls(
            "uploads in uploading", episode.most("uploads_uploading"), now.get("uploads_uploading")
        ),
        _rises(now.get("uploads_completed")),
        _quick(now.get("processing_seconds"), processing_max),
        _falls("messages waiting", episode.most("backlog"), now.get("backlog")),
    )


def _saw_over(run: Run, wanted: Iterable[str]) -> bool:
    # Where causes fail and no symptom does, uploads flow again.
    return run.state in ("healthy", "at risk") and not not_looked_at(wanted, run.outcomes)


def _falls(name: str, most: float | None, now: float | None) -> Watched:
    if now is None:
        return Watched(name, "not seen", f"{name}: not seen by the last run")
    if most is None:
        return Watched(name, "not seen", f"{name}: {now:.0f} now, not seen during the incident")
    falls = now < most or now == 0
    word = "falling" if now < most else "none all along" if now == 0 else "not falling"
    return Watched(
        name, "yes" if falls else "no", f"{name}: {most:.0f} at worst, {now:.0f} now: {word}"
    )


def _rises(now: float | None) -> Watched:
    name = "uploads completed"
    if now is None:
        return Watched(name, "not seen", f"{name}: not seen by the last run")
    # The figure counts what completed lately; while it is above 0 the total rises.
    word = "rising" if now > 0 else "not rising"
    return Watched(name, "yes" if now > 0 else "no", f"{name}: {now:.0f} more lately: {word}")


def _quick(now: float | None, most: float) -> Watched:
    name = "processing time"
    if now is None:
        return Watched(name, "not seen", f"{name}: not seen by the last run")
    word = "under" if now < most else "not under"
    told = f"{name}: {now:.1f} s on average: {word} {most / 60:g} minutes"
    return Watched(name, "yes" if now < most else "no", told)
