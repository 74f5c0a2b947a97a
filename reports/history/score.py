"""Score of the diagnosis on confirmed incidents, and the priors that they suggest. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Literal

from core.frozen import frozen
from core.language import tr
from reports.diagnosis.diagnose import diagnose
from reports.diagnosis.evidence import Cause, Evidence
from reports.diagnosis.result import CERTAIN, LIKELY, POSSIBLE
from reports.history.confirmed import FALSE_ALARM, OTHER, Confirmation
from reports.model.figures import at_zero
from reports.model.report import Report

PRESENT_PRIORS = 10
"""Incidents that the present priors count for: so many confirmed ones weigh as much as they do."""

DRAWS = 5_000
SEED = 20_261_126
"""An interval is that of so many draws from the posterior, always the same ones."""

INTERVAL = 0.9

PRIOR_MIN, PRIOR_MAX = 1e-6, 0.5

BINS = (0.0, POSSIBLE, LIKELY, CERTAIN, 1.0)
"""The probabilities between which the calibration counts."""

Verdict = Literal["right", "wrong", "missed"]


@frozen
class Case:
    """A confirmed incident whose report was diagnosed again.

    `expected` are the confirmed causes that a diagnosis can name, `named` those that it accepts,
    `probabilities` those of all causes by their ids.
    """

    confirmation: Confirmation
    expected: frozenset[str]
    named: frozenset[str]
    probabilities: Mapping[str, float]

    @property
    def verdict(self) -> Verdict:
        """Return "wrong" if a cause was named that is not confirmed, "missed" if one was not."""
        if self.named - self.expected:
            return "wrong"
        return "right" if self.named == self.expected else "missed"


@frozen
class Bin:
    """The causes that had a probability from `low` to below `high`: how many, and how many true."""

    low: float
    high: float
    causes: int
    mean: float
    true: int


@frozen
class Prior:
    """A cause's prior, the one that the incidents suggest, and that one's interval.

    `incidents` counts those that had the cause.
    """

    cause: Cause
    incidents: int
    suggested: float
    low: float
    high: float


def judge(evidence: Evidence, pairs: Sequence[tuple[Confirmation, Report]]) -> tuple[Case, ...]:
    """Return each confirmed incident with what this evidence says of its report."""
    cases = []
    for confirmation, report in pairs:
        zero = at_zero(report.figures)
        fitting = evidence.without(report.target.absent, report.outcomes)
        diagnosis = diagnose(fitting, report.outcomes, zero=zero, explain=False)
        cases.append(
            Case(
                confirmation,
                expected=frozenset(confirmation.causes) - {OTHER, FALSE_ALARM},
                named=frozenset(finding.id for finding in diagnosis.accepted),
                probabilities={finding.id: finding.probability for finding in diagnosis.causes},
            )
        )
    return tuple(cases)


def confusion(cases: Sequence[Case]) -> Counter[tuple[str, str]]:
    """Return how many incidents had these confirmed and these named causes."""
    return Counter(
        (" + ".join(case.confirmation.causes), " + ".join(sorted(case.named)) or tr("no cause"))
        for case in cases
    )


def calibration(cases: Sequence[Case]) -> tuple[tuple[Bin, ...], float]:
    """Return how often causes of each probability were true, and the Brier score of all.

    The score is the mean squared distance of a probability from the truth: 0 is perfect.
    """
    predictions = [
        (p, cause in case.expected) for case in cases for cause, p in case.probabilities.items()
    ]
    bins = []
    for low, high in pairwise(BINS):
        inside = [(p, true) for p, true in predictions if low <= p < high or p == high == 1]
        if inside:
            mean = sum(p for p, _ in inside) / len(inside)
            bins.append(Bin(low, high, len(inside), mean, sum(true for _, true in inside)))
    brier = sum((p - true) ** 2 for p, true in predictions) / max(len(predictions), 1)
    return tuple(bins), brier


def suggest_priors(evidence: Evidence, cases: Sequence[Case]) -> tuple[Prior, ...]:
    """Return a prior for each cause: its share of the incidents, by a beta posterior.

    The priors keep their sum, which says how rare incidents are, and confirmed incidents say
    nothing about that. A cause's share of it begins with the present one, as if that came from
    PRESENT_PRIORS incidents. False alarms do not count.
    """
    incidents = [case for case in cases if FALSE_ALARM not in case.confirmation.causes]
    total = sum(cause.prior for cause in evidence.causes)
    counter = Counter(cause for case in incidents for cause in case.expected)
    random = Random(SEED)  # noqa: S311 - for an interval, not for a secret
    priors = []
    for cause in evidence.causes:
        share = cause.prior / total
        alpha = PRESENT_PRIORS * share + counter[cause.id]
        beta = max(PRESENT_PRIORS * (1 - share) + len(incidents) - counter[cause.id], 1e-6)
        draws = sorted(random.betavariate(alpha, beta) for _ in range(DRAWS))
        outside = round(DRAWS * (1 - INTERVAL) / 2)
        values = (alpha / (alpha + beta), draws[outside], draws[-1 - outside])
        suggested, low, high = (
            min(max(float(f"{value * total:.2g}"), PRIOR_MIN), PRIOR_MAX) for value in values
        )
        priors.append(Prior(cause, counter[cause.id], suggested, low, high))
    return tuple(priors)


def with_priors(evidence: Evidence, priors: Sequence[Prior]) -> Evidence:
    """Return the evidence with the suggested priors in place of its own."""
    values = {prior.cause.id: prior.suggested for prior in priors}
    hypotheses, outside = (
        tuple(replace(cause, prior=values[cause.id]) for cause in causes)
        for causes in (evidence.hypotheses, evidence.outside)
    )
    return replace(evidence, hypotheses=hypotheses, outside=outside)
