"""`python -m actions`: its options, and what it prints."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from actions.errors import Refused
from actions.execute import Execution, cause_of, check_age, locked, steps_of
from actions.journal import Journal
from actions.looks import ROOT, LookSettings
from actions.plan import frozen_host, plan_step, refusal_of
from actions.rights import resolve_rights
from core.errors import TranslatedError
from core.files import from_here
from core.language import mark, tr
from core.output import discard_output, take_any_text
from core.text import flat, listed
from fixtures.probes.host.spec import display_name
from fixtures.target.load import build, check_name, is_there, read_targets
from reports.cli.command import (
    Parser,
    add_help_option,
    add_language,
    choose_language_of,
    duration,
    open_report,
    report_path,
)
from reports.model.build import replay
from reports.model.bundle import bundle_of

if TYPE_CHECKING:
    from actions.plan import PlannedCommand
    from fixtures.target.model import Target
    from reports.model.report import Report
    from reports.runbook.document import Step

NOT_RECOVERED = 1
"""Exit status of a step that failed, or after which not everything holds."""

REFUSED = 2
INTERRUPTED = 130

EXAMPLES = {
    "python -m actions out/live": mark("the steps, and which may run"),
    "python -m actions out/live --do 4": mark("what step 4 would run (a dry run)"),
    "python -m actions out/live --do 4 --execute": mark("run it"),
}

CERTAINTIES = {
    "certain": mark("certain"),
    "likely": mark("likely"),
    "outside": mark("outside"),
}

PLACES = {"database": mark("the database"), "queue": mark("the queue")}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    language_error = choose_language_of(arguments)
    take_any_text()
    parser = _parser()
    options = parser.parse_args(arguments)
    if language_error:
        parser.error(language_error)
    try:
        status = _run(options)
        # Here, because an error at Python's exit would be a traceback.
        sys.stdout.flush()
    except BrokenPipeError:
        discard_output()
        # What is printed of an action goes on without a reader; a question to somebody does not.
        return REFUSED if options.execute else 0
    except Refused as exc:
        print(tr("refused: {reason}", reason=flat(str(exc))), file=sys.stderr)
        return REFUSED
    except TranslatedError as exc:
        print(flat(str(exc)), file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("\n" + tr("interrupted"), file=sys.stderr)
        return INTERRUPTED
    return status


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m actions",
        description=tr(
            "List the steps of a report's likeliest cause, and run one that the runbook permits."
        ),
        epilog="".join(f"{command:<46} {tr(does)}\n" for command, does in EXAMPLES.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    add_help_option(parser)
    parser.add_argument("report", type=report_path, metavar="REPORT", help=tr("such as out/live"))
    parser.add_argument(
        "--do",
        type=_number,
        action="append",
        metavar="STEP",
        help=tr("show what this step would run; can be repeated; starts nothing"),
    )
    parser.add_argument(
        "--execute", action="store_true", help=tr("with --do: run the steps, one by one")
    )
    parser.add_argument(
        "--host", default="", metavar="HOST", help=tr("run it there, where there are several hosts")
    )
    parser.add_argument(
        "--yes",
        metavar="TARGET",
        help=tr("do not ask; needs allow_actions = true in the target"),
    )
    parser.add_argument(
        "--wait",
        type=duration,
        default=120.0,
        metavar="TIME",
        help=tr("look for the recovery for so long (default: 2 min)"),
    )
    parser.add_argument(
        "--targets-file",
        type=Path,
        metavar="FILE",
        help=tr("the targets file (default: VEZA_TARGETS_FILE, else targets.toml here)"),
    )
    add_language(parser)
    return parser


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text):
        raise argparse.ArgumentTypeError(tr("write the number of a step, such as 2"))
    return int(text)


def _run(options: argparse.Namespace) -> int:
    if options.execute and options.do is None:
        raise Refused(tr("--execute needs --do STEP"))
    saved = open_report(options.report)
    folder = options.report.resolve().parent
    if saved.partial:
        raise Refused("{path} is of a partial run: run all checks", path=options.report)
    if (folder.parent.name, folder.name) != (saved.target.name, saved.runbook_name):
        place = f"{saved.target.name}/{saved.runbook_name}"
        raise Refused(
            "{path} is not in the folder of its target and runbook, {folder}",
            path=options.report,
            folder=place,
        )
    path = _targets_file(options.targets_file, saved.target.name)
    target = _target(path, saved.target.name)
    document = target.runbook.document
    bundle = bundle_of(saved, document=Path(document) if document else None)
    # Of the report only the outcomes count: its commands may be anybody's.
    report = replay(saved, bundle)
    checks = Path("checks", Path(bundle.evidence.path).parent.name)
    known_checks = [row.id for row in bundle.evidence.checks]
    half_done = Journal(folder).half_done()
    if half_done and not options.execute:
        print(tr("half-done: {action}", action=half_done) + "\n")
    if not report.remedies:
        _name_others(options.report, report)
        cause_of(report)
    if options.do is None:
        _list(report, target, known_checks)
        return 0
    steps = [_step(report, number) for number in dict.fromkeys(options.do)]
    if not options.execute:
        refused = False
        for step in steps:
            planned = plan_step(step, target, known_checks, options.host, frozen_host(report))
            print(f"{_described(step, planned)}\n")
            refused |= bool(refusal_of(step, planned))
        notes = [tr("dry run: nothing was started.")]
        if not refused:
            notes.append(tr("Add --execute to run it."))
        print(" ".join(notes))
        return 0
    with locked(folder.parent):
        rights = resolve_rights(target, path, os.environ)
        execution = Execution(folder, LookSettings(target, path, checks), rights, known_checks)
        done = execution.run(report, steps, options.host, options.yes, options.wait)
    return 0 if done else NOT_RECOVERED


def _name_others(path: Path, report: Report) -> None:
    """Raise Refused for a report without a cause, with those of the target's other runbooks."""
    own = path.resolve().parent
    folders = sorted(one.parent for one in own.parent.glob("*/report.json"))
    others = [str(from_here(folder)) for folder in folders if folder != own]
    if others:
        raise Refused(
            "{path} names no cause: {headline} Reports of other runbooks: {others}",
            path=path,
            headline=report.headline,
            others=listed(others),
        )


