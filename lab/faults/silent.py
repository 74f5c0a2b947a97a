"""Processing failed silently: a job went wrong and nothing recorded it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from lab.faults.model import Family, Kind, Need
from lab.faults.tools import NOT_AUDIO

if TYPE_CHECKING:
    from lab.faults.tools import FaultTools

FAMILY = Family(Kind.SINGLE, "processing_failed_silently")


@FAMILY.fault("error-swallowed", "failed jobs are marked as completed")
def swallowed(tools: FaultTools) -> None:
    tools.turn_on(swallows_errors=True)
    tools.make_old_uploads("uploading", "completed", content=NOT_AUDIO)


@FAMILY.fault("error-not-recorded", "jobs failed, and their uploads were not updated")
def not_recorded(tools: FaultTools) -> None:
    tools.turn_on(forgets_errors=True)
    tools.make_old_uploads("uploading", "failed", content=NOT_AUDIO)


# Without the management API an abandoned job looks like one that hangs, and a message that was
# ignored like one that was lost.
@FAMILY.fault(
    "job-abandoned",
    "the worker forgets a failed job: it stays in processing, its message is acknowledged",
    Need.MANAGEMENT,
)
def abandoned(tools: FaultTools) -> None:
    tools.turn_on(abandons_jobs=True)
    uploads = tools.upload(content=NOT_AUDIO)
    tools.wait_for_uploads(uploads, "uploading", "processing")
    tools.backdate_between(uploads, 20, 35)
    tools.wait_for_uploads(tools.upload(1), "completed", "completed")


# With a broker the job's message goes to the next worker.
@FAMILY.fault(
    "job-left",
    "a worker was killed during its job, and its successor leaves the job as it is",
    Need.NO_BROKER,
)
def left(tools: FaultTools) -> None:
    tools.turn_on(hangs=True)
    uploads = tools.upload(1, stem="répétition")
    tools.wait_for_uploads(uploads, "processing", "processing")
    tools.signal_workers(signal.SIGKILL)
    tools.turn_on(hangs=False)
    for worker in tools.lab.workers:
        # It waits for the threads of the killed process.
        tools.stop(worker)
        tools.start(worker)
    # It was not late when its worker died, and is now.
    tools.backdate_between(uploads, 4.8, 4.8)
    statement = (
        "SELECT max(started_at) < now() - interval '305 s' FROM job_queue"
        " WHERE payload::jsonb ->> 'upload_id' = ANY(%s)"
    )
    tools.wait(lambda: tools.query(statement, uploads)[0][0], 60, "a late job")
    tools.wait_for_uploads(tools.upload(1), "completed", "completed")


@FAMILY.fault(
    "message-ignored",
    "the worker acknowledges messages and does not start their jobs",
    Need.MANAGEMENT,
)
def ignored(tools: FaultTools) -> None:
    tools.turn_on(ignores_messages=True)
    tools.backdate_history()
    uploads = tools.upload()
    tools.wait_for_queue(messages_ready=(0, 0), messages_unacknowledged=(0, 0))
    tools.wait_for_uploads(uploads, "uploading", "pending")
    tools.backdate(uploads)
    # Those of other users go the same way. The check compares what was taken since the newest job
    # that waits for 10 s with the work since 12 s before that: none may be of before this began.
    statement = (
        "WITH waiting AS (SELECT max(created_at) - interval '14 s' AS since FROM job_queue"
        "  WHERE status::text = 'pending'"
        "  AND created_at BETWEEN now() - interval '5 min' AND now() - interval '10 s')"
        " SELECT since IS NOT NULL"
        " AND NOT EXISTS (SELECT FROM job_queue WHERE greatest(started_at, completed_at) >= since)"
        " AND NOT EXISTS (SELECT FROM uploads WHERE updated_at >= since"
        "  AND status::text NOT IN ('uploading', 'pending')) FROM waiting"
    )
    tools.wait(
        lambda: tools.query(statement)[0][0], 90, "a job that is newer by 14 s than the work"
    )


@FAMILY.fault("job-never-created", "uploads were received and got no job")
def never_created(tools: FaultTools) -> None:
    tools.turn_on(drops_jobs=True)
    tools.make_old_uploads("uploading", None, stem="répétition")


@FAMILY.fault("status-update-lost", "jobs completed, and their status update matched no row")
def update_lost(tools: FaultTools) -> None:
    tools.turn_on(loses_updates=True)
    tools.make_old_uploads("uploading", "completed", stem="répétition")


@FAMILY.fault("job-rows-deleted", "jobs and their messages were deleted while they waited")
def rows_deleted(tools: FaultTools) -> None:
    """Delete the jobs of waiting uploads, as a clean-up of "old" jobs does; later ones complete."""
    with tools.load_generator_stopped(), tools.workers_paused():
        uploads = tools.upload()
        if tools.lab.broker:
            tools.wait_for_queue(messages_ready=(len(uploads), len(uploads)))
        tools.query("DELETE FROM job_queue WHERE payload::jsonb ->> 'upload_id' = ANY(%s)", uploads)
        if tools.lab.broker:
            tools.purge_queue()
    tools.wait_for_uploads(tools.upload(1), "completed", "completed")
    tools.wait_for_uploads(uploads, "uploading", None)
    tools.backdate(uploads)
