"""The noisy-OR diagnosis: its theorems, results computed by hand, and its certainty."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core.outcome import Outcome, Status
from reports.diagnosis.diagnose import ModelTooLargeError, diagnose
from reports.diagnosis.evidence import Cause, CheckRow, Evidence
from reports.diagnosis.evidence_file import load_evidence
from reports.diagnosis.result import Diagnosis

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = load_evidence(ROOT / "runbooks/upload_stuck/evidence.toml")
QUIET = settings(
    max_examples=60,
    database=None,  # nothing is left on disk
)
SILENT: tuple[Status, ...] = ("unreachable", "skipped", "error", "missing")


def model(
    priors: dict[str, float],
    rows: dict[str, tuple[dict[str, float], float]],
    moot: dict[str, str] | None = None,
    outside: tuple[str, ...] = (),
) -> Evidence:
    """Return a model of {cause: prior} and {check: ({cause: weight}, leak)}."""
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


def run(evidence: Evidence, **statuses: Status) -> Diagnosis:
    """Diagnose checks named `m_x`, meaning "m/x"."""
    return diagnose(evidence, [Outcome(k.replace("_", "/", 1), v) for k, v in statuses.items()])


def probabilities(diagnosis: Diagnosis) -> dict[str, float]:
    """Return the probability of every cause."""
    return {
        finding.id: finding.probability for finding in (*diagnosis.hypotheses, *diagnosis.outside)
    }


def brute_force(evidence: Evidence, statuses: dict[str, Status]) -> dict[str, float]:
    """Return the sum over all sets of causes, written as plainly as possible."""
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
def worlds(draw: st.DrawFn) -> tuple[Evidence, dict[str, Status]]:
    """Draw a small model, and outcomes of its checks."""
    names = [f"h{n}" for n in range(draw(st.integers(1, 4)))]
    priors = {name: draw(st.floats(0.01, 0.6)) for name in names}
    rows = {
        f"m/c{n}": (
            {name: draw(weight) for name in names if draw(st.booleans())},
            draw(st.floats(0.001, 0.5)),
        )
        for n in range(draw(st.integers(1, 6)))
    }
    statuses: dict[str, Status] = {
        name: draw(st.sampled_from(("passed", "failed", *SILENT))) for name in rows
    }
    return model(priors, rows), statuses


def diagnose_all(evidence: Evidence, statuses: dict[str, Status]) -> Diagnosis:
    """Diagnose a mapping of check to status."""
    return diagnose(evidence, [Outcome(check, status) for check, status in statuses.items()])


@QUIET
@given(worlds())
def test_it_agrees_with_brute_force(world: tuple[Evidence, dict[str, Status]]) -> None:
    """The fast sums equal plain enumeration, and every probability is from 0 to 1."""
    evidence, statuses = world
    expected = brute_force(evidence, statuses)
    for name, probability in probabilities(diagnose_all(evidence, statuses)).items():
        assert 0.0 <= probability <= 1.0
        assert probability == pytest.approx(expected[name], abs=1e-9)


@QUIET
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_outcomes_does_not_matter(
    world: tuple[Evidence, dict[str, Status]], rng: random.Random
) -> None:
    """Shuffled outcomes give a diagnosis that is the same to the last byte."""
    evidence, statuses = world
    shuffled = list(statuses.items())
    rng.shuffle(shuffled)
    assert repr(diagnose_all(evidence, statuses)) == repr(diagnose_all(evidence, dict(shuffled)))


@QUIET
@given(worlds())
def test_an_unobserved_check_changes_nothing(world: tuple[Evidence, dict[str, Status]]) -> None:
    """Leaving an unobserved check out gives the same probabilities."""
    evidence, statuses = world
    observed = {check: status for check, status in statuses.items() if status not in SILENT}
    assert probabilities(diagnose_all(evidence, statuses)) == probabilities(
        diagnose_all(evidence, observed)
    )


@QUIET
@given(worlds())
def test_a_failure_never_lowers_its_cause_while_the_others_are_known(
    world: tuple[Evidence, dict[str, Status]],
) -> None:
    """With every other cause known, a failure raises a cause that explains it, a pass lowers it.

    They are known by a prior next to 0 or 1.
    """
    evidence, statuses = world
    row = evidence.checks[0]
    assume(row.explained_by)
    name = row.explained_by[0][0]
    for known in (1e-9, 1 - 1e-9):
        fixed = replace(
            evidence,
            hypotheses=tuple(
                cause if cause.id == name else replace(cause, prior=known)
                for cause in evidence.hypotheses
            ),
        )
        p = {
            status: probabilities(diagnose_all(fixed, {**statuses, row.id: status}))[name]
            for status in ("passed", "missing", "failed")
        }
        assert p["passed"] <= p["missing"] + 1e-6
        assert p["missing"] <= p["failed"] + 1e-6


@QUIET
@given(worlds())
def test_a_first_failure_never_lowers_a_cause_that_explains_it(
    world: tuple[Evidence, dict[str, Status]],
) -> None:
    """Where all else passed, causes are independent, and a failure only raises its causes."""
    evidence, statuses = world
    passed = {c: s if s in SILENT else "passed" for c, s in statuses.items()}
    row = evidence.checks[0]
    before = probabilities(diagnose_all(evidence, {**passed, row.id: "missing"}))
    after = probabilities(diagnose_all(evidence, {**passed, row.id: "failed"}))
    for name, _ in row.explained_by:
        assert after[name] >= before[name] - 1e-9


@QUIET
@given(worlds())
def test_a_failure_with_one_cause_never_lowers_it(
    world: tuple[Evidence, dict[str, Status]],
) -> None:
    """Whatever else failed, a failure that one cause alone explains raises that cause."""
    evidence, statuses = world
    extra = CheckRow("m/only", 1, "cause", "part", (("h0", 0.5),), 0.01)
    larger = replace(evidence, checks=(*evidence.checks, extra))
    before = probabilities(diagnose_all(larger, statuses))["h0"]
    after = probabilities(diagnose_all(larger, {**statuses, "m/only": "failed"}))["h0"]
    assert after >= before - 1e-9


@QUIET
@given(worlds())
def test_a_failure_never_lowers_the_probability_that_any_of_its_causes_is_true(
    world: tuple[Evidence, dict[str, Status]],
) -> None:
    """Whatever else failed."""
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

    def any_true(status: Status) -> float:
        # With q = P(some explainer), the marker's odds are (q + (1 - q) / 2) : q.
        p = probabilities(diagnose_all(larger, {**statuses, row.id: status, "m/any": "failed"}))[
            "marker"
        ]
        odds = p / (1 - p)
        return 1 / (2 * odds - 1)

    assert any_true("failed") >= any_true("missing") - 1e-6


def test_a_failure_may_explain_a_weak_cause_away() -> None:
    """A failure that another cause explains far better lowers the weak cause."""
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
    """Prior 0.1, weight 0.8, leak 0.05: Bayes' rule gives 0.6429 and 0.0217."""
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


