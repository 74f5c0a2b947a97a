"""`python -m lab bench`: break the lab in every way there is, run the suite, score what it says."""

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
    always,
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
WORKER = "job_worker_down"


def everything() -> list[tuple[str, ...]]:
    """Return every set of faults that the bench injects: singles, controls, outside, pairs."""
    return [(name,) for name in faults.FAULTS] + [tuple(pair) for pair in faults.PAIRS]


def chosen(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the sets of faults that `names` ask for; several at once are written a+b."""
    for name in {part for text in names for part in text.split("+")}:
        faults.known(name)
    return [tuple(text.split("+")) for text in names] or everything()


def bench(directory: Path, names: Sequence[str], repeat: int, file: Path | None) -> list[Trial]:
    """Run the trials in the lab of `directory`, else in one of their own; print and save them.

    Raises LabError when a fault does not take hold or the suite leaves no report.
    """
    trials = []
    with _lab(directory) as home:
        for round_ in range(repeat):
            for injected in chosen(names):
                lacking = faults.lacking(home, injected)
                if lacking:
                    print(f"{'+'.join(injected)}: left out, needs {lacking}", file=sys.stderr)
                    continue
                trial = run_trial(home, injected)
                trials.append(trial)
                print(_line(trial, round_ + 1), file=sys.stderr, flush=True)
                if file:
                    file.write_text(json.dumps(as_json(trials), indent=1) + "\n")
    print(summary(trials, weights_of(EVIDENCE)))
    return trials


@contextmanager
def _lab(directory: Path) -> Iterator[Path]:
    if lifecycle.is_running(directory):
        yield directory
        return
    with tempfile.TemporaryDirectory(prefix="veza-bench-") as folder:
        lifecycle.up(Path(folder), owner=os.getpid(), broker=True)
        try:
            yield Path(folder)
        finally:
            lifecycle.down(Path(folder))


def run_trial(directory: Path, injected: tuple[str, ...]) -> Trial:
    """Inject, run the suite as a user would, heal, and return what the run said."""
    faults.inject(directory, injected)
    try:
        report, seconds = run_suite(directory)
    finally:
        faults.heal(directory)
    involved = [faults.FAULTS[name] for name in injected]
    diagnosis = report["diagnosis"]
    return Trial(
        names=injected,
        kind="pair" if len(injected) > 1 else str(involved[0].kind),
        truth=frozenset().union(*(fault.truth for fault in involved)),
        state=report["state"],
        certainty=diagnosis["certainty"],
        ranking=tuple((h["id"], h["probability"]) for h in diagnosis["hypotheses"]),
        held=frozenset(diagnosis["most_likely_set"]),
        statuses={r["outcome"]["check"]: r["outcome"]["status"] for r in report["results"]},
        seconds=seconds,
    )


def run_suite(directory: Path, *arguments: str) -> tuple[dict[str, Any], float]:
    """Run the suite against the lab in a process of its own; its report and its wall time."""
    with tempfile.TemporaryDirectory(prefix="veza-bench-out-") as out:
        command = [sys.executable, "-m", "pytest", "--target", "lab", f"--out={out}", *arguments]
        environment = os.environ | {"VEZA_LAB_DIR": str(directory)}
        began = time.monotonic()
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=RUN_MAX,
            check=False,
        )
        seconds = time.monotonic() - began
        try:
            text = (Path(out) / "lab" / "report.json").read_text(encoding="utf-8")
        except FileNotFoundError:
            raise LabError(
                f"the run left no report: {(done.stdout + done.stderr)[-800:]}"
            ) from None
    return json.loads(text), seconds


def weights_of(path: Path) -> dict[tuple[str, str], float]:
    """Return the declared weights of an evidence table, by (check, cause)."""
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["checks"]
    return {(c, cause): w for c, row in rows.items() for cause, w in row["explained_by"].items()}


def as_json(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """Return the trials as JSON-able values."""
    return [
        asdict(trial)
        | {"truth": sorted(trial.truth), "held": sorted(trial.held), "right": trial.is_right}
        for trial in trials
    ]


def _line(trial: Trial, round_: int) -> str:
    first, probability = trial.ranking[0]
    verdict = "right" if trial.is_right else "WRONG"
    failed = sum(status == "failed" for status in trial.statuses.values())
    said = "+".join(sorted(trial.held)) if trial.kind == "pair" else trial.said
    return (
        f"{round_} {verdict} {'+'.join(trial.names):<38} {trial.state:<8} {said} "
        f"({first} {probability:.3f}), {failed} failed, {trial.seconds:.1f} s"
    )


def summary(trials: Sequence[Trial], weights: dict[tuple[str, str], float]) -> str:
    """Return the figures as text, beside two rankings that know nothing."""
    blind = random_first_place(trials)
    lines = [
        f"{'':<24}{'this suite':>14}{'always worker':>16}{'by lot':>10}",
        *_rows(score(trials), score(always(trials, WORKER)), blind),
        "",
        "said (columns) under what was true (rows):",
        *_matrix(trials),
    ]
    lines += [
        f"weight contradicted: {one.check} given {one.cause}: declared {one.declared}, "
        f"seen {one.failed} of {one.seen}"
        for one in contradictions(trials, weights)
    ]
    wrong = sorted({"+".join(trial.names) for trial in trials if not trial.is_right})
    lines.append(f"wrong: {', '.join(wrong) or 'none'}")
    lines.append("A regression sentinel on a lab, not a measure of any Veza but this one.")
    return "\n".join(lines)


def _rows(ours: Score, worker: Score, blind: float | None) -> list[str]:
    rates = ("first_place", "exact_pairs", "false_alarms", "outside_recognised")
    rows = []
    for name in rates:
        mine, theirs = getattr(ours, name), getattr(worker, name)
        lot = f"{blind:.2f}" if name == "first_place" and blind is not None else "-"
        rows.append(
            f"{name.replace('_', ' '):<24}{f'{mine[0]} of {mine[1]}':>14}"
            f"{f'{theirs[0]} of {theirs[1]}':>16}{lot:>10}"
        )
    for name in ("mean_probability", "brier", "median_seconds"):
        mine, theirs = getattr(ours, name), getattr(worker, name)
        shown = ["-" if value is None else f"{value:.3f}" for value in (mine, theirs)]
        other = "-" if name == "median_seconds" else shown[1]
        rows.append(f"{name.replace('_', ' '):<24}{shown[0]:>14}{other:>16}{'-':>10}")
    return rows


def _matrix(trials: Sequence[Trial]) -> list[str]:
    matrix = confusion(trials)
    columns = sorted({said for row in matrix.values() for said in row})
    head = f"{'':<28}" + "".join(f"{_short(column):>12}" for column in columns)
    return [head] + [
        f"{truth:<28}" + "".join(f"{row[column] or '.':>12}" for column in columns)
        for truth, row in matrix.items()
    ]


def _short(name: str) -> str:
    return name if len(name) <= 11 else name[:10] + "."
