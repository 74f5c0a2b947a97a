"""Diagnose a run: the probability of each cause, and how certain the diagnosis is.

Pure and deterministic: outcomes are weighed in the order of the evidence table, so that the same
outcomes give the same bytes, whatever their order.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import replace

from core.errors import TranslatedError
from core.outcome import OBSERVED, Outcome, Status, base_id
from reports.diagnosis.evidence import Cause, CheckRow, Evidence
from reports.diagnosis.network import Independent, Network, Observed, probability
from reports.diagnosis.next_check import choose_next_check
from reports.diagnosis.result import (
    CERTAIN,
    LIKELY,
    PLACES,
    POSSIBLE,
    Certainty,
    ComponentCoverage,
    Contribution,
    Coverage,
    Diagnosis,
    Finding,
    NotObserved,
    Unexplained,
    UnseenComponent,
)

OWN_FACTOR = 2.0
"""Evidence of its own speaks for a cause this many times as strongly as for any other that is
possible, and as for the others on average.
"""

RULED_OUT = 0.05
"""The probability below which another cause no longer counts as a rival for a piece of evidence."""

SURPRISING = 0.02
"""Probability below which a failure is not what the named causes bring about."""

BEYOND_CHANCE = 10.0
"""Evidence of its own is this many times likelier under the cause than with no cause at all."""

MAX_CAUSES = 16
"""Causes that can be enumerated within milliseconds; more of them need another method."""

CLEAR_FACTOR = 2.0
"""A hypothesis that is this many times likelier than an alternative is clearly the likelier one."""

ALTERNATIVES_MAX = 1.1
"""The sum up to which two probabilities are those of alternatives.

Above it the two causes are rather true together than one instead of the other.
"""

NEGLIGIBLE = 0.005
"""Log-odds below which a check's contribution to a cause is not listed."""


class ModelTooLargeError(TranslatedError, ValueError):
    """The evidence has more causes than can be enumerated."""


def diagnose(
    evidence: Evidence,
    outcomes: Iterable[Outcome],
    *,
    zero: Container[str] = (),
    explain: bool = True,
) -> Diagnosis:
    """Return the diagnosis of one run's outcomes; their order does not matter.

    Only "passed" and "failed" are evidence. The cases of a parametrized check count as one: it
    failed if any case did. `zero` are the figures that are 0 in the run; they make passes moot
    while no check of the signal fails. Without `explain` it has neither the checks' contributions
    nor a next check, which take most of the time. Raises ModelTooLargeError beyond 16 causes.
    """
    causes = evidence.causes
    if len(causes) > MAX_CAUSES:
        raise ModelTooLargeError(
            "{path}: {causes} causes; more than {maximum} cannot be enumerated",
            path=evidence.path,
            causes=len(causes),
            maximum=MAX_CAUSES,
        )
    results = sorted({(result.check, result.status) for result in outcomes})
    failures = [check for check, status in results if status == "failed"]
    if any(row.verification == 0 for row in map(evidence.row, failures) if row):
        # Where the signal fails, somebody waits: what passes beside it is no silence.
        zero = ()
    observed = _observe(evidence, results, zero)
    is_tied = any(one.failed for one in observed)
    network = Network(causes, observed) if is_tied else Independent(causes, observed)
    odds = network.odds
    contributions = _contributions(causes, network, observed) if explain else None
    findings = _findings(evidence, observed, odds, results, contributions)
    ranked = sorted(range(len(causes)), key=lambda node: (-round(odds[node], PLACES), node))
    nodes, set_probability = network.likeliest()
    chosen = [causes[node] for node in nodes]
    hypotheses = tuple(findings[node] for node in ranked if not causes[node].outside)
    outside = tuple(findings[node] for node in ranked if causes[node].outside)
    inside_ids = tuple(cause.id for cause in chosen if not cause.outside)
    outside_ids = tuple(cause.id for cause in chosen if cause.outside)
    certainty = _certainty(evidence, hypotheses, outside, {*inside_ids, *outside_ids}, results)
    return Diagnosis(
        hypotheses=hypotheses,
        outside=outside,
        most_likely_set=inside_ids,
        most_likely_outside=outside_ids,
        set_probability=set_probability,
        unexplained=_unexplained(evidence, failures, inside_ids, outside_ids),
        coverage=_coverage(evidence, results),
        next_check=(
            choose_next_check(evidence, network, hypotheses, results, certainty, zero)
            if explain and isinstance(network, Network)
            else None
        ),
        certainty=certainty,
        unseen=_unseen(evidence, results, {*hypotheses, *outside}),
    )