def test_two_causes_can_be_true_at_once() -> None:
    """Each has a failure that only it explains, so the set is exactly the two."""
    evidence = model(
        {"a": 0.05, "b": 0.05, "c": 0.05},
        {f"m/{n}": ({n: 0.9}, 0.001) for n in "abc"},
    )
    diagnosis = run(evidence, m_a="failed", m_b="failed", m_c="passed")
    assert diagnosis.most_likely_set == ("a", "b")
    assert diagnosis.certainty == "certain"
    assert diagnosis.unexplained == ()


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


def test_equal_hypotheses_are_unclear_and_the_best_check_is_named() -> None:
    """The check that separates them is proposed, not a vague one."""
    evidence = model(
        {"a": 0.05, "b": 0.05},
        {
            "m/both": ({"a": 0.9, "b": 0.9}, 0.001),
            "m/vague": ({"a": 0.5, "b": 0.4}, 0.2),
            "m/sharp": ({"a": 0.9}, 0.001),
        },
    )
    diagnosis = run(evidence, m_both="failed", m_vague="missing")
    assert diagnosis.certainty == "unclear"
    assert diagnosis.next_check is not None
    assert diagnosis.next_check.check == "m/sharp"
    assert set(diagnosis.next_check.between) == {"a", "b"}
    assert 0 < diagnosis.next_check.bits < 1
    assert run(evidence, m_both="failed", m_sharp="failed").next_check is None


