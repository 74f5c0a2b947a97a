"""The command line of `python -m reports notify`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from core.units import parse_duration
from reports.alerts.addresses import OptionError, read_secret, split_addresses

if TYPE_CHECKING:
    from collections.abc import Callable

    from reports.alerts.notify import Settings

REMIND_EVERY = "4h"


def add_to(parser: argparse.ArgumentParser, duration: Callable[[str], float]) -> None:
    """Add the options; `duration` reads a time and raises argparse's error."""
    option = parser.add_argument
    option(
        "--to",
        action="append",
        default=[],
        metavar="env:NAME|file:PATH",
        help="where apprise's addresses are, one or several; may be given again",
    )
    option(
        "--confirm",
        type=confirmation,
        default=(2, 2),
        metavar="K[/N]",
        help="tell after K bad runs in a row, or K of the last N (default: 2)",
    )
    option(
        "--on",
        choices=("incident", "at-risk"),
        default="incident",
        help="the least that is told (default: incident); that nothing could be seen always is",
    )
    option(
        "--remind-every",
        type=duration,
        default=parse_duration(REMIND_EVERY),
        metavar="TIME",
        help=f"a reminder while it lasts (default: {REMIND_EVERY})",
    )
    option(
        "--quiet",
        action="append",
        default=[],
        metavar="START/END|file:PATH",
        help="a maintenance window, in which nobody is told; local time where no zone is given",
    )
    option(
        "--link-base",
        metavar="URL",
        help="where the folders of all targets are served: the link is URL/TARGET/report.html "
        "(default: the file's path)",
    )
    option(
        "--heartbeat",
        metavar="env:NAME|file:PATH",
        help="where the address is that is pinged after each completed run",
    )
    option(
        "--heartbeat-fails-on",
        choices=("incident", "unknown", "never"),
        default="incident",
        help="pinged as a failure: what is told and what could not be seen (default), only what "
        "could not be seen, or nothing",
    )


def settings_of(options: argparse.Namespace) -> tuple[Settings, tuple[str, ...]]:
    """Return what the options say, and what is wrong with them but costs no message.

    Raises OptionError where an address is not there.
    """
    from reports.alerts.maintenance import read_windows
    from reports.alerts.notify import Settings
    from reports.alerts.policy import Rule

    if not options.to and not options.heartbeat:
        raise OptionError("no destination: give --to, --heartbeat, or both")
    windows, wrong = read_windows(options.quiet)
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
    return settings, wrong


def confirmation(text: str) -> tuple[int, int]:
    """Return K and N of "K" or "K/N"."""
    least, slash, most = text.partition("/")
    numbers = [
        int(one) if one.isdecimal() and len(one) < 4 else 0 for one in (least, most or least)
    ]
    if not 0 < numbers[0] <= numbers[1] <= 100 or (slash and not most):
        raise argparse.ArgumentTypeError(f"{text[:40]!r}: write it like 2, or 2/3 for 2 of 3 runs")
    return numbers[0], numbers[1]
