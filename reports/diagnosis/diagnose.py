"""Weigh the outcomes against the causes, and judge: which are likely, and how surely.

Pure and deterministic: outcomes are sorted by the order of the evidence before they are weighed, so
that the same outcomes give the same bytes, whatever their order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from core.outcome import base_id
from reports.diagnosis.network import Network, likeliest, normalised, probability, weighed, without
from reports.diagnosis.next_check import choose_next_check
from reports.diagnosis.result import (
    CERTAIN,
    LIKELY,
    POSSIBLE,
    ComponentCoverage,
    Contribution,
    Coverage,
    Diagnosis,
    Finding,
    NotObserved,
    Unexplained,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reports.diagnosis.evidence import CheckRow, Evidence
    from reports.diagnosis.result import Certainty

OWN_FACTOR = 2.0
"""Evidence of its own speaks for a cause this many times as strongly as for any other."""

RULED_OUT = 0.05
"""The probability below which another cause no longer counts as a rival for a piece of evidence."""

BEYOND_CHANCE = 10.0
"""Evidence of its own is this many times likelier under the cause than with no cause at all."""

MAX_CAUSES = 16
"""Beyond it the 2^n sets are no longer a matter of milliseconds; the model needs another method."""

CLEAR_FACTOR = 2.0
"""A hypothesis that is this many times likelier than its rival is said to be the likely one."""

NEGLIGIBLE = 0.005
"""Log-odds below which a check is not listed for or against a cause."""


class ModelTooLargeError(ValueError):
    """The evidence has more causes than can be enumerated."""


class CheckResult(Protocol):
    """What is read of an outcome: the check's id and its status."""

    @property
    def check(self) -> str: ...

    @property
    def status(self) -> str: ...


@dataclass(frozen=True)
class _Seen:
    """One row as observed: the case that decided, and its likelihood for each set."""

    row: CheckRow
    check: str
    failed: bool
    likelihood: list[float]


def diagnose(evidence: Evidence, outcomes: Iterable[CheckResult]) -> Diagnosis:
    """Weigh the outcomes of one run; their order does not matter.

    Only "passed" and "failed" say anything. The cases of a parametrized check count as one: it
    failed if any did. Raises ModelTooLargeError beyond 16 causes.
    """
    causes = evidence.causes
    if len(causes) > MAX_CAUSES:
        raise ModelTooLargeError(
            f"{evidence.path}: {len(causes)} causes; more than {MAX_CAUSES} cannot be enumerated"
        )
    results = sorted({(result.check, result.status) for result in outcomes})
    network = Network(causes)
    seen = _observe(evidence, results, network)
    masses = network.prior
    for item in seen:
        masses = weighed(masses, item.likelihood)
    masses = normalised(masses)
    odds = network.odds(masses)
    findings = _findings(evidence, network, seen, masses, odds, results)
    ranked = sorted(range(len(causes)), key=lambda node: (-odds[node], node))
    best = likeliest(masses)
    chosen = [cause for node, cause in enumerate(causes) if best >> node & 1]
    hypotheses = tuple(findings[node] for node in ranked if not causes[node].outside)
    outside = tuple(findings[node] for node in ranked if causes[node].outside)
    inside_ids = tuple(cause.id for cause in chosen if not cause.outside)
    outside_ids = tuple(cause.id for cause in chosen if cause.outside)
    failures = [check for check, status in results if status == "failed"]
    certainty = _certainty(evidence, hypotheses, outside, {*inside_ids, *outside_ids}, failures)
    return Diagnosis(
        hypotheses=hypotheses,
        outside=outside,
        most_likely_set=inside_ids,
        most_likely_outside=outside_ids,
        set_probability=masses[best],
        unexplained=_unexplained(evidence, failures, inside_ids, outside_ids),
        coverage=_coverage(evidence, results),
        next_check=choose_next_check(evidence, network, masses, hypotheses, results, certainty),
        certainty=certainty,
    )


def _observe(evidence: Evidence, results: list[tuple[str, str]], network: Network) -> list[_Seen]:
    """What was observed, in the order of the evidence, without what says nothing.

    Left out are moot passes, and rows that no cause explains: they weigh alike on all sets.
    """
    cases: dict[str, dict[str, list[str]]] = {}
    for check, status in results:
        if status in ("passed", "failed"):
            cases.setdefault(base_id(check), {}).setdefault(status, []).append(check)
    seen = []
    for row in evidence.checks:
        found = cases.get(row.id)
        if not found or not row.explained_by:
            continue
        failed = "failed" in found
        gate = cases.get(row.moot_when or "")
        if not failed and gate and "failed" not in gate:
            continue
        names = found["failed" if failed else "passed"]
        likelihood = network.likelihood(row, failed=failed)
        seen.append(_Seen(row, names[0] if len(names) == 1 else row.id, failed, likelihood))
    return seen


