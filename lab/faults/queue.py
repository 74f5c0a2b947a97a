"""Queue blocked: jobs do not get from the API to a worker that is ready for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import broker
from lab.faults.model import Family, Kind, Need

if TYPE_CHECKING:
    from lab.faults.tools import FaultTools

FAMILY = Family(Kind.SINGLE, "queue_blocked")
UNLIMITED = 10**9


def _make_stuck_uploads(tools: FaultTools) -> None:
    """Upload files whose jobs stay pending, and make them old."""
    tools.backdate_history()
    uploads = tools.upload()
    tools.backdate(uploads)
    tools.wait_for_uploads(uploads, "uploading", "pending")
    tools.wait_for_worker_log()


@FAMILY.fault("broker-down", "RabbitMQ is not running", Need.BROKER)
def down(tools: FaultTools) -> None:
    tools.stop("rabbitmq")
    _make_stuck_uploads(tools)
    tools.wait_for_http_status("/readyz", 503)
    tools.wait_for_workers(healthy=False)


@FAMILY.fault("broker-memory-alarm", "RabbitMQ's memory alarm blocks publishers", Need.BROKER)
def memory_alarm(tools: FaultTools) -> None:
    broker.control(tools.lab, "set_vm_memory_high_watermark", "absolute", "1MB")
    _wait_for_alarm(tools, "mem_alarm")
    _make_stuck_uploads(tools)
    tools.wait_for_http_status("/readyz", 503)


@FAMILY.fault("broker-disk-alarm", "RabbitMQ's disk alarm blocks publishers", Need.BROKER)
def disk_alarm(tools: FaultTools) -> None:
    broker.control(tools.lab, "set_disk_free_limit", "900000GB")
    _wait_for_alarm(tools, "disk_free_alarm")
    _make_stuck_uploads(tools)
    tools.wait_for_http_status("/readyz", 503)


def _wait_for_alarm(tools: FaultTools, alarm: str) -> None:
    tools.wait(
        lambda: any(node.get(alarm) for node in broker.manage(tools.lab, "GET", "/api/nodes")),
        20,
        f"the broker's {alarm}",
    )


@FAMILY.fault("queue-deleted", "the queue was deleted", Need.BROKER)
def deleted(tools: FaultTools) -> None:
    path = broker.path_of(tools.lab, "queues", tools.lab.rabbitmq.queue)
    broker.manage(tools.lab, "DELETE", path)
    _make_stuck_uploads(tools)
    tools.wait_for_workers(healthy=False)


@FAMILY.fault(
    "queue-saturated", "thousands of other messages are ahead of the uploads", Need.BROKER
)
def saturated(tools: FaultTools) -> None:
    tools.start_helper("queue_flood")
    tools.wait_for_queue(messages_ready=(1000, UNLIMITED))
    _make_stuck_uploads(tools)


@FAMILY.fault(
    "deliveries-stuck", "another consumer takes every message and acknowledges none", Need.BROKER
)
def stuck(tools: FaultTools) -> None:
    tools.start_helper("unacking_consumer")
    consumers = len(tools.lab.workers) + 1
    tools.wait_for_queue(consumers=(consumers, consumers))
    _make_stuck_uploads(tools)
    # The traffic of the last minutes: its messages go to the same consumer.
    tools.backdate(tools.upload(70), newest=0.2, oldest=9)
    tools.wait_for_queue(messages_unacknowledged=(60, UNLIMITED))
