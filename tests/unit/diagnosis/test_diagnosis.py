"""The noisy-OR network: what is a theorem, what is computed by hand, and how it speaks."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reports.diagnosis.diagnose import ModelTooLargeError, diagnose
from reports.diagnosis.evidence import Cause, CheckRow, Evidence, load_evidence

if TYPE_CHECKING:
    import random

    from reports.diagnosis.result import Diagnosis

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = load_evidence(ROOT / "runbooks/upload_stuck/evidence.toml")
QUIET = settings(
    max_examples=60,
    database=None,  # nothing is left on disk
)
SILENT = ("unreachable", "skipped", "error", "missing")


@dataclass(frozen=True)
class Result:
    """As much of an outcome as the diagnosis reads."""

    check: str
    status: str


def model(
    priors: dict[str, float],
    rows: dict[str, tuple[dict[str, float], float]],
    moot: dict[str, str] | None = None,
    outside: tuple[str, ...] = (),
) -> Evidence:
    """A model of {cause: prior} and {check: ({cause: weight}, leak)}."""
    causes = [Cause(name, name, prior, name in outside, "x") for name, prior in priors.items()]
    return Evidence(
        "test",
        tuple(cause for cause in causes if not cause.outside),
        tuple(cause for cause in causes if cause.outside),
        tuple(
            CheckRow(name, 1, "cause", "part", tuple(weights.items()), leak, (moot or {}).get(name))
            for name, (weights, leak) in rows.items()
        ),
    )


def run(evidence: Evidence, **statuses: str) -> Diagnosis:
    """Diagnose checks named `m_x`, meaning "m/x"."""
    return diagnose(evidence, [Result(k.replace("_", "/", 1), v) for k, v in statuses.items()])


def probabilities(found: Diagnosis) -> dict[str, float]:
    """The probability of every cause."""
    return {finding.id: finding.probability for finding in (*found.hypotheses, *found.outside)}


def brute_force(evidence: Evidence, statuses: dict[str, str]) -> dict[str, float]:
    """The textbook's sum over all sets of causes, written as plainly as possible."""
    mass = dict.fromkeys((cause.id for cause in evidence.causes), 0.0)
    total = 0.0
    for truth in itertools.product((False, True), repeat=len(evidence.causes)):
        p = 1.0
        true = set()
        for cause, is_true in zip(evidence.causes, truth, strict=True):
            p *= cause.prior if is_true else 1 - cause.prior
            if is_true:
                true.add(cause.id)
        for row in evidence.checks:
            passes = 1 - row.leak
            for name, weight in row.explained_by:
                if name in true:
                    passes *= 1 - weight
            if statuses.get(row.id) == "passed":
                p *= passes
            elif statuses.get(row.id) == "failed":
                p *= 1 - passes
        total += p
        for name in true:
            mass[name] += p
    return {name: value / total for name, value in mass.items()}


weight = st.floats(0.01, 0.99)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Evidence, dict[str, str]]:
    """A small model, and what became of its checks."""
    names = [f"h{n}" for n in range(draw(st.integers(1, 4)))]
    priors = {name: draw(st.floats(0.01, 0.6)) for name in names}
    rows = {
        f"m/c{n}": (
            {name: draw(weight) for name in names if draw(st.booleans())},
            draw(st.floats(0.001, 0.5)),
        )
        for n in range(draw(st.integers(1, 6)))
    }
    statuses = {name: draw(st.sampled_from(("passed", "failed", *SILENT))) for name in rows}
    return model(priors, rows), statuses


def judged(evidence: Evidence, statuses: dict[str, str]) -> Diagnosis:
    """Diagnose a mapping of check to status."""
    return diagnose(evidence, [Result(check, status) for check, status in statuses.items()])


@QUIET
@given(worlds())
def test_it_agrees_with_brute_force(world: tuple[Evidence, dict[str, str]]) -> None:
    """The fast sums give what plain enumeration gives, and every probability is one."""
    evidence, statuses = world
    expected = brute_force(evidence, statuses)
    for name, probability in probabilities(judged(evidence, statuses)).items():
        assert 0.0 <= probability <= 1.0
        assert probability == pytest.approx(expected[name], abs=1e-9)


