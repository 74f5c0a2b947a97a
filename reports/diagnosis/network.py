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
from collections.abc import Sequence
from math import exp, log, log1p, log2, prod

from core.frozen import frozen
from reports.diagnosis.evidence import Cause, CheckRow

SMALL = 1e-100


@frozen
class Observed:
    """A check that passed or failed: its row in the evidence table, and the case that decided."""

    row: CheckRow
    check: str
    failed: bool


class Network:
    """The 2^n sets of causes; set number m holds cause k if bit k of m is 1."""

    def __init__(self, causes: Sequence[Cause], observed: Sequence[Observed]) -> None:
        self.ids = [cause.id for cause in causes]
        self._observed = observed
        passes = [one.row for one in observed if not one.failed]
        masses = [1.0]
        for cause in causes:
            # A pass speaks against each cause by itself, as a smaller prior does.
            present = cause.prior * prod(1 - row.weight(cause.id) for row in passes)
            masses = [x * (1 - cause.prior) for x in masses] + [x * present for x in masses]
        for one in observed:
            if one.failed:
                masses = multiplied(masses, self.likelihood(one.row, failed=True))
        self.masses = normalised(masses)
        self.odds = _odds(self.masses)

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

    def odds_without(self, place: int) -> list[float]:
        """Return the log-odds of each cause if this one of the checks were not observed."""
        one = self._observed[place]
        likelihood = self.likelihood(one.row, failed=one.failed)
        return _odds(list(map(operator.truediv, self.masses, likelihood)))

    def likeliest(self) -> tuple[list[int], float]:
        """Return the likeliest set and its probability.

        Among equals it is the one with the fewest causes, then the first.
        """
        bound = max(self.masses) * (1 - 1e-9)
        equals = (number for number, mass in enumerate(self.masses) if mass >= bound)
        best = min(equals, key=lambda number: (number.bit_count(), number))
        return [node for node in range(len(self.ids)) if best >> node & 1], self.masses[best]


class Independent:
    """The causes where each observed check passed: then none depends on another.

    A pass speaks against each cause by itself; only a failure, for which one of several causes is
    enough, ties them together. So a healthy run needs no enumeration. The interface is Network's.
    """

    def __init__(self, causes: Sequence[Cause], observed: Sequence[Observed]) -> None:
        self._changes = [[log1p(-one.row.weight(cause.id)) for cause in causes] for one in observed]
        priors = [_log(cause.prior) - _log(1 - cause.prior) for cause in causes]
        self.odds = [sum(terms) for terms in zip(priors, *self._changes, strict=True)]

    def odds_without(self, place: int) -> list[float]:
        """Return the log-odds of each cause if this one of the checks were not observed."""
        return list(map(operator.sub, self.odds, self._changes[place]))

    def likeliest(self) -> tuple[list[int], float]:
        """Return the likeliest set and its probability."""
        nodes = [node for node, odds in enumerate(self.odds) if odds > 0]
        return nodes, prod(probability(abs(odds)) for odds in self.odds)


def multiplied(masses: list[float], likelihood: list[float]) -> list[float]:
    """Return the masses with one more check observed."""
    product = list(map(operator.mul, masses, likelihood))
    largest = max(product)
    # Scaled up long before floats underflow, so that many checks lose nothing.
    return product if largest > SMALL else [x / largest for x in product]


def normalised(masses: list[float]) -> list[float]:
    """Return the masses so that they add up to 1."""
    scale = sum(masses)
    return [x / scale for x in masses]


def probability(log_odds: float) -> float:
    """Return the probability of natural log-odds, without overflow."""
    return 1 / (1 + exp(-log_odds)) if log_odds >= 0 else exp(log_odds) / (1 + exp(log_odds))


def information(states: list[float], passing: list[float]) -> float:
    """Return the mutual information, in bits, of a state and whether a check passes."""
    failing = [max(x - y, 0.0) for x, y in zip(states, passing, strict=True)]
    outcome = _entropy([sum(passing), sum(failing)])
    return _entropy(states) + outcome - _entropy(passing) - _entropy(failing)


def _odds(masses: list[float]) -> list[float]:
    odds = []
    # The last cause is true in the second half of the sets. The halves are then added up.
    while len(masses) > 1:
        half = len(masses) // 2
        odds.append(_log(sum(masses[half:])) - _log(sum(masses[:half])))
        masses = list(map(operator.add, masses[:half], masses[half:]))
    return odds[::-1]


def _log(value: float) -> float:
    # A mass may underflow to zero; 1e-300 keeps its odds finite.
    return log(max(value, 1e-300))


def _entropy(masses: list[float]) -> float:
    """Return the sum of -p log2 p, over masses that need not add up to 1."""
    return -sum(x * log2(x) for x in masses if x > 0)
