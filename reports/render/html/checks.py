"""The checks by verification and the stuck uploads, as the HTML report lists them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.outcome import Outcome
    from reports.model.report import Report

STATUS_WORDS = {
    "failed": "failed",
    "unreachable": "could not look",
    "error": "broken check",
    "missing": "never reported",
    "skipped": "skipped",
    "passed": "holds",
}
"""What a status is called, worst first."""


@dataclass(frozen=True)
class Check:
    """An outcome with the number that its place on the page has."""

    number: int
    outcome: Outcome

    def others(self) -> list[str]:
        """Return what the probes saw, beside the sentence that is shown already."""
        seen = (one.seen for one in self.outcome.observations)
        return [text for text in dict.fromkeys(seen) if text and text != self.outcome.seen]


@dataclass(frozen=True)
class Group:
    """The checks of one verification; `hidden` is how many the page has no room for."""

    title: str
    checks: tuple[Check, ...]
    counts: tuple[tuple[str, int], ...]
    hidden: int


@dataclass(frozen=True)
class Groups:
    """All checks of the page, how many there are of each status, and where each one is."""

    groups: tuple[Group, ...]
    counts: tuple[tuple[str, int], ...]
    places: dict[str, int]


def groups_of(report: Report, limit: int) -> Groups:
    """Return the checks in the runbook's order, at most `limit`: what passed gives way first."""
    numbered = [Check(number, r.outcome) for number, r in enumerate(report.results, start=1)]
    urgent = sorted(numbered, key=lambda check: check.outcome.status == "passed")
    kept = {check.number for check in urgent[:limit]}
    titles = {
        step.number: f"{step.number}. {step.title}" if step.number else step.title
        for step in report.verifications
    }
    groups: dict[str, list[Check]] = {title: [] for title in titles.values()}
    for check, result in zip(numbered, report.results, strict=True):
        title = titles.get(result.verification, "Not in the runbook")
        groups.setdefault(title, []).append(check)
    return Groups(
        groups=tuple(_group(title, checks, kept) for title, checks in groups.items() if checks),
        counts=_counts(numbered),
        places={check.outcome.check: check.number for check in numbered if check.number in kept},
    )


def _group(title: str, checks: Sequence[Check], kept: set[int]) -> Group:
    shown = tuple(check for check in checks if check.number in kept)
    return Group(title, shown, _counts(checks), len(checks) - len(shown))


def _counts(checks: Sequence[Check]) -> tuple[tuple[str, int], ...]:
    found = Counter(check.outcome.status for check in checks)
    return tuple((status, found[status]) for status in STATUS_WORDS if found[status])  # type: ignore[index]
