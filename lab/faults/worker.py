"""Job worker down: it is not there, does not run, or does not work."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from lab.faults.model import Family, Kind

if TYPE_CHECKING:
    from lab.faults.tools import Hands

FAMILY = Family(Kind.SINGLE, "job_worker_down")


def _pile_up(hands: Hands) -> None:
    """Uploads come in and nobody takes them."""
    hands.age_past()
    hands.age(hands.upload())
    hands.wait_for_health("/health/worker", 503)
    if hands.lab.broker:
        # The broker drops a silent consumer after two missed heartbeats.
        hands.wait_for_depth(consumers=(0, 0))


@FAMILY.fault("worker-killed", "the worker's process was killed")
def killed(hands: Hands) -> None:
    hands.signal("worker", signal.SIGKILL)
    _pile_up(hands)


@FAMILY.fault("worker-frozen", "the worker's process is stopped")
def frozen(hands: Hands) -> None:
    hands.signal("worker", signal.SIGSTOP, until="T")
    _pile_up(hands)


@FAMILY.fault("worker-crash-loop", "the worker dies at each start and is started again")
def crash_loop(hands: Hands) -> None:
    hands.switch(dies_at_start=True)
    hands.ask("restart_loop", name="worker", on=True)
    hands.signal("worker", signal.SIGKILL)
    _pile_up(hands)
    log = hands.lab.worker_logs / "worker.log"
    hands.wait(
        lambda: log.exists() and log.read_text().count("Job Worker démarré") >= 3,
        20,
        "three starts of the worker",
    )


@FAMILY.fault("worker-not-consuming", "the worker lives but has cancelled its consumer")
def not_consuming(hands: Hands) -> None:
    hands.switch(stops_consuming=True)
    hands.wait_for_health("/health/worker", 503)
    _pile_up(hands)
    hands.wait_for_worker_line()
