"""Weigh the outcomes against the causes: an exact noisy-OR network.

With S the set of causes that are true, a check i passes with probability

    P(i passes | S) = (1 - leak_i) * product over j in S of (1 - w_ij)

(noisy-OR: Pearl, Probabilistic Reasoning in Intelligent Systems, 1988, section 4.3.2; as a
two-layer network of diseases and findings: Shwe et al., QMR-DT, Methods of Information in Medicine
30, 1991). The posterior of every set is computed by enumeration of all 2^n, in logarithms; nothing
is sampled or approximated.

Pure and deterministic: outcomes are sorted by the order of the evidence before they are weighed, so
that the same outcomes give the same bytes, whatever their order.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress
from math import exp, expm1, log, log1p, log2
from typing import TYPE_CHECKING, Literal, Protocol

from reports.evidence import row_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reports.evidence import Cause, CheckRow, Evidence

MAX_CAUSES = 16
"""Beyond it the 2^n sets are no longer a matter of milliseconds; the model needs another method."""

CERTAIN = 0.9
LIKELY = 0.5
RIVAL_FACTOR = 3.0
"""Two hypotheses whose probabilities are within this factor want another check."""

CLEAR_FACTOR = 2.0
"""A hypothesis that is this many times likelier than its rival is said to be the likely one."""

NEGLIGIBLE = 0.005
"""Log-odds below which a check is not listed for or against a cause."""

Certainty = Literal["certain", "likely", "unclear", "outside", "none"]


class ModelTooLargeError(ValueError):
    """The evidence has more causes than can be enumerated."""


class CheckResult(Protocol):
    """What is read of an outcome: the check's id and its status."""

    @property
    def check(self) -> str: ...

    @property
    def status(self) -> str: ...


@dataclass(frozen=True)
class Contribution:
    """How much one check moved a cause, in natural log-odds, given all the other checks.

    logit P(cause | all observed) - logit P(cause | all observed but this check).
    """

    check: str
    status: str
    log_odds: float


@dataclass(frozen=True)
class NotObserved:
    """A check that bears on a cause and said nothing; "absent" if it was not selected."""

    check: str
    status: str


@dataclass(frozen=True)
class Finding:
    """One cause as judged: its probability, what speaks for and against it, strongest first."""

    id: str
    title: str
    probability: float
    outside: bool
    component: str
    supporting: tuple[Contribution, ...]
    against: tuple[Contribution, ...]
    not_observed: tuple[NotObserved, ...]


@dataclass(frozen=True)
class Unexplained:
    """A failure that no hypothesis held to be true explains; `outside` names the causes that do."""

    check: str
    component: str
    outside: tuple[str, ...]


@dataclass(frozen=True)
class ComponentCoverage:
    """How many checks of a component were observed, of those configured (not skipped)."""

    component: str
    observed: int
    configured: int


@dataclass(frozen=True)
class Coverage:
    """How much was seen: checks that passed or failed, of all that were not skipped."""

    observed: int
    configured: int
    components: tuple[ComponentCoverage, ...]


@dataclass(frozen=True)
class NextCheck:
    """The check not yet observed that would best tell two hypotheses apart, and its bits."""

    check: str
    between: tuple[str, str]
    bits: float


@dataclass(frozen=True)
class Diagnosis:
    """The judgement. `hypotheses` and `outside` are sorted by probability, the likeliest first.

    `most_likely_set` and `most_likely_outside` are the parts, within and outside the runbook, of
    the one set of causes that is likeliest as a whole; `set_probability` is that set's. `certainty`
    says how to speak:

    none     nothing failed
    outside  something failed, no hypothesis reaches 0.5, and a cause outside the runbook does, or
             nothing that failed has a hypothesis that explains it
    certain  every hypothesis of the most likely set reaches 0.9, and no other comes within a
             factor of two of the weakest of them
    likely   as certain, but below 0.9
    unclear  anything else: something failed, and it is not known why
    """

    hypotheses: tuple[Finding, ...]
    outside: tuple[Finding, ...]
    most_likely_set: tuple[str, ...]
    most_likely_outside: tuple[str, ...]
    set_probability: float
    unexplained: tuple[Unexplained, ...]
    coverage: Coverage
    next_check: NextCheck | None
    certainty: Certainty


