"""Lanes: calls in one thread each, side by side, and closed in time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

import pytest

from fixtures.probes.background import settle
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


def test_equal_calls_that_wait_together_are_made_once() -> None:
    """One that comes while the lane makes an equal one wants what is then."""
    lanes = Lanes()
    probe, other = Probe(), Probe()
    lane = lanes["database"]
    begun, may_end = threading.Event(), threading.Event()

    def be_busy() -> None:
        begun.set()
        assert may_end.wait(PATIENCE)

    lane.submit(be_busy)
    assert begun.wait(PATIENCE)
    looks = [
        lane.submit(look, word) for word in ("a", "b", "a") for look in (probe.look, other.look)
    ]
    may_end.set()
    assert [look.result(PATIENCE) for look in looks] == ["a", "a", "b", "b", "a", "a"]
    assert (len(probe.threads), len(other.threads)) == (2, 2)
    assert lane.submit(probe.look, "a").result(PATIENCE) == "a"
    assert len(probe.threads) == 3
    lanes.end()
    lanes.join()


class Prepared(Probe):
    """Answers the first question while it prepares, and the first one that joins."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.may_go_on = threading.Event()
        self.fails = False

    def rehearse(
        self, questions: Sequence[Callable[[], Any]]
    ) -> Iterator[Sequence[tuple[int, Future[Any]]]]:
        """Prepare these questions in two steps; between them wait to go on."""
        self.said.append(f"prepare {len(questions)}")
        if self.fails:
            raise ValueError("a rehearsal that fails")
        yield [(0, settle(Future[Any](), questions[0]))]
        assert self.may_go_on.wait(PATIENCE)
        yield []
        if len(questions) > 1:
            yield [(1, settle(Future[Any](), questions[1]))]

    def look(self, answer: str) -> str:
        """Return the answer."""
        self.said.append(answer)
        return answer

    def begin_question(self) -> None:
        """Note it."""
        self.said.append("turn")

    def end_rehearsal(self) -> None:
        """Note it."""
        self.said.append("end")


def test_a_rehearsed_call_has_its_result_as_soon_as_it_is_there() -> None:
    """Calls that come meanwhile join it; those that it does not answer are made after it."""
    lanes = Lanes()
    prepared = Prepared()
    lanes.own(prepared, "database", rehearsal=prepared)
    lane = lanes["database"]
    assert lane.submit(prepared.look, "first").result(PATIENCE) == "first"
    looks = [lane.submit(prepared.look, word) for word in ("joined", "kept")]
    prepared.may_go_on.set()
    assert [look.result(PATIENCE) for look in looks] == ["joined", "kept"]
    lanes.end()
    lanes.join()
    kept = ["prepare 1", "kept", "end"]
    assert prepared.said == ["prepare 1", "first", "joined", "end", *kept]


def test_a_rehearsal_that_fails_costs_no_call() -> None:
    """Each call is then made in its turn."""
    lanes = Lanes()
    prepared = Prepared()
    prepared.fails = True
    probe = lanes.own(prepared, "database", rehearsal=prepared)
    assert probe.look("it") == "it"
    lanes.end()
    lanes.join()
    assert prepared.said == ["prepare 1", "turn", "it", "end"]
