"""The effect of hidden components, flipped readings and other weights on what is named."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import TYPE_CHECKING

import pytest

from bench.robustness import by_first_failure, by_naive_bayes, perturbed
from core.language import ENGLISH, set_language
from core.outcome import Outcome
from reports.diagnosis.evidence import Evidence
from reports.diagnosis.robustness import (
    explain_robustness,
    flipped,
    named,
    observed_components,
    without,
)
from tests import made

if TYPE_CHECKING:
    Guess = Callable[[Evidence, Iterable[Outcome]], frozenset[str]]

EVIDENCE = made.bundle().evidence
FAILED = {
    "signal/no_upload_is_stuck",
    "worker/process_is_running",
    "queue/queue_has_a_consumer",
    "database/jobs_start_promptly",
}
KILLED = [
    Outcome(row.id, "failed" if row.id in FAILED else "passed")
    for row in EVIDENCE.checks
    if not row.id.startswith("canary/")
]


def test_a_hidden_component_takes_its_evidence_along() -> None:
    """Without the worker's, the queue's and the logs' checks nothing names the dead worker."""
    assert named(EVIDENCE, KILLED) == {"job_worker_down"}
    hidden = without(EVIDENCE, KILLED, {"worker", "queue", "logs"})
    assert not {"worker", "queue", "logs"} & set(observed_components(EVIDENCE, hidden))
    assert named(EVIDENCE, hidden) == frozenset()


def test_a_flipped_reading_is_the_other_one() -> None:
    """Only the named check changes, and flipping it again restores it."""
    once = flipped(KILLED, {"worker/process_is_running"})
    assert [a.check for a, b in zip(KILLED, once, strict=True) if a != b] == [
        "worker/process_is_running"
    ]
    assert flipped(once, {"worker/process_is_running"}) == KILLED


def test_perturbed_weights_stay_probabilities() -> None:
    """The odds change by at most the factor; causes, checks and leaks stay."""
    model = perturbed(EVIDENCE, 3, Random(1))
    assert model.causes == EVIDENCE.causes
    for before, after in zip(EVIDENCE.checks, model.checks, strict=True):
        assert (before.id, before.leak) == (after.id, after.leak)
        for (cause, old), (same, new) in zip(before.explained_by, after.explained_by, strict=True):
            assert cause == same
            ratio = new / (1 - new) / (old / (1 - old))
            assert 1 / 3.01 < ratio < 3.01
    assert model != EVIDENCE


@pytest.mark.parametrize("guess", [by_naive_bayes, by_first_failure])
def test_a_baseline_names_at_most_one_cause(guess: Guess) -> None:
    """Both find the dead worker, and nothing where nothing failed."""
    assert guess(EVIDENCE, KILLED) == {"job_worker_down"}
    healthy = [Outcome(reading.check, "passed") for reading in KILLED]
    assert guess(EVIDENCE, healthy) == frozenset()


def test_the_robustness_of_one_report_is_explained() -> None:
    """The text names each component once, and each reading that would change the verdict."""
    text = explain_robustness(EVIDENCE, KILLED)
    assert text.startswith("Named: Job worker down.\n\nWith one component hidden:\n")
    assert "  storage    the same\n" in text
    assert "  database/database_is_reachable: Database unavailable\n" in text


def test_the_robustness_of_an_idle_platform_is_that_of_its_report() -> None:
    """While nothing completes, passes that nobody's upload brings about rule no cause out."""
    down = "worker/process_is_running"
    idle = [
        Outcome(row.id, "failed" if row.id == down else "passed")
        for row in EVIDENCE.checks
        if row.id == down or row.component in ("upload path", "database", "storage")
        if not row.id.startswith("canary/")
    ]
    assert explain_robustness(EVIDENCE, idle).startswith("Named: no cause.")
    text = explain_robustness(EVIDENCE, idle, {"uploads_completed"})
    assert text.startswith("Named: Job worker down.")


def test_the_components_of_the_explanation_have_the_words_of_the_language() -> None:
    """They are keys in the evidence."""
    try:
        set_language("fr")
        text = explain_robustness(EVIDENCE, KILLED)
    finally:
        set_language(ENGLISH)
    assert "  stockage   identique\n" in text
