"""Score of the diagnosis over trials, that is, runs under faults whose true cause is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import comb
from statistics import fmean, median

ACCUSED_MIN = 0.5
"""Probability above which a hypothesis of the runbook counts as accused."""

POSSIBLE_MIN = 0.1
"""Probability from which the report names a cause as also possible."""

COMBINED = ("pair", "triple")
"""Kinds of trials with several faults."""

SIGNIFICANCE = 0.01
"""Two-sided binomial probability below which the counts contradict a declared weight."""


@dataclass(frozen=True)
class Trial:
    """One run of the suite under known faults.

    `kind` is single, pair, triple, outside, at risk or control. `truth` has the hypotheses that
    were true, `cause` the id of the cause outside the runbook that was, "" if none. `ranking` has
    (hypothesis, probability), the likeliest first. `most_likely_set`, `most_likely_outside` and
    `certainty` are those of the report, `statuses` those of its checks, `zero` its figures that
    were 0, `seconds` the run's wall time. `absent` has the components that the variant lacks.
    """

    names: tuple[str, ...]
    kind: str
    truth: frozenset[str]
    state: str
    certainty: str
    ranking: tuple[tuple[str, float], ...]
    most_likely_set: frozenset[str]
    statuses: Mapping[str, str]
    seconds: float
    variant: str = "standard"
    round: int = 1
    cause: str = ""
    most_likely_outside: frozenset[str] = frozenset()
    zero: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()

    @property
    def answer(self) -> str:
        """The report's answer: its first hypothesis, or "outside", "unclear", "nothing"."""
        if self.certainty in ("outside", "unclear"):
            return self.certainty
        return self.ranking[0][0] if self.certainty != "none" else "nothing"

    @property
    def is_right(self) -> bool:
        """True when the report gives the answer that its kind of fault asks for."""
        if self.kind == "control":
            return self.state == "healthy"
        if self.kind == "at risk":
            return self.state == "at risk" and self.ranking[0][1] <= ACCUSED_MIN
        if self.kind == "outside":
            return self.certainty == "outside" and self.ranking[0][1] <= ACCUSED_MIN
        if self.kind in COMBINED:
            return self.most_likely_set == self.truth
        return self.answer in self.truth

    @property
    def names_cause(self) -> bool:
        """True when the report names the cause outside the runbook, if it has one, and no other."""
        return self.most_likely_outside == self._outside

    @property
    def names_falsely(self) -> bool:
        """True when the report names a cause that was not true."""
        named = self.most_likely_set | self.most_likely_outside
        has_named = self.certainty not in ("none", "unclear")
        return has_named and not named <= self.truth | self._outside

    @property
    def tells_truth(self) -> bool:
        """True when the report names each true hypothesis, at least as also possible."""
        possible = {cause for cause, probability in self.ranking if probability >= POSSIBLE_MIN}
        return self.truth <= self.most_likely_set | possible

    @property
    def _outside(self) -> frozenset[str]:
        return frozenset(filter(None, [self.cause]))

    @property
    def probability_of_truth(self) -> float:
        """The mean probability of the true hypotheses."""
        return fmean(p for cause, p in self.ranking if cause in self.truth)


@dataclass(frozen=True)
class Score:
    """Figures over trials: rates as (count, total), probabilities, seconds; None without trials."""

    first_place: tuple[int, int]
    exact_pairs: tuple[int, int]
    exact_triples: tuple[int, int]
    triples_told: tuple[int, int]
    false_alarms: tuple[int, int]
    outside_recognised: tuple[int, int]
    outside_named: tuple[int, int]
    named_falsely: tuple[int, int]
    mean_probability: float | None
    brier: float | None
    median_seconds: float | None


@dataclass(frozen=True)
class Contradiction:
    """A declared weight that the counts contradict: the check failed in `failed` of `runs` runs."""

    check: str
    cause: str
    declared: float
    failed: int
    runs: int


