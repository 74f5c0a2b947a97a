"""Stop and continue the workers all the time, as cpulimit does: each runs 1 percent of the time."""

from __future__ import annotations

import os
import signal
import time

from lab import control
from lab.program import load_lab

RUN_SECONDS = 0.005
STOP_SECONDS = 0.495


def main() -> None:
    """Limit the workers until the supervisor stops this process."""
    lab = load_lab("lab.faults.worker_limiter", __doc__)
    processes = control.ask(lab.directory, "status")["processes"]
    pids = [processes[worker]["pid"] for worker in lab.workers]
    while True:
        for number, seconds in ((signal.SIGCONT, RUN_SECONDS), (signal.SIGSTOP, STOP_SECONDS)):
            for pid in pids:
                os.kill(pid, number)
            time.sleep(seconds)


if __name__ == "__main__":
    main()
