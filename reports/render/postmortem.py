"""The runbook's post-mortem, filled from a report and the history: Markdown.

What the checks cannot know, such as the actions that people took, stays a visible placeholder.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from core.units import format_duration
from reports.history.incidents import last_incident
from reports.render import postmortem_sections as sections
from reports.render.markdown import escaped
from reports.render.postmortem_sections import causes_of
from reports.runbook.placeholders import fill

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.history.incidents import Incident, RunRecord
    from reports.model.bundle import RunbookBundle
    from reports.model.report import Report
    from reports.runbook.document import Runbook

UPLOADS_NAMED = 3

BRACKETS = (
    ("started_at", r"\[(?:heure début|start(?: time)?)\]"),
    ("ended_at", r"\[(?:heure fin|end(?: time)?)\]"),
)
"""Blanks that a team's own document writes in square brackets."""


def render(
    report: Report,
    runbook: Runbook,
    episode: Incident | None = None,
    runs: Sequence[RunRecord] = (),
) -> str:
    """Return the post-mortem of an incident.

    `report` is the run that saw it best, `episode` its course and `runs` the history up to now,
    oldest first; without them the report stands alone.
    """
    target = escaped(report.target.name)
    parts = [
        f"# Post-mortem: {escaped(report.runbook)}, target {target}",
        escaped(report.headline),
        "Filled in from what the checks observed. A word in angle brackets is for you to fill in.",
        _template(report, runbook, episode),
        "## What the checks observed",
        *sections.timeline(report, episode),
        *sections.uploads(report),
        *sections.causes(report),
        *sections.failures(report),
        *sections.actions(report),
        *sections.preventive(runbook),
        *sections.figures(report, episode, runs),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def of_incident(report: Report, bundle: RunbookBundle, runs: Sequence[RunRecord]) -> str:
    """Return the post-mortem of the incident that this report saw, in the course of these runs."""
    episode = last_incident(runs)
    # The history may have lost the run, and an incident of another day explains nothing.
    if episode and report.started not in [run.started for run in episode.runs]:
        episode, runs = None, ()
    return render(report, bundle.document, episode, runs)


def _template(report: Report, runbook: Runbook, episode: Incident | None) -> str:
    values = _values(report, episode)
    text = runbook.postmortem
    for name, pattern in BRACKETS:
        text = re.sub(pattern, f"<{name}>", text)
    # Within the template a value may stand in a code span or in a text: it can end neither.
    return fill(text, {name: value.replace("`", "'") for name, value in values.items()})


def _values(report: Report, episode: Incident | None) -> dict[str, str]:
    """Return the template's placeholders that are known; the others stay as they are."""
    found = {
        "upload_id": _listed([upload.id for upload in report.affected]),
        "uploads_affected": _most(report, episode, "uploads_stuck"),
        "users_affected": _most(report, episode, "users_affected"),
        "root_cause": _root_cause(report),
        "probability": _sureness(report),
        "started_at": _began(report, episode),
    }
    if episode and episode.after:
        found["ended_at"] = f"{episode.after.started}, by the first run after it"
        found["duration"] = "" if episode.seconds is None else format_duration(episode.seconds)
    return {name: value for name, value in found.items() if value}


def _listed(names: list[str]) -> str:
    # A placeholder takes 200 characters, and no id is cut in two.
    more = len(names) - UPLOADS_NAMED
    named = ", ".join(name[:48] for name in names[:UPLOADS_NAMED])
    return f"{named} and {more} more" if more > 0 else named


def _most(report: Report, episode: Incident | None, figure: str) -> str:
    value = episode.worst(figure) if episode else report.figure(figure)
    return "" if value is None else f"{value:.0f}" + (" at worst" if episode else "")


def _root_cause(report: Report) -> str:
    names = " and ".join(escaped(name) for name in causes_of(report))
    outside = report.diagnosis.certainty == "outside"
    return f"outside this runbook: {names}" if names and outside else names


def _sureness(report: Report) -> str:
    found = report.diagnosis.accepted
    if not found:
        return ""
    told = ", ".join(f"{finding.probability:.2f}" for finding in found)
    checks = dict.fromkeys(c.check for finding in found for c in finding.supporting)
    named = ", ".join(list(checks)[:2])
    return f"{told}, from {named}" if named else told


def _began(report: Report, episode: Incident | None) -> str:
    if episode is None:
        return f"{report.started} or earlier"
    first = episode.runs[0].started
    if episode.before is None:
        return f"{first} or earlier"
    return f"between {episode.before.started} and {first}"
