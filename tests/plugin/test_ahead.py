"""The observations of all checks are begun together, before the first check waits."""

from __future__ import annotations

from collections.abc import Callable

from tests.suite import Run

CHECKS = '''
import threading
from dataclasses import dataclass

import pytest

from fixtures.probes.errors import Unreachable
from fixtures.run.recorder import Recorded

MEETING = threading.Barrier(2)
CALLS = []

@dataclass(frozen=True)
class Seen:
    number: int
    def __str__(self):
        return f"seen {self.number}"

class Probe:
    def meet(self):
        MEETING.wait(60)
        return Seen(1)
    def refuse(self):
        raise Unreachable("nothing listens")

@pytest.fixture(scope="session")
def one(recorder):
    return Recorded("one", Probe(), recorder)

@pytest.fixture(scope="session")
def other(recorder):
    return Recorded("other", Probe(), recorder)

@pytest.fixture(scope="session")
def broken():
    raise ValueError("a fixture of another check")

@pytest.fixture(scope="session")
def _selection():
    return None

def test_broker_is_reachable(one):
    """The first component is seen."""
    assert one.meet().number == 1

def test_queue_exists(other):
    """The second component is seen at the same time."""
    seen = other.meet()
    assert seen.number == 2, seen

def test_queue_has_a_consumer(one):
    """What cannot be seen is unreachable."""
    assert one.refuse()

def test_backlog_is_bounded():
    """A check without a component is not called before its turn."""
    CALLS.append("called")
    assert len(CALLS) == 1

def test_queue_is_draining(broken, one):
    """A fixture that fails costs its own check."""
    assert one.meet()
'''


PLUGINS = (
    *("-p", "fixtures.run.lanes"),
    *("-p", "fixtures.run.recorder"),
    *("-p", "fixtures.run.ahead"),
)

SECOND = (
    CHECKS.partition("@pytest.fixture")[0]
    + '''
FOLLOWED = threading.Event()

class Followed:
    def wait(self):
        assert FOLLOWED.wait(60), "the second observation of the other check did not begin"
        return Seen(1)

class Following:
    def first(self):
        return Seen(2)
    def then(self, number):
        FOLLOWED.set()
        return Seen(number + 1)

@pytest.fixture(scope="session")
def followed(recorder):
    return Recorded("followed", Followed(), recorder)

@pytest.fixture(scope="session")
def following(recorder):
    return Recorded("following", Following(), recorder)

def test_broker_is_reachable(followed):
    """This check waits for the second observation of the next one."""
    assert followed.wait().number == 1

def test_queue_exists(following):
    """What the second observation asks is known by the first one."""
    assert following.then(following.first().number).number == 3
'''
)

SAMPLED = (
    SECOND.partition("def test_")[0]
    + '''
from concurrent.futures import Future

@pytest.fixture(scope="session")
def _selection():
    selection = Future()
    selection.set_result((1, 2))
    return selection

@pytest.fixture(scope="session")
def _subjects(_selection):
    return _selection.result()

def test_broker_is_reachable(followed):
    """This check waits for an observation of the sampled items."""
    assert followed.wait().number == 1

def test_queue_exists(_subjects, following):
    """The items are known before the first check has its turn."""
    assert following.then(len(_subjects)).number == 3
'''
)


CLOSING = (
    CHECKS.partition("@pytest.fixture")[0]
    + """
ASKED, CLOSED = threading.Event(), threading.Event()

class Broker:
    def depth(self):
        return Seen(1)
    def exists(self):
        assert ASKED.wait(60), "the check of the broker was not called again"
        return Seen(2)
    def close(self):
        CALLS.append("closed")
        CLOSED.set()

class Api:
    def wait(self):
        ASKED.set()
        assert CLOSED.wait(60), "the broker's client was not closed"
        return Seen(len(CALLS))

@pytest.fixture(scope="session")
def _queue(lanes):
    broker = Broker()
    return lanes.own(broker, "queue", broker.close)

@pytest.fixture(scope="session")
def queue(_queue, recorder):
    return Recorded("queue", _queue, recorder)

@pytest.fixture(scope="session")
def api(recorder):
    return Recorded("api", Api(), recorder)

def test_broker_is_reachable(api):
    \"\"\"This check waits until the broker's client is closed.\"\"\"
    assert api.wait().number == 1

def test_queue_exists(queue):
    \"\"\"Both answers of the broker come before that.\"\"\"
    assert queue.depth().number == 1
    assert queue.exists().number == 2
"""
)


def test_the_broker_is_closed_while_others_work(run_checks: Callable[..., Run]) -> None:
    """What takes round trips to close is closed once all has been asked of it, and only once."""
    run = run_checks(CLOSING, *PLUGINS)
    assert run.statuses == {"queue/broker_is_reachable": "passed", "queue/queue_exists": "passed"}


def test_a_second_observation_does_not_wait_for_its_turn(run_checks: Callable[..., Run]) -> None:
    """It begins when the first is there, while another check is still being waited for."""
    run = run_checks(SECOND, *PLUGINS)
    assert run.statuses == {"queue/broker_is_reachable": "passed", "queue/queue_exists": "passed"}


def test_items_that_are_known_are_looked_at_at_once(run_checks: Callable[..., Run]) -> None:
    """They are not left until the first check of them has its turn."""
    run = run_checks(SAMPLED, *PLUGINS)
    assert run.statuses == {"queue/broker_is_reachable": "passed", "queue/queue_exists": "passed"}


def test_components_are_looked_at_side_by_side(run_checks: Callable[..., Run]) -> None:
    """Two looks that wait for each other succeed; each check gets its own observation and error."""
    run = run_checks(CHECKS, *PLUGINS)
    assert run.statuses == {
        "queue/broker_is_reachable": "passed",
        "queue/queue_exists": "failed",
        "queue/queue_has_a_consumer": "unreachable",
        "queue/backlog_is_bounded": "passed",
        "queue/queue_is_draining": "error",
    }
    assert run.outcome("queue/queue_exists")["seen"] == "Seen(number=1)"
    assert run.outcome("queue/queue_has_a_consumer")["seen"] == "nothing listens"
    assert "a fixture of another check" in run.outcome("queue/queue_is_draining")["seen"]