def _observe(
    evidence: Evidence, results: list[tuple[str, Status]], zero: Container[str]
) -> list[Observed]:
    """Return the observed rows, in the order of the evidence table.

    Left out are moot passes, failures that follow from another one, and rows that no cause
    explains: they weigh the same on all sets.
    """
    cases: dict[str, dict[str, list[str]]] = {}
    for check, status in results:
        if status in OBSERVED:
            cases.setdefault(base_id(check), {}).setdefault(status, []).append(check)
    passed = {check for check, by_status in cases.items() if "passed" in by_status}
    failing = {check for check, by_status in cases.items() if "failed" in by_status}
    rows = {row.id: row for row in evidence.checks}
    telling = {check for check in failing if check in rows and not rows[check].is_implied(failing)}
    observed = []
    for row in evidence.checks:
        by_status = cases.get(row.id)
        if not by_status or not row.explained_by:
            continue
        failed = row.id in failing
        if row.is_implied(failing) if failed else row.is_moot(passed - failing, telling, zero):
            continue
        names = by_status["failed" if failed else "passed"]
        name = names[0] if len(names) == 1 else row.id
        seen_as = _with_finer(row, evidence, cases, telling) if failed else row
        observed.append(Observed(seen_as, name, failed))
    return observed


def _finer(row: CheckRow, evidence: Evidence) -> list[CheckRow]:
    """Return the checks that look closely at what failed.

    A failure follows from theirs, and where it passes they have nothing to look at.
    """
    others = map(evidence.row, row.follows_from)
    return [other for other in others if other and other.moot_when == row.id]


def _with_finer(
    row: CheckRow, evidence: Evidence, seen: Container[str], failed: set[str]
) -> CheckRow:
    """Return the row of a failure with what is explained by the checks that look at it closely.

    Where one was observed, or one of `failed` shows another mechanism of the cause, they say no
    more.
    """
    finer = _finer(row, evidence)
    if any(other.id in seen or set(other.moot_if_failed) & failed for other in finer):
        return row
    weights = dict(row.explained_by)
    for other in finer:
        for cause, weight in other.explained_by:
            weights.setdefault(cause, weight)
    return replace(row, explained_by=tuple(weights.items()))


def _contributions(
    causes: tuple[Cause, ...], network: Network | Independent, observed: list[Observed]
) -> list[list[Contribution]]:
    """Return for each cause what the observed checks contribute to it.

    A failure that a cause does not explain speaks for it only by way of other causes: it is true,
    and no evidence that a person would accept.
    """
    contributions: list[list[Contribution]] = [[] for _ in causes]
    for place, one in enumerate(observed):
        status = "failed" if one.failed else "passed"
        odds_without = network.odds_without(place)
        for node, cause in enumerate(causes):
            change = network.odds[node] - odds_without[node]
            is_indirect = one.failed and change > 0 and not one.row.weight(cause.id)
            if abs(change) >= NEGLIGIBLE and not is_indirect:
                contributions[node].append(Contribution(one.check, status, change))
    return contributions


def _findings(
    evidence: Evidence,
    observed: list[Observed],
    odds: list[float],
    results: list[tuple[str, Status]],
    contributions: list[list[Contribution]] | None,
) -> list[Finding]:
    contributions = contributions or [[] for _ in evidence.causes]
    statuses: dict[str, set[str]] = {}
    for check, status in results:
        statuses.setdefault(base_id(check), set()).add(status)
    seen = {base_id(check) for check, status in results if status in OBSERVED}
    unobserved = [
        (row, _status_of_unobserved(statuses.get(row.id, set())))
        for row in evidence.checks
        if row.id not in seen
    ]
    failures = [one.row for one in observed if one.failed]
    components = {row.component for row in evidence.checks if row.id in seen}
    rivals = _rivals(evidence, odds, components)
    return [
        Finding(
            id=cause.id,
            title=cause.title,
            probability=probability(odds[node]),
            outside=cause.outside,
            component=cause.component,
            supporting=_strongest_first(c for c in contributions[node] if c.log_odds > 0),
            against=_strongest_first(c for c in contributions[node] if c.log_odds < 0),
            not_observed=tuple(
                NotObserved(row.id, status) for row, status in unobserved if row.weight(cause.id)
            ),
            own_evidence=any(
                _is_own(row, cause.id, rivals, evidence)
                and not _hides_another(row, rivals - {cause.id}, evidence, components)
                for row in failures
            ),
        )
        for node, cause in enumerate(evidence.causes)
    ]


def _rivals(evidence: Evidence, odds: list[float], seen: Container[str]) -> set[str]:
    """Return the causes that are still possible, whatever else is true.

    Where nothing was `seen` of the component of one outside the runbook, that is one which the
    other components leave at least half as likely as it was.
    """
    return {
        cause.id
        for node, cause in enumerate(evidence.causes)
        if probability(odds[node]) >= RULED_OUT
        or (
            cause.outside
            and cause.component not in seen
            and 2 * probability(odds[node]) >= cause.prior
        )
    }


def _hides_another(
    row: CheckRow, rivals: set[str], evidence: Evidence, seen: Container[str]
) -> bool:
    """Return whether a failure may be one of these rivals', as only another component can show.

    Its row is the one of `_with_finer`; `seen` are the components with an observed check.
    """
    as_written = evidence.row(row.id) or row
    added = {cause for cause, _ in row.explained_by if not as_written.weight(cause)}
    unseen = any(finer.component not in seen for finer in _finer(as_written, evidence))
    return unseen and bool(added & rivals)


