"""The diagnosis for a terminal: evidence for and against each cause, and what to do."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from core.language import numeral, tr
from core.text import named
from reports.diagnosis.result import Contribution, Diagnosis, Finding
from reports.model.headline import next_check_of, suspects
from reports.model.report import Remedy, Report
from reports.render.verdict_words import notable, weight

STRONGEST = 3
"""Checks shown for a hypothesis; report.json has all of them."""


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
    console.print(
        Text(
            tr(
                "Why {title} ({probability})",
                title=finding.title,
                probability=numeral(finding.probability, 2),
            ),
            "bold",
        )
    )
    for contribution in notable(finding.supporting)[:STRONGEST]:
        _evidence(console, report, contribution, tr("for: "), "red")
    for contribution in notable(finding.against)[:1]:
        _evidence(console, report, contribution, tr("against: "), "green")
    unseen = [entry for entry in finding.not_observed if entry.status != "absent"]
    if unseen:
        names = named([entry.check for entry in unseen], most=STRONGEST)
        text = tr("not observed: {checks}", checks=names)
        console.print(Padding(Text(text, "dim"), (0, 0, 0, 2)))


def _evidence(
    console: Console, report: Report, contribution: Contribution, side: str, style: str
) -> None:
    line = Text(side, style)
    line.append(report.evidence(contribution.check), "")
    line.append(f" [{contribution.check}, {weight(contribution.log_odds)}]", "dim")
    console.print(Padding(line, (0, 0, 0, 2)))


def _rival(console: Console, report: Report) -> None:
    diagnosis = report.diagnosis
    rivals = [f for f in diagnosis.hypotheses if f.id not in diagnosis.most_likely_set]
    if diagnosis.certainty in ("certain", "likely") and rivals:
        second = rivals[0]
        text = tr(
            "Next likely: {title} ({probability})",
            title=second.title,
            probability=numeral(second.probability, 2),
        )
        if second.against:
            against = second.against[0]
            text += tr(
                "; against it: {evidence} [{check}]",
                evidence=report.evidence(against.check),
                check=against.check,
            )
        console.print()
        console.print(Text(text, "dim"))
    proposed = next_check_of(diagnosis)
    if proposed:
        expected = report.expected(proposed.check)
        # A check that was not selected has no sentence: its id stands for it.
        name = f" [{proposed.check}]" if expected != proposed.check else ""
        titles = {f.id: f.title for f in diagnosis.causes}
        cause, other = (titles[one] for one in proposed.between)
        text = tr(
            "Next check, to tell {cause} from {other}: {check}",
            cause=cause,
            other=other,
            check=expected + name,
        )
        console.print(Text(text, "bold"))


def _remedy(console: Console, remedy: Remedy) -> None:
    console.print()
    console.print(Text(tr("What to do: {title}", title=remedy.title), "bold"))
    for step in remedy.steps:
        warning = f"  ({tr('changes the system')})" if step.dangerous else ""
        console.print(Padding(Text(f"{step.number}. {step.title}{warning}"), (0, 0, 0, 2)))
        for command in step.commands:
            for line in command.text.strip().splitlines():
                # A command is copied: it is never wrapped.
                console.print(Text(f"       {line}", "cyan"), no_wrap=True, soft_wrap=True)
            for warning in command.warnings:
                console.print(Padding(Text(f"! {warning}", "yellow"), (0, 0, 0, 7)))
        for reason in step.left_out:
            console.print(
                Padding(Text(tr("left out: {reason}", reason=reason), "dim"), (0, 0, 0, 7))
            )
