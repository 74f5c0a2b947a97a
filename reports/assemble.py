"""From what a run left to its report: pure, and the same for the same outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.headline import headline_of
from reports.report import Report, coverage_of, place_results, state_of, titles_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.evidence import Evidence
    from reports.outcome import Outcome
    from reports.runbook import Runbook


@dataclass(frozen=True)
class Book:
    """A runbook as a run uses it: the prose, and the evidence table that goes with it."""

    document: Runbook
    evidence: Evidence


def assemble(
    outcomes: Sequence[Outcome],
    problems: Sequence[str],
    target: dict[str, Any],
    book: Book,
    started: str,
    seconds: float,
) -> Report:
    """Return the report on these outcomes; `seconds` is the run's wall time."""
    results = place_results(outcomes, book.evidence)
    state = state_of(results, problems)
    return Report(
        target=target,
        runbook=book.document.title,
        started=started,
        seconds=round(seconds, 3),
        state=state,
        headline=headline_of(state, results, problems),
        verifications=titles_of(book.document),
        results=results,
        coverage=coverage_of(results, target["components"]),
        problems=tuple(problems),
    )