def _findings(
    evidence: Evidence,
    network: Network,
    seen: list[_Seen],
    masses: list[float],
    odds: list[float],
    results: list[tuple[str, str]],
) -> list[Finding]:
    shifts: list[list[Contribution]] = [[] for _ in network.ids]
    for item in seen:
        others = network.odds(without(masses, item.likelihood))
        status = "failed" if item.failed else "passed"
        for node, (given, before) in enumerate(zip(odds, others, strict=True)):
            if abs(given - before) >= NEGLIGIBLE:
                shifts[node].append(Contribution(item.check, status, given - before))
    statuses: dict[str, set[str]] = {}
    for check, status in results:
        statuses.setdefault(base_id(check), set()).add(status)
    silent = [
        (row, _silence(statuses.get(row.id, set())))
        for row in evidence.checks
        if not statuses.get(row.id, set()) & {"passed", "failed"}
    ]
    failed = [item for item in seen if item.failed]
    rivals = {
        cause.id
        for node, cause in enumerate(evidence.causes)
        if probability(odds[node]) >= RULED_OUT
    }
    return [
        Finding(
            id=cause.id,
            title=cause.title,
            probability=probability(odds[node]),
            outside=cause.outside,
            component=cause.component,
            supporting=_strongest(shift for shift in shifts[node] if shift.log_odds > 0),
            against=_strongest(shift for shift in shifts[node] if shift.log_odds < 0),
            not_observed=tuple(
                NotObserved(row.id, status) for row, status in silent if row.weight(cause.id)
            ),
            own_evidence=any(_is_own(item.row, cause.id, rivals, evidence) for item in failed),
        )
        for node, cause in enumerate(evidence.causes)
    ]


def _is_own(row: CheckRow, cause: str, rivals: set[str], evidence: Evidence) -> bool:
    """Return whether the failure of a check is evidence of this cause rather than of its rivals.

    The signal, and every check of the component that the signal is about, says that something is
    wrong and not what.
    """
    if row.component in evidence.signal_components:
        return False
    weight = row.weight(cause)
    others = max((row.weight(other) for other in rivals - {cause}), default=0.0)
    return weight >= max(OWN_FACTOR * others, BEYOND_CHANCE * row.leak) > 0


def _silence(statuses: set[str]) -> str:
    order = ("error", "missing", "unreachable", "skipped")
    return next((status for status in order if status in statuses), "absent")


def _strongest(shifts: Iterable[Contribution]) -> tuple[Contribution, ...]:
    return tuple(sorted(shifts, key=lambda shift: (-abs(shift.log_odds), shift.check)))


def _certainty(
    evidence: Evidence,
    hypotheses: tuple[Finding, ...],
    outside: tuple[Finding, ...],
    chosen: set[str],
    failures: list[str],
) -> Certainty:
    if not failures:
        return "none"
    named = [
        finding
        for finding in (*hypotheses, *outside)
        if finding.id in chosen and finding.own_evidence and finding.probability >= LIKELY
    ]
    inside = [finding for finding in named if not finding.outside]
    if not inside:
        causes = {cause.id for cause in evidence.hypotheses}
        rows = [evidence.row(check) for check in failures]
        explicable = any(row and causes & set(dict(row.explained_by)) for row in rows)
        return "outside" if named or not explicable else "unclear"
    weakest = min(finding.probability for finding in inside)
    rival = max((f.probability for f in hypotheses if f not in inside), default=0.0)
    if rival * CLEAR_FACTOR > weakest:
        return "unclear"
    others = [f for f in (*hypotheses, *outside) if f.probability >= POSSIBLE and f not in named]
    certain = weakest >= CERTAIN and not others and chosen <= {finding.id for finding in named}
    return "certain" if certain else "likely"


def _unexplained(
    evidence: Evidence, failures: list[str], inside: tuple[str, ...], outside: tuple[str, ...]
) -> tuple[Unexplained, ...]:
    found = []
    for check in failures:
        row = evidence.row(check)
        explainers = dict(row.explained_by) if row else {}
        if not any(cause in explainers for cause in inside):
            names = tuple(cause for cause in outside if cause in explainers)
            found.append(Unexplained(check, row.component if row else "unknown", names))
    order = {row.id: place for place, row in enumerate(evidence.checks)}
    found.sort(key=lambda item: (order.get(base_id(item.check), len(order)), item.check))
    return tuple(found)


def _coverage(evidence: Evidence, results: list[tuple[str, str]]) -> Coverage:
    counts = {row.component: [0, 0] for row in evidence.checks}
    for check, status in results:
        if status != "skipped":
            row = evidence.row(check)
            count = counts.setdefault(row.component if row else "unknown", [0, 0])
            count[0] += status in ("passed", "failed")
            count[1] += 1
    components = tuple(
        ComponentCoverage(component, observed, configured)
        for component, (observed, configured) in counts.items()
        if configured
    )
    return Coverage(
        observed=sum(item.observed for item in components),
        configured=sum(item.configured for item in components),
        components=components,
    )
