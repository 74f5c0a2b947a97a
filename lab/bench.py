"""`python -m lab bench`: inject every fault, run the suite under each, score the diagnosis."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import faults, lifecycle
from lab.errors import LabError
from lab.score import (
    Trial,
    always_blame,
    confusion,
    contradictions,
    random_first_place,
    score,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lab.score import Score

ROOT = Path(__file__).parents[1]
EVIDENCE = ROOT / "runbooks" / "upload_stuck" / "evidence.toml"
RUN_MAX = 120.0
"""Seconds that one run of the suite may take."""
WORKER = "job_worker_down"


def parse_fault_sets(texts: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the fault sets written as "a" or "a+b"; without any, all faults and all pairs.

    Raises LabError for an unknown fault.
    """
    for name in {part for text in texts for part in text.split("+")}:
        faults.get_fault(name)
    singles = [(name,) for name in faults.FAULTS]
    return [tuple(text.split("+")) for text in texts] or [*singles, *faults.PAIRS]


def bench(directory: Path, names: Sequence[str], repeat: int, file: Path | None) -> list[Trial]:
    """Run the trials and print their score; `file` gets them as JSON after each trial.

    Uses the lab of `directory` if it runs, or else starts one for the bench. Raises LabError when a
    fault does not take effect or the suite writes no report.
    """
    trials = []
    with _running_lab(directory) as lab_directory:
        for round_number in range(1, repeat + 1):
            for fault_set in parse_fault_sets(names):
                missing = faults.missing_needs(lab_directory, fault_set)
                if missing:
                    print(f"{'+'.join(fault_set)}: skipped, needs {missing}", file=sys.stderr)
                    continue
                trial = run_trial(lab_directory, fault_set)
                trials.append(trial)
                print(_line(trial, round_number), file=sys.stderr, flush=True)
                if file:
                    file.write_text(json.dumps(as_json(trials), indent=1) + "\n")
    print(summary(trials, read_weights(EVIDENCE)))
    return trials


@contextmanager
def _running_lab(directory: Path) -> Iterator[Path]:
    if lifecycle.is_running(directory):
        yield directory
        return
    with tempfile.TemporaryDirectory(prefix="veza-bench-") as folder:
        lifecycle.up(Path(folder), owner=os.getpid(), broker=True)
        try:
            yield Path(folder)
        finally:
            lifecycle.down(Path(folder))


def run_trial(directory: Path, fault_set: tuple[str, ...]) -> Trial:
    """Inject faults, run the suite as a user does, heal, and return the trial; raises LabError."""
    faults.inject(directory, fault_set)
    try:
        report, seconds = run_suite(directory)
    finally:
        faults.heal(directory)
    injected = [faults.FAULTS[name] for name in fault_set]
    diagnosis = report["diagnosis"]
    return Trial(
        names=fault_set,
        kind="pair" if len(injected) > 1 else str(injected[0].kind),
        truth=frozenset().union(*(fault.truth for fault in injected)),
        state=report["state"],
        certainty=diagnosis["certainty"],
        ranking=tuple((h["id"], h["probability"]) for h in diagnosis["hypotheses"]),
        most_likely_set=frozenset(diagnosis["most_likely_set"]),
        statuses={r["outcome"]["check"]: r["outcome"]["status"] for r in report["results"]},
        seconds=seconds,
    )


def run_suite(directory: Path, *arguments: str) -> tuple[dict[str, Any], float]:
    """Run the suite in a process of its own; return its report and its wall time in seconds.

    Raises LabError when it writes no report.
    """
    with tempfile.TemporaryDirectory(prefix="veza-bench-out-") as out:
        command = [sys.executable, "-m", "pytest", "--target", "lab", f"--out={out}", *arguments]
        environment = os.environ | {"VEZA_LAB_DIR": str(directory)}
        started_at = time.monotonic()
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=RUN_MAX,
            check=False,
        )
        seconds = time.monotonic() - started_at
        try:
            text = (Path(out) / "lab" / "report.json").read_text(encoding="utf-8")
        except FileNotFoundError:
            raise LabError(
                f"the run wrote no report: {(done.stdout + done.stderr)[-800:]}"
            ) from None
    return json.loads(text), seconds


def read_weights(path: Path) -> dict[tuple[str, str], float]:
    """Return the declared weights of an evidence table, by (check, cause)."""
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["checks"]
    return {(c, cause): w for c, row in rows.items() for cause, w in row["explained_by"].items()}


def as_json(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """Return the trials as values that JSON can hold."""
    return [
        asdict(trial)
        | {
            "truth": sorted(trial.truth),
            "most_likely_set": sorted(trial.most_likely_set),
            "right": trial.is_right,
        }
        for trial in trials
    ]


def _line(trial: Trial, round_number: int) -> str:
    first, probability = trial.ranking[0]
    result = "right" if trial.is_right else "WRONG"
    failed = sum(status == "failed" for status in trial.statuses.values())
    answer = "+".join(sorted(trial.most_likely_set)) if trial.kind == "pair" else trial.answer
    return (
        f"{round_number} {result} {'+'.join(trial.names):<38} {trial.state:<8} {answer} "
        f"({first} {probability:.3f}), {failed} failed, {trial.seconds:.1f} s"
    )


def summary(trials: Sequence[Trial], weights: dict[tuple[str, str], float]) -> str:
    """Return the score as text, beside two baselines: always the worker, and a random ranking."""
    lines = [
        f"{'':<24}{'this suite':>14}{'always worker':>16}{'random':>10}",
        *_rows(score(trials), score(always_blame(trials, WORKER)), random_first_place(trials)),
        "",
        "confusion matrix, answers (columns) by true cause (rows):",
        *_matrix(trials),
    ]
    lines += [
        f"weight contradicted: {weight.check} under {weight.cause}: declared {weight.declared}, "
        f"failed in {weight.failed} of {weight.runs} runs"
        for weight in contradictions(trials, weights)
    ]
    wrong = sorted({"+".join(trial.names) for trial in trials if not trial.is_right})
    lines.append(f"wrong: {', '.join(wrong) or 'none'}")
    lines.append("These figures detect regressions. They measure this lab, not a live Veza.")
    return "\n".join(lines)


def _rows(suite: Score, worker: Score, random_rate: float | None) -> list[str]:
    rows = []
    for name in ("first_place", "exact_pairs", "false_alarms", "outside_recognised"):
        (count, total), (worker_count, worker_total) = getattr(suite, name), getattr(worker, name)
        random = f"{random_rate:.2f}" if name == "first_place" and random_rate is not None else "-"
        rows.append(_row(name, f"{count} of {total}", f"{worker_count} of {worker_total}", random))
    for name in ("mean_probability", "brier", "median_seconds"):
        values = (getattr(suite, name), getattr(worker, name))
        figures = ["-" if value is None else f"{value:.3f}" for value in values]
        rows.append(_row(name, figures[0], "-" if name == "median_seconds" else figures[1], "-"))
    return rows


def _row(name: str, suite: str, worker: str, random: str) -> str:
    return f"{name.replace('_', ' '):<24}{suite:>14}{worker:>16}{random:>10}"


def _matrix(trials: Sequence[Trial]) -> list[str]:
    matrix = confusion(trials)
    columns = sorted({answer for row in matrix.values() for answer in row})
    head = f"{'':<28}" + "".join(f"{_short(column):>12}" for column in columns)
    return [head] + [
        f"{truth:<28}" + "".join(f"{row[column] or '.':>12}" for column in columns)
        for truth, row in matrix.items()
    ]


def _short(name: str) -> str:
    return name if len(name) <= 11 else name[:10] + "."
