"""Queue blocked: jobs do not get from the API to a worker that would take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import broker
from lab.faults.model import Family, Kind, Need
from lab.state import QUEUE

if TYPE_CHECKING:
    from lab.faults.tools import Hands

FAMILY = Family(Kind.SINGLE, "queue_blocked")
PLENTY = 10**9


def _pile_up(hands: Hands) -> None:
    """Uploads come in, and their jobs stay in the table."""
    hands.age_past()
    uploads = hands.upload()
    hands.age(uploads)
    hands.wait_for(uploads, "uploading", "pending")
    hands.wait_for_worker_line()


@FAMILY.fault("broker-down", "RabbitMQ has ended", Need.BROKER)
def down(hands: Hands) -> None:
    hands.ask("stop", name="rabbitmq")
    _pile_up(hands)
    hands.wait_for_health("/readyz", 503)
    hands.wait_for_health("/health/worker", 503)


@FAMILY.fault("broker-memory-alarm", "RabbitMQ's memory alarm blocks publishers", Need.BROKER)
def memory_alarm(hands: Hands) -> None:
    broker.control(hands.lab, "set_vm_memory_high_watermark", "absolute", "1MB")
    _wait_for_alarm(hands, "mem_alarm")
    _pile_up(hands)
    hands.wait_for_health("/readyz", 503)


@FAMILY.fault("broker-disk-alarm", "RabbitMQ's disk alarm blocks publishers", Need.BROKER)
def disk_alarm(hands: Hands) -> None:
    broker.control(hands.lab, "set_disk_free_limit", "900000GB")
    _wait_for_alarm(hands, "disk_free_alarm")
    _pile_up(hands)
    hands.wait_for_health("/readyz", 503)


def _wait_for_alarm(hands: Hands, alarm: str) -> None:
    hands.wait(
        lambda: any(node.get(alarm) for node in broker.manage(hands.lab, "GET", "/api/nodes")),
        20,
        alarm,
    )


@FAMILY.fault("queue-deleted", "somebody deleted the queue", Need.BROKER)
def deleted(hands: Hands) -> None:
    broker.manage(hands.lab, "DELETE", f"/api/queues/%2F/{QUEUE}")
    _pile_up(hands)
    hands.wait_for_health("/health/worker", 503)


@FAMILY.fault("queue-saturated", "a flood of other work is ahead of the uploads", Need.BROKER)
def saturated(hands: Hands) -> None:
    hands.helper("queue_flood")
    hands.wait_for_depth(messages_ready=(1000, PLENTY))
    _pile_up(hands)


@FAMILY.fault(
    "deliveries-stuck", "a foreign consumer takes everything and acknowledges nothing", Need.BROKER
)
def stuck(hands: Hands) -> None:
    hands.helper("unacking_consumer")
    hands.wait_for_depth(consumers=(2, 2))
    _pile_up(hands)
    # The traffic of the last minutes, in the same hands.
    hands.age(hands.upload(70), newest=0.2, oldest=9)
    hands.wait_for_depth(messages_unacknowledged=(60, PLENTY))