@QUIET
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_outcomes_does_not_matter(
    world: tuple[Evidence, dict[str, str]], rng: random.Random
) -> None:
    """Shuffled outcomes give a diagnosis that is the same to the last byte."""
    evidence, statuses = world
    shuffled = list(statuses.items())
    rng.shuffle(shuffled)
    assert repr(judged(evidence, statuses)) == repr(judged(evidence, dict(shuffled)))


@QUIET
@given(worlds())
def test_an_unobserved_check_changes_nothing(world: tuple[Evidence, dict[str, str]]) -> None:
    """What was not seen pulls neither way: leaving it out gives the same probabilities."""
    evidence, statuses = world
    seen = {check: status for check, status in statuses.items() if status not in SILENT}
    assert probabilities(judged(evidence, statuses)) == probabilities(judged(evidence, seen))


@QUIET
@given(worlds())
def test_a_failure_never_lowers_its_explainer_while_all_other_causes_stay(
    world: tuple[Evidence, dict[str, str]],
) -> None:
    """With every other cause known, a failure raises a cause that explains it, a pass lowers it.

    The others are settled by a prior next to 0 or 1: this is what "nothing else changes" means.
    """
    evidence, statuses = world
    row = evidence.checks[0]
    assume(row.explained_by)
    name = row.explained_by[0][0]
    for settled in (1e-9, 1 - 1e-9):
        fixed = replace(
            evidence,
            hypotheses=tuple(
                cause if cause.id == name else replace(cause, prior=settled)
                for cause in evidence.hypotheses
            ),
        )
        given = {
            status: probabilities(judged(fixed, {**statuses, row.id: status}))[name]
            for status in ("passed", "missing", "failed")
        }
        assert given["passed"] <= given["missing"] + 1e-6
        assert given["missing"] <= given["failed"] + 1e-6


@QUIET
@given(worlds())
def test_a_first_failure_never_lowers_a_cause_that_explains_it(
    world: tuple[Evidence, dict[str, str]],
) -> None:
    """Where all else passed, causes are independent, and a failure only raises its explainers."""
    evidence, statuses = world
    passed = {c: s if s in SILENT else "passed" for c, s in statuses.items()}
    row = evidence.checks[0]
    before = probabilities(judged(evidence, {**passed, row.id: "missing"}))
    after = probabilities(judged(evidence, {**passed, row.id: "failed"}))
    for name, _ in row.explained_by:
        assert after[name] >= before[name] - 1e-9


@QUIET
@given(worlds())
def test_a_failure_with_one_explainer_never_lowers_it(
    world: tuple[Evidence, dict[str, str]],
) -> None:
    """Whatever else failed, a failure that one cause alone explains raises that cause."""
    evidence, statuses = world
    extra = CheckRow("m/only", 1, "cause", "part", (("h0", 0.5),), 0.01)
    larger = replace(evidence, checks=(*evidence.checks, extra))
    before = probabilities(judged(larger, statuses))["h0"]
    after = probabilities(judged(larger, {**statuses, "m/only": "failed"}))["h0"]
    assert after >= before - 1e-9


@QUIET
@given(worlds())
def test_a_failure_never_lowers_that_some_explainer_is_true(
    world: tuple[Evidence, dict[str, str]],
) -> None:
    """Whatever else failed, a failure makes no less likely that one of its explainers is true."""
    evidence, statuses = world
    row = evidence.checks[0]
    names = [name for name, _ in row.explained_by]
    # A check that fails if and only if (nearly) one of them is true reads that probability off.
    probe = CheckRow("m/any", 1, "cause", "part", tuple((n, 1 - 1e-12) for n in names), 1e-12)
    marker = Cause("marker", "marker", 0.5)
    linked = replace(probe, explained_by=(*probe.explained_by, ("marker", 0.5)))
    larger = replace(
        evidence,
        hypotheses=(*evidence.hypotheses, marker),
        checks=(*evidence.checks, linked),
    )
    assume(names)

    def any_true(status: str) -> float:
        # With q = P(some explainer), the marker's odds are (q + (1 - q) / 2) : q.
        found = probabilities(judged(larger, {**statuses, row.id: status, "m/any": "failed"}))
        odds = found["marker"] / (1 - found["marker"])
        return 1 / (2 * odds - 1)

    assert any_true("failed") >= any_true("missing") - 1e-6


