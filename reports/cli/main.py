"""`python -m reports`: what can be done with a report.json after the run, without any target."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from core.files import FileError, write_file
from core.units import parse_duration
from reports.alerts.addresses import OptionError
from reports.alerts.http_call import CallError
from reports.cli import notify as notify_options
from reports.cli import offline
from reports.diagnosis.evidence import EvidenceError
from reports.history.store import NAME, HistoryError
from reports.model.report_json import LoadError
from reports.render import history as past
from reports.render import nagios
from reports.runbook.document import RunbookError

if TYPE_CHECKING:
    from collections.abc import Sequence

BAD_INPUT = 2
"""Exit status of a file that cannot be used, as of a command line that cannot; nagios has 3."""

NOT_DELIVERED = 1
"""Exit status of a message, a heartbeat or metrics that did not arrive; the input was good."""

MAX_AGE = "15min"


class Parser(argparse.ArgumentParser):
    """A parser whose errors have the exit status that the command's reader understands."""

    status = BAD_INPUT

    def error(self, message: str) -> NoReturn:
        """Tell an error of the command line and exit; a monitor gets it as its UNKNOWN line."""
        if self.status == nagios.UNKNOWN:
            print(nagios.line(nagios.UNKNOWN, message))
            raise SystemExit(self.status)
        self.print_usage(sys.stderr)
        self.exit(self.status, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = _parser()
    if given[:1] == ["nagios"]:
        # Of an option that no command knows it is this parser that complains.
        parser.status = nagios.UNKNOWN
    options = parser.parse_args(given)
    for stream in (sys.stdout, sys.stderr):
        # What a target said may not be in the terminal's alphabet.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        status = int(options.run(options))
        # Here, and not at Python's exit, where nobody could tell it in a sentence.
        sys.stdout.flush()
    except CallError as exc:
        print(f"not delivered: {exc}", file=sys.stderr)
        return NOT_DELIVERED
    except (
        *(LoadError, EvidenceError, RunbookError, HistoryError, FileError, OptionError),
        offline.NothingToTellError,
    ) as exc:
        sentence = " ".join(str(exc).split())
        if options.run is _nagios:
            print(nagios.line(nagios.UNKNOWN, sentence))
            return nagios.UNKNOWN
        print(sentence, file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:
        # The reader, `head` for one, has enough. Python would complain once more at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return nagios.UNKNOWN if options.run is _nagios else 0
    return status


def _render(options: argparse.Namespace) -> int:
    width = shutil.get_terminal_size().columns
    report = offline.read(options.report)
    _put(
        offline.render(report, options.format, options.report, options.runbook_doc, width), options
    )
    return 0


def _replay(options: argparse.Namespace) -> int:
    given = offline.read(options.report)
    again = offline.judge_again(given, options.evidence, options.runbook_doc)
    width = shutil.get_terminal_size().columns
    _put(offline.render(again, options.format, options.report, options.runbook_doc, width), options)
    if again == given:
        print("The same report.", file=sys.stderr)
    elif again.headline == given.headline:
        print("The same verdict; the figures behind it differ.", file=sys.stderr)
    else:
        print(f"Said then: {given.headline}\nSaid now:  {again.headline}", file=sys.stderr)
    return 0


def _nagios(options: argparse.Namespace) -> int:
    report = offline.read(options.report)
    print(nagios.render(report, max_age=options.max_age), end="")
    return nagios.status_of(report, max_age=options.max_age)


def _postmortem(options: argparse.Namespace) -> int:
    report = offline.read(options.report)
    _put(offline.postmortem(report, options.report, options.runbook_doc), options)
    return 0


def _history(options: argparse.Namespace) -> int:
    folder = options.target_dir or _only_target()
    runs = offline.runs_of(folder, max(options.number, 200))
    print(past.render(runs, options.number), end="")
    return 0


def _notify(options: argparse.Namespace) -> int:
    from reports.alerts.notify import notify

    report = offline.read(options.report)
    settings, wrong = notify_options.settings_of(options)
    problems = [*wrong, *notify(report, options.report, settings)]
    for sentence in problems:
        print(sentence, file=sys.stderr)
    return NOT_DELIVERED if problems else 0


def _push(options: argparse.Namespace) -> int:
    from reports.alerts.pushgateway import push

    push(offline.read(options.report), options.to)
    return 0


def _only_target() -> Path:
    found = sorted(path.parent for path in Path("out").glob(f"*/{NAME}"))
    if len(found) == 1:
        return found[0]
    names = ", ".join(str(path) for path in found)
    hint = f"which of {names}?" if found else "out/ holds no history"
    raise HistoryError(f"{hint} Name the folder of a target with --target-dir")


def _put(text: str, options: argparse.Namespace) -> None:
    if options.output:
        write_file(options.output, text)
    else:
        sys.stdout.write(text)


def _parser() -> Parser:
    parser = Parser(prog="python -m reports", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")

    command = _command(commands, "render", "show a saved report in another format")
    command.add_argument("--format", choices=offline.FORMATS, default="terminal")
    _with_document(command)
    command.set_defaults(run=_render)

    command = _command(
        commands,
        "replay",
        "judge a saved report's outcomes again, say with an edited evidence.toml",
    )
    command.add_argument(
        "--evidence", type=Path, metavar="FILE", help="the evidence table (default: the runbook's)"
    )
    command.add_argument("--format", choices=offline.FORMATS, default="json")
    _with_document(command)
    command.set_defaults(run=_replay)

    command = _command(
        commands,
        "nagios",
        "one line for Nagios and its kin; exit status 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN",
        output=False,
    )
    command.status = nagios.UNKNOWN
    command.add_argument(
        "--max-age",
        type=_duration,
        default=parse_duration(MAX_AGE),
        metavar="TIME",
        help=f"a report older than this is UNKNOWN (default: {MAX_AGE})",
    )
    command.set_defaults(run=_nagios)

    command = _command(
        commands,
        "postmortem",
        "the runbook's post-mortem, filled from the report and the history "
        "beside it; of a report that saw no incident, the last incident of the history",
    )
    _with_document(command)
    command.set_defaults(run=_postmortem)

    command = _command(
        commands,
        "notify",
        "one message an incident through apprise, and a heartbeat after each run",
        output=False,
    )
    notify_options.add_to(command, _duration)
    command.set_defaults(run=_notify)

    command = _command(
        commands, "push", "put the run's metrics to a Prometheus Pushgateway", output=False
    )
    command.add_argument(
        "--to",
        required=True,
        metavar="URL",
        help="the gateway, such as http://gateway:9091; with a password only env:NAME or file:PATH",
    )
    command.set_defaults(run=_push)

    command = commands.add_parser(
        "history", help="the last runs, checks that flap, whether an incident's figures recover"
    )
    command.add_argument(
        "--target-dir", type=Path, metavar="DIR", help="such as out/live (default: the only one)"
    )
    command.add_argument("-n", "--number", type=_count, default=20, help="runs shown (default: 20)")
    command.set_defaults(run=_history)
    return parser


def _command(
    commands: argparse._SubParsersAction[Parser], name: str, said: str, output: bool = True
) -> Parser:
    command = commands.add_parser(name, help=said, description=f"{said[:1].upper()}{said[1:]}.")
    command.add_argument("report", type=Path, metavar="REPORT", help="such as out/live/report.json")
    if output:
        command.add_argument(
            "-o", "--output", type=Path, metavar="FILE", help="write there, not to the terminal"
        )
    return command


def _with_document(command: Parser) -> None:
    command.add_argument(
        "--runbook-doc",
        type=Path,
        metavar="FILE",
        help="the runbook's prose (default: the target's own, else ours)",
    )


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text[:7]) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number of runs")
    return int(text)


def leave(status: int) -> NoReturn:
    """End the process with this status, and do not wait for a service that hangs."""
    if threading.active_count() > 1:
        # Python would wait for apprise's pool of threads, however long they take. Nothing is open.
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
