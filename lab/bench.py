"""`python -m lab bench`: inject every fault, run the suite under each, score the diagnosis."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import faults, lifecycle
from lab.errors import LabError
from lab.score import (
    COMBINED,
    Trial,
    always_blame,
    confusion,
    contradictions,
    random_first_place,
    score,
)
from lab.state import load
from lab.variants import STANDARD

if TYPE_CHECKING:
    from lab.score import Score
    from lab.variants import Variant

ROOT = Path(__file__).parents[1]
RUN_MAX = 120.0
"""Seconds that one run of the suite may take."""
BLAMED = {faults.UPLOAD_STUCK: "job_worker_down", faults.LOGIN_FAILS: "login_route_broken"}
"""The hypothesis of each runbook that a guess would always name, to compare with."""


def parse_fault_sets(
    texts: Sequence[str], runbook: str = faults.UPLOAD_STUCK
) -> list[tuple[str, ...]]:
    """Return the fault sets written as "a" or "a+b"; without any, all that the runbook tells.

    Raises LabError for an unknown fault.
    """
    for name in {part for text in texts for part in text.split("+")}:
        faults.get_fault(name)
    singles = [(name,) for name in faults.of_runbook(runbook)]
    combined = faults.COMBINATIONS[runbook]
    return [tuple(text.split("+")) for text in texts] or [*singles, *combined]


class Bench:
    """Runs trials, one after the other, and keeps what came out.

    `file` gets the trials as JSON after each trial. `keep` gets each trial's report, as
    <variant>/<faults>/<round>/report.json.
    """

    def __init__(
        self,
        file: Path | None = None,
        keep: Path | None = None,
        runbook: str = faults.UPLOAD_STUCK,
    ) -> None:
        self._runbook = runbook
        self.trials: list[Trial] = []
        self.failures: list[str] = []
        """Trials that could not be run, each with the reason."""
        self._file = file
        self._keep = keep

    def run(self, directory: Path, fault_sets: Sequence[tuple[str, ...]], repeat: int) -> None:
        """Run each fault set `repeat` times in the lab of `directory`.

        A fault that does not take effect is a failure, and the next trial follows. Raises LabError
        when the lab cannot be healed.
        """
        variant = load(directory).variant.name
        for round_number in range(1, repeat + 1):
            for fault_set in fault_sets:
                names = f"{variant}: {'+'.join(fault_set)}"
                missing = faults.missing_needs(directory, fault_set)
                if missing:
                    print(f"{names}: skipped, needs {missing}", file=sys.stderr)
                    continue
                try:
                    trial, report = run_trial(directory, fault_set, round_number, self._runbook)
                except TrialError as exc:
                    self.failures.append(f"{names}: {exc}")
                    print(self.failures[-1], file=sys.stderr, flush=True)
                    continue
                print(_line(trial), file=sys.stderr, flush=True)
                self._add(trial, report)

    def _add(self, trial: Trial, report: str) -> None:
        self.trials.append(trial)
        if self._keep:
            folder = self._keep / trial.variant / "+".join(trial.names) / str(trial.round)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "report.json").write_text(report, encoding="utf-8")
        if self._file:
            self._file.write_text(json.dumps(as_json(self.trials), indent=1) + "\n")


class TrialError(LabError):
    """A trial could not be run: its fault did not take effect, or the suite wrote no report."""


def bench(
    directory: Path,
    names: Sequence[str],
    repeat: int,
    file: Path | None,
    variants: Sequence[Variant] = (),
    keep: Path | None = None,
    runbook: str = faults.UPLOAD_STUCK,
) -> Bench:
    """Run the trials and print their score: a table for each variant, and one for all.

    Without `variants`, uses the lab of `directory` if it runs, or else starts a standard one for
    the bench. Raises LabError when a lab cannot be started or healed.
    """
    fault_sets = parse_fault_sets(names, runbook)
    runs = Bench(file, keep, runbook)
    if variants or not lifecycle.is_running(directory):
        for variant in variants or (STANDARD,):
            with _own_lab(variant) as own_directory:
                runs.run(own_directory, fault_sets, repeat)
    elif faults.active(directory):
        raise LabError("the lab is broken already; heal it first: python -m lab heal")
    else:
        runs.run(directory, fault_sets, repeat)
    weights = read_weights(ROOT / "runbooks" / runbook / "evidence.toml")
    print(summary(runs.trials, weights, BLAMED[runbook]))
    for failure in runs.failures:
        print(f"could not be run: {failure}")
    return runs


@contextmanager
def _own_lab(variant: Variant) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="veza-bench-") as folder:
        try:
            lifecycle.up(Path(folder), variant=variant, owner=os.getpid())
            yield Path(folder)
        finally:
            lifecycle.down(Path(folder))


def run_trial(
    directory: Path,
    fault_set: tuple[str, ...],
    round_number: int = 1,
    runbook: str = faults.UPLOAD_STUCK,
) -> tuple[Trial, str]:
    """Inject faults, run a runbook as a user does, heal, and return the trial and its report.

    Raises TrialError, and LabError when the lab cannot be healed.
    """
    try:
        faults.inject(directory, fault_set)
        text, seconds = run_suite(directory, f"checks/{runbook}")
    except LabError as exc:
        raise TrialError(str(exc)) from exc
    finally:
        of_login = all(faults.FAULTS[name].runbooks == (faults.LOGIN_FAILS,) for name in fault_set)
        faults.heal(directory, logins_only=of_login)
    report = json.loads(text)
    injected = [faults.FAULTS[name] for name in fault_set]
    diagnosis = report["diagnosis"]
    trial = Trial(
        names=fault_set,
        kind=str(injected[0].kind) if len(injected) == 1 else COMBINED[min(len(injected), 3) - 2],
        truth=frozenset().union(*(fault.truth for fault in injected)),
        state=report["state"],
        certainty=diagnosis["certainty"],
        ranking=tuple((h["id"], h["probability"]) for h in diagnosis["hypotheses"]),
        most_likely_set=frozenset(diagnosis["most_likely_set"]),
        statuses={r["outcome"]["check"]: r["outcome"]["status"] for r in report["results"]},
        seconds=seconds,
        variant=load(directory).variant.name,
        round=round_number,
        cause="".join(fault.cause for fault in injected),
        most_likely_outside=frozenset(diagnosis["most_likely_outside"]),
        zero=tuple(figure["id"] for figure in report["figures"] if figure["value"] == 0),
        absent=tuple(report["target"]["absent"]),
    )
    return trial, text


def run_suite(directory: Path, *arguments: str) -> tuple[str, float]:
    """Run the suite in a process of its own; return its report.json and its wall time in seconds.

    Raises LabError when it writes no report.
    """
    with tempfile.TemporaryDirectory(prefix="veza-bench-out-") as out:
        command = [sys.executable, "-m", "pytest", "--target", "lab", f"--out={out}", *arguments]
        environment = os.environ | {"VEZA_LAB_DIR": str(directory)}
        started_at = time.monotonic()
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                timeout=RUN_MAX,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise LabError(f"the run did not end within {RUN_MAX:g} s") from None
        seconds = time.monotonic() - started_at
        try:
            text = next(Path(out).glob("lab/*/report.json")).read_text(encoding="utf-8")
        except (StopIteration, FileNotFoundError):
            raise LabError(
                f"the run wrote no report: {(done.stdout + done.stderr)[-800:]}"
            ) from None
    return text, seconds


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
            "most_likely_outside": sorted(trial.most_likely_outside),
            "right": trial.is_right,
        }
        for trial in trials
    ]


def _line(trial: Trial) -> str:
    first, probability = trial.ranking[0]
    result = "right" if trial.is_right else "WRONG"
    failed = sum(status == "failed" for status in trial.statuses.values())
    answer = "+".join(sorted(trial.most_likely_set)) if trial.kind in COMBINED else trial.answer
    if trial.answer == "outside":
        answer = "+".join(sorted(trial.most_likely_outside)) or "outside"
    return (
        f"{trial.variant} {trial.round} {result} {'+'.join(trial.names):<38} {trial.state:<8} "
        f"{answer} ({first} {probability:.3f}), {failed} failed, {trial.seconds:.1f} s"
    )


def summary(
    trials: Sequence[Trial],
    weights: dict[tuple[str, str], float],
    blamed: str = BLAMED[faults.UPLOAD_STUCK],
) -> str:
    """Return the score of each variant and of all trials as text.

    It stands beside the score of a guess that always names the hypothesis `blamed`.
    """
    variants = list(dict.fromkeys(trial.variant for trial in trials))
    lines = []
    for variant in variants:
        lines += [
            f"variant {variant}:",
            *_score([t for t in trials if t.variant == variant], blamed),
            "",
        ]
    if len(variants) != 1:
        lines += ["all variants:", *_score(trials, blamed), ""]
    lines += [
        "confusion matrix, answers (columns) by true cause (rows):",
        *_matrix(trials),
    ]
    lines += [
        f"weight contradicted: {weight.check} under {weight.cause}: declared {weight.declared}, "
        f"failed in {weight.failed} of {weight.runs} runs"
        for weight in contradictions(trials, weights)
    ]
    lines.append("These figures detect regressions. They measure this lab, not a live Veza.")
    return "\n".join(lines)


def _score(trials: Sequence[Trial], blamed: str) -> list[str]:
    """Return the score beside two baselines: always the same, and a random ranking."""
    wrong = sorted({"+".join(trial.names) for trial in trials if not trial.is_right})
    return [
        f"{'':<24}{'this suite':>14}{'always the same':>16}{'random':>10}",
        *_rows(score(trials), score(always_blame(trials, blamed)), random_first_place(trials)),
        f"wrong: {', '.join(wrong) or 'none'}",
    ]


def _rows(suite: Score, worker: Score, random_rate: float | None) -> list[str]:
    rows = []
    rates = ("first_place", "exact_pairs", "exact_triples", "triples_told", "false_alarms")
    for name in (*rates, "outside_recognised", "outside_named", "named_falsely"):
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
