"""Move the files of a version that had one folder for all runbooks of a target."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from core.language import tr
from reports.history.confirmed import FOLDER as CONFIRMED
from reports.history.store import NAME
from reports.model.bundle import folder_of
from reports.model.report_json import PARTIAL, LoadError, load_report
from reports.runbook.document import RunbookError

OF_THE_TARGET = "canaries.jsonl"
"""The start of the names of files that concern the target, whatever the runbook."""

FOLDERS = (PARTIAL, CONFIRMED)
"""The folders among a runbook's files; any other one is a runbook's own."""


def move_old_files(folder: Path) -> str:
    """Move what lies in the target's folder into that of its runbook; returns a line on it, or "".

    `folder` is that of the run, which belongs to the files where their report does not tell. The
    run has the target's lock, so nothing else writes them.
    """
    target = folder.parent
    # Not Path.is_file, which raises where this user may not enter the folder.
    if not any(os.path.isfile(target / name) for name in ("report.json", NAME)):  # noqa: PTH113
        return ""
    with suppress(LoadError, RunbookError):
        report = load_report(target / "report.json")
        folder = target / (report.runbook_name or folder_of(report).name)
    left: list[str] = []
    place = f"{target.name}/{folder.name}/"
    try:
        folder.mkdir(exist_ok=True)
        for path in sorted(target.iterdir()):
            own = path.name.startswith((".", OF_THE_TARGET))
            if own or (path.is_dir() and path.name not in FOLDERS):
                continue
            if (folder / path.name).exists():
                left.append(path.name)
            else:
                path.rename(folder / path.name)
    except OSError as exc:
        return tr(
            "The files of {target} cannot be moved to {folder}: {reason}.",
            target=target.name,
            folder=place,
            reason=exc.strerror,
        )
    if left:
        return tr(
            "The files of {target} are in {folder} too: the old ones stay, unused.",
            target=target.name,
            folder=place,
        )
    return tr(
        "The files of {target} are in {folder} now: each runbook has a folder.",
        target=target.name,
        folder=place,
    )
