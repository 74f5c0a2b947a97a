"""Injection and healing of faults in a running lab."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pika
import psycopg
import pytest
from pika.exceptions import ProbableAccessDeniedError

from lab import broker, faults
from lab.audio import tone
from lab.bugs import Bugs
from lab.errors import LabError
from lab.faults.tools import FaultTools
from lab.processes import process_state
from tests.waiting import PATIENCE, eventually

if TYPE_CHECKING:
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
    tools.wait_for_queue(PATIENCE, consumers=(1, 1))
    assert_healthy(tools)


def test_healing_deletes_what_a_broken_injection_left(tools: FaultTools) -> None:
    """A fault records its uploads when it has made them all; one that fails before leaves some."""
    tools.send("session-1.wav", tone(0.5))
    faults.heal(tools.directory)
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


def test_starved_workers_still_work(tools: FaultTools) -> None:
    """A job takes more than five minutes, and the worker still sends heartbeats."""
    inject(tools, "worker-starved")
    rows = tools.query(
        "SELECT 1 FROM job_queue WHERE status = 'processing'"
        " AND started_at < now() - interval '5 minutes'"
    )
    # The worker works: a job may end, and the next one that it takes has just started.
    assert rows
    pid = tools.pid("worker")
    assert pid is not None
    heartbeat = "SELECT seen_at FROM worker_heartbeats WHERE consuming"
    before = tools.query(heartbeat)
    eventually(lambda: process_state(pid) == "T", "a stopped worker")
    # On a busy machine a heartbeat may be late for its limit, and the next one still comes.
    eventually(lambda: tools.query(heartbeat) > before, "the worker's next heartbeat")
    faults.heal(tools.directory)
    assert_healthy(tools)


def test_another_consumer_keeps_a_share(tools: FaultTools) -> None:
    """Some uploads complete, the jobs of the others are pending and their messages held."""
    inject(tools, "partial-consumer")
    stuck = stuck_uploads(tools)
    assert stuck >= 5
    tools.wait_for_queue(PATIENCE, messages_unacknowledged=(stuck, 1000))
    uploads = tools.recorded_uploads()
    assert len(tools.uploads_with(uploads, "completed", "completed")) >= 5
    faults.heal(tools.directory)
    assert_healthy(tools)


def test_expired_messages_are_dead_letters(tools: FaultTools) -> None:
    """The jobs stay pending, their messages are in the dead-letter queue, the queue is empty."""
    inject(tools, "dead-letters-ttl")
    assert stuck_uploads(tools) >= 5
    dead_letters = broker.path_of(tools.lab, "queues", tools.lab.rabbitmq.dead_letter)
    assert broker.manage(tools.lab, "GET", dead_letters)["messages"] >= 5
    tools.wait_for_queue(PATIENCE, messages_ready=(0, 1))
    faults.heal(tools.directory)
    assert broker.manage(tools.lab, "GET", broker.path_of(tools.lab, "policies")) == []
    assert_healthy(tools)


def test_purged_messages_leave_jobs_pending(tools: FaultTools) -> None:
    """The jobs stay pending without a message, while a healthy worker waits."""
    inject(tools, "messages-purged")
    assert stuck_uploads(tools) == 8
    assert len(tools.uploads_with(tools.recorded_uploads(), "uploading", "pending")) == 8
    tools.wait_for_queue(PATIENCE, messages_ready=(0, 1))
    assert tools.worker_state() == "ok"
    faults.heal(tools.directory)
    assert_healthy(tools)


def test_deleted_jobs_leave_uploads_alone(tools: FaultTools) -> None:
    """The uploads wait without a job, and a later one has completed."""
    inject(tools, "job-rows-deleted")
    assert stuck_uploads(tools) == 8
    assert len(tools.uploads_with(tools.recorded_uploads(), "uploading", None)) == 8
    assert len(tools.uploads_with(tools.recorded_uploads(), "completed", "completed")) == 1
    faults.heal(tools.directory)
    assert_healthy(tools)


def test_a_stale_cache_hides_completed_uploads(tools: FaultTools) -> None:
    """The API reports uploads as `uploading` that the database has as completed."""
    inject(tools, "stale-cache")
    uploads = tools.recorded_uploads()
    assert len(tools.uploads_with(uploads, "completed", "completed")) == 8
    answers = [tools.client.get(f"/api/v1/uploads/{upload}/status").json() for upload in uploads]
    assert {answer["data"]["status"] for answer in answers} == {"uploading"}
    faults.heal(tools.directory)
    assert_healthy(tools)


def test_a_read_only_database_refuses_writes(tools: FaultTools) -> None:
    """The application's sessions can read and not write; healing lets them write again."""
    inject(tools, "database-readonly")
    assert stuck_uploads(tools) == 8
    with (
        psycopg.connect(tools.lab.owner_dsn) as session,
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
    ):
        session.execute("UPDATE uploads SET progress = 0 WHERE false")
    assert tools.http_status("/readyz") == 200
    assert tools.http_status("/health/worker") == 503
    faults.heal(tools.directory)
    assert not tools.is_read_only()
    assert_healthy(tools)


