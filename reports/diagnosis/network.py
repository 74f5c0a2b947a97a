"""The arithmetic of an exact noisy-OR network of causes and checks.

With S the set of causes that are true, a check i passes with probability

    P(i passes | S) = (1 - leak_i) * product over j in S of (1 - w_ij)

(noisy-OR: Pearl, Probabilistic Reasoning in Intelligent Systems, 1988, section 4.3.2; as a
two-layer network of diseases and findings: Shwe et al., QMR-DT, Methods of Information in Medicine
30, 1991). The posterior of every set is computed by enumeration of all 2^n; nothing is sampled or
approximated. A list of masses has one for each set, up to a common factor.
"""

from __future__ import annotations

import operator
from math import exp, log, log2
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.diagnosis.evidence import Cause, CheckRow

SMALL = 1e-100


class Network:
    """The 2^n sets of causes; set number m holds cause k if bit k of m is 1."""

    def __init__(self, causes: Sequence[Cause]) -> None:
        self.ids = [cause.id for cause in causes]
        self.prior = [1.0]
        for cause in causes:
            absent = 1 - cause.prior
            self.prior = [x * absent for x in self.prior] + [x * cause.prior for x in self.prior]

    def likelihood(self, row: CheckRow, *, failed: bool) -> list[float]:
        """Return P(row fails | set), or P(row passes | set), for each set."""
        weights = dict(row.explained_by)
        terms = [row.leak if failed else 1 - row.leak]
        for cause in self.ids:
            weight = weights.get(cause)
            if weight is None:
                terms += terms
            elif failed:
                # 1 - (1 - x)(1 - w), in which a small x would be lost.
                terms += [x + weight * (1 - x) for x in terms]
            else:
                terms += [x * (1 - weight) for x in terms]
        return terms

    def odds(self, masses: list[float]) -> list[float]:
        """Return logit P(cause) for each cause, from the masses of the sets."""
        odds = []
        # The last cause is true in the second half of the sets. The halves are then added up.
        while len(masses) > 1:
            half = len(masses) // 2
            odds.append(_log(sum(masses[half:])) - _log(sum(masses[:half])))
            masses = list(map(operator.add, masses[:half], masses[half:]))
        return odds[::-1]


def multiplied(masses: list[float], likelihood: list[float]) -> list[float]:
    """Return the masses with one more check observed."""
    product = list(map(operator.mul, masses, likelihood))
    largest = max(product)
    # Scaled up long before floats underflow, so that many checks lose nothing.
    return product if largest > SMALL else [x / largest for x in product]


def divided(masses: list[float], likelihood: list[float]) -> list[float]:
    """Return the masses without that check observed."""
    return list(map(operator.truediv, masses, likelihood))


def normalised(masses: list[float]) -> list[float]:
    """Return the masses so that they add up to 1."""
    scale = sum(masses)
    return [x / scale for x in masses]


def probability(log_odds: float) -> float:
    """Return the probability of natural log-odds, without overflow."""
    return 1 / (1 + exp(-log_odds)) if log_odds >= 0 else exp(log_odds) / (1 + exp(log_odds))


def likeliest(masses: list[float]) -> int:
    """Return the likeliest set; among equals the one with the fewest causes, then the first."""
    bound = max(masses) * (1 - 1e-9)
    equals = (number for number, mass in enumerate(masses) if mass >= bound)
    return min(equals, key=lambda number: (number.bit_count(), number))


def information(states: list[float], passing: list[float]) -> float:
    """Return the mutual information, in bits, of a state and whether a check passes."""
    failing = [max(x - y, 0.0) for x, y in zip(states, passing, strict=True)]
    outcome = _entropy([sum(passing), sum(failing)])
    return _entropy(states) + outcome - _entropy(passing) - _entropy(failing)


def _log(value: float) -> float:
    # A mass may underflow to zero; 1e-300 keeps its odds finite.
    return log(max(value, 1e-300))


def _entropy(masses: list[float]) -> float:
    """Return the sum of -p log2 p, over masses that need not add up to 1."""
    return -sum(x * log2(x) for x in masses if x > 0)
