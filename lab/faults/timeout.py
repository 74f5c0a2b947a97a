"""Processing timeout: jobs take too long, or never end."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lab.consumers import CONCURRENCY
from lab.faults.model import Family, Kind

if TYPE_CHECKING:
    from lab.faults.tools import FaultTools

FAMILY = Family(Kind.SINGLE, "processing_timeout")
DONE = 4
FOREVER_SECONDS = 3600.0


@FAMILY.fault("slow-processing", "every job takes many minutes")
def slow(tools: FaultTools) -> None:
    # Some that are done, each of which took seven to nine minutes ...
    tools.switch(seconds_per_chunk=0.3)
    done = tools.upload(DONE)
    tools.wait_for(done, "completed", "completed", 30)
    # A job of theirs that began before the switch would be in the way, or end after it.
    with tools.without_users():
        tools.wait(lambda: not _jobs(tools, "pending", "processing"), 30, "the jobs so far to end")
        tools.switch(seconds_per_chunk=FOREVER_SECONDS)
    tools.age_past()
    for number, upload in enumerate(done):
        took = timedelta(minutes=7 + number * 0.7)
        tools.query(
            "UPDATE job_queue SET created_at = now() - %s, started_at = now() - %s,"
            " completed_at = now() - %s WHERE payload ->> 'upload_id' = %s",
            *(took * 2.5, took * (1.1 + number * 0.05), took * (0.1 + number * 0.05), str(upload)),
        )
        tools.query(
            "UPDATE uploads SET created_at = now() - %s, updated_at = now() - %s WHERE id = %s",
            *(took * 2.5, took * (0.1 + number * 0.05), upload),
        )
    # ... and those that are being worked on since, with more behind them.
    waiting = tools.upload()
    tools.wait(
        lambda: _jobs(tools, "processing") == CONCURRENCY, 20, "every hand of the worker busy"
    )
    tools.age(waiting)
    tools.query(
        "UPDATE job_queue SET created_at = least(created_at, now() - interval '14 minutes'),"
        " started_at = now() - interval '7 minutes' - random() * interval '2 minutes'"
        " WHERE status = 'processing'"
    )
    tools.query(
        "UPDATE uploads SET created_at = least(created_at, now() - interval '14 minutes'),"
        " updated_at = now() - interval '6 minutes' WHERE status = 'processing'"
    )
    tools.wait_for_worker_line()


def _jobs(tools: FaultTools, *statuses: str) -> int:
    """How many jobs have one of these statuses."""
    statement = "SELECT count(*) FROM job_queue WHERE status = ANY(%s)"
    return int(tools.query(statement, list(statuses))[0][0])


@FAMILY.fault("job-hung", "one job never returns, the others go on")
def hung(tools: FaultTools) -> None:
    tools.switch(hangs=True)
    uploads = tools.upload(1, stem="répétition")
    tools.wait_for(uploads, "processing", "processing")
    tools.age(uploads, newest=35, oldest=35)
    # The others do go on.
    tools.wait_for(tools.upload(1), "completed", "completed")


@FAMILY.fault("deadline-exceeded", "every job is killed at its deadline, tried again, killed again")
def deadline(tools: FaultTools) -> None:
    tools.switch(seconds_per_chunk=5.0, processing_timeout=0.5)
    tools.age_past()
    uploads = tools.upload()
    tools.wait_for(uploads, "uploading", "failed", 60)
    tools.age(uploads)
