"""A schedule in small: consecutive runs of the timer's own command, with a fault in the middle.

    python -m lab up && python -m bench.soak [--runs 20] [--fault worker-killed]

Each run is `deploy/run lab`, what cron, systemd and Kubernetes start, with a receiver of messages
and heartbeats on loopback. Before run 8 the lab is broken, after run 12 it is healed. Exits with 1
unless there was exactly one alert, one recovery, and a heartbeat for each run.
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

ROOT = Path(__file__).resolve().parents[1]
BREAK_BEFORE, HEAL_AFTER = 8, 12
RUN_MAX = 180.0


def lab(*arguments: str) -> None:
    """Call the lab's command line; raises CalledProcessError."""
    command = [sys.executable, "-m", "lab", *arguments]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=RUN_MAX)


def one_run(out: Path, receiver: Receiver) -> tuple[int, str]:
    """Start what the timer starts; returns its exit status and its first line and errors."""
    environ = os.environ | {
        "VEZA_OUT": str(out),
        "VEZA_PYTHON": sys.executable,
        "ALERT_URLS": f"json://{receiver.place}/alerts",
        "HEARTBEAT_URL": f"http://{receiver.place}/ping",
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
    said = next((line for line in lines if line.startswith(states)), done.stdout[-200:])
    return done.returncode, said


def soak(runs: int, fault: str) -> bool:
    """Do it, and print each run as it ends; returns whether all was as it should be."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="veza-soak-") as folder, Receiver() as receiver:
        for number in range(1, runs + 1):
            if number == BREAK_BEFORE:
                lab("inject", fault)
            before = len(receiver.got)
            status, said = one_run(Path(folder), receiver)
            new = receiver.got[before:]
            what = [got.said["title"] if got.path == "/alerts" else got.path for got in new]
            print(f"{number:>3}  exit {status}  {said[:70]:<70}  received: {', '.join(what)}")
            if number == HEAL_AFTER:
                lab("heal")
        told = [(got.said["type"], got.said["title"]) for got in receiver.under("/alerts")]
        pings = [got.path for got in receiver.under("/ping")]
        for got in receiver.under("/alerts"):
            print(f"\n{got.said['title']}\n{got.said['message']}")
    alerts = sum(kind != "success" for kind, _ in told)
    recoveries = sum(kind == "success" for kind, _ in told)
    failed = pings.count("/ping/fail")
    print(
        f"\n{runs} runs in {time.monotonic() - began:.0f} s: {alerts} alert, "
        f"{recoveries} recovery, {len(pings)} heartbeats ({failed} of a failure)"
    )
    return (alerts, recoveries, len(pings)) == (1, 1, runs)


def main() -> int:
    """Read the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="A schedule in small, against a running lab.")
    parser.add_argument("--runs", type=int, default=20, help=f"more than {HEAL_AFTER} (default 20)")
    parser.add_argument("--fault", default="worker-killed", help="see: python -m lab faults")
    options = parser.parse_args()
    return 0 if soak(options.runs, options.fault) else 1


if __name__ == "__main__":
    sys.exit(main())
