"""Choose the next check: the one that best tells the first two hypotheses apart."""

from __future__ import annotations

import operator
from collections.abc import Container
from itertools import compress

from core.outcome import OBSERVED, Status, base_id, is_canary
from reports.diagnosis.evidence import Evidence
from reports.diagnosis.network import Network, information
from reports.diagnosis.result import CERTAIN, Certainty, Finding, NextCheck

RIVAL_FACTOR = 3.0
"""Two hypotheses whose probabilities are within this factor need another check."""

_DONE = (*OBSERVED, "unreachable", "skipped")


def choose_next_check(
    evidence: Evidence,
    network: Network,
    hypotheses: tuple[Finding, ...],
    results: list[tuple[str, Status]],
    certainty: Certainty,
    zero: Container[str] = (),
) -> NextCheck | None:
    """Return the unobserved check that is expected to say most about the first two hypotheses.

    One that was skipped or unreachable would most likely be so again, and the canary sends uploads
    only where somebody asks for it.
    """
    if certainty in ("none", "outside") or len(hypotheses) < 2:
        return None
    first, second = hypotheses[0], hypotheses[1]
    if first.probability > RIVAL_FACTOR * second.probability or second.probability >= CERTAIN:
        return None
    one, two = network.ids.index(first.id), network.ids.index(second.id)
    masses = network.masses
    # Each set belongs to one of the four states of the two hypotheses.
    state_of = [(number >> one & 1) + 2 * (number >> two & 1) for number in range(len(masses))]
    members = [[of == state for of in state_of] for state in range(4)]
    passed = {base_id(check) for check, status in results if status == "passed"}
    failed = {base_id(check) for check, status in results if status == "failed"}
    done = {base_id(check) for check, status in results if status in _DONE}
    best: NextCheck | None = None
    for row in evidence.checks:
        if (
            row.id in done
            or is_canary(row.id)
            or row.is_moot(passed, failed, zero)
            or not (row.weight(first.id) or row.weight(second.id))
        ):
            continue
        joint = list(map(operator.mul, masses, network.likelihood(row, failed=False)))
        states = [sum(compress(masses, member)) for member in members]
        passing = [sum(compress(joint, member)) for member in members]
        bits = information(states, passing)
        if best is None or bits > best.bits + 1e-12:
            best = NextCheck(row.id, (first.id, second.id), bits)
    return best if best and best.bits > 1e-6 else None
