"""Processing timeout: jobs take too long or never end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from lab.audio import tone
from lab.consumers import CONCURRENCY
from lab.faults.model import Family, Kind, Need

if TYPE_CHECKING:
    from lab.faults.tools import FaultTools

FAMILY = Family(Kind.SINGLE, "processing_timeout")
COMPLETED_UPLOADS = 4
ENDLESS_SECONDS = 3600.0
STARVED_AUDIO_SECONDS = 2400.0
"""Audio that the starved workers get: 38 MB, of a file system of 64 MB."""


@FAMILY.fault("slow-processing", "every job takes many minutes")
def slow(tools: FaultTools) -> None:
    # First, a few completed uploads: below, each gets a job that took seven to nine minutes.
    tools.turn_on(seconds_per_chunk=0.3)
    completed = tools.upload(COMPLETED_UPLOADS)
    tools.wait_for_uploads(completed, "completed", "completed", 30)
    # Let the load generator's jobs end first: each would occupy a thread or end too late.
    with tools.load_generator_stopped():
        tools.wait(lambda: not _jobs(tools, "pending", "processing"), 30, "the end of all jobs")
        tools.turn_on(seconds_per_chunk=ENDLESS_SECONDS)
    tools.backdate_history()
    _make_slow(tools, completed)
    # Then, uploads that occupy every thread of the worker, and more that wait behind them.
    _make_overdue(tools, tools.upload(2 * _threads(tools)))
    tools.wait_for_worker_log()


@FAMILY.fault("worker-starved", "the workers get one percent of a CPU: every job takes minutes")
def starved(tools: FaultTools) -> None:
    """Let the workers run 5 of 500 milliseconds, and give them files that need CPU time.

    They are alive and work, but a job that took a tenth of a second takes a minute or more.
    """
    with tools.load_generator_stopped():
        completed = tools.upload(COMPLETED_UPLOADS)
        tools.wait_for_uploads(completed, "completed", "completed", 30)
        tools.wait(lambda: not _jobs(tools, "pending", "processing"), 30, "the end of all jobs")
        tools.backdate_history()
        _make_slow(tools, completed)
        tools.start_helper("worker_limiter")
        count = 2 * _threads(tools)
        _make_overdue(tools, tools.upload(count, content=tone(STARVED_AUDIO_SECONDS / count)))
    tools.wait_for_worker_log()


@FAMILY.fault("overloaded", "users upload more than the worker can process in time", Need.NO_BROKER)
def overloaded(tools: FaultTools) -> None:
    """Give the worker jobs for two minutes that are late already, of some seconds each.

    They start in their order. With a broker the queue would be the hypothesis: it is saturated.
    """
    with tools.load_generator_stopped():
        tools.wait(lambda: not _jobs(tools, "pending", "processing"), 30, "the end of all jobs")
        tools.backdate_history()
        tools.turn_on(seconds_per_chunk=2.0)
        uploads = tools.upload(30 * _threads(tools))
        tools.backdate(uploads)
    # The first ones have started before they were made older.
    tools.wait_for_uploads(uploads[: _threads(tools) + 1], "completed", "completed", 60)
    tools.wait_for_worker_log()


def _threads(tools: FaultTools) -> int:
    """Return how many jobs all workers process at the same time."""
    return CONCURRENCY * len(tools.lab.workers)


def _make_slow(tools: FaultTools, completed: Sequence[str]) -> None:
    """Rewrite completed uploads so that their jobs took seven to nine minutes each."""
    for number, upload in enumerate(completed):
        took = timedelta(minutes=7 + number * 0.7)
        tools.query(
            "UPDATE job_queue SET created_at = now() - %s, started_at = now() - %s,"
            " completed_at = now() - %s WHERE payload::jsonb ->> 'upload_id' = %s",
            *(took * 2.5, took * (1.1 + number * 0.05), took * (0.1 + number * 0.05), upload),
        )
        tools.query(
            "UPDATE uploads SET created_at = now() - %s, updated_at = now() - %s WHERE id = %s",
            *(took * 2.5, took * (0.1 + number * 0.05), upload),
        )


def _make_overdue(tools: FaultTools, waiting: Sequence[str]) -> None:
    """Wait until every thread has a job, and make these jobs minutes older, and the others too."""
    tools.wait(
        lambda: _jobs(tools, "processing") == _threads(tools),
        60,
        "a job in every thread of the workers",
    )
    tools.backdate(waiting)
    tools.query(
        "UPDATE job_queue SET created_at = least(created_at, now() - interval '14 minutes'),"
        " started_at = now() - interval '7 minutes' - random() * interval '2 minutes'"
        " WHERE status = 'processing'"
    )
    tools.query(
        "UPDATE uploads SET created_at = least(created_at, now() - interval '14 minutes'),"
        " updated_at = now() - interval '6 minutes' WHERE status = 'processing'"
    )


def _jobs(tools: FaultTools, *statuses: str) -> int:
    """Return how many jobs have one of these statuses."""
    statement = "SELECT count(*) FROM job_queue WHERE status::text = ANY(%s)"
    return int(tools.query(statement, list(statuses))[0][0])


@FAMILY.fault("job-hung", "one job never returns, the others complete")
def hung(tools: FaultTools) -> None:
    tools.turn_on(hangs=True)
    uploads = tools.upload(1, stem="répétition")
    tools.wait_for_uploads(uploads, "processing", "processing")
    tools.backdate_between(uploads, 35, 35)
    # The other uploads still complete.
    tools.wait_for_uploads(tools.upload(1), "completed", "completed")


@FAMILY.fault("deadline-exceeded", "every job exceeds its deadline, also when it is tried again")
def deadline(tools: FaultTools) -> None:
    tools.turn_on(seconds_per_chunk=5.0, processing_timeout=0.5)
    tools.backdate_history()
    tools.make_old_uploads("uploading", "failed", seconds=60)
