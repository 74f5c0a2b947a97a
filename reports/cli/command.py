"""The parser, the arguments and the exit statuses that the commands share."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from core.files import unwritable, write_file
from core.language import choose_language, languages, named_in, suggest_language, tr
from core.text import capitalized
from core.units import parse_duration
from reports.model.report import Report
from reports.model.report_json import LoadError, load_report, newest_report
from reports.render import nagios

# argparse has no public name for it.
Commands: TypeAlias = "argparse._SubParsersAction[Parser]"  # noqa: SLF001

NOT_DELIVERED = 1
"""Exit status of a message, a heartbeat or metrics that were not delivered."""

BAD_INPUT = 2
"""Exit status of a file or a command line that cannot be used; that of `nagios` is 3."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors have the exit status that the command's user expects."""

    status = BAD_INPUT

    def __init__(self, *, add_help: bool = True, **kwargs: Any) -> None:
        super().__init__(add_help=False, **kwargs)
        if add_help:
            add_help_option(self)
            # What was given before the command stays, unless it is given again behind it.
            add_language(self, default=argparse.SUPPRESS)

    def error(self, message: str) -> NoReturn:
        """Report an error of the command line and exit; a monitor gets it as an UNKNOWN line."""
        if self.status == nagios.UNKNOWN:
            print(nagios.line(nagios.UNKNOWN, message))
            raise SystemExit(self.status)
        self.print_usage(sys.stderr)
        self.exit(self.status, f"{self.prog}: {message}\n")


def choose_language_of(arguments: Sequence[str]) -> str:
    """Write the language that a person chose, the help included; return what is wrong with it."""
    try:
        choose_language(named_in(arguments))
    except ValueError as exc:
        return str(exc)
    return ""


def add_help_option(parser: argparse.ArgumentParser) -> None:
    """Add --help in the language of the process: argparse has its own words in English alone."""
    # argparse has no public name for the titles of its groups.
    parser._positionals.title = tr("positional arguments")  # noqa: SLF001
    parser._optionals.title = tr("options")  # noqa: SLF001
    parser.add_argument("-h", "--help", action="help", help=tr("show this help message and exit"))


def add_language(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup, default: str | None = None
) -> None:
    """Add --lang, which `choose_language_of` has read: the help is in that language."""
    parser.add_argument(
        "--lang",
        metavar="CODE",
        default=default,
        help=tr(
            "the language: {codes} (default: VEZA_LANG, the report's)", codes=", ".join(languages())
        ),
    )


def add_command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    more: str = "",
) -> Parser:
    """Add a command that runs this function.

    The list of commands has the summary up to a semicolon; the command's own help has all of it,
    and `more`, which are sentences.
    """
    short = summary.partition(";")[0].rstrip()
    description = f"{capitalized(summary)}. {more}".rstrip()
    parser = commands.add_parser(name, help=short, description=description)
    parser.set_defaults(run=run)
    return parser


def add_reader(
    commands: Commands, name: str, run: Callable[[argparse.Namespace], int], summary: str
) -> Parser:
    """Add a command that reads a report."""
    parser = add_command(commands, name, run, summary)
    parser.add_argument(
        "report",
        type=report_path,
        metavar="REPORT",
        help=tr("such as out/live/RUNBOOK/report.json, or out/live for the newest there"),
    )
    return parser


def report_path(text: str) -> Path:
    """Return the report that an argument means."""
    return newest_report(Path(text))


def open_report(path: Path) -> Report:
    """Return a report, and write its language unless a person chose one; raises LoadError."""
    report = load_report(path)
    with contextlib.suppress(ValueError):  # a later version may know more languages
        suggest_language(report.language)
    return report


def load_whole_report(path: Path) -> Report:
    """Return the report of a whole run; raises LoadError also for that of a partial one."""
    return whole(open_report(path), path)


def whole(report: Report, path: Path) -> Report:
    """Return the report if it is of a whole run; raises LoadError."""
    if report.partial:
        raise LoadError(
            "{path} is of a partial run, which says nothing of the whole target", path=path
        )
    return report


def add_output(parser: Parser) -> None:
    """Add -o for a command that writes a text."""
    _add_file(parser, "-o", "--output", purpose=tr("write to this file, not to the terminal"))


def add_evidence(parser: Parser) -> None:
    """Add --evidence for a command that diagnoses again."""
    _add_file(parser, "--evidence", purpose=tr("the evidence table (default: the runbook's)"))


def add_document(parser: Parser) -> None:
    """Add --runbook-doc for a command that reads the runbook again."""
    _add_file(
        parser,
        "--runbook-doc",
        purpose=tr("the runbook's document (default: the target's own, or else the shipped one)"),
    )


def _add_file(parser: Parser, *names: str, purpose: str) -> None:
    parser.add_argument(*names, type=Path, metavar="FILE", help=purpose)


def write(text: str, output: Path | None) -> None:
    """Write to a file, or to the terminal; raises FileError.

    A person's link stays and leads to the text, and a device or a pipe gets it: a file moved onto
    /dev/null would replace it for the whole system.
    """
    if output is None:
        sys.stdout.write(text)
    elif not output.exists() or output.is_file():
        write_file(output.resolve(), text)
    else:
        try:
            with output.open("w", encoding="utf-8", errors="replace") as file:
                file.write(text)
        except OSError as exc:
            raise unwritable(output, exc) from exc


def duration(text: str) -> float:
    """Return a duration in seconds; raises argparse's error."""
    try:
        return parse_duration(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc
