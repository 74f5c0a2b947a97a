"""The times of an incident: since when users suffered, when runs saw it, when it was over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from core.frozen import frozen
from core.language import month
from reports.history.incidents import Incident
from reports.model.layout import Impact
from reports.model.report import Report


@frozen
class Times:
    """The times of one incident, None where one is not known.

    `oldest` is when the oldest item that suffers arrived, by its age in any run. `last_bad` is the
    last run that saw the incident, `end` the first run after it.
    """

    oldest: datetime | None
    last_good: datetime | None
    first_bad: datetime
    last_bad: datetime
    end: datetime | None

    @property
    def began(self) -> datetime:
        """Return when users began to suffer: the oldest item is older than the first bad run."""
        return min(self.oldest or self.first_bad, self.first_bad)

    @property
    def seconds(self) -> float | None:
        """Return how long it lasted, or has lasted; None where a clock was set back."""
        seconds = ((self.end or self.last_bad) - self.began).total_seconds()
        return seconds if seconds >= 0 else None


def times_of(report: Report, episode: Incident | None) -> Times:
    """Return the times of the incident that this report saw; `episode` has all runs of it."""
    times = times_of_runs(episode, report.layout.impact) if episode else None
    if times:
        return times
    started = datetime.fromisoformat(report.started)
    ended = started + timedelta(seconds=report.seconds)
    figures = {figure.id: figure.value for figure in report.figures}
    return Times(_oldest([(ended, figures)], report.layout.impact), None, started, ended, None)


def times_of_runs(episode: Incident, impact: Impact | None) -> Times | None:
    """Return the times of an incident; None where no run of it has a time that can be read.

    `impact` says which figure is the age of the oldest item that suffers.
    """
    bad = [(run, run.at) for run in episode.runs if run.state == "incident" and run.at]
    if not bad:
        return None
    # A run is dated by its end: the ages that it saw are those of that moment.
    ends = [(at + timedelta(seconds=run.seconds), run.figures) for run, at in bad]
    return Times(
        oldest=_oldest(ends, impact),
        last_good=episode.before.at if episode.before else None,
        first_bad=bad[0][1],
        last_bad=max(at for at, _ in ends),
        end=episode.after.at if episode.after else None,
    )


def local(at: datetime) -> str:
    """Return a time as this machine's clock shows it, with the zone."""
    at = at.astimezone()
    return f"{at.day} {month(at)} {at:%Y, %H:%M %Z}"


def _oldest(
    ages: Sequence[tuple[datetime, Mapping[str, float | None]]], impact: Impact | None
) -> datetime | None:
    arrivals: list[datetime] = []
    if impact is None:
        return None
    for at, figures in ages:
        age = figures.get(impact.age)
        if figures.get(impact.count) and age:
            try:
                arrivals.append(at - timedelta(seconds=age))
            except OverflowError:
                continue
    return min(arrivals, default=None)
