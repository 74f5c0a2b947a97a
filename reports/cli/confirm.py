"""`python -m reports confirm`."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence

from core.language import mark, tr
from core.text import clean, listed, printable
from core.units import format_duration
from core.validation import nearest
from reports.alerts.addresses import OptionError
from reports.cli.command import Commands, add_command
from reports.cli.history import add_target_dir, history_folder, read_runs
from reports.cli.postmortem import NoIncidentError, surest_report
from reports.diagnosis.evidence_file import load_evidence
from reports.history.confirmed import (
    FALSE_ALARM,
    OTHER,
    Confirmation,
    Learned,
    read_learned,
    settle,
    write_confirmation,
)
from reports.history.incidents import Incident, incidents
from reports.model.bundle import folder_of
from reports.render.incident_times import local

SHOWN_MAX = 10
"""Incidents that are listed, the last ones."""

_OTHERS = {
    OTHER: mark("none of these; --note says which"),
    FALSE_ALARM: mark("nothing was wrong"),
}
"""Confirmations besides the causes of the evidence table."""


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "confirm",
        run,
        tr("write down what the cause of an incident really was"),
        tr(
            "Later reports say how often a cause was confirmed and how it ended, and "
            "`score` compares it with what the runs named. Without --cause it lists the "
            "incidents and the causes. Confirming an incident again replaces what was "
            "confirmed."
        ),
    )
    option = parser.add_argument
    option(
        "--cause",
        action="append",
        default=[],
        metavar="ID",
        help=tr(
            "the cause, {other} or {false_alarm}; repeat it if several were true together",
            other=OTHER,
            false_alarm=FALSE_ALARM,
        ),
    )
    option("--note", default="", metavar="TEXT", help=tr("what made it so, in a few words"))
    option(
        "--incident",
        metavar="TIME",
        help=tr(
            "an earlier incident, by the start of one of its runs in UTC, "
            "such as 2026-11-03 or 2026-11-03T09:40 (default: the one that "
            "goes on, or else the last one)"
        ),
    )
    add_target_dir(parser)


def run(options: argparse.Namespace) -> int:
    """Write the confirmation, or list what can be confirmed."""
    if options.note and not options.cause:
        raise OptionError(tr("--note needs --cause, which says what it was"))
    folder = history_folder(options.target_dir)
    episodes = incidents(read_runs(folder))
    if not episodes:
        raise NoIncidentError("the history in {folder} has no incident", folder=folder)
    learned = read_learned(folder)
    for note in learned.notes:
        print(clean(note), file=sys.stderr)
    incident = _chosen(episodes, options.incident) if options.incident else episodes[-1]
    report = surest_report(folder, incident)
    if report is None:
        raise NoIncidentError(
            "the history in {folder} has no report of this incident", folder=folder
        )
    evidence = load_evidence(folder_of(report) / "evidence.toml")
    titles = {cause.id: cause.title for cause in evidence.causes}
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
    named = listed([finding.title for finding in report.diagnosis.accepted]) or tr("no cause")
    lines = [
        tr(
            "Confirmed for {incident}: {causes}. The runs named {named}.",
            incident=_incident_text(incident),
            causes=_names(confirmation, titles),
            named=named,
        ),
        *_ending(confirmation),
        tr("Written to {path}.", path=path),
    ]
    if incident is episodes[-1]:
        command = f"python -m reports postmortem {shlex.quote(str(folder / 'report.json'))}"
        lines.append(tr("The post-mortem with it: {command}", command=command))
    print("\n".join(map(clean, lines)))
    return 0


def _chosen(episodes: Sequence[Incident], text: str) -> Incident:
    """Return the incident that has a run with this beginning of its time; raises OptionError."""
    wanted = text.strip().replace(" ", "T")
    matching = [
        incident
        for incident in episodes
        if wanted and any(run.started.startswith(wanted) for run in incident.runs)
    ]
    if len(matching) == 1:
        return matching[0]
    starts = [incident.runs[0].started for incident in matching or episodes[-SHOWN_MAX:]]
    problem = (
        tr("several incidents have a run that began {time!r}", time=printable(wanted, 40))
        if matching
        else tr("no incident has a run that began {time!r}", time=printable(wanted, 40))
    )
    raise OptionError(
        "--incident: {problem}; the incidents began {times}",
        problem=problem,
        times=", ".join(starts),
    )


def _check_causes(causes: Sequence[str], note: str, titles: Mapping[str, str]) -> None:
    """Raise OptionError for causes that cannot be confirmed together or at all."""
    known = [*titles, *_OTHERS]
    for cause in causes:
        if cause not in known:
            hint = nearest(cause, known) or tr("; without --cause this command lists them")
            raise OptionError(
                "--cause: {cause!r} is not a cause{hint}", cause=printable(cause, 80), hint=hint
            )
    if FALSE_ALARM in causes and len(set(causes)) > 1:
        raise OptionError("--cause: {cause} excludes any other cause", cause=FALSE_ALARM)
    if OTHER in causes and not note.strip():
        raise OptionError("--cause {cause} needs --note, which says what it was", cause=OTHER)


def _choices(
    episodes: Sequence[Incident], learned: Learned, titles: Mapping[str, str]
) -> Iterator[str]:
    yield tr("Incidents, by the start of their first run:")
    for incident in episodes[-SHOWN_MAX:]:
        confirmed = learned.of(incident)
        named = list(dict.fromkeys(title for run in incident.runs for title in run.accepted))
        confirmation = (
            tr("confirmed: {causes}", causes=_names(confirmed, titles))
            if confirmed
            else tr("not confirmed")
        )
        causes = listed(named) or tr("no cause")
        state = (
            tr("over, named: {causes}", causes=causes)
            if incident.after
            else tr("goes on, named: {causes}", causes=causes)
        )
        yield f"  {incident.runs[0].started}  {state}, {confirmation}"
    yield tr("Causes:")
    width = max(map(len, (*titles, *_OTHERS)))
    others = {cause: tr(title) for cause, title in _OTHERS.items()}
    for cause, title in {**titles, **others}.items():
        yield f"  {cause:<{width}}  {title}"


def _incident_text(incident: Incident) -> str:
    at = incident.runs[0].at
    when = local(at) if at else incident.runs[0].started
    if incident.after:
        return tr("the incident of {time}", time=when)
    return tr("the incident that goes on since {time}", time=when)


def _names(confirmation: Confirmation, titles: Mapping[str, str]) -> str:
    return listed([titles.get(cause, cause) for cause in confirmation.causes])


def _ending(confirmation: Confirmation) -> Iterator[str]:
    """Yield how the incident ended, as far as it is known."""
    if not confirmation.ended:
        yield tr("Its end is added when a run has seen it.")
    elif confirmation.seconds is not None:
        yield tr(
            "From its first run to the first good one: {duration}.",
            duration=format_duration(confirmation.seconds),
        )
    action = confirmation.ended_by if confirmation.ended else None
    if action:
        if action.seconds is None:
            yield tr("Ended by: {action}.", action=action.step)
        else:
            took = format_duration(action.seconds)
            yield tr("Ended by: {action} ({duration}).", action=action.step, duration=took)
    elif confirmation.actions:
        yield tr(
            "Actions taken: {actions}.", actions=listed([one.step for one in confirmation.actions])
        )
