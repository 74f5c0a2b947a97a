"""The record through which the checks read the canary's results."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from fixtures.probes.canary.record import CanaryObserver, CanaryRecord, remove_old_records
from fixtures.probes.canary.results import Acceptance, Stage, StatusTimeline
from fixtures.probes.errors import NotOffered, Unreachable
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

ACCEPTED = Acceptance("the API", "c.wav", 16044, True, 202, "u1", 0.1, "")
TIMELINE = StatusTimeline("the API", "u1", 15.0, 0.7, (Stage("uploading", 0.2),), True, "")


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    """A result comes back equal, an error is raised again."""
    record = CanaryRecord(tmp_path / "r.json")
    observer = CanaryObserver(tmp_path / "r.json", time.monotonic() + PATIENCE)
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


def test_an_observer_waits_for_the_result(tmp_path: Path) -> None:
    """A check that asks early gets the result when it is written."""
    record = CanaryRecord(tmp_path / "r.json")
    writer = threading.Timer(0.2, record.put, ("acceptance", ACCEPTED))
    writer.start()
    observer = CanaryObserver(tmp_path / "r.json", time.monotonic() + PATIENCE)
    assert observer.acceptance() == ACCEPTED
    writer.join()


def test_an_observer_gives_up(tmp_path: Path) -> None:
    """Without a result before the run ends, the check is unreachable."""
    with pytest.raises(Unreachable, match="the canary's track was not reported within"):
        CanaryObserver(tmp_path / "r.json", time.monotonic() + 0.1).track()


def test_records_of_killed_runs_are_deleted(tmp_path: Path) -> None:
    """Old records are deleted, and nothing else."""
    for name in (".veza-canary-1.json", ".veza-canary-2.tmp", "report.json"):
        (tmp_path / name).write_text("{}")
    remove_old_records(tmp_path, ".veza-canary-*")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
