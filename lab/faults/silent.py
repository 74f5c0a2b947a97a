"""Processing failed silently: a job went wrong and nothing recorded it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.faults.model import Family, Kind
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


@FAMILY.fault("stale-cache", "the API answers from a cache: finished uploads are still uploading")
def stale_cache(tools: FaultTools) -> None:
    """Have the API serve the first status of each upload forever.

    Of the five hypotheses it is the silent failure: worker, queue, storage and time limits are
    well, the database has the result, and nothing told the users, who see `uploading` forever. A
    silent failure is a result that did not reach whoever waits for it.
    """
    tools.turn_on(caches_statuses=True)
    uploads = tools.make_old_uploads("completed", "completed")
    path = tools.lab.variant.routes.status.format(upload_id=uploads[0])
    answer = tools.client.get(path).text
    if '"uploading"' not in answer:
        raise LabError(f"the API does not answer from its cache: {answer[:200]}")
