"""The arithmetic of an exact noisy-OR network: causes above, checks below.

With S the set of causes that are true, a check i passes with probability

    P(i passes | S) = (1 - leak_i) * product over j in S of (1 - w_ij)

(noisy-OR: Pearl, Probabilistic Reasoning in Intelligent Systems, 1988, section 4.3.2; as a
two-layer network of diseases and findings: Shwe et al., QMR-DT, Methods of Information in Medicine
30, 1991). The posterior of every set is computed by enumeration of all 2^n, in logarithms; nothing
is sampled or approximated.
"""

from __future__ import annotations

import operator
from math import exp, expm1, log, log1p, log2
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.evidence import Cause, CheckRow


class Network:
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
            masses = add(masses[:half], masses[half:])
        return found[::-1]


def add(left: list[float], right: list[float]) -> list[float]:
    """The sums, set by set."""
    return list(map(operator.add, left, right))


def log_fail(log_pass: float) -> float:
    """log P(fails) of log P(passes)."""
    return log(-expm1(log_pass))


def without(total: list[float], terms: list[float]) -> list[float]:
    """The mass of each set, up to a factor, had the check of these terms not been seen."""
    return _relative(list(map(operator.sub, total, terms)))


def normalised(total: list[float]) -> list[float]:
    """The mass of each set, adding up to 1, from its logarithm up to a constant."""
    masses = _relative(total)
    scale = sum(masses)
    return [x / scale for x in masses]


def _relative(total: list[float]) -> list[float]:
    top = max(total)
    return [exp(x - top) for x in total]


def probability(log_odds: float) -> float:
    """The probability of natural log-odds, without overflow."""
    return 1 / (1 + exp(-log_odds)) if log_odds >= 0 else exp(log_odds) / (1 + exp(log_odds))


def likeliest(total: list[float]) -> int:
    """The likeliest set; among equals the one with the fewest causes, then the first."""
    bound = max(total) - 1e-9
    equals = (mask for mask, value in enumerate(total) if value >= bound)
    return min(equals, key=lambda mask: (mask.bit_count(), mask))


def information(states: list[float], passing: list[float]) -> float:
    """Mutual information, in bits, of a state and whether a check passes."""
    failing = [max(x - y, 0.0) for x, y in zip(states, passing, strict=True)]
    outcome = _entropy([sum(passing), sum(failing)])
    return _entropy(states) + outcome - _entropy(passing) - _entropy(failing)


def _log(value: float) -> float:
    # A mass may underflow to zero; 1e-300 keeps its odds finite, and far beyond any that are shown.
    return log(max(value, 1e-300))


def _entropy(masses: list[float]) -> float:
    """Sum of -p log2 p, over masses that need not add up to 1."""
    return -sum(x * log2(x) for x in masses if x > 0)
