"""Measure how robust the diagnosis is, on the trials of the fault bench.

    python -m lab bench --json trials.json
    python -m bench.robustness trials.json [...] [--runbook login_fails]

For each condition, prints in how many cases a wrong cause is named, and in how many all true causes
are, and no other. Random choices have a fixed seed: the same trials give the same table.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from random import Random

from core.outcome import OBSERVED, Outcome, base_id
from reports.diagnosis.evidence import Evidence
from reports.diagnosis.evidence_file import load_evidence
from reports.diagnosis.robustness import (
    flipped,
    named,
    observed_components,
    without,
)

RUNBOOKS = Path(__file__).resolve().parents[1] / "runbooks"

HIDDEN_MAX = 12
"""Choices of hidden components per trial and number of them; more are drawn by chance."""

FLIP_RATE = 0.05
"""Share of the readings that are wrong."""

FACTORS = (1.5, 2.0, 3.0)
"""Largest factors by which the odds of a weight are off."""

REPEATS = 5
"""Random draws per trial and condition."""


@dataclass(frozen=True)
class SavedTrial:
    """The readings of one trial, the causes that were true, and the figures that were 0.

    `absent` has the components that the platform does not have.
    """

    readings: tuple[Outcome, ...]
    truth: frozenset[str]
    zero: tuple[str, ...]
    absent: tuple[str, ...]

    def named_by(
        self, evidence: Evidence, readings: Sequence[Outcome] | None = None
    ) -> frozenset[str]:
        """Return the causes that are named on its readings, or on these instead."""
        readings = self.readings if readings is None else readings
        return named(evidence.without(self.absent, readings), readings, self.zero)


def read_trials(paths: Iterable[Path]) -> list[SavedTrial]:
    """Read the trials that `python -m lab bench --json` wrote."""
    return [
        SavedTrial(
            tuple(Outcome(check, status) for check, status in trial["statuses"].items()),
            frozenset({*trial["truth"], *([trial["cause"]] if trial["cause"] else [])}),
            tuple(trial["zero"]),
            tuple(trial["absent"]),
        )
        for path in paths
        for trial in json.loads(path.read_text(encoding="utf-8"))
    ]


def hidden(
    evidence: Evidence, trial: SavedTrial, number: int, random: Random
) -> Iterator[list[Outcome]]:
    """Yield the readings with so many components hidden."""
    choices = list(combinations(observed_components(evidence, trial.readings), number))
    for components in random.sample(choices, min(HIDDEN_MAX, len(choices))):
        yield without(evidence, trial.readings, components)


def misread(trial: SavedTrial, random: Random, *, again: bool) -> list[Outcome]:
    """Return the readings with some wrong; read `again`, a failure counts only if both agree."""
    wrong = {r.check for r in trial.readings if random.random() < FLIP_RATE}
    first = flipped(trial.readings, wrong)
    if not again:
        return first
    second = flipped(
        trial.readings, {r.check for r in trial.readings if random.random() < FLIP_RATE}
    )
    return [
        Outcome(one.check, "unreachable")
        if one.status == "failed" and other.status != "failed"
        else one
        for one, other in zip(first, second, strict=True)
    ]


def perturbed(evidence: Evidence, factor: float, random: Random) -> Evidence:
    """Return the model with the odds of each weight multiplied or divided by at most `factor`."""

    def changed(weight: float) -> float:
        odds = weight / (1 - weight) * math.exp(math.log(factor) * random.uniform(-1, 1))
        return odds / (1 + odds)

    return replace(
        evidence,
        checks=tuple(
            replace(
                row,
                explained_by=tuple((cause, changed(weight)) for cause, weight in row.explained_by),
            )
            for row in evidence.checks
        ),
    )


def by_naive_bayes(evidence: Evidence, readings: Iterable[Outcome]) -> frozenset[str]:
    """Return the one cause, or none, that is likeliest if at most one is true."""
    statuses = {base_id(r.check): r.status for r in readings if r.status in OBSERVED}
    observed = [(row, statuses[row.id]) for row in evidence.checks if row.id in statuses]

    def weigh(cause: str, prior: float) -> float:
        total = math.log(prior)
        for row, status in observed:
            passes = (1 - row.leak) * (1 - row.weight(cause))
            total += math.log(max(1 - passes if status == "failed" else passes, 1e-9))
        return total

    weights = {cause.id: weigh(cause.id, cause.prior) for cause in evidence.causes}
    best = max(weights, key=lambda cause: weights[cause])
    return frozenset({best} if weights[best] > weigh("", 1.0) else ())


def by_first_failure(evidence: Evidence, readings: Iterable[Outcome]) -> frozenset[str]:
    """Return what a person blames who stops at the first verification that fails.

    That is the cause which explains its first failed check best. Symptoms are passed over.
    """
    failed = {base_id(reading.check) for reading in readings if reading.status == "failed"}
    for row in sorted(evidence.checks, key=lambda row: row.verification):
        if row.id in failed and row.role == "cause" and row.explained_by:
            return frozenset({max(row.explained_by, key=lambda entry: entry[1])[0]})
    return frozenset()


def row(condition: str, results: Iterable[tuple[frozenset[str], frozenset[str]]]) -> str:
    """Return a line of the table from (named, true) causes."""
    pairs = list(results)
    wrong = sum(bool(causes - truth) for causes, truth in pairs)
    right = sum(causes == truth for causes, truth in pairs)
    return f"| {condition} | {len(pairs)} | {wrong} | {right} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="How robust the diagnosis is.")
    parser.add_argument("trials", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--runbook", metavar="NAME", default="upload_stuck")
    options = parser.parse_args()
    trials = read_trials(options.trials)
    evidence = load_evidence(RUNBOOKS / options.runbook / "evidence.toml")
    random = Random(1)  # noqa: S311 (reproducible on purpose)
    print("| condition | cases | wrong cause named | exactly the true ones |")
    print("| --- | ---: | ---: | ---: |")
    print(row("everything seen", ((c.named_by(evidence), c.truth) for c in trials)))
    for number in (1, 2, 3):
        results = (
            (trial.named_by(evidence, readings), trial.truth)
            for trial in trials
            for readings in hidden(evidence, trial, number, random)
        )
        print(row(f"{number} components hidden" if number > 1 else "1 component hidden", results))
    for again, words in ((False, "5 % of readings wrong"), (True, "the same, failures read twice")):
        results = (
            (trial.named_by(evidence, misread(trial, random, again=again)), trial.truth)
            for trial in trials
            for _ in range(REPEATS)
        )
        print(row(words, results))
    for factor in FACTORS:
        models = [perturbed(evidence, factor, random) for _ in range(REPEATS)]
        results = ((trial.named_by(m), trial.truth) for trial in trials for m in models)
        print(row(f"weights' odds off by up to {factor:g}", results))
    for guess, words in ((by_naive_bayes, "naive Bayes"), (by_first_failure, "first failure")):
        print(
            row(
                f"{words}, everything seen",
                ((guess(evidence, c.readings), c.truth) for c in trials),
            )
        )


if __name__ == "__main__":
    main()
