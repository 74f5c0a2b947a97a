"""The history for a terminal: the last runs, flapping checks, and the recovery."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.text import clean
from core.units import format_duration
from reports.history.incidents import flapping, last_episode, not_looked_at, recovery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.history.incidents import Episode, Run

MARKS = {"yes": "✓", "no": "✗", "not seen": "?"}

CHECKS_NAMED = 3


def render(runs: Sequence[Run], shown: int) -> str:
    """Return the last `shown` of these runs as text, oldest first, and what they say together."""
    if not runs:
        return "No run is in the history yet.\n"
    lines = [_run(run) for run in runs[-shown:]]
    lines += [
        f"Flapping: {f.check} changed {f.turns} times in {f.runs} runs." for f in flapping(runs)
    ]
    lines += afterwards(runs)
    # Headlines hold what a target said, and anybody may have written the file.
    return "".join(f"{clean(line)}\n" for line in lines)


def afterwards(runs: Sequence[Run]) -> list[str]:
    """Return lines that say whether the last incident is over and its metrics recover.

    Empty where there was no incident lately, or the last run is the first that saw it.
    """
    watched = recovery(runs)
    episode = last_episode(runs)
    if not watched or episode is None:
        return []
    length = "" if episode.seconds is None else f" after {format_duration(episode.seconds)}"
    seen = f"The incident since {episode.runs[0].started}"
    if episode.after is None and runs[-1].state != "incident":
        return [f"{seen} may go on: this run {_why_not(runs[-1], episode)}."]
    head = f"{seen} is over{length}." if episode.after else f"{seen} goes on."
    return [f"{head} To watch:", *(f"  {MARKS[one.recovers]} {one.seen}" for one in watched)]


def _why_not(run: Run, episode: Episode) -> str:
    blind = not_looked_at(episode.symptoms, run.outcomes)
    if not blind:
        return "is unknown"
    more = f" and {len(blind) - CHECKS_NAMED} more" if len(blind) > CHECKS_NAMED else ""
    selected = all(check in run.outcomes for check in blind)
    verb = "could not observe" if selected else "did not select"
    return f"{verb} {', '.join(blind[:CHECKS_NAMED])}{more}"


def _run(run: Run) -> str:
    stuck = run.figures.get("uploads_stuck")
    told = "" if stuck is None else f"{stuck:.0f}"
    failed = sum(status == "failed" for status in run.outcomes.values())
    cause = ", ".join(f"{title} ({p:.2f})" for title, p in run.held.items())
    cells = (
        f"{run.started:<25}",
        f"{run.state:<8}",
        f"{run.seconds:6.1f} s",
        f"{told or '-':>4} stuck",
        f"{failed:3} of {len(run.outcomes)} failed",
        cause,
    )
    return "  ".join(cells).rstrip()
