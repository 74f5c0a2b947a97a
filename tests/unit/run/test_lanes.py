"""Lanes: calls in one thread each, side by side, and closed in time."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from fixtures.run.lanes import Lanes
from tests.waiting import PATIENCE


class Probe:
    """Notes the threads that call it."""

    def __init__(self) -> None:
        self.threads: list[int] = []

    def look(self, answer: str) -> str:
        """Return the answer."""
        self.threads.append(threading.get_ident())
        return answer


def test_a_probe_is_called_in_one_thread() -> None:
    """Whoever calls an owned probe, also another lane, the call is made in the probe's lane."""
    lanes = Lanes()
    probe = Probe()
    owned = lanes.own(probe, "database", lambda: probe.look("closed"))
    assert owned.look("here") == "here"
    assert lanes["logs"].submit(owned.look, "there").result(PATIENCE) == "there"
    assert lanes["database"].submit(owned.look, "within").result(PATIENCE) == "within"
    lanes.end()
    lanes.join()
    assert len(probe.threads) == 4
    assert set(probe.threads).isdisjoint({threading.get_ident()})
    assert len(set(probe.threads)) == 1


def test_a_probe_takes_keywords() -> None:
    """A call in a lane has the keywords that it was made with."""
    lanes = Lanes()
    assert lanes.own("a b c", "api").split(maxsplit=1) == ["a", "b c"]
    lanes.end()
    lanes.join()


def test_lanes_work_side_by_side() -> None:
    """Two calls in two lanes can wait for each other."""
    lanes = Lanes()
    meeting = threading.Barrier(2)
    looks = [lanes[name].submit(meeting.wait, PATIENCE) for name in ("api", "database")]
    assert sorted(look.result(PATIENCE) for look in looks) == [0, 1]
    lanes.end()
    lanes.join()


def test_an_error_is_raised_where_the_result_is_read() -> None:
    """An error of a call neither ends its lane nor gets lost."""
    lanes = Lanes()
    failed = lanes["api"].submit(int, "x")
    with pytest.raises(ValueError, match="invalid literal"):
        failed.result(PATIENCE)
    assert lanes["api"].call(int, "7") == 7
    lanes.end()
    lanes.join()


def test_a_lane_that_hangs_is_left_behind() -> None:
    """What was used is closed, and the lanes end, although one call does not return."""
    lanes = Lanes()
    released, hangs = threading.Event(), threading.Event()
    closed: list[str] = []

    def hang() -> None:
        hangs.set()
        released.wait()

    lanes.own(Probe(), "api", lambda: closed.append("api"))
    database = lanes.own(Probe(), "database", lambda: closed.append("database"))
    lanes.own(Probe(), "queue", lambda: closed.append("never used"))
    assert database.look("opened") == "opened"
    lanes["api"].submit(hang)
    assert hangs.wait(PATIENCE)
    assert lanes["api"].seconds > 0
    lanes.end()
    lanes.join()
    assert closed == ["database"]
    released.set()


def test_calls_that_wait_together_are_rehearsed() -> None:
    """Calls that come while their lane is busy are prepared together; a failure costs none."""
    lanes = Lanes()
    prepared: list[int] = []
    begun, may_end = threading.Event(), threading.Event()

    def be_busy() -> None:
        begun.set()
        may_end.wait(PATIENCE)

    class Prepared(Probe):
        def rehearse(self, questions: Sequence[object]) -> None:
            prepared.append(len(questions))
            raise ValueError("a rehearsal that fails")

        def begin_question(self) -> None:
            prepared.append(1)

        def end_rehearsal(self) -> None:
            prepared.append(0)

    rehearsed = Prepared()
    probe = lanes.own(rehearsed, "database", rehearsal=rehearsed)
    lanes["database"].submit(be_busy)
    assert begun.wait(PATIENCE)
    looks = [lanes["database"].submit(probe.look, word) for word in ("one", "two")]
    may_end.set()
    assert [look.result(PATIENCE) for look in looks] == ["one", "two"]
    lanes.end()
    lanes.join()
    assert prepared[:4] == [2, 1, 1, 0]
