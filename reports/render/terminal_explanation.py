"""The diagnosis for a terminal: evidence for and against each cause, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

from reports.model.headline import next_check_of, suspects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from reports.diagnosis.result import Contribution, Diagnosis, Finding
    from reports.model.report import Remedy, Report

STRONGEST = 3
"""Checks shown for a hypothesis; report.json has all of them."""

TELLING = 0.3
"""Log-odds below which a check is not worth a line."""


def print_explanation(console: Console, report: Report) -> None:
    """Print the evidence of each named cause, its nearest rival, and the corrective actions."""
    diagnosis = report.diagnosis
    if diagnosis.certainty == "none":
        return
    for finding in _worth_explaining(diagnosis):
        _finding(console, report, finding)
    _rival(console, report)
    for remedy in report.remedies:
        _remedy(console, remedy)


def _worth_explaining(diagnosis: Diagnosis) -> list[Finding]:
    if diagnosis.certainty == "unclear":
        return suspects(diagnosis)
    return list(diagnosis.accepted)


def _finding(console: Console, report: Report, finding: Finding) -> None:
    console.print()
    console.print(Text(f"Why {finding.title} ({finding.probability:.2f})", "bold"))
    for contribution in _telling(finding.supporting)[:STRONGEST]:
        _evidence(console, report, contribution, "for", "red")
    for contribution in _telling(finding.against)[:1]:
        _evidence(console, report, contribution, "against", "green")
    unseen = [entry for entry in finding.not_observed if entry.status != "absent"]
    if unseen:
        names = ", ".join(entry.check for entry in unseen[:STRONGEST])
        more = f" and {len(unseen) - STRONGEST} more" if len(unseen) > STRONGEST else ""
        console.print(Padding(Text(f"not observed: {names}{more}", "dim"), (0, 0, 0, 2)))


def _telling(contributions: Sequence[Contribution]) -> list[Contribution]:
    return [one for one in contributions if abs(one.log_odds) >= TELLING]


def _evidence(
    console: Console, report: Report, contribution: Contribution, side: str, style: str
) -> None:
    line = Text(f"{side}: ", style)
    line.append(report.evidence(contribution.check), "")
    line.append(f" [{contribution.check}, {contribution.log_odds:+.1f}]", "dim")
    console.print(Padding(line, (0, 0, 0, 2)))


def _rival(console: Console, report: Report) -> None:
    diagnosis = report.diagnosis
    rivals = [f for f in diagnosis.hypotheses if f.id not in diagnosis.most_likely_set]
    if diagnosis.certainty in ("certain", "likely") and rivals:
        second = rivals[0]
        text = f"Next likely: {second.title} ({second.probability:.2f})"
        if second.against:
            against = second.against[0]
            text += f"; against it: {report.evidence(against.check)} [{against.check}]"
        console.print()
        console.print(Text(text, "dim"))
    proposed = next_check_of(diagnosis)
    if proposed:
        expected = report.expected(proposed.check)
        # A check that was not selected has no sentence: its id stands for it.
        name = f" [{proposed.check}]" if expected != proposed.check else ""
        titles = {f.id: f.title for f in diagnosis.causes}
        between = " from ".join(titles[cause] for cause in proposed.between)
        text = f"Next check, to tell {between}: {expected}{name}"
        console.print(Text(text, "bold"))


def _remedy(console: Console, remedy: Remedy) -> None:
    console.print()
    console.print(Text(f"What to do: {remedy.title}", "bold"))
    for step in remedy.steps:
        mark = "  (changes the system)" if step.dangerous else ""
        console.print(Padding(Text(f"{step.number}. {step.title}{mark}"), (0, 0, 0, 2)))
        for command in step.commands:
            for line in command.text.strip().splitlines():
                # A command is copied: it is never wrapped.
                console.print(Text(f"       {line}", "cyan"), no_wrap=True, soft_wrap=True)
            for warning in command.warnings:
                console.print(Padding(Text(f"! {warning}", "yellow"), (0, 0, 0, 7)))
        for sentence in step.left_out:
            console.print(Padding(Text(f"left out: {sentence}", "dim"), (0, 0, 0, 7)))
