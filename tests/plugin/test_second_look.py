"""A failure counts only if a second reading agrees, in one process and in several."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.suite import Run

CHECKS = '''
import pytest

READINGS = []

def test_queue_exists():
    """The queue exists."""
    READINGS.append("exists")
    assert READINGS.count("exists") > 1, "the queue is missing"

def test_queue_is_draining():
    """It drains."""
    READINGS.append("drains")
    if READINGS.count("drains") > 1:
        pytest.skip("nothing waits")
    assert False, "it stands still"

def test_queue_has_a_consumer():
    """The queue is consumed."""
    READINGS.append("consumed")
    assert False, f"0 consumers, reading {READINGS.count('consumed')}"

def test_backlog_is_bounded():
    """The backlog is bounded."""
    READINGS.append("bounded")
    assert READINGS.count("bounded") == 1, "a check that passed was repeated"
'''

PLUGIN = ("-p", "fixtures.run.second_look")


@pytest.mark.patient
def test_a_failure_that_does_not_last_says_nothing(run_checks: Callable[..., Run]) -> None:
    """A check that failed and then passed, or was skipped, is unreachable, with both readings."""
    run = run_checks(CHECKS, *PLUGIN, "-n0")
    for check in ("queue/queue_exists", "queue/queue_is_draining"):
        assert run.statuses[check] == "unreachable"
    seen = run.outcome("queue/queue_exists")["seen"]
    assert seen.startswith("two readings, ")
    assert seen.endswith("disagree: the second passed, and the first was: the queue is missing")


COUNTING = '''
import time

from core.outcome import Observation
from fixtures.run.recorder import CALLS, Call

def look(request, *counted):
    calls = request.node.stash[CALLS] = []
    for ids in counted:
        calls.append(Call())
        calls[-1].observation = Observation("queue.depth", "", {}, 0.0)
        calls[-1].counted = None if ids is None else frozenset(ids)

def test_queue_exists(request, readings=[]):
    """None is stuck."""
    readings.append(None)
    look(request, [f"a{len(readings)}"])
    # An hour before, the first time.
    request.node.stash[CALLS][-1].began = time.monotonic() - 3600 * (2 - len(readings))
    assert False, f"a{len(readings)} is stuck"

def test_queue_has_a_consumer(request, readings=[]):
    """None is late."""
    readings.append(None)
    look(request, ["a", f"b{len(readings)}"])
    assert False, f"a and b{len(readings)} are late"

def test_backlog_is_bounded(request, readings=[]):
    """More than are named."""
    readings.append(None)
    look(request, ["a"] if len(readings) == 1 else None)
    assert False, "25 are stuck"
'''


def test_two_readings_of_other_items_disagree(run_checks: Callable[..., Run]) -> None:
    """Each upload is late for a moment, as where two clocks differ; none of them is stuck.

    The readings are as far apart as their observations, whenever the check ran.
    """
    run = run_checks(COUNTING, *PLUGIN, "-n0")
    assert run.statuses["queue/queue_exists"] == "unreachable"
    seen = run.outcome("queue/queue_exists")["seen"]
    assert (
        seen == "two readings, 60 min apart, found different ones: a1 is stuck; then: a2 is stuck"
    )
    assert run.statuses["queue/queue_has_a_consumer"] == "failed"
    assert run.statuses["queue/backlog_is_bounded"] == "failed"


def test_a_failure_that_lasts_is_reported_once(run_checks: Callable[..., Run]) -> None:
    """Of two readings that agree, the second is reported; a pass is not repeated."""
    run = run_checks(CHECKS, *PLUGIN, "-n0")
    assert run.statuses["queue/queue_has_a_consumer"] == "failed"
    assert run.outcome("queue/queue_has_a_consumer")["seen"] == "0 consumers, reading 2"
    assert run.statuses["queue/backlog_is_bounded"] == "passed"
    assert "1 failed, 1 passed, 2 unreachable" in run.text


HUNG = '''
from fixtures.probes.errors import Unreachable

READINGS = []

def test_queue_exists():
    """It answers."""
    READINGS.append(None)
    assert len(READINGS) > 1, "no answer"

def test_queue_has_a_consumer():
    """It answers without an error."""
    if len(READINGS) == 1:
        raise Unreachable("no answer")
    assert False, "HTTP 500"

def test_backlog_is_bounded():
    """It is short."""
    assert len(READINGS) == 1, "looked at again"
    raise Unreachable("not allowed")
'''


def test_what_was_hidden_is_looked_at_once_it_answers(run_checks: Callable[..., Run]) -> None:
    """A service hangs at the first look and fails at the second: that is not lost."""
    run = run_checks(HUNG, *PLUGIN, "-n0")
    assert run.statuses["queue/queue_exists"] == "unreachable"
    assert run.outcome("queue/queue_has_a_consumer")["seen"] == "HTTP 500"
    assert run.outcome("queue/backlog_is_bounded")["seen"] == "not allowed"


INTERRUPTED = (
    CHECKS
    + '''
def test_dead_letters_are_empty():
    """Nothing is dead."""
    raise KeyboardInterrupt
'''
)


@pytest.mark.patient
def test_an_interrupted_run_keeps_its_first_readings(run_checks: Callable[..., Run]) -> None:
    """A failure is reported also where the run ends before the second look."""
    run = run_checks(INTERRUPTED, *PLUGIN, "-n0")
    assert run.outcome("queue/queue_has_a_consumer")["seen"] == "0 consumers, reading 1"
    assert run.statuses["queue/queue_exists"] == "failed"


def test_the_first_failure_ends_a_run_that_stops_at_failures(
    run_checks: Callable[..., Run],
) -> None:
    """With -x nothing runs after the first failure, a second look neither."""
    run = run_checks(CHECKS, *PLUGIN, "-n0", "-x")
    assert run.statuses["queue/queue_exists"] == "failed"
    assert run.statuses["queue/queue_is_draining"] == "missing"


HALTED = '''
def test_queue_has_a_consumer(readings=[]):
    """The queue is consumed."""
    readings.append("consumed")
    if len(readings) > 1:
        raise KeyboardInterrupt
    assert False, "0 consumers, reading 1"
'''


@pytest.mark.patient
def test_an_interrupt_of_a_second_look_keeps_the_first(run_checks: Callable[..., Run]) -> None:
    """The check that was being looked at again is failed, as it was first read, and not lost."""
    run = run_checks(HALTED, *PLUGIN, "-n0")
    assert run.statuses == {"queue/queue_has_a_consumer": "failed"}
    assert run.outcome("queue/queue_has_a_consumer")["seen"] == "0 consumers, reading 1"


RECORDED = ("-p", "fixtures.run.lanes", "-p", "fixtures.run.recorder", *PLUGIN)
LOOK = """
import time

