"""Faults take hold by their real mechanism, and heal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab import faults
from lab.errors import LabError
from lab.faults.tools import Hands

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.state import Lab


@pytest.fixture
def hands(lab: Lab) -> Iterator[Hands]:
    """What a test looks at the lab with; whatever it broke is healed afterwards."""
    with Hands(lab.directory) as hands:
        yield hands
    if faults.active(lab.directory):
        faults.heal(lab.directory)


def inject(hands: Hands, *names: str) -> None:
    """Inject, or skip what this machine cannot do."""
    lacking = faults.lacking(hands.directory, names)
    if lacking:
        pytest.skip(f"needs {lacking}")
    faults.inject(hands.directory, names)


def stuck(hands: Hands) -> int:
    """Uploads that have been uploading for longer than ten minutes."""
    return int(
        hands.query(
            "SELECT count(*) FROM uploads WHERE status = 'uploading'"
            " AND created_at < now() - interval '10 minutes'"
        )[0][0]
    )


def assert_healthy(hands: Hands) -> None:
    """No upload is stuck, the worker is well, and the log is silent about what was."""
    assert stuck(hands) == 0
    assert hands.health("/readyz") == 200
    assert hands.health("/health/worker") == 200
    text = "".join(path.read_text() for path in hands.lab.app_logs.glob("*.log"))
    assert '"level":"error"' not in text
    assert hands.query("SELECT 1 FROM uploads WHERE filename LIKE %s", "session-%") == []


def test_killed_worker_leaves_uploads_stuck(hands: Hands) -> None:
    """Without a worker old uploads wait with pending jobs, and healing has them processed."""
    inject(hands, "worker-killed")
    assert hands.pid("worker") is None
    assert stuck(hands) >= 5
    rows = hands.query(
        "SELECT 1 FROM job_queue WHERE status = 'pending'"
        " AND created_at < now() - interval '10 minutes'"
    )
    assert len(rows) >= 5
    faults.heal(hands.directory)
    assert_healthy(hands)


def test_deleted_queue_stops_the_jobs_and_comes_back(hands: Hands) -> None:
    """The worker loses its queue, uploads go on being accepted, and healing declares it anew."""
    inject(hands, "queue-deleted")
    assert stuck(hands) >= 5
    assert hands.health("/readyz") == 503
    faults.heal(hands.directory)
    assert hands.depth()["consumers"] == 1
    assert_healthy(hands)


def test_two_faults_stand_together(hands: Hands) -> None:
    """Swallowed errors and vanished files are both there, each with its own trace."""
    inject(hands, "error-swallowed", "file-missing")
    finished = (
        "SELECT count(*) FROM uploads u JOIN job_queue j ON j.payload ->> 'upload_id' = u.id::text"
        " WHERE u.status = 'uploading' AND j.status = "
    )
    assert hands.query(f"{finished} 'completed'")[0][0] == 8
    assert hands.query(f"{finished} 'failed' AND u.error_message IS NOT NULL")[0][0] == 8
    with pytest.raises(LabError, match="heal it first"):
        faults.inject(hands.directory, ["worker-killed"])
    faults.heal(hands.directory)
    assert_healthy(hands)


def test_slow_processing_keeps_jobs_processing(hands: Hands) -> None:
    """Jobs are processing for longer than five minutes while the worker is well."""
    inject(hands, "slow-processing")
    rows = hands.query(
        "SELECT 1 FROM job_queue WHERE status = 'processing'"
        " AND started_at < now() - interval '5 minutes'"
    )
    assert len(rows) == 4
    assert hands.health("/health/worker") == 200
    faults.heal(hands.directory)
    assert_healthy(hands)


def test_unknown_fault_is_refused_with_the_nearest_name(hands: Hands) -> None:
    """A slip of the pen is answered with what was probably meant."""
    with pytest.raises(LabError, match="did you mean worker-killed"):
        faults.inject(hands.directory, ["worker-kiled"])
