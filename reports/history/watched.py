"""Course of an incident over several looks, and its end. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from core.language import tr
from core.outcome import Status
from core.text import listed, named
from reports.history.incidents import (
    Incident,
    MetricRecovery,
    RunRecord,
    is_over,
    last_incident,
    recovery_from,
    unobserved,
)
from reports.model.report import Report

GOOD_LOOKS = 2
"""Looks in a row that must see no symptom: one may be luck."""


IDLE_MIN = 300.0
"""Seconds without a symptom and without anything new after which a metric need not rise."""


@dataclass
class Watched:
    """The looks so far.

    `already` is the number of the last run in the history before the first look. `looks` counts all
    looks and `lost` those without a whole report; `is_lost` is about the last one, and `problem`
    says why it was lost, or why it cannot be compared with the incident. `report` and `runs` are of
    the last whole look, `before` is the whole report before it. `good` counts the last looks in a
    row that saw no symptom, and `good_since` is when the first of them began.
    """

    already: int = 0
    looks: int = 0
    lost: int = 0
    good: int = 0
    is_lost: bool = False
    problem: str = ""
    report: Report | None = None
    before: Report | None = None
    runs: tuple[RunRecord, ...] = ()
    incident: Incident | None = None
    metrics: tuple[MetricRecovery, ...] = field(default=())
    good_since: datetime | None = None

    def lose(self, reason: str) -> None:
        """Count a look that saw nothing, or not all: nothing follows from it."""
        self.looks += 1
        self.lost += 1
        self.good = 0
        self.is_lost = True
        self.problem = reason

    def take(self, report: Report, runs: Sequence[RunRecord], problem: str = "") -> None:
        """Count a look with its whole report; `runs` are those of the history.

        `problem` says why the history could not be read.
        """
        self.looks += 1
        self.before, self.report, self.runs = self.report, report, tuple(runs)
        self.is_lost = False
        self.problem = problem
        if not runs or runs[-1].started != report.started:
            self.problem = problem or tr("the history does not have this look")
            self.good = 0
            return
        last = last_incident(runs)
        # An incident that was over before is not what is watched.
        is_watched = last and (last.after is None or last.after.number > self.already)
        self.incident = last if is_watched else None
        if self.incident:
            over = is_over(runs[-1], self.incident.symptoms)
            self.metrics = recovery_from(
                self.incident, runs[-1], report.watch, report.layout.figures
            )
        else:
            over, self.metrics = report.state == "healthy", ()
        self.good = self.good + 1 if over else 0
        if self.good == 1:
            self.good_since = runs[-1].at

    @property
    def changes(self) -> dict[str, Status]:
        """Return the new status of each check whose status changed since the whole look before."""
        if self.report is None or self.before is None:
            return {}
        old = self.before.statuses
        now = self.report.statuses.items()
        return {check: status for check, status in now if old.get(check, status) != status}

    @property
    def waits_for(self) -> str:
        """Return what the end is waiting for; empty once the incident is over."""
        if not self.good:
            return self._waits_for_the_end()
        if self.good < GOOD_LOOKS:
            return tr("another look that sees no symptom")
        names = [metric.name for metric in self.metrics if not self._recovers(metric)]
        names = [name for name in names if name not in self.idle]
        return tr("the recovery of {names}", names=listed(names)) if names else ""

    @property
    def idle(self) -> tuple[str, ...]:
        """Return the metrics that need not rise: nothing has come since the symptoms went.

        That is so after IDLE_MIN, and where nothing is unfinished.
        """
        now = self.runs[-1] if self.runs else None
        if self.good < GOOD_LOOKS or not (now and now.at and self.good_since and self.report):
            return ()
        quiet = (now.at - self.good_since).total_seconds()
        fallen = {metric.name for metric in self.metrics if metric.recovers is False}
        return tuple(
            metric.name
            for metric in self.report.watch
            if metric.rises
            and metric.name in fallen
            and quiet >= IDLE_MIN
            and (now.figures.get(metric.idle or "") or 0.0) >= quiet
        )

    def _waits_for_the_end(self) -> str:
        if self.incident is None:
            return tr("{number} looks in a row that are healthy", number=GOOD_LOOKS)
        last = self.runs[-1] if self.runs else None
        hidden = unobserved(self.incident.symptoms, last.outcomes) if last else ()
        if last and hidden and last.state != "incident":
            return tr("a look that observes {checks}", checks=named(hidden))
        return tr("{number} looks in a row without a symptom", number=GOOD_LOOKS)

    def _recovers(self, metric: MetricRecovery) -> bool:
        """Return whether a metric does not speak against the recovery.

        One that no run of the incident observed cannot be waited for.
        """
        if metric.recovers is not None or self.incident is None or self.report is None:
            return metric.recovers is not False
        figures = {one.name: one.figure for one in self.report.watch}
        return self.incident.worst(figures.get(metric.name) or "") is None