@pytest.mark.parametrize(
    ("sharp", "statuses"),
    [
        ("m/sharp", {"m_sharp": "skipped"}),
        ("m/sharp", {"m_sharp": "unreachable"}),
        ("canary/sharp", {}),
    ],
)
def test_no_check_is_proposed_that_would_not_look(sharp: str, statuses: dict[str, Status]) -> None:
    """One that the target leaves out is skipped again, and a canary needs a permission."""
    evidence = model(
        {"a": 0.05, "b": 0.05},
        {
            "m/both": ({"a": 0.9, "b": 0.9}, 0.001),
            "m/vague": ({"a": 0.5, "b": 0.4}, 0.2),
            sharp: ({"a": 0.9}, 0.001),
        },
    )
    proposed = run(evidence, m_both="failed", **statuses).next_check
    assert proposed is not None
    assert proposed.check == "m/vague"


def test_a_cause_beside_a_sure_one_does_not_make_it_unclear() -> None:
    """Two causes whose probabilities add up to more than one are no alternatives."""
    evidence = model(
        {"a": 0.05, "b": 0.5},
        {"m/own": ({"a": 0.9}, 0.0001), "m/vague": ({"b": 0.3}, 0.2)},
    )
    diagnosis = run(evidence, m_own="failed", m_vague="failed")
    assert probabilities(diagnosis)["b"] > 0.5
    assert [finding.id for finding in diagnosis.accepted] == ["a"]
    assert diagnosis.certainty == "likely"
    assert [finding.id for finding in diagnosis.also_possible] == ["b"]


def test_a_perfect_check_has_one_bit_of_information() -> None:
    """One true cause out of two: the check tells which."""
    evidence = model(
        {"a": 0.01, "b": 0.01},
        {
            "m/both": ({"a": 0.99, "b": 0.99}, 1e-6),
            "m/sharp": ({"a": 0.999999}, 1e-6),
        },
    )
    diagnosis = run(evidence, m_both="failed")
    assert diagnosis.next_check is not None
    assert diagnosis.next_check.bits == pytest.approx(1.0, abs=0.05)


def test_a_cause_outside_the_runbook_explains_its_failures() -> None:
    """A locked table explains what a dead worker would; the worker is not accused."""
    evidence = model(
        {"worker": 0.05, "lock": 0.02},
        {
            "m/stuck": ({"worker": 0.9, "lock": 0.7}, 0.01),
            "m/lock": ({"lock": 0.95}, 0.001),
            "m/process": ({"worker": 0.5}, 0.001),
        },
        outside=("lock",),
    )
    diagnosis = run(evidence, m_stuck="failed", m_lock="failed", m_process="passed")
    assert diagnosis.certainty == "outside"
    assert diagnosis.most_likely_set == ()
    assert diagnosis.most_likely_outside == ("lock",)
    assert [(item.check, item.outside) for item in diagnosis.unexplained] == [
        ("m/stuck", ("lock",)),
        ("m/lock", ("lock",)),
    ]


