"""Connections that a process keeps from one run to the next."""

from __future__ import annotations

import time

import pytest

from fixtures.probes.kept import AGE_MAX, KeptConnections


@pytest.fixture
def kept() -> KeptConnections:
    """The connections of a process that makes several runs."""
    connections = KeptConnections()
    connections.is_on = True
    return connections


def test_a_connection_has_one_user(kept: KeptConnections) -> None:
    """Who takes it has it alone until it is given back."""
    closed: list[str] = []
    now = time.monotonic()
    kept.keep("database", "first", lambda: closed.append("first"), now)
    taken = kept.take("database")
    assert taken
    assert taken.client == "first"
    assert kept.take("database") is None
    kept.keep("database", "second", lambda: closed.append("second"), now)
    kept.keep("database", "first", taken.close, now)
    assert closed == ["second"]


def test_an_old_connection_is_closed(kept: KeptConnections) -> None:
    """Its age goes by its login, not by its last use."""
    closed: list[str] = []
    long_ago = time.monotonic() - AGE_MAX - 1
    kept.keep("database", "old", lambda: closed.append("old"), long_ago)
    kept.keep("broker", "new", lambda: closed.append("new"), time.monotonic())
    kept.close_old()
    assert closed == ["old"]
    assert kept.take("database") is None
    assert kept.take("broker")


def test_nothing_is_kept_by_a_process_with_one_run(kept: KeptConnections) -> None:
    """Nor after the last of several runs, when a late thread gives its connection back."""
    closed: list[str] = []
    kept.keep("database", "idle", lambda: closed.append("idle"), time.monotonic())
    kept.close()
    kept.keep("database", "late", lambda: closed.append("late"), time.monotonic())
    assert closed == ["idle", "late"]
    assert kept.take("database") is None
