"""Soak test of scheduled runs: many runs in a row, with a fault in the middle.

    python -m lab up && python -m bench.soak [--runs 20] [--fault worker-killed]

Each run is `deploy/run lab`, the command that cron, systemd and Kubernetes start. A receiver on
loopback gets the alerts and heartbeats. The fault is injected before run 8 and healed after run 12.
Exits with 1 unless there is exactly one alert, one recovery, and one heartbeat per run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.receiver import Receiver
from core.text import count
from core.units import format_duration

ROOT = Path(__file__).resolve().parents[1]
INJECT_BEFORE, HEAL_AFTER = 8, 12
RUN_MAX = 180.0


def lab(*arguments: str) -> None:
    """Call the lab's command line; raises CalledProcessError."""
    command = [sys.executable, "-m", "lab", *arguments]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=RUN_MAX)


def scheduled_run(out: Path, receiver: Receiver) -> tuple[int, str]:
    """Run the scheduler's command; return its exit status and its headline, or its last output."""
    environ = os.environ | {
        "VEZA_OUT": str(out),
        "VEZA_PYTHON": sys.executable,
        # The faults come and go between two runs.
        "VEZA_LOOK_AGAIN": "0",
        "ALERT_URLS": f"json://{receiver.address}/alerts",
        "HEARTBEAT_URL": f"http://{receiver.address}/ping",
    }
    done = subprocess.run(
        [str(ROOT / "deploy/run"), "lab"],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_MAX,
        check=False,
    )
    states = ("Healthy", "At risk", "Incident", "Unknown", "Interrupted")
    lines = done.stdout.splitlines()
    headline = next((line for line in lines if line.startswith(states)), done.stdout[-200:])
    return done.returncode, headline


def soak(runs: int, fault: str) -> bool:
    """Run the soak test and print each run; return whether the messages were as expected."""
    started_at = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="veza-soak-") as folder, Receiver() as receiver:
        for number in range(1, runs + 1):
            if number == INJECT_BEFORE:
                lab("inject", fault)
            before = len(receiver.requests)
            status, headline = scheduled_run(Path(folder), receiver)
            new = receiver.requests[before:]
            titles = [
                request.json["title"] if request.path == "/alerts" else request.path
                for request in new
            ]
            print(f"{number:>3}  exit {status}  {headline[:70]:<70}  received: {', '.join(titles)}")
            if number == HEAL_AFTER:
                lab("heal")
        kinds = [request.json["type"] for request in receiver.requests_to("/alerts")]
        pings = [request.path for request in receiver.requests_to("/ping")]
        for request in receiver.requests_to("/alerts"):
            print(f"\n{request.json['title']}\n{request.json['message']}")
    recoveries = kinds.count("success")
    alerts = len(kinds) - recoveries
    failed = pings.count("/ping/fail")
    print(
        f"\n{count(runs, 'run')} in {format_duration(time.monotonic() - started_at)}: "
        f"{count(alerts, 'alert')}, {count(recoveries, 'recovery', 'recoveries')}, "
        f"{count(len(pings), 'heartbeat')}, {failed} of them for a failed run"
    )
    return (alerts, recoveries, len(pings)) == (1, 1, runs)


def main() -> int:
    """Read the command line, run, and return the exit status."""
    parser = argparse.ArgumentParser(
        description="Soak test of scheduled runs, against a running lab."
    )
    parser.add_argument(
        "--runs",
        type=int,
        default=20,
        metavar="N",
        help=f"number of runs, more than {HEAL_AFTER} (default: %(default)s)",
    )
    parser.add_argument(
        "--fault",
        default="worker-killed",
        metavar="NAME",
        help="the fault; `python -m lab faults` lists them (default: %(default)s)",
    )
    options = parser.parse_args()
    return 0 if soak(options.runs, options.fault) else 1


if __name__ == "__main__":
    sys.exit(main())
