"""The history for a terminal: the last runs, flapping checks, and the recovery."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.text import clean, named
from core.units import format_duration
from reports.history.incidents import flapping, recent_incident, recovery, unobserved
from reports.render.incident_times import local, times_of_runs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from reports.history.incidents import RunRecord
    from reports.model.layout import Impact
    from reports.model.watch import WatchedMetric

MARKS = {True: "✓", False: "✗", None: "?"}


def render(
    runs: Sequence[RunRecord],
    shown: int,
    metrics: Sequence[WatchedMetric] = (),
    zone: tzinfo | None = None,
    impact: Impact | None = None,
) -> str:
    """Return the last `shown` of these runs as text, oldest first, and what follows from all.

    `metrics` are those to watch after an incident, `impact` says what suffers in it. Its time is
    that of `zone`, None for the machine's own.
    """
    if not runs:
        return "No run is in the history yet.\n"
    lines = [_run(run, impact) for run in runs[-shown:]]
    lines += [
        f"Flapping: {flap.check} changed {flap.changes} times in {flap.runs} runs."
        for flap in flapping(runs)
    ]
    lines += afterwards(runs, metrics, zone, impact)
    # The headlines quote the target, and the file may have been written by anybody.
    return "".join(f"{clean(line)}\n" for line in lines)


def afterwards(
    runs: Sequence[RunRecord],
    metrics: Sequence[WatchedMetric],
    zone: tzinfo | None = None,
    impact: Impact | None = None,
) -> list[str]:
    """Return lines that say whether a recent incident is over and these metrics recover."""
    incident = recent_incident(runs)
    times = times_of_runs(incident, impact) if incident else None
    if incident is None or times is None:
        return []
    word = "about " if times.began == times.oldest else ""
    subject = f"The incident since {word}{local(times.began, zone)}"
    if incident.after is None and runs[-1].state != "incident":
        checks = unobserved(incident.symptoms, runs[-1].outcomes)
        reason = f"did not observe {named(checks)}" if checks else "has the state unknown"
        return [f"{subject} may go on: this run {reason}."]
    length = "" if times.seconds is None else f" after {format_duration(times.seconds)}"
    state = f"is over{length}" if incident.after else "goes on"
    watched = [f"  {MARKS[metric.recovers]} {metric.text}" for metric in recovery(runs, metrics)]
    return [f"{subject} {state}.{' Metrics to watch:' if watched else ''}", *watched]


def _run(run: RunRecord, impact: Impact | None) -> str:
    suffering = run.figures.get(impact.count) if impact else None
    counted = (
        f"{'-' if suffering is None else f'{suffering:.0f}':>4} {impact.state}" if impact else ""
    )
    failed = sum(status == "failed" for status in run.outcomes.values())
    cells = (
        f"{run.started:<25}",
        f"{run.state:<8}",
        f"{run.seconds:6.1f} s",
        *([counted] if counted else []),
        f"{failed:3} of {len(run.outcomes)} failed",
        ", ".join(f"{title} ({p:.2f})" for title, p in run.accepted.items()),
    )
    return "  ".join(cells).rstrip()
