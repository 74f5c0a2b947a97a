"""Incidents over several runs: their duration, their recovery, and checks that flap. Pure.

An incident ends with the first run that observed all of its symptoms and saw none fail. A run that
did not observe them all (it was narrowed, was interrupted, or could not reach them) neither ends
nor prolongs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from core.frozen import frozen
from core.language import tr
from core.outcome import OBSERVED
from core.text import titled
from reports.history.trend import Point
from reports.model.figures import quantity
from reports.model.layout import FigureKind
from reports.model.report import WatchedMetric

INCIDENT_RUNS = 2_000
"""Runs searched for an incident: a day of one every minute, six days of one every five."""

FLAPPING_RUNS = 20
FLAPPING_CHANGES = 3
"""Changes that make a check flap: one is a fault, two are its repair, three come back."""

RECOVERY_RUNS = 12
"""Runs after an incident's end for which its recovery is reported."""


@frozen
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


@frozen
class Flapping:
    """A check that changed between passed and failed `changes` times in the last `runs` runs."""

    check: str
    changes: int
    runs: int


@frozen
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

    def worst(self, figure: str, *, more_is_better: bool = False) -> float | None:
        """Return the largest value of a figure, or the least; None where it was never observed."""
        values = [value for run in self.runs if (value := run.figures.get(figure)) is not None]
        return min(values, default=None) if more_is_better else max(values, default=None)


@frozen
class MetricRecovery:
    """One of the runbook's metrics to watch; `recovers` is None where it was not observed."""

    name: str
    recovers: bool | None
    trend: str

    @property
    def text(self) -> str:
        """The metric with its trend."""
        return titled(self.name, self.trend)


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


def incidents(runs: Sequence[RunRecord]) -> list[Incident]:
    """Return every incident of these runs, over or not, the oldest first."""
    ended = []
    start: int | None = None
    symptoms: set[str] = set()
    for place, run in enumerate(runs):
        if run.state == "incident":
            start = place if start is None else start
            symptoms.update(run.symptoms)
        elif start is not None and is_over(run, symptoms):
            ended.append(_incident(runs, start, place))
            start, symptoms = None, set()
    return ended if start is None else [*ended, _incident(runs, start, None)]


def last_incident(runs: Sequence[RunRecord]) -> Incident | None:
    """Return the last incident of these runs, over or not; None where there was none."""
    return next(reversed(incidents(runs)), None)


def unobserved(checks: Iterable[str], outcomes: Mapping[str, str]) -> tuple[str, ...]:
    """Return which of these checks neither passed nor failed among the outcomes of a run."""
    return tuple(check for check in sorted(checks) if outcomes.get(check) not in OBSERVED)


def is_over(run: RunRecord, symptoms: Iterable[str]) -> bool:
    """Return whether a run ends an incident of these symptoms."""
    # At risk too: a cause fails, and users' work is done.
    return run.state in ("healthy", "at risk") and not unobserved(symptoms, run.outcomes)


def recent_incident(runs: Sequence[RunRecord]) -> Incident | None:
    """Return the last incident, if it is recent and the last run is not the first of it."""
    incident = last_incident(runs)
    if incident is None or runs[-1].number == incident.runs[0].number:
        return None
    if incident.after and runs[-1].number - incident.after.number >= RECOVERY_RUNS:
        return None
    return incident


def recovery(
    runs: Sequence[RunRecord], metrics: Sequence[WatchedMetric], kinds: Sequence[FigureKind]
) -> tuple[MetricRecovery, ...]:
    """Return whether these metrics recover after a recent incident; empty where there was none."""
    incident = recent_incident(runs)
    return recovery_from(incident, runs[-1], metrics, kinds) if incident else ()


def recovery_from(
    incident: Incident,
    run: RunRecord,
    metrics: Sequence[WatchedMetric],
    kinds: Sequence[FigureKind],
) -> tuple[MetricRecovery, ...]:
    """Return whether these metrics recover from an incident, by a later run.

    `kinds` are the layout's: the figures' units, and of which more is better.
    """
    by_id = {kind.id: kind for kind in kinds}
    recoveries = []
    for metric in metrics:
        figure = metric.figure or ""
        kind = by_id.get(figure, FigureKind(figure, figure))
        worst = incident.worst(figure, more_is_better=kind.more_is_better)
        recoveries.append(_recovery_of(metric, kind, worst, run.figures.get(figure)))
    return tuple(recoveries)


def _incident(runs: Sequence[RunRecord], start: int, end: int | None) -> Incident:
    """Return the incident of the runs from `start` to before `end`, the run that ended it."""
    first = runs[start].symptoms
    before = next((run for run in reversed(runs[:start]) if is_over(run, first)), None)
    return Incident(tuple(runs[start:end]), before, None if end is None else runs[end])


def _recovery_of(
    metric: WatchedMetric, kind: FigureKind, worst: float | None, now: float | None
) -> MetricRecovery:
    recovers: bool | None = None
    value = quantity(now, kind.unit)
    if metric.figure is None:
        trend = tr("not observed by the checks")
    elif now is None:
        trend = tr("not observed by the last run")
    elif metric.limit is not None:
        recovers, trend = _by_limit(kind, metric.limit, now)
    elif metric.rises:
        # The figure counts recent events; while it is above 0 the metric rises.
        recovers = now > 0
        if recovers:
            trend = tr("{value} recently, rising", value=value)
        else:
            trend = tr("{value} recently, not rising", value=value)
    elif worst is None:
        trend = tr("{value} now, not observed during the incident", value=value)
    else:
        recovers, trend = _by_direction(kind, worst, now)
    return MetricRecovery(metric.name, recovers, trend)


def _by_limit(kind: FigureKind, limit: float, now: float) -> tuple[bool, str]:
    """Return whether a figure is within its limit, and the sentence."""
    parts = {"value": quantity(now, kind.unit), "limit": quantity(limit, kind.unit)}
    if now >= limit if kind.more_is_better else now <= limit:
        return True, tr("{value}, within the limit of {limit}", **parts)
    if kind.more_is_better:
        return False, tr("{value}, below the limit of {limit}", **parts)
    return False, tr("{value}, above the limit of {limit}", **parts)


def _by_direction(kind: FigureKind, worst: float, now: float) -> tuple[bool, str]:
    """Return whether a figure moves away from its worst value, and the sentence."""
    parts = {"worst": quantity(worst, kind.unit), "value": quantity(now, kind.unit)}
    if kind.more_is_better:
        if now > worst:
            return True, tr("{worst} at worst, {value} now, rising", **parts)
        return False, tr("{worst} at worst, {value} now, not rising", **parts)
    if now < worst:
        return True, tr("{worst} at worst, {value} now, falling", **parts)
    if now:
        return False, tr("{worst} at worst, {value} now, not falling", **parts)
    return True, tr("{worst} at worst, {value} now, 0 throughout", **parts)
