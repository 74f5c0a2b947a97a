"""Attribute each check that did not pass to one cause, for tools that sort defects."""

from __future__ import annotations

from core.frozen import frozen
from core.language import mark, numeral, tr
from core.outcome import Outcome, base_id, component_word
from reports.diagnosis.result import Diagnosis, Finding
from reports.model.report import Report, Result

NOT_CLEAR = mark("The cause is not clear")
OUTSIDE = mark("Outside this runbook")
UNREACHABLE = mark("Unreachable")
NOT_RUN = mark("Not run")
ERROR = mark("Error in the checks")

NO_FAILURE = {"unreachable": UNREACHABLE, "missing": NOT_RUN, "error": ERROR}
"""The category of a status that says nothing about the target, before its translation."""


@frozen
class Attribution:
    """A category, the reason for it, and the cause that it names, if any."""

    category: str
    why: str
    cause: Finding | None = None


def categories(report: Report) -> tuple[str, ...]:
    """Return every category that a check of this report can have, the likeliest cause first."""
    titles = [finding.title for finding in report.diagnosis.causes]
    others = [tr(category) for category in (OUTSIDE, NOT_CLEAR, *NO_FAILURE.values())]
    return tuple(dict.fromkeys([*titles, *others]))


def attribute(result: Result, diagnosis: Diagnosis) -> Attribution | None:
    """Return the one category of a check, or None for a check that passed or was skipped.

    A failure goes to the accepted cause that it supports most. One that no accepted hypothesis
    explains goes to an accepted cause outside the runbook, or else to "Outside this runbook".
    """
    status, check = result.outcome.status, base_id(result.outcome.check)
    if status in NO_FAILURE:
        category = tr(NO_FAILURE[status])
        return Attribution(
            category, tr("{category}: this says nothing about the target.", category=category)
        )
    if status != "failed":
        return None
    unexplained = next((u for u in diagnosis.unexplained if base_id(u.check) == check), None)
    accepted = list(diagnosis.accepted)
    if unexplained:
        accepted = [f for f in accepted if f.id in unexplained.outside]
        if not accepted:
            component = unexplained.component
            why = tr(
                "No hypothesis of the runbook explains it; the component is {component}.",
                component=component_word(component),
            )
            return Attribution(tr(OUTSIDE), why)
    if not accepted:
        return Attribution(
            tr(NOT_CLEAR), tr("The outcomes do not tell the runbook's hypotheses apart.")
        )
    cause = max(accepted, key=lambda finding: _weight(finding, check))
    probability = numeral(cause.probability, 2)
    sentence = (
        mark("Explained by: {cause}, probability {probability} (outside this runbook).")
        if cause.outside
        else mark("Explained by: {cause}, probability {probability}.")
    )
    why = tr(sentence, cause=cause.title, probability=probability)
    return Attribution(cause.title, why, cause)


def reason(outcome: Outcome) -> tuple[str, str]:
    """Return why a check did not pass in one line, and the other lines."""
    first, _, details = outcome.seen.partition("\n")
    return first or tr("No reason was given."), details


def _weight(finding: Finding, check: str) -> float:
    """Return what a check contributed to a cause in log-odds, 0.0 for nothing."""
    contributions = (*finding.supporting, *finding.against)
    return next((c.log_odds for c in contributions if base_id(c.check) == check), 0.0)
