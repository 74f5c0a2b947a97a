"""At risk: a part is broken, and no upload suffers from it yet."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from lab.faults.model import Family, Kind, Need

if TYPE_CHECKING:
    from lab.faults.tools import FaultTools

FAMILY = Family(Kind.AT_RISK)


@FAMILY.fault(
    "one-worker-dead",
    "one of two workers was killed, and the other does the work",
    Need.TWO_WORKERS,
)
def one_worker_dead(tools: FaultTools) -> None:
    """Kill the last worker; the target says how many workers there should be."""
    tools.signal(tools.lab.workers[-1], signal.SIGKILL)
    if tools.lab.broker:
        consumers = len(tools.lab.workers) - 1
        tools.wait_for_queue(consumers=(consumers, consumers))
    tools.wait_for_uploads(tools.upload(), "completed", "completed")
