"""The first line of a report: how much of the runbook it is about, and how far the run came."""

from __future__ import annotations

import pytest

from reports.model.build import build_report
from reports.model.headline import BROKEN_OFF
from reports.model.report import unselected_of
from tests import made

STORAGE = "storage/disk_space_is_free"
ALL = [row.id for row in made.bundle().evidence.checks]
PLAIN = [check for check in ALL if not check.startswith("canary/")]
NARROW = "Healthy as far as it was looked: "
BROKEN = [f"the run was interrupted{BROKEN_OFF}"]


def of(checks: list[str], skipped: int = 0) -> str:
    """The first line on these checks: the first of them skipped, the others passed."""
    whole = {r.outcome.check: r.outcome for r in made.report().results}
    skips = made.report(statuses=dict.fromkeys(checks[:skipped], "skipped"))
    left = {r.outcome.check: r.outcome for r in skips.results}
    outcomes = [(left if check in checks[:skipped] else whole)[check] for check in checks]
    return build_report(outcomes, [], made.TARGET, made.bundle(), made.STARTED, 1.5).headline


@pytest.mark.parametrize(
    ("checks", "skipped", "said"),
    [
        (PLAIN, 0, "Healthy: all 52 checks hold."),
        (ALL, 0, "Healthy: all 57 checks hold."),
        (PLAIN, 1, "Healthy: all 51 checks that could look hold, 1 was skipped."),
        (PLAIN, 51, "Healthy: the only check that could look holds, 51 were skipped."),
        (
            [c for c in ALL if c.startswith("storage/")],
            0,
            f"{NARROW}7 of 52 checks were selected, and hold.",
        ),
        (
            [STORAGE],
            0,
            f"{NARROW}1 of 52 checks was selected, and holds.",
        ),
        (
            [c for c in ALL if c.startswith("storage/")],
            6,
            f"{NARROW}7 of 52 checks were selected; 1 holds, 6 were skipped.",
        ),
        (
            PLAIN[:-1],
            1,
            f"{NARROW}51 of 52 checks were selected; 50 hold, 1 was skipped.",
        ),
        (PLAIN, 52, "Unknown: all 52 selected checks were skipped, so nothing was looked at."),
        (PLAIN[:1], 1, "Unknown: the only selected check was skipped, so nothing was looked at."),
    ],
)
def test_health_says_of_how_much_it_is(checks: list[str], skipped: int, said: str) -> None:
    """A selection is no clean bill; the canary, which has to be asked for, is no part of it."""
    assert of(checks, skipped) == said


def test_a_check_of_two_hosts_is_one_check_of_the_runbook() -> None:
    """Who looks at two hosts has not left out a check for it."""
    report = made.report(only="hosts/")
    evidence = made.bundle().evidence
    assert unselected_of(report.results, evidence) == 51
    assert unselected_of(report.results * 2, evidence) == 51


@pytest.mark.parametrize(
    ("failed", "said"),
    [
        (
            ["signal/no_upload_is_stuck"],
            "Interrupted after 37 of 57 checks; so far: Incident: seen otherwise.",
        ),
        (["hosts/host_is_reachable"], "Interrupted after 37 of 57 checks; so far: At risk: "),
        ([], "Interrupted after 37 of 57 checks; so far: Unknown: nothing has failed."),
    ],
)
def test_an_interrupted_run_says_so_first(failed: list[str], said: str) -> None:
    """How far it came stands before what was found, and the state stays what it is."""
    missing = dict.fromkeys(ALL[37:], "missing")
    report = made.report(failed, statuses=missing, problems=BROKEN)  # type: ignore[arg-type]
    assert report.headline.startswith(said)
    assert report.problems == tuple(BROKEN)


def test_an_interrupted_run_tells_what_it_could_not_look_at() -> None:
    """What has not run yet is no check that could not tell."""
    statuses = {ALL[0]: "unreachable", ALL[1]: "missing"}
    report = made.report(statuses=statuses, problems=BROKEN)  # type: ignore[arg-type]
    assert report.state == "unknown"
    assert report.headline == (
        "Interrupted after 56 of 57 checks; so far: Unknown: 1 of 57 checks could not tell, "
        "the first: seen otherwise."
    )


def test_a_run_that_was_interrupted_before_its_first_check_has_one_reason() -> None:
    """Where nothing was selected there is nothing to count."""
    headline = made.report(none=True, problems=BROKEN).headline
    assert headline == f"Unknown: {BROKEN[0]}."
