"""The headline of a report: the counts of a healthy, a narrowed and an interrupted run."""

from __future__ import annotations

import itertools

import pytest

from core.language import languages, set_language, tr
from reports.model.build import EndedRun, build_report
from reports.model.headline import INTERRUPTED, is_interruption
from reports.model.report import unselected_of
from tests import made

STORAGE = "storage/disk_space_is_free"
ALL = [row.id for row in made.bundle().evidence.checks]
PLAIN = [check for check in ALL if not check.startswith("canary/")]
STORED = [check for check in ALL if check.startswith("storage/")]
P, N, S = len(PLAIN), len(ALL), len(STORED)
INTERRUPTION = [f"the run was interrupted{INTERRUPTED}"]


def headline(checks: list[str], skipped: int = 0) -> str:
    """Return the headline of these checks: the first ones skipped, the others passed."""
    whole = {r.outcome.check: r.outcome for r in made.report().results}
    skips = made.report(statuses=dict.fromkeys(checks[:skipped], "skipped"))
    left = {r.outcome.check: r.outcome for r in skips.results}
    outcomes = [(left if check in checks[:skipped] else whole)[check] for check in checks]
    partial = bool(unselected_of(outcomes, made.bundle().evidence))
    run = EndedRun(outcomes, [], made.TARGET, made.STARTED, 1.5, partial)
    return build_report(run, made.bundle()).headline


@pytest.mark.parametrize(("written", "read"), [*itertools.product(languages(), repeat=2)])
def test_an_interruption_is_known_in_each_language(written: str, read: str) -> None:
    """A saved report is replayed in another language than that of its run."""
    try:
        set_language(written)
        problem = f"{tr('the run was interrupted')}{tr(INTERRUPTED)}"
        set_language(read)
        assert is_interruption(problem)
        assert not is_interruption(tr("the run was interrupted"))
    finally:
        set_language("en")


@pytest.mark.parametrize(
    ("checks", "skipped", "sentence"),
    [
        (PLAIN, 0, f"Healthy: all {P} checks passed."),
        (ALL, 0, f"Healthy: all {N} checks passed."),
        (PLAIN, 1, f"Healthy: {P - 1} of {P} checks passed, 1 was skipped."),
        (PLAIN, P - 1, f"Healthy: 1 of {P} checks passed, {P - 1} were skipped."),
        (
            STORED,
            0,
            f"Partial run: {S} of {P} checks, all passed.",
        ),
        (
            [STORAGE],
            0,
            f"Partial run: 1 of {P} checks, passed.",
        ),
        (
            STORED,
            S - 1,
            f"Partial run: {S} of {P} checks, {S - 1} skipped, 1 passed.",
        ),
        (
            PLAIN[:-1],
            1,
            f"Partial run: {P - 1} of {P} checks, 1 skipped, {P - 2} passed.",
        ),
        (PLAIN, P, f"Unknown: all {P} checks were skipped."),
        (
            PLAIN[:1],
            1,
            f"Partial run: 1 of {P} checks, 1 skipped. Unknown: the only check was skipped.",
        ),
    ],
)
def test_a_healthy_headline_counts_the_checks(
    checks: list[str], skipped: int, sentence: str
) -> None:
    """A selection says so; the canary, which runs only on request, is not missed."""
    assert headline(checks, skipped) == sentence


def test_a_check_of_two_hosts_is_one_check_of_the_runbook() -> None:
    """The cases of a parametrized check count once."""
    report = made.report(only="hosts/host_is_reachable")
    evidence = made.bundle().evidence
    outcomes = [result.outcome for result in report.results]
    assert unselected_of(outcomes, evidence) == P - 1
    assert unselected_of(outcomes * 2, evidence) == P - 1


def test_checks_without_a_result_are_counted_by_their_statuses() -> None:
    """The headline names each of their statuses, and the first observation."""
    statuses = {ALL[0]: "error", ALL[1]: "missing", ALL[2]: "unreachable"}
    report = made.report(statuses=statuses, seen="refused")  # type: ignore[arg-type]
    assert report.headline == (
        f"Unknown: 3 of {N} checks are unreachable, in error or not run; the first: refused."
    )


def test_a_headline_is_one_line() -> None:
    """A call with several targets prints one for each; an error has its place in a second line."""
    seen = "RuntimeError in call: no\nat /srv/veza/checks/test_queue.py:7"
    for statuses, problems in (({ALL[0]: "error"}, []), ({}, ["one\n\ntwo"])):
        report = made.report(statuses=statuses, seen=seen, problems=problems)  # type: ignore[arg-type]
        assert report.state == "unknown"
        assert "\n" not in report.headline
        assert report.headline.endswith((" at /srv/veza/checks/test_queue.py:7.", ": one two."))


@pytest.mark.parametrize(
    ("failed", "sentence"),
    [
        (
            ["signal/no_upload_is_stuck"],
            f"Interrupted after 38 of {N} checks; so far: Incident: seen otherwise.",
        ),
        (["hosts/host_is_reachable"], f"Interrupted after 38 of {N} checks; so far: At risk: "),
        ([], f"Interrupted after 38 of {N} checks; so far: Unknown: no check has failed."),
    ],
)
def test_an_interrupted_run_says_so_first(failed: list[str], sentence: str) -> None:
    """The number of checks that ran comes first, and the state is not changed."""
    missing = dict.fromkeys(ALL[38:], "missing")
    report = made.report(failed, statuses=missing, problems=INTERRUPTION)  # type: ignore[arg-type]
    assert report.headline.startswith(sentence)
    assert report.problems == tuple(INTERRUPTION)


def test_an_interrupted_run_counts_the_unreachable_checks() -> None:
    """A check that has not run yet is not among them."""
    statuses = {ALL[0]: "unreachable", ALL[1]: "missing"}
    report = made.report(statuses=statuses, problems=INTERRUPTION)  # type: ignore[arg-type]
    assert report.state == "unknown"
    assert report.headline == (
        f"Interrupted after {N - 1} of {N} checks; so far: "
        f"Unknown: 1 of {N} checks is unreachable; "
        "the first: seen otherwise."
    )


def test_a_run_that_was_interrupted_before_its_first_check_has_one_reason() -> None:
    """Where no check was selected there is nothing to count."""
    report = made.report(none=True, problems=INTERRUPTION)
    assert report.headline == f"Unknown: {INTERRUPTION[0]}."


def test_an_unclear_cause_names_the_components_that_hide_it() -> None:
    """Where the symptoms alone are known, the reader learns which components were not seen."""
    unseen = {"worker": "unreachable", "queue": "skipped"}
    rows = made.bundle().evidence.checks
    hidden = {row.id: unseen[row.component] for row in rows if row.component in unseen}
    failed = ["signal/no_upload_is_stuck", "database/jobs_start_promptly"]
    report = made.report(failed, statuses=hidden)  # type: ignore[arg-type]
    assert report.diagnosis.certainty == "unclear"
    assert report.headline.endswith(" Not seen: worker (unreachable); queue (skipped).")


def test_an_unclear_cause_may_be_one_outside_the_runbook() -> None:
    """A database that refuses statements is named beside the hypothesis that competes with it."""
    failed = [
        "signal/no_upload_is_stuck",
        "upload_status/uploads_have_left_uploading",
        "logs/upload_transitions_are_logged",
        "logs/no_database_access_is_refused",
        "queue/dead_letters_are_empty",
        "database/stuck_uploads_have_a_job",
        "database/failed_jobs_recorded_an_error",
    ]
    report = made.report(failed)
    assert report.diagnosis.certainty == "unclear"
    assert "or application cannot use the database (0." in report.headline
