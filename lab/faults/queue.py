"""Queue blocked: jobs do not get from the API to a worker that is ready for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import broker
from lab.consumers import CONCURRENCY
from lab.faults.model import Family, Kind, Need
from lab.faults.tools import STUCK_UPLOADS

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
    tools.wait_for_no_worker()


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
    tools.wait_for_no_worker()


@FAMILY.fault(
    "queue-saturated", "thousands of other messages are ahead of the uploads", Need.BROKER
)
def saturated(tools: FaultTools) -> None:
    tools.start_helper("queue_flood")
    tools.wait_for_queue(messages_ready=(1000, UNLIMITED))
    _make_stuck_uploads(tools)


def _start_consumer(tools: FaultTools, name: str, *arguments: str) -> int:
    """Start a consumer that acknowledges nothing; return the number of the queue's consumers."""
    tools.start_helper("unacking_consumer", "--name", name, *arguments)
    consumers = len(tools.lab.workers) + 1
    tools.wait_for_queue(consumers=(consumers, consumers))
    return consumers


@FAMILY.fault(
    "deliveries-stuck", "another consumer takes every message and acknowledges none", Need.BROKER
)
def stuck(tools: FaultTools) -> None:
    _start_consumer(tools, "migration-script", "--priority", "10")
    _make_stuck_uploads(tools)
    # The traffic of the last minutes: its messages go to the same consumer.
    tools.backdate_between(tools.upload(70), 0.2, 9)
    tools.wait_for_queue(messages_unacknowledged=(60, UNLIMITED))


@FAMILY.fault(
    "partial-consumer",
    "another consumer takes its share of the messages and acknowledges none",
    Need.BROKER,
)
def partial(tools: FaultTools) -> None:
    """Start a consumer that the broker serves in turn with the workers: theirs are processed."""
    consumers = _start_consumer(tools, "statistics-export")
    uploads = tools.upload(consumers * STUCK_UPLOADS)

    def are_divided() -> bool:
        untaken = tools.uploads_with(uploads, "uploading", "pending")
        completed = tools.uploads_with(uploads, "completed", "completed")
        return len(untaken) + len(completed) == len(uploads) and len(untaken) >= STUCK_UPLOADS - 2

    tools.wait(are_divided, 40, "the end of the uploads that a worker got")
    untaken = tools.uploads_with(uploads, "uploading", "pending")
    tools.wait_for_queue(messages_unacknowledged=(len(untaken), UNLIMITED))
    tools.backdate(untaken)


@FAMILY.fault(
    "dead-letters-ttl",
    "a policy lets messages expire before a worker takes them: they become dead letters",
    Need.BROKER,
)
def expired(tools: FaultTools) -> None:
    """Set a message TTL that is fine until a rush: what waits for longer is dead-lettered."""
    lab = tools.lab
    broker.set_message_ttl(lab, milliseconds=300)
    # The rush: every thread of the workers is busy for seconds.
    tools.turn_on(seconds_per_chunk=1.5)
    uploads = tools.upload(CONCURRENCY * len(lab.workers) + STUCK_UPLOADS)
    dead_letters = broker.path_of(lab, "queues", lab.rabbitmq.dead_letter)
    tools.wait(
        lambda: broker.manage(lab, "GET", dead_letters).get("messages", 0) >= STUCK_UPLOADS - 2,
        30,
        "dead letters",
    )
    tools.turn_on(seconds_per_chunk=0.0)
    tools.wait_for_queue(messages_ready=(0, 0), messages_unacknowledged=(0, 0))
    tools.backdate(tools.uploads_with(uploads, "uploading", "pending"))


@FAMILY.fault("messages-purged", "somebody purged the queue while jobs waited", Need.BROKER)
def purged(tools: FaultTools) -> None:
    """Purge the queue while the workers are paused; later uploads complete."""
    # Messages of other uploads would be lost, too, and their jobs too young to be published again.
    with tools.load_generator_stopped():
        tools.wait_for_queue(messages_ready=(0, 0), messages_unacknowledged=(0, 0))
        with tools.workers_paused():
            uploads = tools.upload()
            tools.wait_for_queue(messages_ready=(len(uploads), len(uploads)))
            tools.purge_queue()
    tools.wait_for_uploads(tools.upload(1), "completed", "completed")
    tools.wait_for_uploads(uploads, "uploading", "pending")
    tools.backdate(uploads)
