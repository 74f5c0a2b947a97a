"""Time one diagnosis: the shipped model, and how the time grows with the number of causes.

    python -m bench.diagnosis [--most N]

Prints, for 60 checks each explained by all causes, the milliseconds (best of several) of the whole
judgement with the contribution of every check, which is most of the work. The sets double with each
cause, and so does the time.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from pathlib import Path

from reports.diagnosis.diagnose import MAX_CAUSES, diagnose
from reports.diagnosis.evidence import Cause, CheckRow, Evidence, load_evidence

SHIPPED = Path(__file__).resolve().parents[1] / "runbooks/upload_stuck/evidence.toml"
CHECKS = 60


@dataclass(frozen=True)
class Result:
    """As much of an outcome as the diagnosis reads."""

    check: str
    status: str


def synthetic(causes: int) -> Evidence:
    """A dense model: every cause explains every check, each a little differently."""
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


def milliseconds(evidence: Evidence) -> float:
    """The best of several runs over outcomes of which every third failed."""
    results = [
        Result(row.id, "passed" if n % 3 else "failed") for n, row in enumerate(evidence.checks)
    ]
    best = math.inf
    deadline = time.perf_counter() + 1.0
    while True:
        begin = time.perf_counter()
        diagnose(evidence, results)
        end = time.perf_counter()
        best = min(best, end - begin)
        if end > deadline:
            return best * 1000


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Time one diagnosis.")
    parser.add_argument("--most", type=int, default=12, help=f"causes at most, up to {MAX_CAUSES}")
    most = min(parser.parse_args().most, MAX_CAUSES)
    shipped = load_evidence(SHIPPED)
    print(
        f"shipped model: {len(shipped.hypotheses)} hypotheses, {len(shipped.outside)} outside, "
        f"{len(shipped.checks)} checks: {milliseconds(shipped):.1f} ms"
    )
    print(f"\n{'causes':>6}  {'sets':>6}  {'ms':>9}   ({CHECKS} checks)")
    for causes in sorted({2, 5, *range(8, most + 1, 2)}):
        if causes <= most:
            print(f"{causes:>6}  {2**causes:>6}  {milliseconds(synthetic(causes)):>9.2f}")


if __name__ == "__main__":
    main()
