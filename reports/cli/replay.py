"""`python -m reports replay`."""

from __future__ import annotations

import argparse
import sys

from core.language import tr
from reports.cli.command import (
    Commands,
    add_document,
    add_evidence,
    add_output,
    add_reader,
    open_report,
    write,
)
from reports.cli.render import add_format, render
from reports.diagnosis.robustness import explain_robustness
from reports.model.build import replay
from reports.model.bundle import bundle_of
from reports.model.figures import at_zero


def add_to(commands: Commands) -> None:
    parser = add_reader(
        commands,
        "replay",
        run,
        tr("diagnose the same outcomes again; for example with an edited evidence.toml"),
    )
    add_output(parser)
    add_document(parser)
    add_evidence(parser)
    parser.add_argument(
        "--robustness",
        action="store_true",
        help=tr("print instead what would be named with a component hidden or a reading flipped"),
    )
    add_format(parser, "json")


def run(options: argparse.Namespace) -> int:
    """Write the new report, and print to standard error how it differs."""
    saved = open_report(options.report)
    bundle = bundle_of(saved, options.evidence, options.runbook_doc)
    if options.robustness:
        zero = at_zero(saved.figures)
        evidence = bundle.evidence.without(saved.target.absent, saved.outcomes)
        write(explain_robustness(evidence, saved.outcomes, zero), options.output)
        return 0
    replayed = replay(saved, bundle)
    write(render(replayed, options.format, options.report), options.output)
    if replayed == saved:
        print(tr("The same report."), file=sys.stderr)
    elif replayed.headline == saved.headline:
        print(tr("The same headline; other parts of the report differ."), file=sys.stderr)
    else:
        print(
            tr(
                "Before: {before}\nNow:    {now}",
                before=saved.headline,
                now=replayed.headline,
            ),
            file=sys.stderr,
        )
    return 0
