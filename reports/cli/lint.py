"""`python -m reports lint`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from core.language import tr, trn
from core.text import clean, titled
from reports.cli.command import Commands, add_command
from reports.model.bundle import RUNBOOKS
from reports.model.lint import lint
from reports.runbook.document import RunbookError

INCOMPLETE = 1
"""Exit status of a runbook with something missing."""


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "lint",
        run,
        tr("say what is missing in a runbook"),
        tr(
            "These are checks without a row, commands and verifications without a check, causes "
            "that no check tells apart, actions that nothing verifies, placeholders that nothing "
            "fills. The exit status is 1 if there is anything."
        ),
    )
    parser.add_argument(
        "runbook",
        metavar="RUNBOOK",
        nargs="?",
        help=tr("the name of its folder in runbooks/ (default: all of them)"),
    )


def run(options: argparse.Namespace) -> int:
    """Print the findings, and return 1 if there are any; raises RunbookError for a wrong name."""
    status = 0
    for folder in _folders(options.runbook):
        findings = lint(folder, checks_of(folder), filling())
        for finding in findings:
            place = f"{os.path.relpath(finding.path)}:{finding.line}"
            print(clean(f"{place}: {finding.sentence}"))
        summary = (
            trn("{n} thing missing", "{n} things missing", len(findings))
            if findings
            else tr("nothing is missing")
        )
        print(titled(folder.name, summary))
        status = status or (INCOMPLETE if findings else 0)
    return status


def checks_of(folder: Path) -> Path:
    """Return the folder of a runbook's checks."""
    return folder.parents[1] / "checks" / folder.name


def filling() -> list[Path]:
    """Return the files that fill placeholders: the probes and the target's summary."""
    return sorted((RUNBOOKS.parent / "fixtures").rglob("*.py"))


def _folders(name: str | None) -> list[Path]:
    known = {path.name: path for path in sorted(RUNBOOKS.iterdir()) if path.is_dir()}
    if name is None:
        return list(known.values())
    if name not in known:
        names = ", ".join(known) or tr("none")
        raise RunbookError(
            "{folder} has no runbook {runbook!r}; it has {runbooks}",
            folder=RUNBOOKS,
            runbook=name[:60],
            runbooks=names,
        )
    return [known[name]]
