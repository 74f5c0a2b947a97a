"""Where the messages may be that pending jobs miss."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from fixtures.probes.errors import Unreachable
from fixtures.probes.jobs_and_queue_results import IgnoredMessages, JobsInQueue
from fixtures.probes.rabbitmq.management import ManagementApi
from fixtures.probes.rabbitmq.queue import QueueProbe

ELSEWHERE = (("uploads_skipped", 11),)


def test_missing_messages_may_be_in_a_queue_of_a_like_name() -> None:
    """A client moves what it cannot read there, and the sentence says so before anything long."""
    jobs = JobsInQueue("queue uploads", 13, ("7",), 0, 0, elsewhere=ELSEWHERE)
    assert str(jobs).endswith("in queue uploads (uploads_skipped has 11)")
    ignored = IgnoredMessages("queue uploads", 11.0, 13, 14, 0, (), ELSEWHERE)
    assert "13 pending jobs have no message (uploads_skipped has 11); since" in str(ignored)


def test_queues_are_alike_whose_names_contain_the_queues() -> None:
    """The queue itself is none, nor is one that is empty or is named for other work."""
    api = ManagementApi("http://u:p@mq", "/", 1.0, ("", ""))
    listed = {
        "uploads": 3,
        "uploads_skipped": 11,
        "retry.uploads": 1,
        "uploads_error": 0,
        "mail": 9,
    }
    rows = [{"name": name, "messages_ready": count} for name, count in listed.items()]
    cast("Any", api)._list = lambda *_, **__: rows
    assert api.named_alike("uploads") == (("uploads_skipped", 11), ("retry.uploads", 1))


def test_what_management_does_not_say_is_left_out() -> None:
    def refuse(_: str) -> None:
        raise Unreachable("no answer")

    amqp = cast("Any", SimpleNamespace(where="the broker"))
    assert QueueProbe(amqp, "uploads").named_alike() == ()
    management = cast("Any", SimpleNamespace(named_alike=refuse))
    assert QueueProbe(amqp, "uploads", management).named_alike() == ()
