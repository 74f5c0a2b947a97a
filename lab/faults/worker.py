"""Job worker down: its process is gone, is stopped, crashes, or does not consume."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from lab.faults.model import Family, Kind

if TYPE_CHECKING:
    from lab.faults.tools import FaultTools

FAMILY = Family(Kind.SINGLE, "job_worker_down")


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
