"""`python -m reports render`."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from core.language import tr
from reports.cli.command import Commands, Parser, add_output, add_reader, open_report, write
from reports.cli.history import runs_beside
from reports.history.incidents import RunRecord
from reports.model.report import Report
from reports.model.report_json import to_json
from reports.render.words import has_unicode

FORMATS = ("terminal", "json", "html", "prometheus")


def add_to(commands: Commands) -> None:
    parser = add_reader(commands, "render", run, tr("show a saved report in another format"))
    add_output(parser)
    add_format(parser, "terminal")
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help=tr("terminal: every check, the evidence and all actions before the verdict"),
    )


def add_format(parser: Parser, default: str) -> None:
    """Add --format for a command that writes a report."""
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default=default,
        help=tr("default: {value}", value="%(default)s"),
    )


def run(options: argparse.Namespace) -> int:
    """Write the report in the chosen format."""
    report = open_report(options.report)
    text = render(report, options.format, options.report, verbose=options.verbose)
    write(text, options.output)
    return 0


def runs_up_to(report: Report, path: Path) -> tuple[RunRecord, ...]:
    """Return the runs of the history beside a report up to this one; none if it is not in it."""
    runs = runs_beside(path)
    last = max((n for n, run in enumerate(runs) if run.started == report.started), default=-1)
    return runs[: last + 1]


def render(report: Report, form: str, path: Path, *, verbose: bool = False) -> str:
    """Return the report in one of FORMATS; `path` is the file that it comes from.

    `verbose` puts every check before the verdict of the format "terminal".
    """
    if form == "terminal":
        from reports.render.terminal import render as as_terminal
        from reports.render.terminal_verdict import Footer

        page = path.with_name("report.html")
        footer = Footer(page=str(page) if page.exists() else "")
        return as_terminal(
            report,
            shutil.get_terminal_size().columns,
            footer,
            runs_up_to(report, path),
            unicode=has_unicode(sys.stdout.encoding),
            verbose=verbose,
        )
    if form == "html":
        from reports.render.html.page import render as as_html

        return as_html(report, runs_beside(path))
    if form == "prometheus":
        from reports.render.prometheus import render as as_prometheus

        return as_prometheus(report)
    return to_json(report)
