"""How good a diagnosis is, over faults whose truth is known. Pure: trials in, figures out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from math import comb
from statistics import fmean, median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ACCUSED = 0.5
"""Probability above which a hypothesis counts as accused."""

CONTRADICTED = 0.01
"""Two-sided binomial tail below which counts contradict a declared weight."""


@dataclass(frozen=True)
class Trial:
    """One run of the suite under known faults.

    `kind` is single, pair, outside or control; `truth` the hypotheses that were true. `ranking` has
    (hypothesis, probability), the likeliest first; `held` is the set that the run held to be true,
    `certainty` how it said so. `statuses` has each check's, `seconds` the wall time to the verdict.
    """

    names: tuple[str, ...]
    kind: str
    truth: frozenset[str]
    state: str
    certainty: str
    ranking: tuple[tuple[str, float], ...]
    held: frozenset[str]
    statuses: Mapping[str, str]
    seconds: float

    @property
    def said(self) -> str:
        """What the run blamed: the first hypothesis, or "outside", "unclear", "nothing"."""
        if self.certainty in ("outside", "unclear"):
            return self.certainty
        return self.ranking[0][0] if self.certainty != "none" else "nothing"

    @property
    def is_right(self) -> bool:
        """Whether the run said what its kind of fault deserves."""
        if self.kind == "control":
            return self.state == "healthy"
        if self.kind == "outside":
            return self.certainty == "outside" and self.ranking[0][1] <= ACCUSED
        if self.kind == "pair":
            return self.held == self.truth
        return self.said in self.truth

    @property
    def probability_of_truth(self) -> float:
        """The mean probability of the true hypotheses."""
        return fmean(p for cause, p in self.ranking if cause in self.truth)


@dataclass(frozen=True)
class Score:
    """Rates as (right, of), probabilities, and seconds; None where there was nothing to count."""

    first_place: tuple[int, int]
    exact_pairs: tuple[int, int]
    false_alarms: tuple[int, int]
    outside_recognised: tuple[int, int]
    mean_probability: float | None
    brier: float | None
    median_seconds: float | None


@dataclass(frozen=True)
class Contradiction:
    """A declared weight that the counts contradict: `failed` of `seen` runs under the cause."""

    check: str
    cause: str
    declared: float
    failed: int
    seen: int


def score(trials: Sequence[Trial]) -> Score:
    """Return the figures over these trials.

    The Brier score is the mean of (probability - truth)^2 over trials and hypotheses (Brier 1950).
    """
    inside = [trial for trial in trials if trial.truth]
    errors = [(p - (cause in trial.truth)) ** 2 for trial in trials for cause, p in trial.ranking]
    alarms = [trial for trial in trials if trial.kind == "control"]
    return Score(
        first_place=_rate(trials, "single"),
        exact_pairs=_rate(trials, "pair"),
        false_alarms=(sum(not trial.is_right for trial in alarms), len(alarms)),
        outside_recognised=_rate(trials, "outside"),
        mean_probability=fmean(t.probability_of_truth for t in inside) if inside else None,
        brier=fmean(errors) if errors else None,
        median_seconds=median(trial.seconds for trial in trials) if trials else None,
    )


def _rate(trials: Iterable[Trial], kind: str) -> tuple[int, int]:
    mine = [trial.is_right for trial in trials if trial.kind == kind]
    return sum(mine), len(mine)


def always(trials: Sequence[Trial], cause: str) -> list[Trial]:
    """Return what the same trials would be if every run blamed one cause with certainty."""
    return [
        replace(
            trial,
            state="incident",
            certainty="certain",
            held=frozenset({cause}),
            ranking=tuple(
                sorted(((c, float(c == cause)) for c, _ in trial.ranking), key=lambda e: -e[1])
            ),
        )
        for trial in trials
    ]


def random_first_place(trials: Sequence[Trial]) -> float | None:
    """Return the share of single faults that a ranking by lot puts first, on average."""
    chances = [1 / len(trial.ranking) for trial in trials if trial.kind == "single"]
    return fmean(chances) if chances else None


def confusion(trials: Sequence[Trial]) -> dict[str, Counter[str]]:
    """Return for each truth (a hypothesis, "outside", "nothing") how often the runs said what.

    Pairs are left out: they have two truths.
    """
    matrix: dict[str, Counter[str]] = {}
    for trial in trials:
        if trial.kind != "pair":
            truth = next(iter(trial.truth), "outside" if trial.kind == "outside" else "nothing")
            matrix.setdefault(truth, Counter())[trial.said] += 1
    return matrix


def contradictions(
    trials: Sequence[Trial], weights: Mapping[tuple[str, str], float]
) -> list[Contradiction]:
    """Return the weights, by (check, cause), that the single faults contradict, the worst first.

    Only runs count in which the check passed or failed. The faults of a cause are taken as they
    come: a weight is about all the ways in which its cause happens, and the lab has only some.
    """
    found = []
    for (check, cause), declared in weights.items():
        seen = [
            trial.statuses[check]
            for trial in trials
            if trial.kind == "single"
            and trial.truth == {cause}
            and trial.statuses.get(check) in ("passed", "failed")
        ]
        failed = seen.count("failed")
        tail = _two_sided(failed, len(seen), declared) if seen else 1.0
        if tail < CONTRADICTED:
            found.append((tail, Contradiction(check, cause, declared, failed, len(seen))))
    return [one for _, one in sorted(found, key=lambda entry: (entry[0], entry[1].check))]


def _two_sided(k: int, n: int, p: float) -> float:
    """Return the probability of counts at most as likely as k of n under the rate p."""
    chances = [comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(n + 1)]
    # The tolerance keeps equally likely counts from being told apart by rounding.
    return sum(chance for chance in chances if chance <= chances[k] * (1 + 1e-9))
