"""`python -m reports notify`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from core.language import tr
from core.units import parse_duration
from reports.alerts.addresses import OptionError, read_secret, split_addresses
from reports.cli.command import NOT_DELIVERED, Commands, add_reader, duration, load_whole_report

if TYPE_CHECKING:
    from reports.alerts.notify import Settings

REMIND_EVERY = "4h"


def add_to(commands: Commands) -> None:
    parser = add_reader(
        commands,
        "notify",
        run,
        tr("open, update and close one alert per incident; send a heartbeat after each run"),
    )
    option = parser.add_argument
    option(
        "--to",
        action="append",
        default=[],
        metavar="env:NAME|file:PATH",
        help=tr(
            "where one or several addresses are: pagerduty://, "
            "opsgenie://, alertmanager://, or any of apprise's; may be "
            "repeated"
        ),
    )
    option(
        "--confirm",
        type=confirmation,
        default=(2, 2),
        metavar="K[/N]",
        help=tr("alert after K bad runs in a row, or K of the last N (default: 2)"),
    )
    option(
        "--on",
        choices=("incident", "at-risk"),
        default="incident",
        help=tr(
            "the least severe state that alerts (default: incident); an unknown state always alerts"
        ),
    )
    option(
        "--remind-every",
        type=duration,
        default=parse_duration(REMIND_EVERY),
        metavar="TIME",
        help=tr("time between reminders while it lasts (default: {time})", time=REMIND_EVERY),
    )
    option(
        "--quiet",
        action="append",
        default=[],
        metavar="START/END|'CRON for TIME'|file:PATH",
        help=tr(
            "a maintenance window, in which no message is sent: one "
            "period, or one that comes back, such as '0 2 * * SUN for 2h'; "
            "local time without a zone"
        ),
    )
    option(
        "--link-base",
        metavar="URL",
        help=tr(
            "where the targets' folders are served: the link is "
            "URL/TARGET/RUNBOOK/report.html (default: the file's path)"
        ),
    )
    _add_heartbeat(option)


def _add_heartbeat(option: Callable[..., object]) -> None:
    option(
        "--heartbeat",
        metavar="env:NAME|file:PATH",
        help=tr("where the address is that is pinged after each run"),
    )
    option(
        "--heartbeat-fails-on",
        choices=("incident", "unknown", "never"),
        default="incident",
        help=tr(
            "the runs that are pinged as a failure: those that alert or "
            "whose state is unknown (default), only those whose state is "
            "unknown, or none"
        ),
    )


def run(options: argparse.Namespace) -> int:
    """Send what is due, and print the problems; raises OptionError."""
    from reports.alerts.notify import notify

    report = load_whole_report(options.report)
    settings, problems = settings_of(options)
    problems += notify(report, options.report, settings)
    for sentence in problems:
        print(sentence, file=sys.stderr)
    return NOT_DELIVERED if problems else 0


def settings_of(options: argparse.Namespace) -> tuple[Settings, list[str]]:
    """Return the settings, and the problems with the options that do not prevent a message.

    Raises OptionError where an address is missing.
    """
    from reports.alerts.maintenance import read_windows
    from reports.alerts.notify import Settings
    from reports.alerts.policy import Rule

    if not options.to and not options.heartbeat:
        raise OptionError(tr("no destination: give --to, --heartbeat, or both"))
    windows, problems = read_windows(options.quiet)
    confirm, of = options.confirm
    settings = Settings(
        addresses=tuple(
            address
            for reference in options.to
            for address in split_addresses(read_secret(reference, "--to"))
        ),
        rule=Rule(confirm, of, options.remind_every, options.on == "at-risk"),
        windows=windows,
        link_base=options.link_base,
        heartbeat=read_secret(options.heartbeat, "--heartbeat") if options.heartbeat else None,
        heartbeat_fails_on=options.heartbeat_fails_on,
    )
    return settings, list(problems)


def confirmation(text: str) -> tuple[int, int]:
    """Return K and N of "K" or "K/N"."""
    parts = text.split("/")
    numbers = [int(part) if part.isdecimal() and len(part) < 4 else 0 for part in parts]
    if len(numbers) > 2 or not 0 < numbers[0] <= numbers[-1] <= 100:
        raise argparse.ArgumentTypeError(
            tr("{text!r}: write it like 2, or 2/3 for 2 of 3 runs", text=text[:40])
        )
    return numbers[0], numbers[-1]
