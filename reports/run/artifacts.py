"""The files beside report.json: history, HTML page, metrics, post-mortem.

Each is written by itself: a failure is one sentence, and costs neither the others nor the verdict.
"""

from __future__ import annotations

from pathlib import Path

from core.files import FileError, write_file
from reports.history import store as history
from reports.history.incidents import INCIDENT_RUNS, RunRecord
from reports.history.trend import POINTS_MAX
from reports.model.bundle import RunbookBundle
from reports.model.report import Report


def write_artifacts(
    folder: Path, report: Report, bundle: RunbookBundle
) -> tuple[list[str], tuple[RunRecord, ...]]:
    """Write history.sqlite3, report.html, metrics.prom and, of an incident, postmortem.md.

    `report` is redacted already. Return the lines to print with it, on the recovery after an
    incident and on files that could not be written, and the last runs of the history, with this
    one.
    """
    from reports.render.history import afterwards
    from reports.render.html.page import render as as_html
    from reports.render.prometheus import render as as_prometheus

    notes: list[str] = []
    runs: tuple[RunRecord, ...] = ()
    limit = INCIDENT_RUNS if report.state == "incident" else POINTS_MAX
    try:
        runs, note = history.record(folder / history.NAME, report, limit)
        notes += [note] if note else []
    except history.HistoryError as exc:
        notes.append(str(exc))
    _write(folder / "report.html", as_html(report, runs), notes)
    _write(folder / "metrics.prom", as_prometheus(report), notes)
    if report.state == "incident":
        from reports.history.confirmed import read_learned
        from reports.render.postmortem import of_incident

        learned = read_learned(folder)
        notes += learned.notes
        _write(folder / "postmortem.md", of_incident(report, bundle, runs, learned), notes)
    return [*afterwards(runs, report.watch, report.layout), *notes], runs


def write_partial(folder: Path, report: Report) -> list[str]:
    """Write report.html of a partial run; return why it could not be written.

    No metrics and no history: they are the target's, and the run did not look at all of it.
    """
    from reports.render.html.page import render as as_html

    notes: list[str] = []
    _write(folder / "report.html", as_html(report, ()), notes)
    return notes


def _write(path: Path, text: str, notes: list[str]) -> None:
    try:
        write_file(path, text)
    except FileError as exc:
        notes.append(str(exc))
