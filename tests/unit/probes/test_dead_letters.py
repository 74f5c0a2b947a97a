"""The queue of the dead letters, which need not exist."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from fixtures.probes.errors import NotOffered, Unreachable
from fixtures.probes.rabbitmq.amqp import Declared
from fixtures.probes.rabbitmq.queue import QueueProbe


def probe_of(declared: Declared) -> QueueProbe:
    """Return a probe whose broker says this of the queue of dead letters."""
    amqp = SimpleNamespace(where="the broker", declare=lambda _: declared)
    return QueueProbe(cast("Any", amqp), "uploads", dead_letter="uploads_error")


def test_a_queue_of_dead_letters_may_be_made_with_the_first_one() -> None:
    """Until then there is nothing to count, and the reason says what else it can be."""
    with pytest.raises(NotOffered, match=r"no queue uploads_error: .* another name"):
        probe_of(Declared(False)).dead_letters()


def test_a_queue_of_dead_letters_that_is_down_is_not_seen() -> None:
    """What it holds is unknown."""
    with pytest.raises(Unreachable):
        probe_of(Declared(True, down="its node is down")).dead_letters()
