"""What `python -m reports` does: each of its commands as a function from files to text."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from reports.history import store as history
from reports.history.incidents import last_incident
from reports.model.build import replay
from reports.model.bundle import bundle_of
from reports.model.report_json import load_report

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reports.history.incidents import RunRecord
    from reports.model.report import Report

FORMATS = ("terminal", "json", "html", "prometheus", "nagios", "postmortem")


class NothingToTellError(ValueError):
    """There is no incident to write a post-mortem of."""


INCIDENT_RUNS = 2_000
"""Runs that are looked through for an incident's course: a week of one every five minutes."""


def render(report: Report, form: str, path: Path, document: Path | None, width: int) -> str:
    """Return the report in one of FORMATS; `path` is the file that it comes from.

    Raises EvidenceError, RunbookError where a runbook is needed and cannot be read.
    """
    if form == "terminal":
        from reports.render.terminal import render as as_terminal

        return as_terminal(report, width=width, path=str(path))
    if form == "html":
        from reports.render.html.page import render as as_html

        return as_html(report, _runs_beside(path))
    if form == "prometheus":
        from reports.render.prometheus import render as as_prometheus

        return as_prometheus(report)
    if form == "nagios":
        from reports.render.nagios import render as as_nagios

        return as_nagios(report)
    if form == "postmortem":
        return postmortem(report, path, document)
    from reports.model.report_json import to_json

    return to_json(report)


def judge_again(report: Report, evidence: Path | None, document: Path | None) -> Report:
    """Diagnose a report's outcomes again; raises EvidenceError, RunbookError."""
    return replay(report, bundle_of(report, evidence, document))


def postmortem(report: Report, path: Path, document: Path | None = None) -> str:
    """Return the post-mortem of the incident that a report saw, or of the last one before it.

    Raises NothingToTellError where there is none; EvidenceError, RunbookError.
    """
    runs = _runs_beside(path)
    best = report if report.state == "incident" else _best_of(path, runs)
    if best is None:
        raise NothingToTellError(f"{path} saw no incident, and no history beside it holds one")
    from reports.render.postmortem import of_incident

    return of_incident(best, bundle_of(best, document=document), runs)


def runs_of(folder: Path, limit: int) -> tuple[RunRecord, ...]:
    """Return the last runs of a target, by its folder; raises HistoryError."""
    with history.History.to_read(folder / history.NAME) as opened:
        return opened.runs(limit)


def read(path: Path) -> Report:
    """Return a report by its file; raises LoadError."""
    return load_report(path)


def _runs_beside(path: Path) -> tuple[RunRecord, ...]:
    """Return the runs of the history beside a report; none where there is no history."""
    if not (path.parent / history.NAME).exists():
        return ()
    try:
        return runs_of(path.parent, INCIDENT_RUNS)
    except history.HistoryError as exc:
        # The report tells its own story without the others.
        print(f"Without the history: {exc}", file=sys.stderr)
        return ()


def _best_of(path: Path, runs: Sequence[RunRecord]) -> Report | None:
    """Return the report of the last incident's run that was surest of its cause."""
    incident = last_incident(runs)
    if incident is None:
        return None
    order = ("none", "unclear", "outside", "likely", "certain")
    seen = [run for run in incident.runs if run.state == "incident"]
    best = max(seen, key=lambda run: (order.index(run.certainty), run.number))
    with history.History.to_read(path.parent / history.NAME) as opened:
        return opened.report(best.number)
