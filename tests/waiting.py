"""Waiting for a condition, the one way in which a test waits."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

PATIENCE = 120.0
"""Seconds after which a condition, an answer or a process's end counts as never coming.

Far more than a busy machine needs, and less than a test's own deadline in pytest.toml.
"""

PAUSE = 0.02


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Return once `condition()` holds; fails the test, naming `what`, after PATIENCE seconds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {PATIENCE:g} s for {what}")
        time.sleep(PAUSE)
