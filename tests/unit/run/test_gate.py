"""Which `-m` expressions make a run a gate."""

from __future__ import annotations

import pytest

from reports.run.gate import is_gate


@pytest.mark.parametrize(
    ("expression", "gate"),
    [
        ("gate", True),
        ("gate and verification_4", True),
        ("gate and not verification_4", True),
        ("symptom or gate", True),
        ("not (symptom or not gate)", True),
        ("", False),
        ("symptom", False),
        ("gateway", False),
        ("not gate", False),
        ("symptom and not gate", False),
        ("gate or not gate", False),
        ("symptom or (gate and symptom)", False),
    ],
)
def test_a_gate_selects_by_its_marker(expression: str, gate: bool) -> None:
    """A run is a gate if `gate` is what selects some check, whatever its other markers are."""
    assert is_gate(expression) is gate


def test_an_invalid_expression_is_no_gate() -> None:
    """pytest refuses it; the end of that run asks all the same."""
    assert not is_gate("gate and")
