"""Injection and healing of faults in a running lab."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab import faults
from lab.errors import LabError
from lab.faults.tools import FaultTools

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.state import Lab


@pytest.fixture
def tools(lab: Lab) -> Iterator[FaultTools]:
    """The fault tools of the lab; a fault that a test leaves injected is healed after it."""
    with FaultTools(lab.directory) as tools:
        yield tools
    if faults.active(lab.directory):
        faults.heal(lab.directory)


def inject(tools: FaultTools, *names: str) -> None:
    """Inject faults; skip the test where the lab does not meet their needs."""
    missing = faults.missing_needs(tools.directory, names)
    if missing:
        pytest.skip(f"needs {missing}")
    faults.inject(tools.directory, names)


def stuck_uploads(tools: FaultTools) -> int:
    """Return how many uploads have been `uploading` for more than ten minutes."""
    return int(
        tools.query(
            "SELECT count(*) FROM uploads WHERE status = 'uploading'"
            " AND created_at < now() - interval '10 minutes'"
        )[0][0]
    )


def assert_healthy(tools: FaultTools) -> None:
    """Assert that no upload is stuck, API and worker are healthy, and the logs have no error."""
    assert stuck_uploads(tools) == 0
    assert tools.http_status("/readyz") == 200
    assert tools.http_status("/health/worker") == 200
    text = "".join(path.read_text() for path in tools.lab.app_logs.glob("*.log"))
    assert '"level":"error"' not in text
    assert tools.query("SELECT 1 FROM uploads WHERE filename LIKE %s", "session-%") == []


def test_killed_worker_leaves_uploads_stuck(tools: FaultTools) -> None:
    """Without a worker, old uploads wait with pending jobs; healing has them processed."""
    inject(tools, "worker-killed")
    assert tools.pid("worker") is None
    assert stuck_uploads(tools) >= 5
    rows = tools.query(
        "SELECT 1 FROM job_queue WHERE status = 'pending'"
        " AND created_at < now() - interval '10 minutes'"
    )
    assert len(rows) >= 5
    faults.heal(tools.directory)
    assert_healthy(tools)


def test_deleted_queue_is_declared_again(tools: FaultTools) -> None:
    """With the queue deleted, uploads are accepted and stuck; healing declares the queue again."""
    inject(tools, "queue-deleted")
    assert stuck_uploads(tools) >= 5
    assert tools.http_status("/readyz") == 503
    faults.heal(tools.directory)
    assert tools.queue_figures()["consumers"] == 1
    assert_healthy(tools)


def test_two_faults_at_once(tools: FaultTools) -> None:
    """Swallowed errors and missing files both leave their rows; a third fault is refused."""
    inject(tools, "error-swallowed", "file-missing")
    ended_jobs = (
        "SELECT count(*) FROM uploads u JOIN job_queue j ON j.payload ->> 'upload_id' = u.id::text"
        " WHERE u.status = 'uploading' AND j.status = "
    )
    assert tools.query(f"{ended_jobs} 'completed'")[0][0] == 8
    assert tools.query(f"{ended_jobs} 'failed' AND u.error_message IS NOT NULL")[0][0] == 8
    with pytest.raises(LabError, match="heal it first"):
        faults.inject(tools.directory, ["worker-killed"])
    faults.heal(tools.directory)
    assert_healthy(tools)


def test_slow_processing_keeps_jobs_processing(tools: FaultTools) -> None:
    """Jobs stay `processing` for more than five minutes while the worker is healthy."""
    inject(tools, "slow-processing")
    rows = tools.query(
        "SELECT 1 FROM job_queue WHERE status = 'processing'"
        " AND started_at < now() - interval '5 minutes'"
    )
    assert len(rows) == 4
    assert tools.http_status("/health/worker") == 200
    faults.heal(tools.directory)
    assert_healthy(tools)


def test_unknown_fault_suggests_the_closest_name(tools: FaultTools) -> None:
    """The error for a misspelt fault suggests the closest name."""
    with pytest.raises(LabError, match="did you mean worker-killed"):
        faults.inject(tools.directory, ["worker-kiled"])
