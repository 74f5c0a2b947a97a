"""The queue of the dead letters, whose node may be down."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from fixtures.probes.errors import Unreachable
from fixtures.probes.rabbitmq.amqp import Declared
from fixtures.probes.rabbitmq.queue import QueueProbe


def test_a_queue_of_dead_letters_that_is_down_is_not_seen() -> None:
    """What it holds is unknown."""
    down = Declared(True, down="its node is down")
    amqp = cast("Any", SimpleNamespace(where="the broker", declare=lambda _: down))
    with pytest.raises(Unreachable):
        QueueProbe(amqp, "uploads", dead_letter="uploads_error").dead_letters()