def test_a_failure_may_lower_a_weak_explainer_by_explaining_it_away() -> None:
    """What is no theorem: a failure that a rival explains far better lowers the weak explainer."""
    evidence = model(
        {"weak": 0.1, "strong": 0.1},
        {
            "m/shared": ({"weak": 0.9, "strong": 0.9}, 0.001),
            "m/telling": ({"weak": 0.05, "strong": 0.95}, 0.001),
        },
    )
    before = probabilities(run(evidence, m_shared="failed"))["weak"]
    after = probabilities(run(evidence, m_shared="failed", m_telling="failed"))["weak"]
    assert after < before


def test_one_cause_and_one_check_by_hand() -> None:
    """Prior 0.1, weight 0.8, leak 0.05: Bayes' rule on paper gives 0.6429 and 0.0229."""
    evidence = model({"h": 0.1}, {"m/c": ({"h": 0.8}, 0.05)})
    failed = 0.1 * (1 - 0.95 * 0.2)
    assert failed / (failed + 0.9 * 0.05) == pytest.approx(0.642857, abs=1e-6)
    assert probabilities(run(evidence, m_c="failed"))["h"] == pytest.approx(0.642857, abs=1e-6)
    assert probabilities(run(evidence, m_c="passed"))["h"] == pytest.approx(0.021739, abs=1e-6)
    assert probabilities(run(evidence))["h"] == pytest.approx(0.1)


def test_a_contribution_is_the_log_likelihood_ratio_where_there_is_one_check() -> None:
    """With one cause and one check the log-odds of the check are the logarithm of its ratio."""
    evidence = model({"h": 0.1}, {"m/c": ({"h": 0.8}, 0.05)})
    (shift,) = run(evidence, m_c="failed").hypotheses[0].supporting
    assert shift.log_odds == pytest.approx(math.log((1 - 0.95 * 0.2) / 0.05))
    (shift,) = run(evidence, m_c="passed").hypotheses[0].against
    assert shift.log_odds == pytest.approx(math.log(0.2))
    assert (shift.check, shift.status) == ("m/c", "passed")


def test_two_causes_at_once_can_both_stand() -> None:
    """Each with a failure that only it explains, both are true and the set is exactly the two."""
    evidence = model(
        {"a": 0.05, "b": 0.05, "c": 0.05},
        {f"m/{n}": ({n: 0.9}, 0.001) for n in "abc"},
    )
    found = run(evidence, m_a="failed", m_b="failed", m_c="passed")
    assert found.most_likely_set == ("a", "b")
    assert found.certainty == "certain"
    assert found.unexplained == ()


def test_a_shared_failure_is_explained_away() -> None:
    """A backlog that a dead worker explains does not also accuse the queue."""
    evidence = model(
        {"worker": 0.05, "queue": 0.05},
        {
            "m/backlog": ({"worker": 0.8, "queue": 0.8}, 0.01),
            "m/process": ({"worker": 0.9}, 0.001),
        },
    )
    alone = probabilities(run(evidence, m_backlog="failed"))
    assert alone["queue"] == pytest.approx(alone["worker"])
    both = probabilities(run(evidence, m_backlog="failed", m_process="failed"))
    assert both["worker"] > 0.95
    assert both["queue"] < 0.1


