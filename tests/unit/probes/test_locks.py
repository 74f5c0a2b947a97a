"""Locks: which waits block uploads."""

from __future__ import annotations

import pytest

from fixtures.probes.postgres.locks import Holder, Locks, Waiting


@pytest.mark.parametrize(
    ("waited", "idle", "blocked_by", "blocks"),
    [
        (31.0, None, 7, True),
        (2.0, 31.0, 7, True),
        (2.0, 29.0, 7, False),
        (2.0, None, 7, False),
        (2.0, 31.0, 8, False),
    ],
    ids=["a long wait", "behind an idle one", "idle just now", "works", "behind another"],
)
def test_a_wait_behind_an_idle_transaction_blocks(
    waited: float, idle: float | None, blocked_by: int, blocks: bool
) -> None:
    """Where statements have a time limit each wait is short: the idle time of the holder counts."""
    waiting = Waiting(1, "api", "uploads", waited, (blocked_by,))
    holder = Holder(7, "report", "idle in transaction", "uploads", False, 60.0, idle)
    assert Locks("the database", 30.0, (waiting,), (holder,), False).are_blocking is blocks


@pytest.mark.parametrize(
    ("waited", "limit", "open_for", "blocked_by", "blocks"),
    [
        (0.6, 1.0, 60.0, 7, True),
        (0.4, 1.0, 60.0, 7, False),
        (0.6, 1.0, 29.0, 7, False),
        (0.6, 1.0, 60.0, 8, False),
        (29.0, 40.0, 60.0, 7, False),
        (29.0, None, 60.0, 7, False),
    ],
    ids=["until its limit", "just now", "behind a young one", "another", "long limit", "none"],
)
def test_a_wait_that_a_time_limit_ends_blocks(
    waited: float, limit: float | None, open_for: float, blocked_by: int, blocks: bool
) -> None:
    """With a limit below `wait_max` no wait is overdue: the age of the transaction counts."""
    waiting = Waiting(1, "api", "uploads", waited, (blocked_by,), limit)
    holder = Holder(7, "report", "active", "uploads", False, open_for)
    assert Locks("the database", 30.0, (waiting,), (holder,), False).are_blocking is blocks


def test_an_idle_transaction_that_nobody_waits_for_blocks_nothing() -> None:
    """A transaction may stay open as long as it likes while it is in nobody's way."""
    holder = Holder(7, "report", "idle in transaction", "uploads", False, 60.0, 59.0)
    assert not Locks("the database", 30.0, (), (holder,), False).are_blocking
