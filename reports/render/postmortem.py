"""The runbook's post-mortem, filled from a report and the history: Markdown.

What the checks cannot know, such as the actions that people took, stays a visible placeholder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from core.language import numeral, tr
from core.text import listed, named
from reports.history.actions import Action
from reports.history.confirmed import Confirmation, Learned, actions_in
from reports.history.incidents import Incident, RunRecord, last_incident
from reports.model.bundle import RunbookBundle
from reports.model.report import Report
from reports.render import postmortem_sections as sections
from reports.render.incident_times import Times, local, times_of
from reports.render.markdown import escaped
from reports.render.preventive import ticked
from reports.runbook.document import Runbook
from reports.runbook.placeholders import fill, is_valid

ITEMS_NAMED = 3

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
    learned: Learned | None = None,
) -> str:
    """Return the post-mortem of an incident.

    `report` is the run that saw it best, `episode` its course and `runs` the history up to now,
    oldest first; without them the report stands alone. `learned` has what people confirmed and did.
    """
    confirmed, taken = _people(episode, learned)
    target = escaped(report.target.name)
    times = times_of(report, episode)
    parts = [
        tr(
            "# Post-mortem: {runbook}, target {target}",
            runbook=escaped(report.runbook),
            target=target,
        ),
        sections.summary(report, episode, times, confirmed),
        tr("The checks have filled this in. A word in angle brackets is for you to fill in."),
        *sections.since_when(report.layout.impact, times),
        _template(report, runbook, _values(report, episode, times, confirmed, taken)),
        *sections.timeline(report, episode, times),
        *sections.causes(report, episode, confirmed),
        *sections.actions(report, episode, taken),
        *sections.affected(report),
        *sections.failures(report),
        *sections.preventive(report, runbook),
        *sections.figures(report, episode, runs),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def of_incident(
    report: Report,
    bundle: RunbookBundle,
    runs: Sequence[RunRecord],
    learned: Learned | None = None,
) -> str:
    """Return the post-mortem of the incident that this report saw, in the course of these runs."""
    episode = last_incident(runs)
    # The history may have lost the run, and an incident of another day explains nothing.
    if episode and report.started not in [run.started for run in episode.runs]:
        episode, runs = None, ()
    return render(report, bundle.document, episode, runs, learned=learned)


def _people(
    episode: Incident | None, learned: Learned | None
) -> tuple[Confirmation | None, tuple[Action, ...]]:
    """Return what people confirmed of an incident, and the actions that they took in it."""
    if episode is None or learned is None:
        return None, ()
    confirmed = learned.of(episode)
    taken = actions_in(episode, learned.actions)
    return confirmed, taken or (confirmed.actions if confirmed else ())


def _template(report: Report, runbook: Runbook, values: Mapping[str, str]) -> str:
    text = runbook.postmortem
    for name, pattern in BRACKETS:
        text = re.sub(pattern, f"<{name}>", text)
    # Within the template a value may stand in a code span or in a text: it can end neither.
    filled = fill(text, {name: value.replace("`", "'") for name, value in values.items()})
    return ticked(filled, report)


def _values(
    report: Report,
    episode: Incident | None,
    times: Times,
    confirmed: Confirmation | None,
    taken: Sequence[Action],
) -> dict[str, str]:
    """Return the template's placeholders that are known; the others stay as they are."""
    values = {
        **_affected(report, episode),
        "root_cause": escaped(sections.confirmed_cause(report, confirmed)) or _root_cause(report),
        "probability": _sureness(report),
        "started_at": _began(report, times),
        "duration": sections.duration(times),
        "actions_taken": ", ".join(escaped(step) for step in dict.fromkeys(a.step for a in taken)),
    }
    if times.end:
        values["ended_at"] = tr("{time}, by the first run after it", time=local(times.end))
    return {name: value for name, value in values.items() if value}


def _affected(report: Report, episode: Incident | None) -> dict[str, str]:
    """Return the placeholders of what suffers, by the runbook's nouns: `upload_id`, for one."""
    impact = report.layout.impact
    if impact is None:
        return {}
    noun = impact.placeholder
    nouns, owner = (name.replace(" ", "_") for name in (impact.nouns, impact.owner))
    items = _most(report, episode, impact.count)
    owners = _most(report, episode, impact.owners)
    return {
        f"{noun}_id": _listed([item.id for item in report.affected]),
        f"{nouns}_affected": items,
        f"{owner}s_affected": owners,
        # The words may be in another language than the document's placeholders.
        f"{noun}s_affected": items,
        impact.owners: owners,
    }


def _listed(names: list[str]) -> str:
    # A placeholder takes 200 characters, and no id is cut in two. In a code span a sign that is
    # escaped would be shown so: only an odd id is.
    shown = [name[:48] if is_valid("id", name) else escaped(name[:48]) for name in names]
    return named(shown, most=ITEMS_NAMED)


def _most(report: Report, episode: Incident | None, figure: str) -> str:
    value = episode.worst(figure) if episode else report.figure(figure)
    if value is None:
        return ""
    number = f"{value:.0f}"
    return tr("{impact} at worst", impact=number) if episode else number


def _root_cause(report: Report) -> str:
    names = listed([escaped(name) for name in sections.causes_of(report)])
    outside = report.diagnosis.certainty == "outside"
    return tr("outside this runbook: {names}", names=names) if names and outside else names


def _sureness(report: Report) -> str:
    accepted = report.diagnosis.accepted
    if not accepted:
        return ""
    probabilities = ", ".join(numeral(finding.probability, 2) for finding in accepted)
    checks = dict.fromkeys(c.check for finding in accepted for c in finding.supporting)
    if not checks:
        return probabilities
    return tr(
        "{probability}, from {checks}",
        probability=probabilities,
        checks=", ".join(list(checks)[:2]),
    )


def _began(report: Report, times: Times) -> str:
    impact = report.layout.impact
    if impact and times.oldest and times.oldest < times.first_bad:
        time = local(times.oldest)
        return tr("about {time}, by the {oldest}", time=time, oldest=impact.oldest)
    first = local(times.first_bad)
    if times.last_good is None:
        return tr("{time} or earlier", time=first)
    return tr("between {time} and {later}", time=local(times.last_good), later=first)
