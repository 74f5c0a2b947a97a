"""`python -m reports`: its commands, its errors and their exit statuses."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn

from core.errors import TranslatedError
from core.language import tr
from core.output import discard_output, print_unwritten, take_any_text
from core.text import flat
from reports.alerts.http_call import CallError
from reports.cli import (
    confirm,
    history,
    index,
    lint,
    nagios,
    new,
    notify,
    postmortem,
    push,
    render,
    replay,
    score,
    watch,
)
from reports.cli.command import (
    BAD_INPUT,
    NOT_DELIVERED,
    Parser,
    add_language,
    choose_language_of,
)
from reports.render.nagios import UNKNOWN

COMMANDS = (
    render,
    replay,
    nagios,
    postmortem,
    notify,
    push,
    history,
    index,
    confirm,
    score,
    watch,
    lint,
    new,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    language_error = choose_language_of(arguments)
    take_any_text()
    parser = Parser(
        prog="python -m reports",
        description=tr(
            "Work with a report.json after the run, without the target; only `watch` looks at it."
        ),
        epilog=tr("`python -m reports COMMAND --help` has the options of a command."),
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=18),
        add_help=False,
    )
    commands = parser.add_subparsers(
        required=True, metavar="COMMAND", title=tr("commands"), dest="command"
    )
    for command in COMMANDS:
        command.add_to(commands)
    # Below the commands, which are what one looks for.
    general = parser.add_argument_group(tr("options"))
    general.add_argument("-h", "--help", action="help", help=tr("show this help and exit"))
    add_language(general)
    options, unknown = parser.parse_known_args(arguments)
    if options.command == "nagios":
        parser.status = UNKNOWN
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if language_error:
        parser.error(language_error)
    return _run(options)


def _run(options: argparse.Namespace) -> int:
    """Run the chosen command; returns the exit status, and prints an error as one sentence."""
    try:
        status = int(options.run(options))
        # Here, because an error at Python's exit would be a traceback.
        sys.stdout.flush()
    except CallError as exc:
        print(tr("not delivered: {reason}", reason=exc), file=sys.stderr)
        return NOT_DELIVERED
    except TranslatedError as exc:
        print(flat(str(exc)), file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:
        discard_output()
        # 0 of these two says that all is well.
        return {"nagios": UNKNOWN, "watch": watch.NOT_RECOVERED}.get(options.command, 0)
    except OSError as exc:
        if exc.filename is not None:
            # Such as a file in a folder that this user may not enter.
            problem = tr("{path} cannot be read: {reason}", path=exc.filename, reason=exc.strerror)
            print(flat(problem), file=sys.stderr)
            return UNKNOWN if options.command == "nagios" else BAD_INPUT
        discard_output()
        print_unwritten(exc.strerror)
        return UNKNOWN if options.command == "nagios" else BAD_INPUT
    return status


def leave(status: int) -> NoReturn:
    """End the process with this status, without waiting for a service that hangs."""
    if threading.active_count() > 1:
        # Python would wait for apprise's pool of threads, however long they take. Nothing is open.
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
