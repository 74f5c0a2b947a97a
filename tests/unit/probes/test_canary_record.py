"""The record through which the checks read the canary's results."""

from __future__ import annotations

import threading
import time

import pytest

from fixtures.probes.canary.record import CanaryObserver, CanaryRecord
from fixtures.probes.canary.results import Acceptance, StatusTimeline, TimeInStatus
from fixtures.probes.errors import NotOffered, Unreachable
from tests.waiting import PATIENCE

ACCEPTED = Acceptance("the API", "c.wav", 16044, True, 202, "u1", 0.1, "")
TIMELINE = StatusTimeline("the API", "u1", 15.0, 0.7, (TimeInStatus("uploading", 0.2),), True, "")


def test_a_result_is_read_as_it_was_written() -> None:
    """A result comes back equal, an error is raised again."""
    record = CanaryRecord()
    observer = CanaryObserver(record, time.monotonic() + PATIENCE)
    record.put("acceptance", ACCEPTED)
    record.put("departure", TIMELINE)
    record.put("completion", Unreachable("not so far"))
    record.put("removal", NotOffered("no delete"))
    assert observer.acceptance() == ACCEPTED
    assert observer.departure() == TIMELINE
    with pytest.raises(Unreachable, match="not so far"):
        observer.completion()
    with pytest.raises(NotOffered, match="no delete"):
        observer.removal()


def test_an_observer_waits_for_the_result() -> None:
    """A check that asks early gets the result when it is written."""
    record = CanaryRecord()
    writer = threading.Timer(0.2, record.put, ("acceptance", ACCEPTED))
    writer.start()
    observer = CanaryObserver(record, time.monotonic() + PATIENCE)
    assert observer.acceptance() == ACCEPTED
    writer.join()


def test_an_observer_gives_up() -> None:
    """Without a result before the run ends, the check is unreachable."""
    with pytest.raises(Unreachable, match="the canary's track was not reported within"):
        CanaryObserver(CanaryRecord(), time.monotonic() + 0.1).track()
