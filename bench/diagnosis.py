"""Time one diagnosis, with the shipped model and with models of more and more causes.

    python -m bench.diagnosis [--most N]

Prints the shortest time of several runs in milliseconds. The synthetic models have 60 checks, each
explained by all causes. Each additional cause doubles the sets of causes, and so the time. Most of
the work is the contribution of every check.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

from core.outcome import Outcome
from reports.diagnosis.diagnose import MAX_CAUSES, diagnose
from reports.diagnosis.evidence import Cause, CheckRow, Evidence
from reports.diagnosis.evidence_file import load_evidence

SHIPPED = Path(__file__).resolve().parents[1] / "runbooks/upload_stuck/evidence.toml"
CHECKS = 60


def synthetic(causes: int) -> Evidence:
    """Return a model in which every cause explains every check, with different weights."""
    nodes = tuple(Cause(f"cause_{n}", f"Cause {n}", 0.05) for n in range(causes))
    rows = tuple(
        CheckRow(
            f"bench/check_{k}",
            1,
            "cause",
            "bench",
            tuple(
                (node.id, 0.05 + 0.9 * ((n * 7 + k * 3) % 11) / 11) for n, node in enumerate(nodes)
            ),
            0.01,
        )
        for k in range(CHECKS)
    )
    return Evidence("synthetic", nodes, (), rows)


def milliseconds(evidence: Evidence, healthy: bool = False) -> float:
    """Return the shortest time of the diagnoses in one second.

    Every third check has failed, or none where the run is `healthy`.
    """
    results = [
        Outcome(row.id, "passed" if n % 3 or healthy else "failed")
        for n, row in enumerate(evidence.checks)
    ]
    best = math.inf
    deadline = time.perf_counter() + 1.0
    while True:
        started_at = time.perf_counter()
        diagnose(evidence, results)
        ended_at = time.perf_counter()
        best = min(best, ended_at - started_at)
        if ended_at > deadline:
            return best * 1000


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Time one diagnosis.")
    parser.add_argument(
        "--most",
        type=int,
        default=12,
        metavar="N",
        help=f"largest number of causes, up to {MAX_CAUSES} (default: %(default)s)",
    )
    most = min(parser.parse_args().most, MAX_CAUSES)
    shipped = load_evidence(SHIPPED)
    print(
        f"shipped model: {len(shipped.hypotheses)} hypotheses, {len(shipped.outside)} outside, "
        f"{len(shipped.checks)} checks: {milliseconds(shipped):.1f} ms, "
        f"healthy {milliseconds(shipped, healthy=True):.1f} ms"
    )
    print(f"\n{'causes':>6}  {'sets':>6}  {'ms':>9}   ({CHECKS} checks)")
    for causes in sorted({2, 5, *range(8, most + 1, 2)}):
        if causes <= most:
            print(f"{causes:>6}  {2**causes:>6}  {milliseconds(synthetic(causes)):>9.2f}")


if __name__ == "__main__":
    main()