def test_healing_ends_sessions_that_kept_the_setting(tools: FaultTools) -> None:
    """A person who lets the database write again may leave sessions that do not; healing ends them.

    Here the session is of the test, in the application's name.
    """
    with psycopg.connect(
        tools.lab.owner_dsn, options="-c default_transaction_read_only=on"
    ) as session:
        faults.heal(tools.directory)
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")


def test_a_user_without_rights_cannot_use_the_broker(tools: FaultTools) -> None:
    """The broker refuses the application's login and accepts the monitor's."""
    inject(tools, "broker-permission-revoked")
    assert stuck_uploads(tools) == 8
    with pytest.raises(ProbableAccessDeniedError):
        pika.BlockingConnection(pika.URLParameters(tools.lab.app_amqp_url))
    pika.BlockingConnection(pika.URLParameters(tools.lab.amqp_url)).close()
    faults.heal(tools.directory)
    assert_healthy(tools)


def test_users_who_give_up_leave_half_a_file(tools: FaultTools) -> None:
    """Each upload has a part of its file, a progress below 100 and no job."""
    inject(tools, "given-up")
    uploads = tools.recorded_uploads()
    assert set(tools.uploads_with(uploads, "uploading", None)) == set(uploads)
    progress = tools.query("SELECT progress FROM uploads WHERE id::text = ANY(%s)", uploads)
    assert all(20 <= percent <= 60 for (percent,) in progress)
    assert all(0 < tools.stored_file(upload).stat().st_size < 400_000 for upload in uploads)
    assert "upload abandoned by its client" in tools.lab.api_log.read_text()
    faults.heal(tools.directory)
    assert_healthy(tools)


def test_a_heartbeat_of_the_former_process_is_not_the_workers(tools: FaultTools) -> None:
    """Right after a restart the last heartbeat is young, and the new process consumes nothing."""
    tools.wait_for_all_workers()
    try:
        tools.stop("worker")
        restarted = tools.query("SELECT clock_timestamp()")
        tools.start("worker")
        tools.wait_for_all_workers()
        assert tools.query("SELECT seen_at FROM worker_heartbeats") > restarted
    finally:
        # A second start in the log looks like a crash loop.
        faults.heal(tools.directory)


def test_healing_ends_an_api_that_may_still_hash(tools: FaultTools) -> None:
    """It would store the slow hash of a login that began before the healing."""
    before = tools.pid("api")
    tools.turn_on(hash_rounds=2 * Bugs.hash_rounds)
    faults.heal(tools.directory, logins_only=True)
    assert tools.pid("api") not in (before, None)


def test_unknown_fault_suggests_the_closest_name(tools: FaultTools) -> None:
    """The error for a misspelt fault suggests the closest name."""
    with pytest.raises(LabError, match="did you mean worker-killed"):
        faults.inject(tools.directory, ["worker-kiled"])
