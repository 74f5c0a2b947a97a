"""Job worker down: it is not there, does not run, or does not work."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from lab.faults.model import Family, Kind

if TYPE_CHECKING:
    from lab.faults.tools import FaultTools

FAMILY = Family(Kind.SINGLE, "job_worker_down")


def _pile_up(tools: FaultTools) -> None:
    """Uploads come in and nobody takes them."""
    tools.age_past()
    tools.age(tools.upload())
    tools.wait_for_health("/health/worker", 503)
    if tools.lab.broker:
        # The broker drops a silent consumer after two missed heartbeats.
        tools.wait_for_depth(consumers=(0, 0))


@FAMILY.fault("worker-killed", "the worker's process was killed")
def killed(tools: FaultTools) -> None:
    tools.signal("worker", signal.SIGKILL)
    _pile_up(tools)


@FAMILY.fault("worker-frozen", "the worker's process is stopped")
def frozen(tools: FaultTools) -> None:
    tools.signal("worker", signal.SIGSTOP, until="T")
    _pile_up(tools)


@FAMILY.fault("worker-crash-loop", "the worker dies at each start and is started again")
def crash_loop(tools: FaultTools) -> None:
    tools.switch(dies_at_start=True)
    tools.ask("restart_loop", name="worker", on=True)
    tools.signal("worker", signal.SIGKILL)
    _pile_up(tools)
    log = tools.lab.worker_logs / "worker.log"
    tools.wait(
        lambda: log.exists() and log.read_text().count("Job Worker démarré") >= 3,
        20,
        "three starts of the worker",
    )


@FAMILY.fault("worker-not-consuming", "the worker lives but has cancelled its consumer")
def not_consuming(tools: FaultTools) -> None:
    tools.switch(stops_consuming=True)
    tools.wait_for_health("/health/worker", 503)
    _pile_up(tools)
    tools.wait_for_worker_line()
