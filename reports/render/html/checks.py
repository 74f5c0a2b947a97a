"""The checks as the HTML report lists them: why some did not pass, then the others, folded."""

from __future__ import annotations

from core.frozen import frozen
from core.language import tr
from core.outcome import STATUS_WORDS, Outcome, Status, counted, counts_in_words
from reports.model.alike import merged
from reports.model.report import Report
from reports.render.verdict_words import shared_reasons
from reports.render.words import plain

GOOD: tuple[Status, ...] = ("passed", "skipped")
"""The statuses of checks that are folded."""

ORDER = tuple(STATUS_WORDS)


@frozen
class NumberedCheck:
    """An outcome with its number on the page."""

    number: int
    outcome: Outcome

    def others(self) -> list[str]:
        """Return the observations' sentences, except the one that is shown already."""
        sentences = (observation.seen for observation in self.outcome.observations)
        return [text for text in dict.fromkeys(sentences) if text and text != self.outcome.seen]


@frozen
class Reason:
    """Checks that did not pass for the same reason. `counts` says how many of each status."""

    text: str
    status: Status
    checks: tuple[NumberedCheck, ...]
    counts: str


@frozen
class Group:
    """Checks of one verification of the runbook."""

    title: str
    checks: tuple[NumberedCheck, ...]


@frozen
class Fold:
    """The checks of one status that are folded: how many there are, and those with room."""

    status: Status
    total: int
    groups: tuple[Group, ...]


@frozen
class Checks:
    """All checks of the page, how many have each status, and the number of each check.

    `hidden` counts those that the page has no room for.
    """

    reasons: tuple[Reason, ...]
    folds: tuple[Fold, ...]
    counts: str
    places: dict[str, int]
    hidden: int


def checks_of(report: Report, limit: int) -> Checks:
    """Return the checks of the page, at most `limit`; passed ones are dropped first."""
    numbered = [
        NumberedCheck(number, r.outcome) for number, r in enumerate(report.results, start=1)
    ]
    rows, row_of = _rows(report, numbered)
    urgent = sorted(rows, key=lambda check: ORDER.index(check.outcome.status))
    kept = urgent[:limit]
    shown = {check.number for check in kept}
    folds = [_fold(report, kept, status) for status in GOOD]
    return Checks(
        reasons=_reasons(report, [one for one in kept if one.outcome.status not in GOOD]),
        folds=tuple(fold for fold in folds if fold.total),
        counts=_counts(numbered),
        places={check: number for check, number in row_of.items() if number in shown},
        hidden=len(rows) - len(kept),
    )


def _rows(
    report: Report, checks: list[NumberedCheck]
) -> tuple[list[NumberedCheck], dict[str, int]]:
    """Return a check for each row, and the number of each check's row.

    Passed checks of hosts that are alike share one.
    """
    rows: dict[str, NumberedCheck] = {}
    row_of = {}
    for check in checks:
        name, outcome = check.outcome.check, check.outcome
        if outcome.status == "passed" and name in report.host_sentences:
            (outcome,) = merged([outcome], report.host_sentences)
            name = report.host_sentences[name]
        row = rows.setdefault(name, NumberedCheck(check.number, outcome))
        row_of[check.outcome.check] = row.number
    return list(rows.values()), row_of


def _reasons(report: Report, checks: list[NumberedCheck]) -> tuple[Reason, ...]:
    """Return the reasons in the order of their worst check."""
    shared = shared_reasons(report)
    groups: dict[str, list[NumberedCheck]] = {}
    for check in checks:
        reason = plain(report.seen(check.outcome))
        if check.outcome.status != "failed":
            reason = shared.get(reason, reason)
        # A check that says nothing has no reason in common with another.
        groups.setdefault(reason or f"check {check.number}", []).append(check)
    return tuple(
        Reason(
            report.seen(group[0].outcome),
            group[0].outcome.status,
            tuple(group),
            _counts(group),
        )
        for group in groups.values()
    )


def _fold(report: Report, kept: list[NumberedCheck], status: Status) -> Fold:
    titles = {
        step.number: f"{step.number}. {step.title}" if step.number else step.title
        for step in report.verifications
    }
    groups: dict[str, list[NumberedCheck]] = {title: [] for title in titles.values()}
    chosen = [check for check in kept if check.outcome.status == status]
    for check in sorted(chosen, key=lambda one: one.number):
        verification = report.results[check.number - 1].verification
        title = titles.get(verification, tr("Checks outside the runbook"))
        groups.setdefault(title, []).append(check)
    return Fold(
        status,
        sum(result.outcome.status == status for result in report.results),
        tuple(Group(title, tuple(checks)) for title, checks in groups.items() if checks),
    )


def _counts(checks: list[NumberedCheck]) -> str:
    return counts_in_words(counted(check.outcome for check in checks))
