"""Workers of the upload queue that are no consumers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from fixtures.probes.errors import NotOffered
from fixtures.probes.rabbitmq.amqp import Declared
from fixtures.probes.rabbitmq.management import QueueFigures, fetched
from fixtures.probes.rabbitmq.queue import QueueProbe


def probe_of(consumers: int, fetches: int | None = None, unacknowledged: int = 0) -> QueueProbe:
    """Return a probe of a queue that has this many consumers."""
    amqp = SimpleNamespace(
        where="the broker", vhost="/", declare=lambda _: Declared(True, 0, consumers)
    )
    management = SimpleNamespace(
        where="management",
        queue=lambda *_: QueueFigures(
            0, unacknowledged, 0, (), fetched=fetches, fetchers_answer=fetches is not None
        ),
        other_queues=lambda *_: (("mail", 1),),
    )
    return QueueProbe(cast("Any", amqp), "process_upload", cast("Any", management))


def test_a_worker_that_has_a_job_fetches_nothing() -> None:
    """Its message is unacknowledged meanwhile; that of a consumer which is gone was not fetched."""
    assert probe_of(0, 0, unacknowledged=1).consumers().is_polled
    assert not probe_of(0, 0).consumers().is_polled
    assert not probe_of(0, None, unacknowledged=1).consumers().is_polled


def test_without_management_only_the_target_knows_of_such_workers() -> None:
    """A queue without a consumer is then no failure, and one with a consumer passes as ever."""

    def alone(consumers: int, *, polled: bool) -> QueueProbe:
        amqp = SimpleNamespace(where="b", declare=lambda _: Declared(True, 0, consumers))
        return QueueProbe(cast("Any", amqp), "messages", polled=polled)

    with pytest.raises(NotOffered, match=r"fetch messages one by one, by queue\.polled"):
        alone(0, polled=True).consumers()
    assert alone(1, polled=True).consumers().consumers == 1
    assert not alone(0, polled=False).consumers().is_polled


def samples(*values: int) -> dict[str, Any]:
    """Return a counter's samples as management has them, the newest first, a second apart."""
    now = 1_700_000_000_000
    return {
        "samples": [
            {"sample": value, "timestamp": now - 1000 * n} for n, value in enumerate(values)
        ]
    }


def test_fetches_are_counted_whether_there_was_a_message_or_not() -> None:
    """A worker that asks for one message after the other mostly gets none."""
    stats = {"get_details": samples(4, 3, 3), "get_empty_details": samples(90, 88, 80)}
    assert fetched(stats, 1) == 3
    assert fetched(stats, 9) == 11
    assert fetched({"ack_details": samples(1)}, 9) is None


def test_a_worker_that_fetches_one_by_one_stands_for_a_consumer() -> None:
    """One fetch is a person who looks; other queues' consumers are then named."""
    polled = probe_of(0, 30).consumers()
    assert polled.is_polled
    assert "0 consumers (clients fetch its messages one by one)" in str(polled)
    for fetches in (None, 0, 1):
        known = probe_of(0, fetches).consumers()
        assert not known.is_polled
        assert "(mail has 1)" in str(known)
