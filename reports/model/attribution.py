"""What a check that did not hold counts for: one cause each, as tools that sort defects ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.outcome import base_id

if TYPE_CHECKING:
    from core.outcome import Outcome
    from reports.diagnosis.result import Diagnosis, Finding
    from reports.model.report import Report, Result

NOT_CLEAR = "The cause is not clear"
OUTSIDE = "Outside this runbook"
COULD_NOT_LOOK = "Could not look"
NEVER_REPORTED = "Never reported"
SUITE_BROKEN = "The checks themselves are broken"

NO_FAILURE = {
    "unreachable": COULD_NOT_LOOK,
    "missing": NEVER_REPORTED,
    "error": SUITE_BROKEN,
}
"""The category of a status that says nothing of the target."""


@dataclass(frozen=True)
class Attribution:
    """A category, a sentence that says why, and the cause that it names (None: it names none)."""

    category: str
    why: str
    cause: Finding | None = None


def categories(report: Report) -> tuple[str, ...]:
    """Return every category that a check of this report can have, the likeliest cause first."""
    named = [finding.title for finding in report.diagnosis.causes]
    found = dict.fromkeys([*named, OUTSIDE, NOT_CLEAR, *NO_FAILURE.values()])
    return tuple(found)


def attribute(result: Result, diagnosis: Diagnosis) -> Attribution | None:
    """Return the one category of a check, or None for a check that holds or was skipped.

    A failure goes to the cause, of those held to be true, that it speaks for most. One that none
    of them explains goes to a cause outside the runbook, and is not clear where there is none.
    """
    status, check = result.outcome.status, base_id(result.outcome.check)
    if status in NO_FAILURE:
        category = NO_FAILURE[status]
        return Attribution(category, f"{category}: this says nothing of the target.")
    if status != "failed":
        return None
    stray = next((u for u in diagnosis.unexplained if base_id(u.check) == check), None)
    held = list(diagnosis.accepted)
    if stray:
        held = [f for f in held if f.id in stray.outside]
        if not held:
            why = f"No hypothesis of the runbook explains it; what fails is the {stray.component}."
            return Attribution(OUTSIDE, why)
    if not held:
        return Attribution(NOT_CLEAR, "What was seen does not tell the runbook's hypotheses apart.")
    cause = max(held, key=lambda finding: _weight(finding, check))
    place = " (outside this runbook)" if cause.outside else ""
    why = f"Explained by: {cause.title}, probability {cause.probability:.2f}{place}."
    return Attribution(cause.title, why, cause)


def reason(outcome: Outcome) -> tuple[str, str]:
    """Return, in one line, why a check does not hold, and what else was said of it."""
    first, _, rest = outcome.seen.partition("\n")
    if outcome.status == "missing":
        # xdist names the process and its Python before it says what happened.
        rest, _, first = outcome.seen.rpartition("\n")
    return first or "It did not say why.", rest


def _weight(finding: Finding, check: str) -> float:
    """Return the log-odds that a check moved a cause by, 0.0 where it did not."""
    moved = (
        c.log_odds for c in (*finding.supporting, *finding.against) if base_id(c.check) == check
    )
    return next(moved, 0.0)
