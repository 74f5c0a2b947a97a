"""The history for a terminal: the last runs, flapping checks, and the recovery."""

from __future__ import annotations

from collections.abc import Sequence

from core.language import numeral, tr
from core.text import clean, named
from core.units import format_duration
from reports.history.incidents import RunRecord, flapping, recent_incident, recovery, unobserved
from reports.model.layout import Impact, Layout
from reports.model.report import WatchedMetric
from reports.render.incident_times import local, times_of_runs

MARKS = {True: "✓", False: "✗", None: "?"}


def render(
    runs: Sequence[RunRecord],
    shown: int,
    metrics: Sequence[WatchedMetric] = (),
    layout: Layout | None = None,
) -> str:
    """Return the last `shown` of these runs as text, oldest first, and what follows from all.

    `metrics` are those to watch after an incident, `layout` says what suffers in it, and how
    the figures are measured. Its time is the machine's own.
    """
    if not runs:
        return tr("No run is in the history yet.") + "\n"
    layout = layout or Layout()
    lines = [_run(run, layout.impact) for run in runs[-shown:]]
    lines += [
        tr(
            "Flapping: {check} changed {changes} times in {runs} runs.",
            check=flap.check,
            changes=flap.changes,
            runs=flap.runs,
        )
        for flap in flapping(runs)
    ]
    lines += afterwards(runs, metrics, layout)
    # The headlines quote the target, and the file may have been written by anybody.
    return "".join(f"{clean(line)}\n" for line in lines)


def afterwards(
    runs: Sequence[RunRecord], metrics: Sequence[WatchedMetric], layout: Layout
) -> list[str]:
    """Return lines that say whether a recent incident is over and these metrics recover."""
    incident = recent_incident(runs)
    times = times_of_runs(incident, layout.impact) if incident else None
    if incident is None or times is None:
        return []
    since = local(times.began)
    if times.began == times.oldest:
        since = tr("about {time}", time=since)
    if incident.after is None and runs[-1].state != "incident":
        checks = unobserved(incident.symptoms, runs[-1].outcomes)
        if checks:
            text = tr(
                "The incident since {time} may go on: this run did not observe {checks}.",
                time=since,
                checks=named(checks),
            )
        else:
            text = tr(
                "The incident since {time} may go on: this run has the state unknown.", time=since
            )
        return [text]
    if incident.after is None:
        state = tr("The incident since {time} goes on.", time=since)
    elif times.seconds is None:
        state = tr("The incident since {time} is over.", time=since)
    else:
        length = format_duration(times.seconds)
        state = tr(
            "The incident since {time} is over after {duration}.", time=since, duration=length
        )
    watched = [
        f"  {MARKS[metric.recovers]} {metric.text}"
        for metric in recovery(runs, metrics, layout.figures)
    ]
    return [state + (tr(" Metrics to watch:") if watched else ""), *watched]


def _run(run: RunRecord, impact: Impact | None) -> str:
    counted = _suffering(run, impact) if impact else ""
    failed = sum(status == "failed" for status in run.outcomes.values())
    cells = (
        f"{run.started:<25}",
        f"{tr(run.state):<8}",
        f"{numeral(run.seconds, 1):>6} s",
        *([counted] if counted else []),
        tr("{failed} of {checks} failed", failed=format(failed, "3"), checks=len(run.outcomes)),
        ", ".join(f"{title} ({numeral(p, 2)})" for title, p in run.accepted.items()),
    )
    return "  ".join(cells).rstrip()


def _suffering(run: RunRecord, impact: Impact) -> str:
    number = run.figures.get(impact.count)
    counted = "-" if number is None else f"{number:.0f}"
    width = max(len(impact.state), len(impact.states))
    return f"{counted:>4} {impact.state_of(round(number or 0)):<{width}}"
