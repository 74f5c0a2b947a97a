"""Fixture `lab`: one lab for all tests of a session."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import lifecycle

if TYPE_CHECKING:
    from lab.state import Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A healthy lab with every service that this machine has; a test that breaks it heals it."""
    with tempfile.TemporaryDirectory(prefix="veza-test-") as folder:
        directory = Path(folder)
        running = lifecycle.up(directory, owner=os.getpid())
        try:
            if os.environ.get("VEZA_REQUIRE_BROKER"):
                assert running.broker, "RabbitMQ is required here: python -m lab setup"
            yield running
        finally:
            lifecycle.down(directory)
