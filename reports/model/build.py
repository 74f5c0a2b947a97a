"""From what a run left to its report: pure, and the same for the same outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.diagnosis.diagnose import diagnose
from reports.model.figures import figures_of, placeholders_of
from reports.model.headline import headline_of
from reports.model.report import (
    Remedy,
    Report,
    coverage_of,
    place_results,
    state_of,
    titles_of,
    unselected_of,
)
from reports.runbook.placeholders import fill_step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.outcome import Outcome
    from core.target_summary import TargetSummary
    from reports.diagnosis.evidence import Evidence
    from reports.diagnosis.result import Diagnosis
    from reports.model.figures import Figure
    from reports.runbook.document import Runbook


@dataclass(frozen=True)
class Book:
    """A runbook as a run uses it: the prose, and the evidence table that goes with it."""

    document: Runbook
    evidence: Evidence


def assemble(
    outcomes: Sequence[Outcome],
    problems: Sequence[str],
    target: TargetSummary,
    book: Book,
    started: str,
    seconds: float,
    figures: tuple[Figure, ...] | None = None,
) -> Report:
    """Return the report on these outcomes; `seconds` is the run's wall time.

    `figures` are those of a report that is judged again; None: taken from the outcomes.
    """
    results = place_results(outcomes, book.evidence)
    # In the report's order: of two looks at one thing the same one counts when it is judged again.
    ordered = [result.outcome for result in results]
    figures = figures_of(ordered) if figures is None else figures
    state = state_of(results, problems)
    diagnosis = diagnose(book.evidence, outcomes)
    # What the target file and the command line say comes before what was seen.
    values = {**placeholders_of(ordered), **target.placeholders}
    return Report(
        target=target,
        runbook=book.document.title,
        started=started,
        seconds=round(seconds, 3),
        state=state,
        headline=headline_of(
            state, results, problems, diagnosis, figures, unselected_of(results, book.evidence)
        ),
        verifications=titles_of(book.document),
        results=results,
        coverage=coverage_of(results, target.components),
        figures=figures,
        diagnosis=diagnosis,
        remedies=remedies_for(diagnosis, book, values),
        problems=tuple(problems),
    )


def remedies_for(diagnosis: Diagnosis, book: Book, values: Mapping[str, str]) -> tuple[Remedy, ...]:
    """Return the corrective actions of each hypothesis that is held to be true, filled in.

    None where the cause is not known or lies outside the runbook: a remedy for a guess is a
    second incident.
    """
    numbers = {cause.id: n for n, cause in enumerate(book.evidence.hypotheses, start=1)}
    held = [finding for finding in diagnosis.held if not finding.outside]
    found = ((finding, book.document.action(numbers[finding.id])) for finding in held)
    return tuple(
        Remedy(finding.id, section.title, tuple(fill_step(step, values) for step in section.steps))
        for finding, section in found
        if section
    )
