"""`python -m reports postmortem`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from core.errors import TranslatedError
from core.language import tr
from reports.cli.command import Commands, add_document, add_output, add_reader, open_report, write
from reports.cli.history import runs_beside
from reports.history.confirmed import read_learned
from reports.history.incidents import Incident, last_incident
from reports.history.store import NAME, History
from reports.model.bundle import bundle_of
from reports.model.report import Report

CERTAINTIES = ("none", "unclear", "outside", "likely", "certain")
"""The certainties of a diagnosis, the least first."""


class NoIncidentError(TranslatedError, ValueError):
    """There is no incident to write a post-mortem of."""


def add_to(commands: Commands) -> None:
    parser = add_reader(
        commands,
        "postmortem",
        run,
        tr(
            "fill in the runbook's post-mortem from the report and the "
            "history beside it; if the report has no incident, for the "
            "last incident of the history"
        ),
    )
    add_output(parser)
    add_document(parser)


def run(options: argparse.Namespace) -> int:
    """Write the post-mortem."""
    report = open_report(options.report)
    write(postmortem_of(report, options.report, options.runbook_doc), options.output)
    return 0


def postmortem_of(report: Report, path: Path, document: Path | None) -> str:
    """Return the post-mortem of a report's incident, or of the last incident before it.

    `path` is the report's file. Raises NoIncidentError where there is none; EvidenceError,
    RunbookError.
    """
    runs = runs_beside(path)
    incident_report: Report | None = report
    if report.state != "incident":
        incident = last_incident(runs)
        incident_report = surest_report(path.parent, incident) if incident else None
    if incident_report is None:
        raise NoIncidentError("neither {path} nor a history beside it has an incident", path=path)
    from reports.render.postmortem import of_incident

    learned = read_learned(path.parent)
    for note in learned.notes:
        print(note, file=sys.stderr)
    bundle = bundle_of(incident_report, document=document)
    return of_incident(incident_report, bundle, runs, learned)


def surest_report(folder: Path, incident: Incident) -> Report | None:
    """Return the report of an incident's run with the most certain diagnosis; None if not kept.

    `folder` is the target's. Raises HistoryError.
    """
    surest = max(
        (run for run in incident.runs if run.state == "incident"),
        key=lambda run: (CERTAINTIES.index(run.certainty), run.number),
    )
    with History.to_read(folder / NAME) as history:
        return history.report(surest.number)