def test_a_failure_without_a_row_is_unexplained() -> None:
    """A check that the evidence table lacks accuses no cause, and is listed."""
    evidence = model({"h": 0.1}, {"m/c": ({"h": 0.8}, 0.05)})
    diagnosis = run(evidence, m_new="failed")
    assert [(item.check, item.component) for item in diagnosis.unexplained] == [
        ("m/new", "unknown")
    ]
    assert diagnosis.certainty == "outside"
    assert probabilities(diagnosis)["h"] == pytest.approx(0.1)


def test_the_cases_of_one_check_count_once() -> None:
    """Of three hosts one failed: one failure, named by its case, and no pass."""
    evidence = model({"h": 0.1}, {"m/c": ({"h": 0.8}, 0.05)})
    results = [Outcome(f"m/c[{n}]", "failed" if n == "b" else "passed") for n in "abc"]
    diagnosis = diagnose(evidence, results)
    assert probabilities(diagnosis)["h"] == pytest.approx(0.642857, abs=1e-6)
    assert diagnosis.hypotheses[0].supporting[0].check == "m/c[b]"
    assert (diagnosis.coverage.observed, diagnosis.coverage.configured) == (3, 3)


def test_a_moot_pass_is_no_evidence() -> None:
    """With no stuck upload, a check of stuck uploads counts only if it fails."""
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


def test_nothing_is_certain_beside_a_hidden_rival() -> None:
    """A component that was not looked at, and shows another possible cause, leaves it likely."""
    evidence = model(
        {"hung": 0.1, "dropped": 0.08},
        {"m/late": ({"hung": 0.9}, 0.001), "q/dropped": ({"dropped": 0.9}, 0.001)},
    )
    rows = [replace(row, component=row.id[0]) for row in evidence.checks]
    evidence = replace(evidence, checks=tuple(rows))

    def certainty(dropped: Status) -> str:
        diagnosis = run(evidence, m_late="failed", q_dropped=dropped)
        assert [finding.id for finding in diagnosis.accepted] == ["hung"]
        return diagnosis.certainty

    assert certainty("passed") == "certain"
    assert certainty("unreachable") == certainty("skipped") == "likely"


def test_nothing_is_certain_that_only_remains_when_the_others_are_excluded() -> None:
    """What no hypothesis explains but this one, after the passes, may have a cause of its own."""
    evidence = model(
        {"blocked": 0.1, "dead": 0.1, "slow": 0.1},
        {
            "m/late": ({"blocked": 0.8, "dead": 0.8}, 0.005),
            "m/dead": ({"dead": 0.99}, 0.001),
            "m/alarm": ({"blocked": 0.3}, 0.001),
        },
    )
    excluded = run(evidence, m_late="failed", m_dead="passed")
    assert excluded.hypotheses[0].probability > 0.9
    assert excluded.certainty == "likely"
    assert run(evidence, m_late="failed", m_dead="passed", m_alarm="failed").certainty == "certain"


def test_nothing_is_certain_on_a_failure_that_a_finer_check_may_explain() -> None:
    """A job that runs too long may be one that nobody runs, which another check would tell."""
    evidence = model(
        {"hung": 0.1, "left": 0.01},
        {"m/late": ({"hung": 0.9}, 0.001), "m/no_message": ({"left": 0.5}, 0.001)},
    )
    late, finer = evidence.checks
    evidence = replace(evidence, checks=(replace(late, follows_from=(finer.id,)), finer))
    assert run(evidence, m_late="failed", m_no_message="passed").certainty == "certain"
    assert run(evidence, m_late="failed", m_no_message="skipped").certainty == "likely"
    assert run(evidence, m_late="failed").certainty == "likely"


