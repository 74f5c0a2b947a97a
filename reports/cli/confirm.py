"""`python -m reports confirm`."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

from core.text import capitalized, clean, listed, printable
from core.units import format_duration
from core.validation import nearest
from reports.alerts.addresses import OptionError
from reports.cli.history import add_target_dir, only_target, read_runs
from reports.cli.postmortem import NoIncidentError, surest_report
from reports.history.confirmed import (
    FALSE_ALARM,
    OTHER,
    Confirmation,
    read_learned,
    settle,
    write_confirmation,
)
from reports.history.incidents import incidents
from reports.model.bundle import evidence_of
from reports.render.incident_times import local

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import tzinfo

    from reports.cli.command import Commands
    from reports.history.confirmed import Learned
    from reports.history.incidents import Incident

SUMMARY = "write down what the cause of an incident really was"

SHOWN_MAX = 10
"""Incidents that are listed, the last ones."""

_OTHERS = {
    OTHER: "none of these; --note says which",
    FALSE_ALARM: "nothing was wrong",
}
"""What may be confirmed besides the causes of the evidence table."""


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "confirm",
        help=SUMMARY,
        description=f"{capitalized(SUMMARY)}. Later reports say how often a cause was confirmed "
        "and how it ended, and `score` compares it with what the runs named. Without --cause it "
        "lists the incidents and the causes. Confirming an incident again replaces what was "
        "confirmed.",
    )
    parser.set_defaults(run=run)
    option = parser.add_argument
    option(
        "--cause",
        action="append",
        default=[],
        metavar="ID",
        help=f"the cause, {OTHER} or {FALSE_ALARM}; repeat it if several were true together",
    )
    option("--note", default="", metavar="TEXT", help="what made it so, in a few words")
    option(
        "--incident",
        metavar="TIME",
        help="an earlier incident, by the start of one of its runs in UTC, such as 2026-11-03 or "
        "2026-11-03T09:40 (default: the one that goes on, or else the last one)",
    )
    add_target_dir(parser)


def run(options: argparse.Namespace) -> int:
    """Write the confirmation, or list what can be confirmed."""
    folder = options.target_dir or only_target()
    episodes = incidents(read_runs(folder))
    if not episodes:
        raise NoIncidentError(f"the history in {folder} has no incident")
    learned = read_learned(folder)
    for note in learned.notes:
        print(clean(note), file=sys.stderr)
    incident = _chosen(episodes, options.incident) if options.incident else episodes[-1]
    report = surest_report(folder, incident)
    if report is None:
        raise NoIncidentError(f"the history in {folder} has no report of this incident")
    titles = {cause.id: cause.title for cause in evidence_of(report).causes}
    if not options.cause:
        for line in _choices(episodes, learned, titles):
            print(clean(line))
        return 0
    _check_causes(options.cause, options.note, titles)
    earlier = learned.of(incident)
    first = earlier.incident if earlier else incident.runs[0].started
    confirmation = settle(
        Confirmation(
            incident=first,
            last=incident.runs[-1].started,
            causes=tuple(dict.fromkeys(options.cause)),
            note=printable(options.note),
            actions=earlier.actions if earlier else (),
        ),
        episodes,
        learned.actions,
    )
    path = write_confirmation(folder, confirmation, report)
    named = listed([finding.title for finding in report.diagnosis.accepted]) or "no cause"
    lines = [
        f"Confirmed for {_told(incident)}: {_names(confirmation, titles)}. The runs named {named}.",
        *_ending(confirmation),
        f"Written to {path}.",
    ]
    if incident is episodes[-1]:
        report_path = shlex.quote(str(folder / "report.json"))
        lines.append(f"The post-mortem with it: python -m reports postmortem {report_path}")
    print("\n".join(map(clean, lines)))
    return 0


def _chosen(episodes: Sequence[Incident], text: str) -> Incident:
    """Return the incident that has a run with this beginning of its time; raises OptionError."""
    wanted = text.strip().replace(" ", "T")
    found = [
        incident
        for incident in episodes
        if wanted and any(run.started.startswith(wanted) for run in incident.runs)
    ]
    if len(found) == 1:
        return found[0]
    starts = [incident.runs[0].started for incident in found or episodes[-SHOWN_MAX:]]
    problem = "several incidents have a run" if found else "no incident has a run"
    raise OptionError(
        f"--incident: {problem} that began {printable(wanted, 40)!r}; the incidents began "
        f"{', '.join(starts)}"
    )


def _check_causes(causes: Sequence[str], note: str, titles: Mapping[str, str]) -> None:
    """Raise OptionError for causes that cannot be confirmed together or at all."""
    known = [*titles, *_OTHERS]
    for cause in causes:
        if cause not in known:
            hint = nearest(cause, known) or "; without --cause this command lists them"
            raise OptionError(f"--cause: {printable(cause, 80)!r} is not a cause{hint}")
    if FALSE_ALARM in causes and len(set(causes)) > 1:
        raise OptionError(f"--cause: {FALSE_ALARM} excludes any other cause")
    if OTHER in causes and not note.strip():
        raise OptionError(f"--cause {OTHER} needs --note, which says what it was")


def _choices(
    episodes: Sequence[Incident], learned: Learned, titles: Mapping[str, str]
) -> Iterator[str]:
    yield "Incidents, by the start of their first run:"
    for incident in episodes[-SHOWN_MAX:]:
        confirmed = learned.of(incident)
        named = list(dict.fromkeys(title for run in incident.runs for title in run.accepted))
        told = f"confirmed: {_names(confirmed, titles)}" if confirmed else "not confirmed"
        yield (
            f"  {incident.runs[0].started}  {'over' if incident.after else 'goes on'}, named: "
            f"{listed(named) or 'no cause'}, {told}"
        )
    yield "Causes:"
    width = max(map(len, (*titles, *_OTHERS)))
    for cause, title in {**titles, **_OTHERS}.items():
        yield f"  {cause:<{width}}  {title}"


def _told(incident: Incident, zone: tzinfo | None = None) -> str:
    at = incident.runs[0].at
    when = local(at, zone) if at else incident.runs[0].started
    return f"the incident {'of' if incident.after else 'that goes on since'} {when}"


def _names(confirmation: Confirmation, titles: Mapping[str, str]) -> str:
    return listed([titles.get(cause, cause) for cause in confirmation.causes])


def _ending(confirmation: Confirmation) -> Iterator[str]:
    """Yield how the incident ended, as far as it is known."""
    if not confirmation.ended:
        yield "Its end is added when a run has seen it."
    elif confirmation.seconds is not None:
        yield f"From its first run to the first good one: {format_duration(confirmation.seconds)}."
    action = confirmation.ended_by if confirmation.ended else None
    if action:
        took = "" if action.seconds is None else f" ({format_duration(action.seconds)})"
        yield f"Ended by: {action.step}{took}."
    elif confirmation.actions:
        yield f"Actions taken: {listed([one.step for one in confirmation.actions])}."
