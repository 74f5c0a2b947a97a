"""The checks by verification and the stuck uploads, as the HTML report lists them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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

UPLOADS_MAX = 20


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


@dataclass(frozen=True)
class Stuck:
    """The stuck uploads: all counted, the oldest shown. `seen` tells whether anybody could look."""

    seen: bool
    total: int
    users: int | None
    after: float
    shown: tuple[dict[str, Any], ...]


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


def stuck_uploads(report: Report) -> Stuck:
    """Return what the database said of stuck uploads; a reading that makes no sense is none."""
    data = next(
        (
            seen.data
            for result in report.results
            for seen in result.outcome.observations
            if seen.name == "database.stuck_uploads"
        ),
        None,
    )
    if not isinstance(data, dict) or not isinstance(data.get("total"), int):
        return Stuck(False, 0, None, 0.0, ())
    users, after, shown = data.get("users"), data.get("after"), data.get("shown")
    rows = [row for row in shown if isinstance(row, dict)] if isinstance(shown, list) else []
    return Stuck(
        seen=True,
        total=data["total"],
        users=users if isinstance(users, int) else None,
        after=float(after) if isinstance(after, int | float) else 0.0,
        shown=tuple(_row(row) for row in rows[:UPLOADS_MAX]),
    )


def _row(row: dict[str, Any]) -> dict[str, Any]:
    numbers = ("age_seconds", "updated_seconds", "progress", "size")
    known = {name: row.get(name) for name in numbers}
    usable = {n: v if isinstance(v, int | float) else None for n, v in known.items()}
    texts = ("id", "status", "user_id", "error_message")
    return {**usable, **{name: str(row.get(name) or "") for name in texts}}


def _group(title: str, checks: Sequence[Check], kept: set[int]) -> Group:
    shown = tuple(check for check in checks if check.number in kept)
    return Group(title, shown, _counts(checks), len(checks) - len(shown))


def _counts(checks: Sequence[Check]) -> tuple[tuple[str, int], ...]:
    found = Counter(check.outcome.status for check in checks)
    return tuple((status, found[status]) for status in STATUS_WORDS if found[status])  # type: ignore[index]