def _list(report: Report, target: Target, known_checks: Sequence[str]) -> None:
    """Print the steps of the likeliest cause, each with what may run, and then all other steps."""
    print(f"{report.headline}\n")
    likeliest = report.diagnosis.accepted[0] if report.diagnosis.accepted else None
    runnable: list[int] = []
    for remedy in report.remedies:
        is_likeliest = bool(likeliest and likeliest.id == remedy.hypothesis)
        title = remedy.title
        if likeliest and is_likeliest:
            title = f"{likeliest.title} ({tr(CERTAINTIES[report.diagnosis.certainty])})"
        print(f"{title}\n")
        for step in remedy.steps:
            shown = step if is_likeliest else _for_people(step)
            planned = plan_step(shown, target, known_checks, "", frozen_host(report))
            print(f"{_described(shown, planned)}\n")
            if not refusal_of(shown, planned):
                runnable.append(step.number)
    if runnable[1:]:
        call = " ".join(f"--do {number}" for number in runnable[:2])
        print(
            tr("If a repair takes several steps, run them in one call, such as {call}", call=call)
        )
    try:
        check_age(report, datetime.now(UTC))
    except Refused as exc:
        print(tr("none may run now: {reason}", reason=exc))


def _for_people(step: Step) -> Step:
    """Return a step without its permission to run: that is for the likeliest cause."""
    return replace(step, commands=tuple(replace(command, run="") for command in step.commands))


def _described(step: Step, planned: Sequence[PlannedCommand]) -> str:
    """Return a step with its commands, where each would run, or why it may not."""
    refusal = refusal_of(step, planned)
    state = refusal or tr("may run with --do {number}", number=step.number)
    lines = [f"{step.number} {step.title} ({state})"]
    for one in planned:
        lines += [f"    {row}" for row in one.command.text.splitlines()]
        lines += [f"  → {warning}" for warning in one.command.warnings]
        if one.rule and not one.refusal:
            known = PLACES.get(one.place)
            promise = tr(
                "{effect} on {place}, verified by {checks}",
                effect=tr(one.rule.effect),
                place=tr(known) if known else display_name(one.place),
                checks=listed(one.rule.verify),
            )
            lines.append(f"  → {promise}")
        elif refusal != one.refusal:
            lines.append(f"  → {one.refusal}")
    lines += [f"  → {tr('left out: {reason}', reason=reason)}" for reason in step.left_out]
    return "\n".join(lines)


def _step(report: Report, number: int) -> Step:
    cause = cause_of(report)
    steps = steps_of(report)
    for step in steps:
        if step.number == number:
            return step
    numbers = [step.number for remedy in report.remedies for step in remedy.steps]
    if number in numbers:
        raise Refused(
            'step {number} is for people: it is not of the likeliest cause, "{cause}"',
            number=number,
            cause=cause.title,
        )
    raise Refused(
        "there is no step {number}: there are 1 to {last}", number=number, last=len(numbers)
    )


def _targets_file(option: Path | None, target: str) -> Path:
    file = option or os.environ.get("VEZA_TARGETS_FILE")
    if not file and target == "lab":
        from lab.state import default_directory

        file = default_directory() / "targets.toml"
        if not is_there(file):
            raise Refused(
                "there is no lab in {folder}: its report can be acted on only while it is up",
                folder=file.parent,
            )
    return Path(file or ROOT / "targets.toml").absolute()


def _target(path: Path, name: str) -> Target:
    file = read_targets(path)
    check_name(name, file, path)
    return build(file, name, path, os.environ)
