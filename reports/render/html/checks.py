"""The checks by verification, as the HTML report lists them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.outcome import STATUS_WORDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.outcome import Outcome
    from reports.model.report import Report


@dataclass(frozen=True)
class Check:
    """An outcome with its number on the page."""

    number: int
    outcome: Outcome

    def others(self) -> list[str]:
        """Return the observations' sentences, except the one that is shown already."""
        sentences = (observation.seen for observation in self.outcome.observations)
        return [text for text in dict.fromkeys(sentences) if text and text != self.outcome.seen]


@dataclass(frozen=True)
class Group:
    """The checks of one verification; `hidden` counts those that the page has no room for."""

    title: str
    checks: tuple[Check, ...]
    counts: tuple[tuple[str, int], ...]
    hidden: int


@dataclass(frozen=True)
class Groups:
    """All checks of the page, the count of each status, and the number of each check."""

    groups: tuple[Group, ...]
    counts: tuple[tuple[str, int], ...]
    places: dict[str, int]


def groups_of(report: Report, limit: int) -> Groups:
    """Return the checks in the runbook's order, at most `limit`; passed ones are dropped first."""
    numbered = [Check(number, r.outcome) for number, r in enumerate(report.results, start=1)]
    urgent = sorted(numbered, key=lambda check: check.outcome.status == "passed")
    kept = {check.number for check in urgent[:limit]}
    titles = {
        step.number: f"{step.number}. {step.title}" if step.number else step.title
        for step in report.verifications
    }
    groups: dict[str, list[Check]] = {title: [] for title in titles.values()}
    for check, result in zip(numbered, report.results, strict=True):
        title = titles.get(result.verification, "Checks outside the runbook")
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
    counter = Counter(check.outcome.status for check in checks)
    return tuple((status, number) for status in STATUS_WORDS if (number := counter[status]))
