"""Queue blocked: jobs do not get from the API to a worker that would take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import broker
from lab.faults.model import Family, Kind, Need
from lab.state import QUEUE

if TYPE_CHECKING:
    from lab.faults.tools import FaultTools

FAMILY = Family(Kind.SINGLE, "queue_blocked")
PLENTY = 10**9


def _pile_up(tools: FaultTools) -> None:
    """Uploads come in, and their jobs stay in the table."""
    tools.age_past()
    uploads = tools.upload()
    tools.age(uploads)
    tools.wait_for(uploads, "uploading", "pending")
    tools.wait_for_worker_line()


@FAMILY.fault("broker-down", "RabbitMQ has ended", Need.BROKER)
def down(tools: FaultTools) -> None:
    tools.ask("stop", name="rabbitmq")
    _pile_up(tools)
    tools.wait_for_health("/readyz", 503)
    tools.wait_for_health("/health/worker", 503)


@FAMILY.fault("broker-memory-alarm", "RabbitMQ's memory alarm blocks publishers", Need.BROKER)
def memory_alarm(tools: FaultTools) -> None:
    broker.control(tools.lab, "set_vm_memory_high_watermark", "absolute", "1MB")
    _wait_for_alarm(tools, "mem_alarm")
    _pile_up(tools)
    tools.wait_for_health("/readyz", 503)


@FAMILY.fault("broker-disk-alarm", "RabbitMQ's disk alarm blocks publishers", Need.BROKER)
def disk_alarm(tools: FaultTools) -> None:
    broker.control(tools.lab, "set_disk_free_limit", "900000GB")
    _wait_for_alarm(tools, "disk_free_alarm")
    _pile_up(tools)
    tools.wait_for_health("/readyz", 503)


def _wait_for_alarm(tools: FaultTools, alarm: str) -> None:
    tools.wait(
        lambda: any(node.get(alarm) for node in broker.manage(tools.lab, "GET", "/api/nodes")),
        20,
        alarm,
    )


@FAMILY.fault("queue-deleted", "somebody deleted the queue", Need.BROKER)
def deleted(tools: FaultTools) -> None:
    broker.manage(tools.lab, "DELETE", f"/api/queues/%2F/{QUEUE}")
    _pile_up(tools)
    tools.wait_for_health("/health/worker", 503)


@FAMILY.fault("queue-saturated", "a flood of other work is ahead of the uploads", Need.BROKER)
def saturated(tools: FaultTools) -> None:
    tools.helper("queue_flood")
    tools.wait_for_depth(messages_ready=(1000, PLENTY))
    _pile_up(tools)


@FAMILY.fault(
    "deliveries-stuck", "a foreign consumer takes everything and acknowledges nothing", Need.BROKER
)
def stuck(tools: FaultTools) -> None:
    tools.helper("unacking_consumer")
    tools.wait_for_depth(consumers=(2, 2))
    _pile_up(tools)
    # The traffic of the last minutes, in the same tools.
    tools.age(tools.upload(70), newest=0.2, oldest=9)
    tools.wait_for_depth(messages_unacknowledged=(60, PLENTY))