from core.outcome import Observation
from fixtures.run.recorder import CALLS, Call

TURNS = []

def look(request, name, seconds, ago):
    TURNS.append(name)
    call = Call()
    call.seconds, call.began = seconds, time.monotonic() - ago
    call.observation = Observation("queue.state", "", {}, seconds)
    request.node.stash[CALLS] = [call]
    assert False, f"turn {len(TURNS)}: {''.join(TURNS)}"
"""
READ_AHEAD = (
    LOOK
    + '''
def test_queue_exists(request):
    """The queue exists."""
    look(request, "a", seconds=2.0, ago=9.0)

def test_queue_is_draining(request):
    """It drains."""
    look(request, "b", seconds=0.1, ago=0.0)
'''
)


@pytest.mark.patient
def test_what_was_read_long_ago_does_not_wait_for_the_others(
    run_checks: Callable[..., Run],
) -> None:
    """It has its second look at once, and not only a second after the last one was read."""
    run = run_checks(READ_AHEAD, *RECORDED, "-n0")
    assert run.outcome("queue/queue_exists")["seen"] == "turn 3: aba"
    assert run.outcome("queue/queue_is_draining")["seen"] == "turn 4: abab"


IN_TURN = (
    READ_AHEAD
    + '''
def test_backlog_is_bounded(request):
    """The backlog is bounded."""
    look(request, "c", seconds=5.0, ago=9.0)
'''
)


@pytest.mark.patient
def test_what_takes_long_does_not_keep_a_second_look_from_its_time(
    run_checks: Callable[..., Run],
) -> None:
    """All that is due begins at once, and what is soon due has its turn before what takes long."""
    run = run_checks(IN_TURN, *RECORDED, "-n0")
    assert run.outcome("queue/backlog_is_bounded")["seen"] == "turn 6: abcabc"


QUEUE = (
    LOOK
    + '''
def test_queue_exists(request):
    """The queue exists."""
    look(request, "a", seconds=0.1, ago=9.0)

def test_queue_is_draining(request):
    """It drains."""
    look(request, "b", seconds=0.1, ago=-0.5)
'''
)
DATABASE = (
    LOOK
    + '''
def test_database_is_reachable(request):
    """It can be reached."""
    look(request, "c", seconds=0.5, ago=0.0)
'''
)


@pytest.mark.patient
def test_the_turns_of_second_looks_go_from_file_to_file(
    pytester: pytest.Pytester, run_checks: Callable[..., Run]
) -> None:
    """Which one has its turn next is only known when its time has come."""
    other = pytester.path / "checks" / "upload_stuck" / "test_database.py"
    other.write_text(DATABASE, encoding="utf-8")
    run = run_checks(QUEUE, *RECORDED, "-n0")
    assert run.statuses == dict.fromkeys(
        ("queue/queue_exists", "queue/queue_is_draining", "database/database_is_reachable"),
        "failed",
    ), run.text


COURSES = '''
import pytest

COURSES = {"exists": "FPP", "drains": "FPF", "consumed": "FFP", "bounded": "PF"}

def read(name):
    course, COURSES[name] = COURSES[name], COURSES[name][1:]
    assert course[0] == "P", f"{name} is wrong, {len(course)} left"

def test_queue_exists():
    """The queue exists."""
    read("exists")

def test_queue_is_draining():
    """It drains."""
    read("drains")

def test_queue_has_a_consumer():
    """The queue is consumed."""
    read("consumed")

def test_backlog_is_bounded():
    """The backlog is bounded."""
    read("bounded")
'''


@pytest.mark.patient
def test_rechecks_end_when_two_readings_in_a_row_agree(run_checks: Callable[..., Run]) -> None:
    """Two passes outweigh the failure before them; what never agrees says nothing."""
    run = run_checks(COURSES, *PLUGIN, "-n0", "--recheck=2")
    assert run.statuses == {
        "queue/queue_exists": "passed",
        "queue/queue_is_draining": "unreachable",
        "queue/queue_has_a_consumer": "failed",
        "queue/backlog_is_bounded": "passed",
    }
    assert run.outcome("queue/queue_has_a_consumer")["seen"] == "consumed is wrong, 2 left"
    seen = run.outcome("queue/queue_is_draining")["seen"]
    assert seen.startswith("3 readings within ")
    assert seen.endswith(
        "disagree (failed, passed, failed); the first was: drains is wrong, 3 left"
    )
    sentence = run.outcome("queue/queue_exists")["observations"][-1]["seen"]
    assert sentence.startswith("passed twice in a row; ")
    assert sentence.endswith("it was: exists is wrong, 3 left")


def test_without_a_recheck_the_first_reading_counts(run_checks: Callable[..., Run]) -> None:
    """Nothing runs twice."""
    run = run_checks(COURSES, *PLUGIN, "-n0", "--recheck=0")
    assert run.statuses["queue/queue_exists"] == "failed"
    assert run.outcome("queue/queue_has_a_consumer")["seen"] == "consumed is wrong, 3 left"


BROKEN_OFF = '''
def test_queue_has_a_consumer(readings=[]):
    """The queue is consumed."""
    readings.append("consumed")
    if len(readings) == 3:
        raise KeyboardInterrupt
    assert len(readings) == 2, "0 consumers"
'''


@pytest.mark.patient
def test_an_interrupted_recheck_keeps_what_was_read(
    run_checks: Callable[..., Run],
) -> None:
    """A failure and a pass disagree, so they say nothing."""
    run = run_checks(BROKEN_OFF, *PLUGIN, "-n0", "--recheck=3")
    assert run.statuses == {"queue/queue_has_a_consumer": "unreachable"}


def test_a_wrong_number_of_rechecks_is_refused(run_checks: Callable[..., Run]) -> None:
    """With one sentence."""
    run = run_checks(COURSES, *PLUGIN, "--recheck=often")
    assert run.status == 4
    assert "--recheck: write a number from 0 to 10" in run.errors