def score(trials: Sequence[Trial]) -> Score:
    """Return the score of these trials.

    The Brier score is the mean of (probability - truth)^2 over trials and hypotheses (Brier 1950).
    """
    with_truth = [trial for trial in trials if trial.truth]
    errors = [(p - (cause in trial.truth)) ** 2 for trial in trials for cause, p in trial.ranking]
    controls = [trial for trial in trials if trial.kind == "control"]
    triples = [trial for trial in trials if trial.kind == "triple"]
    outside = [trial for trial in trials if trial.kind == "outside"]
    return Score(
        first_place=_rate(trials, "single"),
        exact_pairs=_rate(trials, "pair"),
        exact_triples=_rate(trials, "triple"),
        triples_told=(sum(trial.tells_truth for trial in triples), len(triples)),
        false_alarms=(sum(not trial.is_right for trial in controls), len(controls)),
        outside_recognised=_rate(trials, "outside"),
        outside_named=(sum(trial.names_cause for trial in outside), len(outside)),
        named_falsely=(sum(trial.names_falsely for trial in trials), len(trials)),
        mean_probability=(
            fmean(trial.probability_of_truth for trial in with_truth) if with_truth else None
        ),
        brier=fmean(errors) if errors else None,
        median_seconds=median(trial.seconds for trial in trials) if trials else None,
    )


def _rate(trials: Iterable[Trial], kind: str) -> tuple[int, int]:
    results = [trial.is_right for trial in trials if trial.kind == kind]
    return sum(results), len(results)


def always_blame(trials: Sequence[Trial], cause: str) -> list[Trial]:
    """Return the trials as they would be if every run were certain of the same cause."""
    return [
        replace(
            trial,
            state="incident",
            certainty="certain",
            most_likely_set=frozenset({cause}),
            most_likely_outside=frozenset(),
            ranking=tuple(
                sorted(((c, float(c == cause)) for c, _ in trial.ranking), key=lambda e: -e[1])
            ),
        )
        for trial in trials
    ]


def random_first_place(trials: Sequence[Trial]) -> float | None:
    """Return the share of single faults that a random ranking puts first, on average."""
    shares = [1 / len(trial.ranking) for trial in trials if trial.kind == "single"]
    return fmean(shares) if shares else None


def confusion(trials: Sequence[Trial]) -> dict[str, Counter[str]]:
    """Return the confusion matrix: for each truth, the count of each answer.

    A truth is a hypothesis, "outside", "at risk" or "nothing". Pairs and triples have several
    truths and are left out.
    """
    matrix: dict[str, Counter[str]] = {}
    for trial in trials:
        if trial.kind not in COMBINED:
            truth = next(iter(trial.truth), "nothing" if trial.kind == "control" else trial.kind)
            matrix.setdefault(truth, Counter())[trial.answer] += 1
    return matrix


def contradictions(
    trials: Sequence[Trial], weights: Mapping[tuple[str, str], float]
) -> list[Contradiction]:
    """Return the weights, by (check, cause), that the single faults contradict, the worst first.

    Only runs in which the check passed or failed count. A contradiction is a hint: a weight covers
    all the ways in which its cause can happen, and the lab has only some of them.
    """
    contradicted = []
    for (check, cause), declared in weights.items():
        statuses = [
            trial.statuses[check]
            for trial in trials
            if trial.kind == "single"
            and trial.truth == {cause}
            and trial.statuses.get(check) in ("passed", "failed")
        ]
        failed = statuses.count("failed")
        p_value = _binomial_test(failed, len(statuses), declared) if statuses else 1.0
        if p_value < SIGNIFICANCE:
            contradiction = Contradiction(check, cause, declared, failed, len(statuses))
            contradicted.append((p_value, contradiction))
    contradicted.sort(key=lambda pair: (pair[0], pair[1].check))
    return [contradiction for _, contradiction in contradicted]


def _binomial_test(k: int, n: int, p: float) -> float:
    """Return the p-value of the exact two-sided binomial test for k of n under the rate p."""
    probabilities = [comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(n + 1)]
    # The tolerance is for counts that are equally likely and differ by rounding only.
    return sum(x for x in probabilities if x <= probabilities[k] * (1 + 1e-9))
