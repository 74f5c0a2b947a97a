"""`python -m reports history`, and the history that the other commands use."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from core.language import tr
from reports.cli.command import Commands, add_command
from reports.history.incidents import INCIDENT_RUNS, RunRecord
from reports.history.store import NAME, History, HistoryError
from reports.model.report import Report
from reports.model.report_json import LoadError, load_report
from reports.render.history import render

RUNS_MIN = 200
"""Runs that are read, of which fewer may be shown: enough for an incident of some hours."""


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "history",
        run,
        tr("list the last runs, flapping checks, and metrics that recover"),
    )
    add_target_dir(parser)
    parser.add_argument(
        "-n", "--number", type=_count, default=20, help=tr("runs to list (default: 20)")
    )


def add_target_dir(parser: argparse.ArgumentParser) -> None:
    """Add the option that names a folder, of which `history_folder` takes the history."""
    parser.add_argument(
        "--target-dir",
        type=Path,
        metavar="DIR",
        help=tr("a folder of reports, such as out/live/RUNBOOK (default: the only one in out/)"),
    )


def run(options: argparse.Namespace) -> int:
    """Print the history of a target."""
    folder = history_folder(options.target_dir)
    runs = read_runs(folder, max(options.number, RUNS_MIN))
    report = _last_report(folder)
    metrics, layout = (report.watch, report.layout) if report else ((), None)
    print(render(runs, options.number, metrics, layout=layout), end="")
    return 0


def runs_beside(path: Path) -> tuple[RunRecord, ...]:
    """Return the runs of the history beside a report; none if it is missing or broken."""
    if not (path.parent / NAME).exists():
        return ()
    try:
        return read_runs(path.parent)
    except HistoryError as exc:
        print(tr("The history is left out: {reason}", reason=exc), file=sys.stderr)
        return ()


def read_runs(folder: Path, limit: int = INCIDENT_RUNS) -> tuple[RunRecord, ...]:
    """Return the last runs of a target's history, oldest first; raises HistoryError."""
    with History.to_read(folder / NAME) as history:
        return history.runs(limit)


def _last_report(folder: Path) -> Report | None:
    try:
        return load_report(folder / "report.json")
    except LoadError as exc:
        print(tr("The metrics to watch are left out: {reason}", reason=exc), file=sys.stderr)
        return None


def history_folder(named: Path | None) -> Path:
    """Return the folder of a history: the one named, or the only one below it or below out/.

    Raises HistoryError where there are several, and where none is named and out/ has none.
    """
    folder = named or Path("out")
    if (folder / NAME).exists():
        return folder
    files = [*folder.glob(f"*/{NAME}"), *folder.glob(f"*/*/{NAME}")]
    folders = sorted(path.parent for path in files)
    if len(folders) == 1:
        return folders[0]
    if folders:
        raise HistoryError(
            "{folder}/ has several histories: {folders}; name one of them with --target-dir",
            folder=folder,
            folders=", ".join(map(str, folders)),
        )
    if named:
        return named
    raise HistoryError(tr("out/ has no history; name a folder that has one with --target-dir"))


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text[:7]) <= 100_000:
        raise argparse.ArgumentTypeError(
            tr("{text!r} is not a number from 1 to 100000", text=text[:40])
        )
    return int(text)
