"""The two ways to weigh the causes, which must agree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.diagnosis.evidence import Cause, CheckRow
from reports.diagnosis.network import Independent, Network, Observed

PROBABILITY = st.floats(0.0001, 0.999)
CAUSES = ("a", "b", "c", "d")


@st.composite
def passes(draw: st.DrawFn) -> tuple[list[Cause], list[Observed]]:
    """Return causes, and checks of them that all passed."""
    causes = [Cause(name, name, draw(PROBABILITY)) for name in CAUSES]
    rows = [
        CheckRow(
            id=f"room/check_{number}",
            verification=1,
            role="cause",
            component="worker",
            explained_by=tuple(draw(st.dictionaries(st.sampled_from(CAUSES), PROBABILITY)).items()),
            leak=draw(PROBABILITY),
        )
        for number in range(draw(st.integers(0, 5)))
    ]
    return causes, [Observed(row, row.id, failed=False) for row in rows]


@given(passes())
def test_passes_alone_need_no_enumeration(given: tuple[list[Cause], list[Observed]]) -> None:
    """Where every check passed, the product of the single causes is the sum over all sets."""
    causes, observed = given
    network, independent = Network(causes, observed), Independent(causes, observed)
    assert independent.odds == pytest.approx(network.odds)
    for place in range(len(observed)):
        assert independent.odds_without(place) == pytest.approx(network.odds_without(place))
    nodes, chance = independent.likeliest()
    other_nodes, other_chance = network.likeliest()
    assert chance == pytest.approx(other_chance)
    # Causes that are as likely as not may be in the set or out of it.
    unsure = {node for node, odds in enumerate(network.odds) if abs(odds) < 1e-6}
    assert set(nodes) - unsure == set(other_nodes) - unsure
