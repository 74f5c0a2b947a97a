"""The score of the fault bench, on trials made up by hand."""

from __future__ import annotations

import pytest

from lab.score import (
    Trial,
    always,
    confusion,
    contradictions,
    random_first_place,
    score,
)

CAUSES = ("worker", "queue", "storage", "silent", "timeout")


def trial(
    kind: str,
    truth: str = "",
    says: str = "",
    probability: float = 0.9,
    certainty: str = "certain",
    failed: str = "",
) -> Trial:
    """A trial under `truth` whose run puts `says` first; both are names joined by +."""
    said = [name for name in says.split("+") if name]
    rest = [name for name in CAUSES if name not in said]
    return Trial(
        names=(kind,),
        kind=kind,
        truth=frozenset(filter(None, truth.split("+"))),
        state="incident" if says or failed else "healthy",
        certainty=certainty if says else "none",
        ranking=tuple([(name, probability) for name in said] + [(name, 0.0) for name in rest]),
        held=frozenset(said),
        statuses={"a/b": "failed" if failed else "passed"},
        seconds=2.0,
    )


def test_what_is_right_counts() -> None:
    """First place, exact sets, controls and outside faults are counted each by its own rule."""
    figures = score(
        [
            trial("single", "worker", "worker"),
            trial("single", "worker", "queue"),
            trial("pair", "worker+queue", "queue+worker"),
            trial("pair", "worker+queue", "worker"),
            trial("control"),
            trial("control", failed="yes"),
            trial("outside", "", "worker", 0.2, "outside"),
            trial("outside", "", "worker", 0.6, "outside"),
        ]
    )
    assert figures.first_place == (1, 2)
    assert figures.exact_pairs == (1, 2)
    assert figures.false_alarms == (1, 2)
    assert figures.outside_recognised == (1, 2)
    assert figures.median_seconds == 2.0


def test_probabilities_are_scored() -> None:
    """The truth's mean probability and the Brier score follow their formulas."""
    figures = score([trial("single", "worker", "worker", 0.8), trial("control")])
    assert figures.mean_probability == pytest.approx(0.8)
    assert figures.brier == pytest.approx(0.2**2 / 10)


def test_an_unclear_answer_is_not_first_place() -> None:
    """A run that says it does not know has named nobody."""
    assert score([trial("single", "worker", "worker", 0.4, "unclear")]).first_place == (0, 1)


def test_nothing_to_count_is_none() -> None:
    """Without trials there is no mean."""
    assert score([]).mean_probability is None
    assert random_first_place([]) is None


def test_the_blind_rankings() -> None:
    """Always the worker is right where it was the worker, and a lottery one time in five."""
    trials = [trial("single", "worker", "queue"), trial("single", "queue", "queue")]
    assert score(always(trials, "worker")).first_place == (1, 2)
    assert random_first_place(trials) == pytest.approx(0.2)


def test_the_confusion_matrix() -> None:
    """Rows are truths, columns what was said; pairs have no row."""
    matrix = confusion(
        [
            trial("single", "worker", "queue"),
            trial("outside", "", "worker", 0.1, "outside"),
            trial("control"),
            trial("pair", "worker+queue", "queue"),
        ]
    )
    assert {truth: dict(row) for truth, row in matrix.items()} == {
        "worker": {"queue": 1},
        "outside": {"outside": 1},
        "nothing": {"nothing": 1},
    }


@pytest.mark.parametrize(("failed", "told"), [(0, True), (10, False), (12, False)])
def test_a_contradicted_weight_is_told(failed: int, told: bool) -> None:
    """Declared 0.9 and seen 0 of 12 is told; 10 or 12 of 12 is not."""
    trials = [trial("single", "worker", "worker", failed="x" * (n < failed)) for n in range(12)]
    found = contradictions(trials, {("a/b", "worker"): 0.9, ("a/b", "queue"): 0.9})
    assert [(one.check, one.cause, one.failed, one.seen) for one in found] == (
        [("a/b", "worker", 0, 12)] if told else []
    )