def test_rivals_that_nothing_tells_apart_are_unclear_and_the_best_check_is_named() -> None:
    """Two equal hypotheses give "unclear", and the check that separates them, not a vague one."""
    evidence = model(
        {"a": 0.05, "b": 0.05},
        {
            "m/both": ({"a": 0.9, "b": 0.9}, 0.001),
            "m/vague": ({"a": 0.5, "b": 0.4}, 0.2),
            "m/sharp": ({"a": 0.9}, 0.001),
        },
    )
    found = run(evidence, m_both="failed", m_vague="missing")
    assert found.certainty == "unclear"
    assert found.next_check is not None
    assert found.next_check.check == "m/sharp"
    assert set(found.next_check.between) == {"a", "b"}
    assert 0 < found.next_check.bits < 1
    assert run(evidence, m_both="failed", m_sharp="failed").next_check is None


def test_information_agrees_with_enumeration() -> None:
    """One true cause out of two and a perfect check: very nearly the one bit that there is."""
    evidence = model(
        {"a": 0.01, "b": 0.01},
        {
            "m/both": ({"a": 0.99, "b": 0.99}, 1e-6),
            "m/sharp": ({"a": 0.999999}, 1e-6),
        },
    )
    found = run(evidence, m_both="failed")
    assert found.next_check is not None
    assert found.next_check.bits == pytest.approx(1.0, abs=0.05)


def test_a_cause_outside_the_runbook_absorbs_its_failures() -> None:
    """A locked table explains what a dead worker would: none is accused, the place is named."""
    evidence = model(
        {"worker": 0.05, "lock": 0.02},
        {
            "m/stuck": ({"worker": 0.9, "lock": 0.7}, 0.01),
            "m/lock": ({"lock": 0.95}, 0.001),
            "m/process": ({"worker": 0.5}, 0.001),
        },
        outside=("lock",),
    )
    found = run(evidence, m_stuck="failed", m_lock="failed", m_process="passed")
    assert found.certainty == "outside"
    assert found.most_likely_set == ()
    assert found.most_likely_outside == ("lock",)
    assert [(item.check, item.outside) for item in found.unexplained] == [
        ("m/stuck", ("lock",)),
        ("m/lock", ("lock",)),
    ]


def test_a_failure_without_a_row_is_unexplained() -> None:
    """A check that the evidence does not know accuses nobody and is not forgotten."""
    evidence = model({"h": 0.1}, {"m/c": ({"h": 0.8}, 0.05)})
    found = run(evidence, m_new="failed")
    assert [(item.check, item.component) for item in found.unexplained] == [("m/new", "unknown")]
    assert found.certainty == "outside"
    assert probabilities(found)["h"] == pytest.approx(0.1)


def test_the_cases_of_one_check_count_once() -> None:
    """Of three hosts one failed: one failure, named by its case, not two passes against it."""
    evidence = model({"h": 0.1}, {"m/c": ({"h": 0.8}, 0.05)})
    results = [Result(f"m/c[{n}]", "failed" if n == "b" else "passed") for n in "abc"]
    found = diagnose(evidence, results)
    assert probabilities(found)["h"] == pytest.approx(0.642857, abs=1e-6)
    assert found.hypotheses[0].supporting[0].check == "m/c[b]"
    assert (found.coverage.observed, found.coverage.configured) == (3, 3)


def test_a_moot_pass_says_nothing() -> None:
    """With nothing stuck, a check over stuck uploads saw nothing: only its failure counts."""
    evidence = model(
        {"h": 0.1},
        {"m/stuck": ({"h": 0.5}, 0.01), "m/files": ({"h": 0.5}, 0.01)},
        moot={"m/files": "m/stuck"},
    )
    alone = probabilities(run(evidence, m_stuck="passed"))
    assert probabilities(run(evidence, m_stuck="passed", m_files="passed")) == alone
    assert probabilities(run(evidence, m_stuck="passed", m_files="failed"))["h"] > alone["h"]
    stuck = probabilities(run(evidence, m_stuck="failed"))["h"]
    assert probabilities(run(evidence, m_stuck="failed", m_files="passed"))["h"] < stuck