@pytest.mark.parametrize(
    ("elsewhere", "left", "is_named"),
    [("queue", 0.1, False), ("queue", 0.01, True), ("part", 0.1, True)],
    ids=["its component is hidden", "it is hardly possible", "its component was seen"],
)
def test_no_cause_is_named_where_a_hidden_component_may_tell_another(
    elsewhere: str, left: float, is_named: bool
) -> None:
    """Only the queue says whether anybody runs the job that is late."""
    evidence = model(
        {"hung": 0.1, "left": left},
        {
            "m/late": ({"hung": 0.9}, 0.001),
            "m/no_message": ({"left": 0.3}, 0.001),
            "m/other": ({"left": 0.01}, 0.001),
        },
    )
    late, finer, other = evidence.checks
    late = replace(late, follows_from=(finer.id,))
    finer = replace(finer, component=elsewhere, moot_when=late.id)
    evidence = replace(evidence, checks=(late, finer, other))
    hung = run(evidence, m_late="failed", m_no_message="unreachable", m_other="passed")
    assert hung.most_likely_set == ("hung",)
    assert [finding.id for finding in hung.accepted] == ["hung"] * is_named
    seen = run(evidence, m_late="failed", m_no_message="passed", m_other="passed")
    assert [finding.id for finding in seen.accepted] == ["hung"]


def test_a_pass_of_a_blind_check_is_no_evidence() -> None:
    """A frozen worker still has its connections: they are no evidence, their absence still is."""
    evidence = model(
        {"h": 0.1, "frozen": 0.1},
        {"m/responsive": ({"frozen": 0.5}, 0.01), "m/connected": ({"h": 0.5}, 0.01)},
    )
    row = replace(evidence.checks[1], moot_if_failed=("m/responsive",))
    evidence = replace(evidence, checks=(evidence.checks[0], row))
    blind = probabilities(run(evidence, m_responsive="failed"))
    assert probabilities(run(evidence, m_responsive="failed", m_connected="passed")) == blind
    failed = probabilities(run(evidence, m_responsive="failed", m_connected="failed"))
    assert failed["h"] > blind["h"]
    for status in ("passed", "unreachable", "skipped"):
        posterior = probabilities(run(evidence, m_responsive=status, m_connected="passed"))
        assert posterior["h"] < probabilities(run(evidence, m_responsive=status))["h"]


def test_a_failure_that_follows_from_another_makes_no_pass_moot() -> None:
    """A worker that waits for a lock holds its messages: its consumer still speaks for it."""
    evidence = model(
        {"h": 0.1, "lock": 0.1},
        {
            "m/lock": ({"lock": 0.5}, 0.01),
            "m/held": ({"h": 0.5, "lock": 0.5}, 0.01),
            "m/connected": ({"h": 0.5}, 0.01),
        },
    )
    lock, held, connected = evidence.checks
    held = replace(held, follows_from=(lock.id,))
    connected = replace(connected, moot_if_failed=(held.id,))
    evidence = replace(evidence, checks=(lock, held, connected))

    def posterior(**statuses: Status) -> float:
        return probabilities(run(evidence, **statuses))["h"]

    assert posterior(m_held="failed", m_connected="passed") == posterior(m_held="failed")
    behind = posterior(m_lock="failed", m_held="failed")
    assert posterior(m_lock="failed", m_held="failed", m_connected="passed") < behind


def test_a_pass_is_evidence_only_where_something_would_be_seen() -> None:
    """Where no line is known to be the worker's, no logged error is none; an error still counts."""
    evidence = model(
        {"h": 0.1, "silence": 0.1},
        {"m/logging": ({"silence": 0.5}, 0.01), "m/errors": ({"h": 0.5}, 0.01)},
    )
    row = replace(evidence.checks[1], moot_unless_passed="m/logging")
    evidence = replace(evidence, checks=(evidence.checks[0], row))
    for status in ("failed", "unreachable", "skipped"):
        unseen = probabilities(run(evidence, m_logging=status))
        assert probabilities(run(evidence, m_logging=status, m_errors="passed")) == unseen
        failed = probabilities(run(evidence, m_logging=status, m_errors="failed"))
        assert failed["h"] > unseen["h"]
    seen = probabilities(run(evidence, m_logging="passed"))
    assert probabilities(run(evidence, m_logging="passed", m_errors="passed"))["h"] < seen["h"]


