"""Faults take hold by their real mechanism, and heal."""

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
    """What a test looks at the lab with; whatever it broke is healed afterwards."""
    with FaultTools(lab.directory) as tools:
        yield tools
    if faults.active(lab.directory):
        faults.heal(lab.directory)


def inject(tools: FaultTools, *names: str) -> None:
    """Inject, or skip what this machine cannot do."""
    lacking = faults.lacking(tools.directory, names)
    if lacking:
        pytest.skip(f"needs {lacking}")
    faults.inject(tools.directory, names)


def stuck(tools: FaultTools) -> int:
    """Uploads that have been uploading for longer than ten minutes."""
    return int(
        tools.query(
            "SELECT count(*) FROM uploads WHERE status = 'uploading'"
            " AND created_at < now() - interval '10 minutes'"
        )[0][0]
    )


def assert_healthy(tools: FaultTools) -> None:
    """No upload is stuck, the worker is well, and the log is silent about what was."""
    assert stuck(tools) == 0
    assert tools.health("/readyz") == 200
    assert tools.health("/health/worker") == 200
    text = "".join(path.read_text() for path in tools.lab.app_logs.glob("*.log"))
    assert '"level":"error"' not in text
    assert tools.query("SELECT 1 FROM uploads WHERE filename LIKE %s", "session-%") == []


def test_killed_worker_leaves_uploads_stuck(tools: FaultTools) -> None:
    """Without a worker old uploads wait with pending jobs, and healing has them processed."""
    inject(tools, "worker-killed")
    assert tools.pid("worker") is None
    assert stuck(tools) >= 5
    rows = tools.query(
        "SELECT 1 FROM job_queue WHERE status = 'pending'"
        " AND created_at < now() - interval '10 minutes'"
    )
    assert len(rows) >= 5
    faults.heal(tools.directory)
    assert_healthy(tools)


def test_deleted_queue_stops_the_jobs_and_comes_back(tools: FaultTools) -> None:
    """The worker loses its queue, uploads go on being accepted, and healing declares it anew."""
    inject(tools, "queue-deleted")
    assert stuck(tools) >= 5
    assert tools.health("/readyz") == 503
    faults.heal(tools.directory)
    assert tools.depth()["consumers"] == 1
    assert_healthy(tools)


def test_two_faults_stand_together(tools: FaultTools) -> None:
    """Swallowed errors and vanished files are both there, each with its own trace."""
    inject(tools, "error-swallowed", "file-missing")
    finished = (
        "SELECT count(*) FROM uploads u JOIN job_queue j ON j.payload ->> 'upload_id' = u.id::text"
        " WHERE u.status = 'uploading' AND j.status = "
    )
    assert tools.query(f"{finished} 'completed'")[0][0] == 8
    assert tools.query(f"{finished} 'failed' AND u.error_message IS NOT NULL")[0][0] == 8
    with pytest.raises(LabError, match="heal it first"):
        faults.inject(tools.directory, ["worker-killed"])
    faults.heal(tools.directory)
    assert_healthy(tools)


def test_slow_processing_keeps_jobs_processing(tools: FaultTools) -> None:
    """Jobs are processing for longer than five minutes while the worker is well."""
    inject(tools, "slow-processing")
    rows = tools.query(
        "SELECT 1 FROM job_queue WHERE status = 'processing'"
        " AND started_at < now() - interval '5 minutes'"
    )
    assert len(rows) == 4
    assert tools.health("/health/worker") == 200
    faults.heal(tools.directory)
    assert_healthy(tools)


def test_unknown_fault_is_refused_with_the_nearest_name(tools: FaultTools) -> None:
    """A slip of the pen is answered with what was probably meant."""
    with pytest.raises(LabError, match="did you mean worker-killed"):
        faults.inject(tools.directory, ["worker-kiled"])
