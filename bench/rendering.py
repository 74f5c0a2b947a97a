"""Time the files that a run writes beside report.json: history, page, metrics, post-mortem.

    python -m lab up && python -m bench.rendering [--runs 10]

Runs the suite in processes of its own, as a user does. Prints two medians: the wall time of the
process, and the part of it that went into these files.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]

PROGRAM = """
import sys, time
import pytest
from reports.run import controller

write = controller.write_artifacts

def timed(*arguments):
    started_at = time.perf_counter()
    try:
        return write(*arguments)
    finally:
        print("artifacts", time.perf_counter() - started_at, file=sys.stderr)

controller.write_artifacts = timed
sys.exit(pytest.main(sys.argv[1:]))
"""


def main() -> None:
    """Run the suite several times and print the medians."""
    parser = argparse.ArgumentParser(
        description="Time the files that a run writes beside report.json, against a running lab."
    )
    parser.add_argument(
        "--runs", type=int, default=10, metavar="N", help="runs of the suite (default: %(default)s)"
    )
    runs = parser.parse_args().runs
    totals, parts = [], []
    with tempfile.TemporaryDirectory() as out:
        for _ in range(runs):
            started_at = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", PROGRAM, "--target", "lab", f"--out={out}"],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                check=False,
            )
            totals.append(time.perf_counter() - started_at)
            line = next(text for text in done.stderr.splitlines() if text.startswith("artifacts "))
            parts.append(float(line.split()[1]))
    total, part = statistics.median(totals), statistics.median(parts)
    print(f"{runs} runs, medians: total {total:.3f} s, files {part * 1000:.0f} ms")
    print(f"the files add {part / (total - part):.0%} to the rest of the run")


if __name__ == "__main__":
    main()