def test_a_pass_with_nothing_to_see_is_no_evidence() -> None:
    """While a figure is 0, a pass of a check that needs it is left out; a failure still counts."""
    evidence = model({"h": 0.1}, {"m/late": ({"h": 0.5}, 0.01)})
    evidence = replace(evidence, checks=(replace(evidence.checks[0], moot_at_zero="done"),))

    def posterior(status: Status, *zero: str) -> float:
        return probabilities(diagnose(evidence, [Outcome("m/late", status)], zero=zero))["h"]

    assert posterior("passed", "done") == posterior("skipped")
    assert posterior("passed", "other") == posterior("passed") < posterior("skipped")
    assert posterior("failed", "done") == posterior("failed")


def test_a_pass_beside_a_failed_signal_is_evidence() -> None:
    """Where uploads are stuck, something waits, also while nothing completes."""
    evidence = model({"h": 0.1}, {"m/late": ({"h": 0.5}, 0.01), "m/stuck": ({"h": 0.5}, 0.01)})
    late, stuck = evidence.checks
    checks = (replace(late, moot_at_zero="done"), replace(stuck, verification=0))
    evidence = replace(evidence, checks=checks)
    results = [Outcome("m/late", "passed"), Outcome("m/stuck", "failed")]
    assert diagnose(evidence, results, zero={"done"}) == diagnose(evidence, results)


def test_a_failure_that_follows_from_another_is_no_evidence() -> None:
    """What a more exact check has explained accuses no other cause, and is not unexplained."""
    evidence = model(
        {"a": 0.1, "b": 0.1},
        {"m/exact": ({"a": 0.5}, 0.01), "m/late": ({"b": 0.5}, 0.01)},
    )
    both = run(evidence, m_exact="failed", m_late="failed")
    assert both.most_likely_set == ("a", "b")
    row = replace(evidence.checks[1], follows_from=("m/exact",))
    evidence = replace(evidence, checks=(evidence.checks[0], row))
    alone = run(evidence, m_exact="failed")
    both = run(evidence, m_exact="failed", m_late="failed")
    assert probabilities(both) == probabilities(alone)
    assert (both.most_likely_set, both.unexplained) == (("a",), ())
    for status in ("passed", "unreachable", "skipped"):
        late = run(evidence, m_exact=status, m_late="failed")
        assert probabilities(late)["b"] > probabilities(run(evidence, m_exact=status))["b"]
    # A pass counts as ever.
    passed = run(evidence, m_exact="failed", m_late="passed")
    assert probabilities(passed)["b"] < probabilities(alone)["b"]


def test_nothing_observed_leaves_the_priors() -> None:
    """A run without observations accuses no cause and lists every check as not observed."""
    diagnosis = diagnose(SHIPPED, [Outcome(row.id, "unreachable") for row in SHIPPED.checks])
    assert diagnosis.certainty == "none"
    assert diagnosis.most_likely_set == ()
    assert diagnosis.coverage.observed == 0
    for finding in (*diagnosis.hypotheses, *diagnosis.outside):
        prior = {cause.id: cause.prior for cause in SHIPPED.causes}[finding.id]
        assert finding.probability == pytest.approx(prior)
        assert {item.status for item in finding.not_observed} == {"unreachable"}


def test_unobserved_checks_are_listed_with_their_status() -> None:
    """A hypothesis lists the checks that would be evidence on it; skipped is not configured."""
    evidence = model({"h": 0.1}, {f"m/{n}": ({"h": 0.5}, 0.01) for n in "abcd"})
    diagnosis = run(evidence, m_a="failed", m_b="unreachable", m_c="skipped")
    assert [(item.check, item.status) for item in diagnosis.hypotheses[0].not_observed] == [
        ("m/b", "unreachable"),
        ("m/c", "skipped"),
        ("m/d", "absent"),
    ]
    assert (diagnosis.coverage.observed, diagnosis.coverage.configured) == (1, 2)


