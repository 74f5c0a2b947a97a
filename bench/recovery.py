"""Repair the lab's faults with `python -m actions`, and print a table of the times to recovery.

    python -m bench.recovery [--variant NAME] [FAULT ...]

The steps are those that tests/lab/test_actions.py takes by hand. A fault with a step that the
runbook leaves to people has its reason in the table.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import time
from pathlib import Path

from lab import faults, lifecycle
from lab.variants import get_variant
from reports.model.report import Report
from reports.model.report_json import load_report
from tests.lab.fix_operator import Operator
from tests.lab.test_actions import REPAIRS
from tests.suite import run_suite


def main() -> None:
    """Start a lab, repair each fault in it, and print a row for each."""
    parser = argparse.ArgumentParser(description="Repair the lab's faults by `python -m actions`.")
    parser.add_argument("faults", nargs="*", metavar="FAULT")
    parser.add_argument("--variant", default="standard", metavar="NAME")
    options = parser.parse_args()
    print("| fault | steps | seconds from the call to the recovery | result |")
    print("|---|---|---:|---|")
    with tempfile.TemporaryDirectory(prefix="veza-recovery-") as folder:
        directory = Path(folder, "lab")
        directory.mkdir()
        lab = lifecycle.up(directory, variant=get_variant(options.variant), owner=os.getpid())
        try:
            for name in options.faults or REPAIRS:
                work = Path(folder, name)
                work.mkdir()
                print(repaired(Operator(lab, work), name), flush=True)
        finally:
            lifecycle.down(directory)


def repaired(operator: Operator, name: str) -> str:
    """Return the row of one fault; the lab is healed afterwards."""
    directory = operator.lab.directory
    missing = faults.missing_needs(directory, [name])
    if missing:
        return f"| `{name}` | | | needs {missing} |"
    faults.inject(directory, [name])
    try:
        out, targets = operator.directory / "out", directory / "targets.toml"
        run_suite("--target=lab", f"--targets-file={targets}", out=out)
        report = out / "lab/upload_stuck/report.json"
        steps = numbers_of(load_report(report), name)
        words = [word for number in steps.values() for word in ("--do", str(number))]
        started = time.monotonic()
        done = operator.act(report, targets, "--execute", *words)
        seconds = time.monotonic() - started
    finally:
        faults.heal(directory)
    last = done.stdout.strip().splitlines()[-1]
    result = "recovered" if done.returncode == 0 else re.sub(r"[|]", " ", last)[:300]
    return f"| `{name}` | {'; '.join(steps) or '-'} | {seconds:.0f} | {result} |"


def numbers_of(report: Report, name: str) -> dict[str, int]:
    """Return the steps that repair a fault, with their numbers in the report."""
    shown = {step.title: step.number for remedy in report.remedies[:1] for step in remedy.steps}
    return {title: shown[title] for title in REPAIRS[name] if title in shown}


if __name__ == "__main__":
    main()
