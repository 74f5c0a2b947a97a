"""`python -m reports index`."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from core.files import FileError, write_file
from core.language import mark, tr, trn
from core.text import listed, titled
from reports.cli.command import Commands, add_command, duration, open_report, whole
from reports.history.confirmed import FOLDER as CONFIRMED
from reports.history.store import NAME, History, HistoryError
from reports.model.report import State, state_word
from reports.model.report_json import PARTIAL, LoadError, load_report
from reports.render import index
from reports.render.html.index import render

NO_REPORT = mark("no whole run has written a report here yet")
REPORT, PAGE = "report.json", "report.html"
FILES = (REPORT, NAME)
OF_THE_VOLUME = "lost+found"
"""A folder at the top of a file system."""

NEVER = "never"
REFRESH = 60.0


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "index",
        run,
        tr("write a page with all targets, for the wall"),
        tr(
            "It is index.html, and index.json has the same, in the folder of the reports. Reports "
            "and histories are read, and not changed."
        ),
    )
    parser.add_argument(
        "out",
        type=Path,
        metavar="OUT",
        nargs="?",
        default=Path("out"),
        help=tr("the folder of the targets' folders (default: out)"),
    )
    parser.add_argument(
        "--overdue",
        type=duration,
        metavar="DURATION",
        help=tr(
            "the age of a run at which its row turns grey (default: twice "
            "the usual time between its runs)"
        ),
    )
    parser.add_argument(
        "--refresh",
        type=_refresh,
        metavar="DURATION",
        default=REFRESH,
        help=tr("how often the page loads itself again, or {never} (default: 1min)", never=NEVER),
    )


def run(options: argparse.Namespace) -> int:
    """Write the overview; raises FileError."""
    now = datetime.now(UTC)
    paths = folders(options.out)
    _choose_language(options.out / folder / REPORT for folder in paths)
    rows = [_row(options.out, folder, now, options.overdue) for folder in paths]
    overview = index.overview_of(rows, now)
    write_file(options.out / "index.json", index.to_json(overview))
    page = options.out / "index.html"
    write_file(page, render(overview, options.refresh))
    states = [
        tr("{number} {state}", number=number, state=_word(state))
        for state, number in overview.counts.items()
        if number
    ]
    counted = trn("{n} row", "{n} rows", len(rows))
    if states:
        counted = titled(counted, listed(states))
    print(tr("{counts}; {page}", counts=counted, page=page))
    return 0


def _choose_language(reports: Iterable[Path]) -> None:
    """Write the language of the first report that can be read: the page has one language."""
    for path in reports:
        with contextlib.suppress(LoadError):
            open_report(path)
            return


def _word(state: str) -> str:
    return tr("overdue") if state == "overdue" else state_word(cast("State", state))


def folders(out: Path) -> list[Path]:
    """Return the folders below `out` that have a row, relative to it; raises FileError.

    A target has one for each runbook, and its own where its files are in no runbook's folder.
    """
    paths: list[Path] = []
    for target in _folders_in(out):
        try:
            places = [one for one in _folders_in(target) if one.name not in (PARTIAL, CONFIRMED)]
            runbooks = [place for place in places if _has(place, *FILES, PARTIAL)]
        except FileError:
            runbooks = []
        # Its own partial runs are of an older version, which had one folder for all runbooks.
        paths += [target] if _has(target, *FILES) or not runbooks else []
        paths += runbooks
    return [place.relative_to(out) for place in paths]


def _folders_in(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [one.name for one in entries if one.is_dir()]
    except OSError as exc:
        raise FileError(
            "{path} cannot be read: {reason}", path=folder, reason=exc.strerror
        ) from exc
    return [folder / name for name in sorted(names) if name[0] != "." and name != OF_THE_VOLUME]


def _has(folder: Path, *names: str) -> bool:
    return any(os.path.lexists(folder / name) for name in names)


def _row(out: Path, folder: Path, now: datetime, overdue: float | None) -> index.Row:
    place, name = out / folder, folder.as_posix()
    page = next((one for one in (PAGE, REPORT) if os.path.isfile(place / one)), "")  # noqa: PTH113
    try:
        report = whole(load_report(place / REPORT), place / REPORT)
    except LoadError as exc:
        past = _past(place, now)
        missing = os.access(place, os.X_OK) and not _has(place, REPORT)
        problem = tr(NO_REPORT) if missing else _within(place, exc)
        return index.broken_row(name, problem, past, page, now, overdue)
    past = _past(place, now, index.streak_of(report.state), report.started)
    return index.row_of(name, report, past, page, now, overdue)


def _past(place: Path, now: datetime, streak: Sequence[str] = (), until: str = "") -> index.Past:
    """Return what the history says, of a streak of these states up to a run too."""
    if not _has(place, NAME):
        return index.Past()
    since = index.slot_end(now) - index.SLOTS * index.SLOT
    try:
        with History.to_read(place / NAME) as history:
            runs = history.states(since.isoformat(timespec="seconds"))
            began = history.streak(streak, until) if streak else None
    except HistoryError as exc:
        return index.Past(note=_within(place, exc))
    return index.Past(runs, *(began or (None, False)))


def _within(place: Path, exc: Exception) -> str:
    """Return an error's sentence with the names of files as they are in the row's folder."""
    return str(exc).replace(f"{place}{os.sep}", "")


def _refresh(text: str) -> float | None:
    return None if text == NEVER else duration(text)
