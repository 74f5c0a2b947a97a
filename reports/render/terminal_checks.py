"""The checks for a terminal, by verification, with what was seen."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from core.language import tr
from core.outcome import Outcome, component_word, counted, counts_in_words
from core.text import titled
from reports.model.alike import merged
from reports.model.report import Report

MARKS = {
    "failed": ("✗", "red"),
    "unreachable": ("?", "yellow"),
    "error": ("!", "bold magenta"),
    "missing": ("…", "magenta"),
    "skipped": ("-", "dim"),
    "passed": ("✓", "green"),
}
"""Mark and style of each status; a check that passed has its sentence alone."""


def print_checks(console: Console, report: Report) -> None:
    """Print every check by verification, the problems of the run, and the coverage."""
    titles = {
        step.number: f"{step.number} {step.title}" if step.number else step.title
        for step in report.verifications
    }
    for number, title in titles.items():
        checks = [r.outcome for r in report.results if r.verification == number]
        _group(console, title, checks, report.host_sentences)
    others = [r.outcome for r in report.results if r.verification not in titles]
    _group(console, tr("Checks outside the runbook"), others, report.host_sentences)
    for problem in report.problems:
        console.print(Text(f"! {problem}", "bold magenta"))
    _coverage(console, report)


def _group(
    console: Console, title: str, outcomes: list[Outcome], host_sentences: dict[str, str]
) -> None:
    if not outcomes:
        return
    line = Text(titled(title, ""), "bold")
    line.append(counts_in_words(counted(outcomes)), "not bold")
    console.print()
    console.print(line)
    for outcome in merged(outcomes, host_sentences):
        _outcome(console, outcome)


def _outcome(console: Console, outcome: Outcome) -> None:
    mark, style = MARKS[outcome.status]
    if outcome.status == "skipped":
        console.print(
            Padding(Text(f"{mark} {outcome.seen} [{outcome.check}]", style), (0, 0, 0, 2))
        )
        return
    line = Text(f"{mark} ", style)
    line.append(outcome.expected or outcome.check, "")
    line.append(f" [{outcome.check}]", "dim")
    console.print(Padding(line, (0, 0, 0, 2)))
    if outcome.seen:
        console.print(Padding(Text(outcome.seen, style), (0, 0, 0, 6)))


def _coverage(console: Console, report: Report) -> None:
    parts = []
    for source in report.coverage:
        if source.place is None:
            parts.append(
                tr("{component} not configured", component=component_word(source.component))
            )
        elif source.selected:
            parts.append(f"{component_word(source.component)} {source.observed}/{source.selected}")
    console.print()
    if parts:
        console.print(Text(tr("Coverage: {components}", components=", ".join(parts)), "dim"))