def _is_own(row: CheckRow, cause: str, rivals: set[str], evidence: Evidence) -> bool:
    """Return whether the failure of a check is evidence of this cause rather than of its rivals.

    What most causes bring about, the signal first of all, says that something is wrong and not
    what, even where every other cause has become unlikely.
    """
    if row.component in evidence.signal_components:
        return False
    weight = row.weight(cause)
    others = {other: w for other, w in row.explained_by if other != cause}
    rival = max((w for other, w in others.items() if other in rivals), default=0.0)
    typical = sum(others.values()) / max(len(evidence.causes) - 1, 1)
    return weight >= max(OWN_FACTOR * rival, OWN_FACTOR * typical, BEYOND_CHANCE * row.leak) > 0


def _unseen(
    evidence: Evidence,
    results: list[tuple[str, Status]],
    findings: set[Finding],
    named: Container[str] = (),
) -> tuple[UnseenComponent, ...]:
    """Return the components without an observed check that hide evidence of a possible cause.

    With `named` it is evidence of a cause that is not among these.
    """
    possible = {finding.id for finding in findings if finding.probability >= RULED_OUT}
    statuses: dict[str, set[str]] = {}
    for check, status in results:
        row = evidence.row(check)
        if row:
            statuses.setdefault(row.component, set()).add(status)
    components = dict.fromkeys(
        row.component
        for row in evidence.checks
        if any(_is_own(row, c, possible, evidence) for c in possible if c not in named)
    )
    return tuple(
        UnseenComponent(component, _status_of_unobserved(statuses.get(component, set())))
        for component in components
        if not statuses.get(component, set()) & set(OBSERVED)
    )


def _status_of_unobserved(statuses: set[str]) -> str:
    order = ("error", "missing", "unreachable", "skipped")
    return next((status for status in order if status in statuses), "absent")


def _strongest_first(contributions: Iterable[Contribution]) -> tuple[Contribution, ...]:
    return tuple(sorted(contributions, key=lambda c: (-round(abs(c.log_odds), PLACES), c.check)))


def _certainty(
    evidence: Evidence,
    hypotheses: tuple[Finding, ...],
    outside: tuple[Finding, ...],
    chosen: set[str],
    results: list[tuple[str, Status]],
) -> Certainty:
    failures = [check for check, status in results if status == "failed"]
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
    rivals = [f.probability for f in hypotheses if f not in inside]
    if any(p * CLEAR_FACTOR > weakest and p + weakest <= ALTERNATIVES_MAX for p in rivals):
        return "unclear"
    others = [f for f in (*hypotheses, *outside) if f.probability >= POSSIBLE and f not in named]
    ids = {finding.id for finding in named}
    decisive = [row for row in map(evidence.row, failures) if row and not row.is_implied(failures)]
    surprises = [row for row in decisive if _surprises(row, ids)]
    hidden = _unseen(evidence, results, {*hypotheses, *outside}, ids)
    # What the others do not explain may have a cause that the model does not have.
    every = {cause.id for cause in evidence.hypotheses}
    settled = [row for row in decisive if not _may_follow(row, evidence, results, ids)]
    left_over = not all(any(_is_own(r, f.id, every, evidence) for r in settled) for f in inside)
    doubts = others or surprises or hidden or left_over
    return "certain" if weakest >= CERTAIN and not doubts and chosen <= ids else "likely"


def _may_follow(
    row: CheckRow, evidence: Evidence, results: list[tuple[str, Status]], named: Container[str]
) -> bool:
    """Return whether a failure may follow from a check that was not observed and names others."""
    seen = {base_id(check) for check, status in results if status in OBSERVED}
    finer = [other for other in map(evidence.row, row.follows_from) if other]
    return any(
        other.id not in seen and any(cause not in named for cause, _ in other.explained_by)
        for other in finer
    )


def _surprises(row: CheckRow, causes: set[str]) -> bool:
    """Return whether a failure is rare, under none of these causes as under them."""
    weight = max((row.weight(cause) for cause in causes), default=0.0)
    return max(weight, row.leak) < SURPRISING


def _unexplained(
    evidence: Evidence, failures: list[str], inside: tuple[str, ...], outside: tuple[str, ...]
) -> tuple[Unexplained, ...]:
    unexplained = []
    failing = {base_id(check) for check in failures}
    for check in failures:
        row = evidence.row(check)
        if row and row.is_implied(failing):
            continue
        explainers = dict(row.explained_by) if row else {}
        if not any(cause in explainers for cause in inside):
            names = tuple(cause for cause in outside if cause in explainers)
            unexplained.append(Unexplained(check, row.component if row else "unknown", names))
    ranks = {row.id: rank for rank, row in enumerate(evidence.checks)}
    unexplained.sort(key=lambda u: (ranks.get(base_id(u.check), len(ranks)), u.check))
    return tuple(unexplained)


def _coverage(evidence: Evidence, results: list[tuple[str, Status]]) -> Coverage:
    counts = {row.component: [0, 0] for row in evidence.checks}
    for check, status in results:
        if status != "skipped":
            row = evidence.row(check)
            count = counts.setdefault(row.component if row else "unknown", [0, 0])
            count[0] += status in OBSERVED
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