@dataclass(frozen=True)
class _Seen:
    """One row as observed: the case that decided, and its log-likelihood for each set."""

    row: CheckRow
    check: str
    failed: bool
    terms: list[float]


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
    network = _Network(causes)
    seen = _observe(evidence, results, network)
    total = network.prior
    for item in seen:
        total = _add(total, item.terms)
    masses = _normalised(total)
    odds = network.odds(masses)
    findings = _findings(evidence, network, seen, total, odds, results)
    ranked = sorted(range(len(causes)), key=lambda node: (-odds[node], node))
    best = _likeliest(total)
    chosen = [cause for node, cause in enumerate(causes) if best >> node & 1]
    hypotheses = tuple(findings[node] for node in ranked if not causes[node].outside)
    outside = tuple(findings[node] for node in ranked if causes[node].outside)
    inside_ids = tuple(cause.id for cause in chosen if not cause.outside)
    outside_ids = tuple(cause.id for cause in chosen if cause.outside)
    failures = [check for check, status in results if status == "failed"]
    certainty = _certainty(evidence, hypotheses, outside, inside_ids, failures)
    return Diagnosis(
        hypotheses=hypotheses,
        outside=outside,
        most_likely_set=inside_ids,
        most_likely_outside=outside_ids,
        set_probability=masses[best],
        unexplained=_unexplained(evidence, failures, inside_ids, outside_ids),
        coverage=_coverage(evidence, results),
        next_check=_next_check(evidence, network, masses, hypotheses, results, certainty),
        certainty=certainty,
    )


class _Network:
    """The 2^n sets of causes; set number m holds cause k if bit k of m is 1."""

    def __init__(self, causes: Sequence[Cause]) -> None:
        self.ids = [cause.id for cause in causes]
        self.prior = [0.0]
        for cause in causes:
            absent, present = log1p(-cause.prior), log(cause.prior)
            self.prior = [x + absent for x in self.prior] + [x + present for x in self.prior]

    def log_pass(self, row: CheckRow) -> list[float]:
        """log P(row passes | set), for each set: noisy-OR, built up cause by cause."""
        weights = dict(row.explained_by)
        terms = [log1p(-row.leak)]
        for cause in self.ids:
            weight = weights.get(cause)
            if weight is None:
                terms += terms
            else:
                change = log1p(-weight)
                terms += [x + change for x in terms]
        return terms

    def odds(self, masses: list[float]) -> list[float]:
        """logit P(cause) for each cause, from the masses of the sets, folded last bit first."""
        found = []
        while len(masses) > 1:
            half = len(masses) // 2
            found.append(_log(sum(masses[half:])) - _log(sum(masses[:half])))
            masses = _add(masses[:half], masses[half:])
        return found[::-1]


def _add(left: list[float], right: list[float]) -> list[float]:
    return [x + y for x, y in zip(left, right, strict=True)]


def _log(value: float) -> float:
    # A mass may underflow to zero; 1e-300 keeps its odds finite, and far beyond any that are shown.
    return log(max(value, 1e-300))


def _log_fail(log_pass: float) -> float:
    return log(-expm1(log_pass))


def _normalised(total: list[float]) -> list[float]:
    top = max(total)
    masses = [exp(x - top) for x in total]
    scale = sum(masses)
    return [x / scale for x in masses]


def _probability(log_odds: float) -> float:
    return 1 / (1 + exp(-log_odds)) if log_odds >= 0 else exp(log_odds) / (1 + exp(log_odds))


def _likeliest(total: list[float]) -> int:
    """The likeliest set; among equals the one with the fewest causes, then the first."""
    bound = max(total) - 1e-9
    equals = (mask for mask, value in enumerate(total) if value >= bound)
    return min(equals, key=lambda mask: (mask.bit_count(), mask))


def _observe(evidence: Evidence, results: list[tuple[str, str]], network: _Network) -> list[_Seen]:
    """What was observed, in the order of the evidence, without what says nothing.

    Left out are moot passes, and rows that no cause explains: they weigh alike on all sets.
    """
    cases: dict[str, dict[str, list[str]]] = {}
    for check, status in results:
        if status in ("passed", "failed"):
            cases.setdefault(row_id(check), {}).setdefault(status, []).append(check)
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
        terms = network.log_pass(row)
        if failed:
            terms = [_log_fail(x) for x in terms]
        seen.append(_Seen(row, names[0] if len(names) == 1 else row.id, failed, terms))
    return seen


