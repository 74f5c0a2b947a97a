"""The server that alerts, heartbeats and metrics are sent to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server on loopback that records what it gets."""
    with Receiver() as listening:
        yield listening
