"""`python -m reports render`."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from reports.cli.command import add_command, add_text_options, write
from reports.cli.history import runs_beside
from reports.cli.postmortem import postmortem_of
from reports.model.report_json import load_report, to_json

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from reports.cli.command import Commands
    from reports.model.report import Report

FORMATS = ("terminal", "json", "html", "prometheus", "nagios", "postmortem")


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "render", run, "show a saved report in another format")
    add_text_options(parser)
    parser.add_argument(
        "--format", choices=FORMATS, default="terminal", help="default: %(default)s"
    )


def run(options: argparse.Namespace) -> int:
    """Write the report in the chosen format."""
    text = render(load_report(options.report), options.format, options.report, options.runbook_doc)
    write(text, options.output)
    return 0


def render(report: Report, form: str, path: Path, document: Path | None) -> str:
    """Return the report in one of FORMATS; `path` is the file that it comes from.

    Raises NoIncidentError, EvidenceError, RunbookError for a post-mortem that cannot be written.
    """
    if form == "terminal":
        from reports.render.terminal import render as as_terminal

        return as_terminal(report, width=shutil.get_terminal_size().columns, path=str(path))
    if form == "html":
        from reports.render.html.page import render as as_html

        return as_html(report, runs_beside(path))
    if form == "prometheus":
        from reports.render.prometheus import render as as_prometheus

        return as_prometheus(report)
    if form == "nagios":
        from reports.render.nagios import render as as_nagios

        return as_nagios(report)
    if form == "postmortem":
        return postmortem_of(report, path, document)
    return to_json(report)
