"""The gate: exit status 0 only where it was seen to hold, or nothing is worse than before."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from tests.suite import Run

GATE = '''
import pytest

def test_queue_exists():
    """The queue exists."""

def test_queue_has_a_consumer():
    """The queue is consumed."""
    {consumer}

def test_dead_letters_are_empty():
    """Nothing is dead, and no deploy waits for it."""
    pytest.skip("no dead-letter queue is configured")

def test_backlog_is_bounded():
    """The backlog is bounded."""
    {backlog}
'''
FAILS = 'assert False, "it is not"'
SKIPS = 'pytest.skip("left out")'


def keep_as_baseline(pytester: pytest.Pytester) -> None:
    """Copy the last run's report to before.json."""
    report = pytester.path / "out/made-up/upload_stuck/report.json"
    shutil.copy(report, pytester.path / "before.json")


def test_an_open_gate_is_exit_0(run_checks: Callable[..., Run]) -> None:
    """What is no part of the gate is not run, so that its skip does not close it."""
    run = run_checks(GATE.format(consumer="pass", backlog="pass"), "-m", "gate")
    assert run.status == 0
    assert "queue/dead_letters_are_empty" not in run.statuses


def test_what_was_not_seen_keeps_it_closed(run_checks: Callable[..., Run]) -> None:
    """A skipped check of the gate was not seen to hold: exit status not 0, and it is named."""
    body = GATE.format(consumer=SKIPS, backlog="pass")
    run = run_checks(body, "-m", "gate")
    assert run.status == 1
    assert "not known to pass: queue/queue_has_a_consumer (left out)." in run.text


def test_outside_the_gate_a_skip_is_a_skip(run_checks: Callable[..., Run]) -> None:
    """Without -m gate the same checks are exit status 0."""
    assert run_checks(GATE.format(consumer=SKIPS, backlog="pass")).status == 0


def test_a_failure_keeps_it_closed(run_checks: Callable[..., Run]) -> None:
    """A failed check of the gate is exit status 1."""
    assert run_checks(GATE.format(consumer=FAILS, backlog="pass"), "-m", "gate").status == 1


@pytest.mark.patient
def test_a_known_failure_does_not_block(
    run_checks: Callable[..., Run], pytester: pytest.Pytester
) -> None:
    """With a baseline only what is worse fails, and it is named."""
    run_checks(GATE.format(consumer=FAILS, backlog="pass"))
    keep_as_baseline(pytester)
    same = run_checks(GATE.format(consumer=FAILS, backlog="pass"), "--baseline=before.json")
    assert same.status == 0
    assert "Not worse than the baseline: 1 known failure." in same.text
    assert same.report is not None
    assert same.report["state"] == "at risk", "the state is what it is"
    worse = run_checks(GATE.format(consumer=FAILS, backlog=FAILS), "--baseline=before.json")
    assert worse.status == 1
    assert "Worse than the baseline: queue/backlog_is_bounded." in worse.text


def test_what_the_baseline_could_not_see_counts_as_worse_when_it_fails(
    run_checks: Callable[..., Run], pytester: pytest.Pytester
) -> None:
    """A check that was unreachable is not known to have failed before; it may be unreachable."""
    unseen = "from fixtures.probes.errors import Unreachable; raise Unreachable('no answer')"
    run_checks(GATE.format(consumer=unseen, backlog="pass"))
    keep_as_baseline(pytester)
    fails = run_checks(GATE.format(consumer=FAILS, backlog="pass"), "--baseline=before.json")
    assert fails.status == 1
    assert "Worse than the baseline: queue/queue_has_a_consumer." in fails.text
    same = run_checks(GATE.format(consumer=unseen, backlog="pass"), "--baseline=before.json")
    assert same.status == 0


def test_a_baseline_does_not_forgive_silence(
    run_checks: Callable[..., Run], pytester: pytest.Pytester
) -> None:
    """A run that saw nothing is not made good by a baseline that failed."""
    run_checks(GATE.format(consumer=FAILS, backlog=FAILS))
    keep_as_baseline(pytester)
    body = "import pytest\n\ndef test_queue_exists():\n    pytest.skip('left out')\n"
    assert run_checks(body, "--baseline=before.json").status == 5


def test_a_broken_baseline_is_a_usage_error(
    run_checks: Callable[..., Run], pytester: pytest.Pytester
) -> None:
    """A baseline that is no report is refused before anything runs, in one sentence."""
    (pytester.path / "before.json").write_text('{"schema": 1')
    run = run_checks(GATE.format(consumer="pass", backlog="pass"), "--baseline=before.json")
    assert run.status == 4
    assert "before.json" in run.errors
    assert "Traceback" not in run.text + run.errors
