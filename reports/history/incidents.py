"""Incidents over several runs: their duration, their recovery, and checks that flap. Pure.

An incident ends with the first run that observed all of its symptoms and saw none fail. A run that
did not observe them all (it was narrowed, was interrupted, or could not reach them) neither ends
nor prolongs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from core.outcome import OBSERVED
from core.units import format_duration
from reports.history.trend import Point

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FLAPPING_RUNS = 20
FLAPPING_CHANGES = 3
"""Changes that make a check flap: one is a fault, two are its repair, three come back."""

PROCESSING_MAX = 300.0
"""Seconds that processing may take on average, as the runbook's metrics to watch have it."""

RECOVERY_RUNS = 12
"""Runs after an incident's end for which its recovery is reported."""


@dataclass(frozen=True)
class RunRecord(Point):
    """One run of the history; `number` is its place in it.

    `outcomes` has statuses by check, `accepted` the probability of each accepted cause by its
    title. `symptoms` are the failed checks that made the run an incident.
    """

    number: int
    headline: str
    certainty: str
    outcomes: Mapping[str, str]
    accepted: Mapping[str, float]
    symptoms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Flapping:
    """A check that changed between passed and failed `changes` times in the last `runs` runs."""

    check: str
    changes: int
    runs: int


@dataclass(frozen=True)
class Incident:
    """One incident: its runs, the last run before it and the first after it, None where unknown.

    Runs in between that could not observe it belong to it.
    """

    runs: tuple[RunRecord, ...]
    before: RunRecord | None
    after: RunRecord | None

    @property
    def symptoms(self) -> tuple[str, ...]:
        """Return the checks that made it an incident; the run that ends it observes each again."""
        return tuple(sorted({check for run in self.runs for check in run.symptoms}))

    @property
    def seconds(self) -> float | None:
        """Return the time from the first run of the incident to the first after it.

        None while it lasts, and where a clock that was set back makes it negative.
        """
        if self.after is None:
            return None
        started, ended = (datetime.fromisoformat(r.started) for r in (self.runs[0], self.after))
        seconds = (ended - started).total_seconds()
        return seconds if seconds >= 0 else None

    def worst(self, figure: str) -> float | None:
        """Return the largest value of a figure, None where it was never observed."""
        values = [value for run in self.runs if (value := run.figures.get(figure)) is not None]
        return max(values, default=None)


@dataclass(frozen=True)
class MetricRecovery:
    """One of the runbook's metrics to watch; `recovers` is None where it was not observed."""

    name: str
    recovers: bool | None
    text: str


def flapping(runs: Sequence[RunRecord]) -> tuple[Flapping, ...]:
    """Return the checks that flap in the last runs, the worst first.

    Only passes and failures count: a check that was not observed has not changed.
    """
    last = runs[-FLAPPING_RUNS:]
    flaps = []
    for check in sorted({check for run in last for check in run.outcomes}):
        statuses = [run.outcomes.get(check) for run in last]
        observed = [status for status in statuses if status in OBSERVED]
        changes = sum(before != after for before, after in pairwise(observed))
        if changes >= FLAPPING_CHANGES:
            flaps.append(Flapping(check, changes, len(last)))
    return tuple(sorted(flaps, key=lambda flap: (-flap.changes, flap.check)))


def last_incident(runs: Sequence[RunRecord]) -> Incident | None:
    """Return the last incident of these runs, over or not; None where there was none."""
    start: int | None = None
    end: int | None = None
    symptoms: set[str] = set()
    for place, run in enumerate(runs):
        if run.state == "incident":
            if start is None or end is not None:
                start, end, symptoms = place, None, set()
            symptoms.update(run.symptoms)
        elif start is not None and end is None and _is_over(run, symptoms):
            end = place
    if start is None:
        return None
    first_symptoms = runs[start].symptoms
    before = next((run for run in reversed(runs[:start]) if _is_over(run, first_symptoms)), None)
    return Incident(tuple(runs[start:end]), before, None if end is None else runs[end])


def unobserved(checks: Iterable[str], outcomes: Mapping[str, str]) -> tuple[str, ...]:
    """Return which of these checks neither passed nor failed among the outcomes of a run."""
    return tuple(check for check in sorted(checks) if outcomes.get(check) not in OBSERVED)


def recovery(
    runs: Sequence[RunRecord], processing_max: float = PROCESSING_MAX
) -> tuple[MetricRecovery, ...]:
    """Return whether the runbook's metrics to watch recover, for runs soon after an incident.

    Empty where there was no incident lately, or the last run is the first of it.
    """
    incident = last_incident(runs)
    if incident is None or runs[-1].number == incident.runs[0].number:
        return ()
    if incident.after and runs[-1].number - incident.after.number >= RECOVERY_RUNS:
        return ()
    now = runs[-1].figures
    return (
        _falling("uploads stuck", incident.worst("uploads_stuck"), now.get("uploads_stuck")),
        _falling(
            "uploads in uploading",
            incident.worst("uploads_uploading"),
            now.get("uploads_uploading"),
        ),
        _rising(now.get("uploads_completed")),
        _limited(now.get("processing_seconds"), processing_max),
        _falling("messages waiting", incident.worst("backlog"), now.get("backlog")),
    )


def _is_over(run: RunRecord, symptoms: Iterable[str]) -> bool:
    # At risk too: a cause fails, and users' uploads complete.
    return run.state in ("healthy", "at risk") and not unobserved(symptoms, run.outcomes)


def _falling(name: str, worst: float | None, now: float | None) -> MetricRecovery:
    if now is None:
        return MetricRecovery(name, None, f"{name}: not observed by the last run")
    if worst is None:
        return MetricRecovery(name, None, f"{name}: {now:.0f} now, not observed in the incident")
    falls = now < worst or now == 0
    word = "falling" if now < worst else "0 throughout" if now == 0 else "not falling"
    return MetricRecovery(name, falls, f"{name}: {worst:.0f} at worst, {now:.0f} now: {word}")


def _rising(now: float | None) -> MetricRecovery:
    name = "uploads completed"
    if now is None:
        return MetricRecovery(name, None, f"{name}: not observed by the last run")
    # The figure counts what completed lately; while it is above 0 the total rises.
    word = "rising" if now > 0 else "not rising"
    return MetricRecovery(name, now > 0, f"{name}: {now:.0f} more lately: {word}")


def _limited(now: float | None, limit: float) -> MetricRecovery:
    name = "processing time"
    if now is None:
        return MetricRecovery(name, None, f"{name}: not observed by the last run")
    word = "within" if now <= limit else "above"
    text = f"{name}: {format_duration(now)} on average, {word} {format_duration(limit)}"
    return MetricRecovery(name, now <= limit, text)