def test_equals_are_ranked_in_the_order_of_the_runbook() -> None:
    """A tie is decided by the runbook's order, and by the smallest set."""
    evidence = model(dict.fromkeys("abc", 0.05), {"m/x": (dict.fromkeys("abc", 0.5), 0.01)})
    diagnosis = run(evidence, m_x="failed")
    assert [finding.id for finding in diagnosis.hypotheses] == ["a", "b", "c"]
    assert len(diagnosis.most_likely_set) <= 1


@pytest.mark.parametrize("passed", ["", *(row.id for row in SHIPPED.checks)])
def test_rounding_decides_no_tie(passed: str) -> None:
    """Of hypotheses whose probabilities differ by rounding alone, the runbook's first leads.

    Sums are rounded in another way by Python 3.12.
    """
    diagnosis = diagnose(SHIPPED, [Outcome(passed, "passed")] if passed else [])
    places = {cause.id: place for place, cause in enumerate(SHIPPED.hypotheses)}
    for first, second in itertools.pairwise(diagnosis.hypotheses):
        if math.isclose(first.probability, second.probability, rel_tol=1e-12):
            assert places[first.id] < places[second.id]


def test_sixteen_causes_are_allowed_and_seventeen_refused() -> None:
    """The number of sets doubles with each cause."""
    names = [f"h{n}" for n in range(17)]
    rows = {"m/c": ({"h0": 0.5}, 0.01)}
    with pytest.raises(ModelTooLargeError, match="17 causes; more than 16"):
        run(model(dict.fromkeys(names, 0.05), rows), m_c="failed")
    assert run(model(dict.fromkeys(names[:16], 0.05), rows), m_c="failed").hypotheses


def test_sixty_extreme_checks_do_not_overflow() -> None:
    """Evidence beyond the range of a float still gives finite numbers."""
    rows = {f"m/c{n}": ({"a": 1 - 1e-6}, 1e-6) for n in range(60)}
    diagnosis = diagnose(model({"a": 0.05, "b": 0.05}, rows), [Outcome(c, "failed") for c in rows])
    assert diagnosis.hypotheses[0].probability == pytest.approx(1.0)
    assert all(math.isfinite(shift.log_odds) for shift in diagnosis.hypotheses[0].supporting)
    diagnosis = diagnose(model({"a": 0.05, "b": 0.05}, rows), [Outcome(c, "passed") for c in rows])
    assert diagnosis.hypotheses[-1].probability == pytest.approx(0.0)


def test_of_equally_likely_sets_the_smallest_is_taken() -> None:
    """Where nothing decides, no cause is accepted."""
    diagnosis = run(model({"a": 0.5, "b": 0.5}, {"m/x": ({"a": 0.5}, 0.01)}))
    assert diagnosis.most_likely_set == ()
    assert diagnosis.set_probability == pytest.approx(0.25)


def test_a_check_that_would_be_moot_is_not_proposed() -> None:
    """A check of stuck uploads is no help while none is stuck."""
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


def test_a_failure_that_a_cause_does_not_explain_does_not_stand_for_it() -> None:
    """C explains B away, which makes A likelier; no person would call that evidence."""
    evidence = model(
        {"a": 0.1, "b": 0.1, "c": 0.1},
        {
            "m/first": ({"a": 0.5, "b": 0.5}, 0.01),
            "m/second": ({"b": 0.5, "c": 0.5}, 0.01),
            "m/third": ({"c": 0.9}, 0.01),
        },
    )
    before = probabilities(run(evidence, m_first="failed", m_second="failed"))["a"]
    diagnosis = run(evidence, m_first="failed", m_second="failed", m_third="failed")
    assert probabilities(diagnosis)["a"] > before
    (finding,) = (finding for finding in diagnosis.hypotheses if finding.id == "a")
    assert [one.check for one in finding.supporting] == ["m/first"]