def test_nothing_observed_leaves_the_priors() -> None:
    """A run that saw nothing accuses nobody and says what it did not see."""
    found = diagnose(SHIPPED, [Result(row.id, "unreachable") for row in SHIPPED.checks])
    assert found.certainty == "none"
    assert found.most_likely_set == ()
    assert found.coverage.observed == 0
    for finding in (*found.hypotheses, *found.outside):
        prior = {cause.id: cause.prior for cause in SHIPPED.causes}[finding.id]
        assert finding.probability == pytest.approx(prior)
        assert {item.status for item in finding.not_observed} == {"unreachable"}


def test_what_was_not_seen_is_told_with_its_reason() -> None:
    """A hypothesis names the checks that bear on it and were silent; skipped is not configured."""
    evidence = model({"h": 0.1}, {f"m/{n}": ({"h": 0.5}, 0.01) for n in "abcd"})
    found = run(evidence, m_a="failed", m_b="unreachable", m_c="skipped")
    assert [(item.check, item.status) for item in found.hypotheses[0].not_observed] == [
        ("m/b", "unreachable"),
        ("m/c", "skipped"),
        ("m/d", "absent"),
    ]
    assert (found.coverage.observed, found.coverage.configured) == (1, 2)


def test_equals_are_ranked_in_the_order_of_the_runbook() -> None:
    """A tie is settled by the runbook's order, and by the smallest set."""
    evidence = model(dict.fromkeys("abc", 0.05), {"m/x": (dict.fromkeys("abc", 0.5), 0.01)})
    found = run(evidence, m_x="failed")
    assert [finding.id for finding in found.hypotheses] == ["a", "b", "c"]
    assert len(found.most_likely_set) <= 1


def test_sixteen_causes_are_taken_and_seventeen_refused() -> None:
    """The sets double with each cause, so their number has a limit."""
    names = [f"h{n}" for n in range(17)]
    rows = {"m/c": ({"h0": 0.5}, 0.01)}
    with pytest.raises(ModelTooLargeError, match="17 causes; more than 16"):
        run(model(dict.fromkeys(names, 0.05), rows), m_c="failed")
    assert run(model(dict.fromkeys(names[:16], 0.05), rows), m_c="failed").hypotheses


def test_sixty_extreme_checks_do_not_overflow() -> None:
    """Evidence piled up beyond the range of a float still gives finite numbers."""
    rows = {f"m/c{n}": ({"a": 1 - 1e-6}, 1e-6) for n in range(60)}
    found = diagnose(model({"a": 0.05, "b": 0.05}, rows), [Result(c, "failed") for c in rows])
    assert found.hypotheses[0].probability == pytest.approx(1.0)
    assert all(math.isfinite(shift.log_odds) for shift in found.hypotheses[0].supporting)
    found = diagnose(model({"a": 0.05, "b": 0.05}, rows), [Result(c, "passed") for c in rows])
    assert found.hypotheses[-1].probability == pytest.approx(0.0)


def test_of_equally_likely_sets_the_smallest_is_taken() -> None:
    """With nothing to choose by, no cause is held to be true."""
    found = run(model({"a": 0.5, "b": 0.5}, {"m/x": ({"a": 0.5}, 0.01)}))
    assert found.most_likely_set == ()
    assert found.set_probability == pytest.approx(0.25)


def test_a_check_that_would_be_moot_is_not_proposed() -> None:
    """What looks only at stuck uploads cannot help while none is stuck."""
    evidence = model(
        {"a": 0.05, "b": 0.05},
        {
            "m/stuck": ({"a": 0.1, "b": 0.1}, 0.01),
            "m/both": ({"a": 0.9, "b": 0.9}, 0.001),
            "m/files": ({"a": 0.9}, 0.001),
            "m/vague": ({"a": 0.5, "b": 0.3}, 0.05),
        },
        moot={"m/files": "m/stuck"},
    )
    proposed = run(evidence, m_both="failed", m_stuck="passed").next_check
    assert proposed
    assert proposed.check == "m/vague"
    proposed = run(evidence, m_both="failed", m_stuck="failed").next_check
    assert proposed
    assert proposed.check == "m/files"
