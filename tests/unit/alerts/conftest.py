"""The server that alerts, heartbeats and metrics are sent to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server on loopback that records what it gets."""
    with Receiver() as listening:
        yield listening