def _findings(
    evidence: Evidence,
    network: _Network,
    seen: list[_Seen],
    total: list[float],
    odds: list[float],
    results: list[tuple[str, str]],
) -> list[Finding]:
    shifts: list[list[Contribution]] = [[] for _ in network.ids]
    for item in seen:
        rest = [x - y for x, y in zip(total, item.terms, strict=True)]
        without = network.odds(_normalised(rest))
        status = "failed" if item.failed else "passed"
        for node, (given, before) in enumerate(zip(odds, without, strict=True)):
            if abs(given - before) >= NEGLIGIBLE:
                shifts[node].append(Contribution(item.check, status, given - before))
    statuses: dict[str, set[str]] = {}
    for check, status in results:
        statuses.setdefault(row_id(check), set()).add(status)
    silent = [
        (row, _silence(statuses.get(row.id, set())))
        for row in evidence.checks
        if not statuses.get(row.id, set()) & {"passed", "failed"}
    ]
    return [
        Finding(
            id=cause.id,
            title=cause.title,
            probability=_probability(odds[node]),
            outside=cause.outside,
            component=cause.component,
            supporting=_strongest(shift for shift in shifts[node] if shift.log_odds > 0),
            against=_strongest(shift for shift in shifts[node] if shift.log_odds < 0),
            not_observed=tuple(
                NotObserved(row.id, status) for row, status in silent if row.weight(cause.id)
            ),
        )
        for node, cause in enumerate(evidence.causes)
    ]


def _silence(statuses: set[str]) -> str:
    order = ("error", "missing", "unreachable", "skipped")
    return next((status for status in order if status in statuses), "absent")


def _strongest(shifts: Iterable[Contribution]) -> tuple[Contribution, ...]:
    return tuple(sorted(shifts, key=lambda shift: (-abs(shift.log_odds), shift.check)))


def _certainty(
    evidence: Evidence,
    hypotheses: tuple[Finding, ...],
    outside: tuple[Finding, ...],
    chosen: tuple[str, ...],
    failures: list[str],
) -> Certainty:
    if not failures:
        return "none"
    first = hypotheses[0].probability
    if first < LIKELY:
        inside = {cause.id for cause in evidence.hypotheses}
        rows = [evidence.row(check) for check in failures]
        explicable = any(row and inside & set(dict(row.explained_by)) for row in rows)
        known = any(finding.probability >= LIKELY for finding in outside)
        return "outside" if known or not explicable else "unclear"
    weakest = min((f.probability for f in hypotheses if f.id in chosen), default=0.0)
    rival = max((f.probability for f in hypotheses if f.id not in chosen), default=0.0)
    if not chosen or rival * CLEAR_FACTOR > weakest:
        return "unclear"
    return "certain" if weakest >= CERTAIN else "likely"


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
    found.sort(key=lambda item: (order.get(row_id(item.check), len(order)), item.check))
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


def _next_check(
    evidence: Evidence,
    network: _Network,
    masses: list[float],
    hypotheses: tuple[Finding, ...],
    results: list[tuple[str, str]],
    certainty: Certainty,
) -> NextCheck | None:
    """The unobserved check that promises the most information on the first two hypotheses."""
    if certainty in ("none", "outside") or len(hypotheses) < 2:
        return None
    first, second = hypotheses[0], hypotheses[1]
    if first.probability > RIVAL_FACTOR * second.probability or second.probability >= CERTAIN:
        return None
    one, two = network.ids.index(first.id), network.ids.index(second.id)
    # Which of the four states of the pair each set belongs to.
    cells = [(mask >> one & 1) + 2 * (mask >> two & 1) for mask in range(len(masses))]
    members = [[cell == state for cell in cells] for state in range(4)]
    passed = {row_id(check) for check, status in results if status == "passed"}
    failed = {row_id(check) for check, status in results if status == "failed"}
    # What could not look this time would not the next time either.
    tried = {row_id(check) for check, status in results if status == "unreachable"}
    best: NextCheck | None = None
    for row in evidence.checks:
        moot = row.moot_when in passed and row.moot_when not in failed
        looked = row.id in passed | failed | tried
        if looked or moot or not (row.weight(first.id) or row.weight(second.id)):
            continue
        joint = [x * exp(y) for x, y in zip(masses, network.log_pass(row), strict=True)]
        states = [sum(compress(masses, member)) for member in members]
        passing = [sum(compress(joint, member)) for member in members]
        bits = _information(states, passing)
        if best is None or bits > best.bits + 1e-12:
            best = NextCheck(row.id, (first.id, second.id), bits)
    return best if best and best.bits > 1e-6 else None


def _information(states: list[float], passing: list[float]) -> float:
    """Mutual information, in bits, of a state and whether a check passes."""
    failing = [max(x - y, 0.0) for x, y in zip(states, passing, strict=True)]
    outcome = _entropy([sum(passing), sum(failing)])
    return _entropy(states) + outcome - _entropy(passing) - _entropy(failing)


def _entropy(masses: list[float]) -> float:
    """Sum of -p log2 p, over masses that need not add up to 1."""
    return -sum(x * log2(x) for x in masses if x > 0)
