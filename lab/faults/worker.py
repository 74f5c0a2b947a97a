"""Job worker down: its process is gone, is stopped, crashes, or does not consume."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from lab import broker
from lab.consumers import CONCURRENCY
from lab.faults.model import Family, Kind, Need

if TYPE_CHECKING:
    from lab.faults.tools import FaultTools

FAMILY = Family(Kind.SINGLE, "job_worker_down")
QUIET_SECONDS = 16.0
"""Longer than the ten seconds, of the broker's history of five-second steps, that are looked at."""
RETURNED = 600
"""Far more than the retries that the messages of the last minute can have had."""


def _make_stuck_uploads(tools: FaultTools) -> None:
    """Upload files that no worker takes, and make them old."""
    tools.backdate_history()
    tools.backdate(tools.upload())
    tools.wait_for_no_worker()
    if tools.lab.broker:
        # The broker drops a consumer that missed two heartbeats.
        tools.wait_for_queue(consumers=(0, 0))


@FAMILY.fault("worker-killed", "the worker's process was killed")
def killed(tools: FaultTools) -> None:
    tools.signal_workers(signal.SIGKILL)
    _make_stuck_uploads(tools)


@FAMILY.fault("worker-frozen", "the worker's process is stopped (SIGSTOP)")
def frozen(tools: FaultTools) -> None:
    tools.signal_workers(signal.SIGSTOP, until="T")
    _make_stuck_uploads(tools)


@FAMILY.fault("worker-crash-loop", "the worker crashes after each start and is started again")
def crash_loop(tools: FaultTools) -> None:
    tools.turn_on(dies_at_start=True)
    for worker in tools.lab.workers:
        tools.ask("restart_loop", name=worker, on=True)
    tools.signal_workers(signal.SIGKILL)
    _make_stuck_uploads(tools)
    log = tools.worker_log()
    tools.wait(
        lambda: log.exists() and log.read_text().count("Job Worker démarré") >= 3,
        20,
        "three starts of the worker",
    )


@FAMILY.fault("worker-not-consuming", "the worker runs but has cancelled its consumer")
def not_consuming(tools: FaultTools) -> None:
    tools.turn_on(stops_consuming=True)
    tools.wait_for_no_worker()
    _make_stuck_uploads(tools)
    tools.wait_for_worker_log()


# Without the management API nothing tells who holds the messages, or that they come back.
@FAMILY.fault("worker-rejecting", "the worker puts each message back", Need.MANAGEMENT)
def rejecting(tools: FaultTools) -> None:
    before = _count(tools, "redeliver")
    tools.turn_on(rejects_messages=True)
    _make_untaken_uploads(tools)
    tools.wait(
        lambda: _count(tools, "redeliver") - before >= RETURNED,
        120,
        f"{RETURNED} messages that were put back",
    )
    _wait_without_answers(tools)


@FAMILY.fault(
    "worker-deadlocked",
    "the worker's threads wait for each other: it keeps its messages and does nothing",
    Need.MANAGEMENT,
)
def deadlocked(tools: FaultTools) -> None:
    tools.turn_on(deadlocks=True)
    _make_untaken_uploads(tools)
    held = CONCURRENCY * len(tools.lab.workers)
    tools.wait_for_queue(messages_unacknowledged=(held, held))
    _wait_without_answers(tools)


def _make_untaken_uploads(tools: FaultTools) -> None:
    """Upload files whose messages reach a worker that starts no job, and make them old."""
    tools.backdate_history()
    tools.make_old_uploads("uploading", "pending")
    tools.wait_for_worker_log()


def _wait_without_answers(tools: FaultTools) -> None:
    """Wait until the workers have long acknowledged nothing: until then they do other work.

    Not by the rate: the last acknowledgements come into the broker's history seconds later.
    """
    count, since = _count(tools, "ack"), time.monotonic()

    def is_quiet() -> bool:
        nonlocal count, since
        if (now := _count(tools, "ack")) != count:
            count, since = now, time.monotonic()
        return time.monotonic() - since > QUIET_SECONDS

    tools.wait(is_quiet, 120, "a queue without answers")


def _count(tools: FaultTools, event: str) -> int:
    """Return how often the broker has counted an event of the upload queue, such as "ack"."""
    return int(broker.upload_queue(tools.lab).get("message_stats", {}).get(event, 0))
