"""The text of a message: what fits into it."""

from __future__ import annotations

import pytest

from reports.alerts.message import _to_do
from tests import made


@pytest.mark.parametrize("limit", [-500, 0, 50, 200])
def test_the_steps_give_way_to_the_limit(limit: int) -> None:
    """With little room the steps are left out, and how to verify stays."""
    report = made.incident()
    shortest = _to_do(report, -10_000)
    text = _to_do(report, limit)
    assert len(text) <= max(limit, len(shortest))
    assert "Then verify: " in text
    assert "(more in the report)" in text
