"""`python -m reports watch`: look again and again while somebody works on the incident.

Each look is a whole run, with its deadlines, its lock and its budget. One process makes them all,
so that its connections stay open between them.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import time
from datetime import datetime
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live

from core.errors import TranslatedError
from core.language import tr
from core.runbooks import ALL, asked_for
from core.text import clean, last_line
from core.units import format_duration
from reports.alerts.addresses import OptionError
from reports.cli.command import Commands, add_command, duration, open_report
from reports.cli.history import read_runs
from reports.cli.looks import Looks
from reports.history.store import NAME, HistoryError
from reports.history.watched import Watched
from reports.model.report_json import PARTIAL, LoadError
from reports.render.history import afterwards
from reports.render.terminal import render
from reports.render.terminal_verdict import Footer
from reports.render.watch import line, result_of, screen
from reports.render.words import as_ascii, has_unicode

USAGE_ERROR = 4
INTERRUPTED = 2
"""Exit statuses of pytest."""

NOT_RECOVERED = 1
"""Exit status of a watch whose time is over although its last look was healthy."""

PAUSE_MIN = 1.0
"""Seconds at least between the end of a look and the start of the next."""


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "watch",
        run,
        tr("look at a target again and again until its incident is over"),
        tr(
            "Each look is a whole run, with its reports and its place in the history. It "
            "ends by itself with exit status 0 when two looks in a row saw no symptom and "
            "the runbook's metrics to watch recover. Ctrl-C ends it with the last verdict "
            "and the exit status of that run. Without a terminal it prints one line a "
            "look."
        ),
    )
    option = parser.add_argument
    option(
        "--target",
        type=_target,
        default=os.environ.get("VEZA_TARGET"),
        metavar="NAME",
        help=tr("a table of the targets file, or `lab` (default: VEZA_TARGET)"),
    )
    option(
        "--every",
        type=duration,
        default=20.0,
        metavar="TIME",
        help=tr("from the start of one look to that of the next (default: 20s)"),
    )
    option(
        "--for",
        dest="limit",
        type=duration,
        default=3600.0,
        metavar="TIME",
        help=tr("the last look begins before this time is over (default: 1h)"),
    )
    option(
        "--runbook",
        type=_runbook,
        default=asked_for(None) or None,
        metavar="NAME",
        help=tr("a folder of runbooks/ (default: VEZA_RUNBOOK, the target's)"),
    )
    option(
        "--out",
        type=Path,
        default=Path("out"),
        metavar="DIR",
        help=tr("the folder of the reports (default: out)"),
    )
    option(
        "--targets-file",
        metavar="FILE",
        help=tr("the targets file (default: VEZA_TARGETS_FILE, else targets.toml here)"),
    )


def _target(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text) or text == ALL:
        raise argparse.ArgumentTypeError(tr("name one target"))
    return text


def _runbook(text: str) -> str:
    if "," in text or text == ALL:
        raise argparse.ArgumentTypeError(tr("name one runbook"))
    return text


def run(options: argparse.Namespace) -> int:
    """Look until the incident is over, the time is over, or somebody interrupts."""
    if not options.target:
        raise OptionError(tr("--target NAME is missing"))
    arguments = [
        *("-p", "no:cacheprovider"),
        *(f"--out={options.out.absolute()}", f"--target={options.target}"),
    ]
    if options.runbook:
        arguments.append(f"--runbook={options.runbook}")
    if options.lang:
        arguments.append(f"--lang={options.lang}")
    if options.targets_file:
        arguments.append(f"--targets-file={options.targets_file}")
    # As Ctrl-C does, so that the look in progress is ended too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    looks = Looks(arguments)
    try:
        folder = options.out / options.target
        return Watch(looks, folder, options.runbook, options.every, options.limit).run()
    finally:
        looks.end()


class UsageError(TranslatedError):
    """The first look was refused; `str()` is what pytest printed."""


class Watch:
    """Looks at one target; `folder` is the target's, with a folder of reports for each runbook.

    `runbook` is None for the default one, which the first look's report tells.
    """

    def __init__(
        self, looks: Looks, folder: Path, runbook: str | None, every: float, limit: float
    ) -> None:
        self._looks = looks
        self._target = folder
        self._pattern = runbook or "*"
        self._folder = folder
        self._every = every
        self._limit = limit
        self._console = Console(highlight=False, markup=False, emoji=False)
        self._unicode = has_unicode(sys.stdout.encoding)
        # By the folder of the reports: of which runbook they are is not known yet.
        self._last_numbers = {
            path.parent: _last_number(path.parent)
            for path in folder.glob(f"{self._pattern}/{NAME}")
        }
        self._watched = Watched()
        self._status = INTERRUPTED
        self._started = time.monotonic()
        self._next = 0.0

    def run(self) -> int:
        """Look again and again; returns the exit status."""
        is_live = sys.stdout.isatty() and not self._console.is_dumb_terminal
        try:
            if is_live and self._unicode:
                with Live(
                    console=self._console,
                    get_renderable=self._screen,
                    screen=True,
                    refresh_per_second=2,
                ):
                    self._look_until_over(lines=False)
            else:
                self._look_until_over(lines=True)
        except UsageError as exc:
            for line in str(exc).splitlines():
                print(clean(line), file=sys.stderr)
            return USAGE_ERROR
        except KeyboardInterrupt:
            self._print_verdict()
            return self._status
        self._print_verdict()
        return (self._status or NOT_RECOVERED) if self._watched.waits_for else 0

    def _look_until_over(self, *, lines: bool) -> None:
        while True:
            began = time.monotonic()
            self._next = 0.0
            self._look()
            if lines:
                self._print(f"{datetime.now().astimezone():%H:%M:%S} {line(self._watched)}")
            self._next = max(began + self._every, time.monotonic() + PAUSE_MIN)
            if not self._watched.waits_for or self._next > self._started + self._limit:
                return
            time.sleep(max(self._next - time.monotonic(), 0.0))

    def _look(self) -> None:
        """Run the checks once, and take in their report."""
        before = self._reports()
        status, output = self._looks.look()
        # A whole report before a partial one.
        written = [path for path, version in self._reports().items() if before.get(path) != version]
        if status == USAGE_ERROR and not self._watched.looks:
            raise UsageError(output.strip())
        self._status = status or NOT_RECOVERED
        if status == USAGE_ERROR or not written:
            # A report that is new all the same is that of another run.
            self._watched.lose(self._loss(status, output))
            # Its modules may be older than the files: someone upgrades meanwhile.
            self._looks.replace()
            return
        try:
            report = open_report(written[0])
        except LoadError as exc:
            self._watched.lose(str(exc))
            return
        if report.partial:
            self._watched.lose(report.headline)
            return
        self._status = status
        self._folder = written[0].parent
        if not self._watched.report:
            self._watched.already = self._last_numbers.get(self._folder, 0)
        try:
            self._watched.take(report, read_runs(self._folder))
        except HistoryError as exc:
            self._watched.take(report, (), str(exc))

    def _loss(self, status: int, output: str) -> str:
        """Return why a look has no report; its run has broken the lines of its own sentence."""
        if status in (0, NOT_RECOVERED):
            return tr("it could not write its report into {folder}", folder=self._target)
        return last_line(output).removeprefix("ERROR: ")

    def _reports(self) -> dict[Path, tuple[int, int]]:
        """Return the versions of the reports, the whole ones first."""
        paths = [
            *self._target.glob(f"{self._pattern}/report.json"),
            *self._target.glob(f"{self._pattern}/{PARTIAL}/report.json"),
        ]
        return {path: version for path in paths if (version := _version(path))}

    def _screen(self) -> Group:
        left = self._next - time.monotonic()
        now = (
            tr("next in {duration}", duration=format_duration(round(left)))
            if left >= 1
            else tr("looking")
        )
        size = self._console.size
        return Group(*screen(self._watched, size.width, size.height, now))

    def _print_verdict(self) -> None:
        """Print the last whole verdict, as the run did, and how the watch ended."""
        watched = self._watched
        if watched.report:
            page = self._folder / "report.html"
            text = render(
                watched.report,
                self._console.width,
                Footer(page=str(page) if page.exists() else ""),
                watched.runs,
                color=sys.stdout.isatty() and not self._console.no_color,
                unicode=self._unicode,
            )
            self._print(text.rstrip("\n"))
            report = watched.report
            for sentence in afterwards(watched.runs, report.watch, report.layout):
                self._print(clean(sentence))
        self._print(result_of(watched, time.monotonic() - self._started))

    def _print(self, text: str) -> None:
        print(text if self._unicode else as_ascii(text), flush=True)


def _last_number(folder: Path) -> int:
    """Return the number of the last run in a folder's history; 0 where there is none."""
    try:
        runs = read_runs(folder, 1)
    except HistoryError:
        # The first look says so.
        return 0
    return runs[-1].number if runs else 0


def _version(path: Path) -> tuple[int, int] | None:
    """Return the version of a file: its time and its inode; None without the file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino
