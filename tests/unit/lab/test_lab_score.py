"""The score of `python -m lab bench`, on made-up trials."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.bench import summary
from lab.score import (
    Trial,
    always_blame,
    confusion,
    contradictions,
    random_first_place,
    score,
)

CAUSES = ("worker", "queue", "storage", "silent", "timeout")


def trial(
    kind: str,
    truth: str = "",
    blamed: str = "",
    probability: float = 0.9,
    certainty: str = "certain",
    *,
    check_failed: bool = False,
    outside: str = "",
    variant: str = "standard",
) -> Trial:
    """Return a trial whose report ranks `blamed` first; several causes are joined by "+".

    The report names the cause `outside`; a true one is always the database.
    """
    first = [name for name in blamed.split("+") if name]
    others = [name for name in CAUSES if name not in first]
    return Trial(
        names=(kind,),
        kind=kind,
        truth=frozenset(filter(None, truth.split("+"))),
        state="incident" if blamed or check_failed else "healthy",
        certainty=certainty if blamed else "none",
        ranking=tuple([(name, probability) for name in first] + [(name, 0.0) for name in others]),
        most_likely_set=frozenset(first),
        statuses={"a/b": "failed" if check_failed else "passed"},
        seconds=2.0,
        cause="database" if kind == "outside" else "",
        most_likely_outside=frozenset(filter(None, [outside])),
        variant=variant,
    )


def test_each_kind_of_fault_has_its_own_rule() -> None:
    """Singles count by first place, pairs by the exact set, controls by state, outside by both."""
    figures = score(
        [
            trial("single", "worker", "worker"),
            trial("single", "worker", "queue"),
            trial("pair", "worker+queue", "queue+worker"),
            trial("pair", "worker+queue", "worker"),
            trial("triple", "worker+queue+storage", "queue+worker+storage"),
            trial("triple", "worker+queue+storage", "queue+worker"),
            trial("control"),
            trial("control", check_failed=True),
            trial("outside", "", "worker", 0.2, "outside", outside="database"),
            trial("outside", "", "worker", 0.6, "outside", outside="network"),
        ]
    )
    assert figures.first_place == (1, 2)
    assert figures.exact_pairs == (1, 2)
    assert figures.exact_triples == (1, 2)
    assert figures.false_alarms == (1, 2)
    assert figures.outside_recognised == (1, 2)
    assert figures.outside_named == (1, 2)
    assert figures.named_falsely == (3, 10)
    assert figures.median_seconds == 2.0


def test_a_cause_that_is_only_possible_is_told() -> None:
    """A triple is told when each true cause is named or has a probability of at least 0.1."""
    missing = trial("triple", "worker+queue+storage", "queue+worker")
    (storage,) = [entry for entry in missing.ranking if entry[0] == "storage"]
    for probability, named in ((0.09, 0), (0.1, 1)):
        entries = [entry for entry in missing.ranking if entry != storage]
        made = replace(missing, ranking=(*entries, ("storage", probability)))
        assert score([made]).triples_told == (named, 1)
        assert score([made]).exact_triples == (0, 1)


def test_a_fault_without_a_cause_of_its_own_must_name_none() -> None:
    """Where only the component is known, naming any cause outside the runbook is wrong."""
    unknown = replace(trial("outside", "", "worker", 0.2, "outside"), cause="")
    unknown = replace(unknown, most_likely_set=frozenset())
    assert score([unknown]).outside_named == (1, 1)
    accused = replace(unknown, most_likely_outside=frozenset({"database"}))
    assert score([accused]).outside_named == (0, 1)
    assert score([accused]).named_falsely == (1, 1)


def test_probabilities_are_scored() -> None:
    """The mean probability of the truth and the Brier score follow their formulas."""
    figures = score([trial("single", "worker", "worker", 0.8), trial("control")])
    assert figures.mean_probability == pytest.approx(0.8)
    assert figures.brier == pytest.approx(0.2**2 / 10)


@pytest.mark.parametrize(
    ("state", "probability", "is_right"),
    [("at risk", 0.2, True), ("at risk", 0.9, False), ("healthy", 0.2, False)],
)
def test_at_risk_is_a_state_without_an_accusation(
    state: str, probability: float, is_right: bool
) -> None:
    """A part that is broken before anybody suffers must be reported, and accuses no cause."""
    made = trial("at risk", "", "worker", probability, "unclear")
    assert replace(made, state=state).is_right is is_right


def test_an_unclear_answer_is_not_first_place() -> None:
    """A report that calls itself unclear has named no cause."""
    assert score([trial("single", "worker", "worker", 0.4, "unclear")]).first_place == (0, 1)


def test_a_figure_without_trials_is_none() -> None:
    """Without trials there is no mean."""
    assert score([]).mean_probability is None
    assert random_first_place([]) is None


def test_the_baselines() -> None:
    """Always blaming the worker is right for worker faults, a random ranking one time in five."""
    trials = [trial("single", "worker", "queue"), trial("single", "queue", "queue")]
    assert score(always_blame(trials, "worker")).first_place == (1, 2)
    assert random_first_place(trials) == pytest.approx(0.2)


def test_the_confusion_matrix() -> None:
    """Rows are true causes and columns are answers; a pair has no row."""
    matrix = confusion(
        [
            trial("single", "worker", "queue"),
            trial("outside", "", "worker", 0.1, "outside"),
            trial("control"),
            trial("at risk", "", "worker", 0.1, "unclear"),
            trial("pair", "worker+queue", "queue"),
        ]
    )
    assert {truth: dict(row) for truth, row in matrix.items()} == {
        "worker": {"queue": 1},
        "outside": {"outside": 1},
        "nothing": {"nothing": 1},
        "at risk": {"unclear": 1},
    }


@pytest.mark.parametrize(("failed", "reported"), [(0, True), (10, False), (12, False)])
def test_a_contradicted_weight_is_reported(failed: int, reported: bool) -> None:
    """0 failures in 12 runs contradict a declared weight of 0.9; 10 and 12 do not."""
    trials = [trial("single", "worker", "worker", check_failed=n < failed) for n in range(12)]
    contradicted = contradictions(trials, {("a/b", "worker"): 0.9, ("a/b", "queue"): 0.9})
    assert [(item.check, item.cause, item.failed, item.runs) for item in contradicted] == (
        [("a/b", "worker", 0, 12)] if reported else []
    )


def test_each_variant_has_a_table_and_all_have_one() -> None:
    """The summary scores each variant alone and all trials together."""
    trials = [
        trial("single", "worker", "worker"),
        trial("single", "worker", "queue", variant="bigint"),
    ]
    lines = summary(trials, {}).splitlines()
    tables = {line for line in lines if line.endswith(":") and "matrix" not in line}
    assert tables == {"variant standard:", "variant bigint:", "all variants:"}
    rates = [line.split()[2:5] for line in lines if line.startswith("first place")]
    assert rates == [["1", "of", "1"], ["0", "of", "1"], ["1", "of", "2"]]
    assert summary(trials[:1], {}).count("first place") == 1
