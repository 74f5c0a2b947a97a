"""`python -m reports nagios`."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from core.language import tr
from core.units import parse_duration
from reports.cli.command import Commands, add_reader, duration, open_report
from reports.model.report_json import LoadError
from reports.render.nagios import UNKNOWN, line, render, status_of

MAX_AGE = "15min"


def add_to(commands: Commands) -> None:
    parser = add_reader(
        commands,
        "nagios",
        run,
        tr(
            "print one line for Nagios, Icinga and others; exit status 0 "
            "OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN"
        ),
    )
    parser.status = UNKNOWN
    parser.add_argument(
        "--max-age",
        type=duration,
        default=parse_duration(MAX_AGE),
        metavar="TIME",
        help=tr("a report older than this is UNKNOWN (default: {age})", age=MAX_AGE),
    )


def run(options: argparse.Namespace) -> int:
    """Print the line; a report that cannot be read is UNKNOWN."""
    try:
        report = open_report(options.report)
    except LoadError as exc:
        print(line(UNKNOWN, str(exc)))
        return UNKNOWN
    now = datetime.now(UTC)
    print(render(report, now, options.max_age), end="")
    return status_of(report, now, options.max_age)
