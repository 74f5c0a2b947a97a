"""What writing history, page, metrics and post-mortem adds to a whole run against the running lab.

Runs the suite in processes of its own, as a user does, and says the medians: the wall time of the
whole process, and the part of it that went into the files beside report.json.
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

def timed(*given):
    began = time.perf_counter()
    try:
        return write(*given)
    finally:
        print("artifacts", time.perf_counter() - began, file=sys.stderr)

controller.write_artifacts = timed
sys.exit(pytest.main(sys.argv[1:]))
"""


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="default: %(default)s")
    runs = parser.parse_args().runs
    wholes, parts = [], []
    with tempfile.TemporaryDirectory() as out:
        for _ in range(runs):
            began = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", PROGRAM, "--target", "lab", f"--out={out}"],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                check=False,
            )
            wholes.append(time.perf_counter() - began)
            line = next(text for text in done.stderr.splitlines() if text.startswith("artifacts "))
            parts.append(float(line.split()[1]))
    whole, part = statistics.median(wholes), statistics.median(parts)
    print(f"{runs} runs, medians: whole {whole:.3f} s, files {part * 1000:.0f} ms")
    print(f"writing them adds {part / (whole - part):.0%} to the rest")


if __name__ == "__main__":
    main()
