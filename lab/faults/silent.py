"""Processing failed silently: a job went wrong and nothing recorded it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.faults.model import Family, Kind
from lab.faults.tools import NOT_AUDIO

if TYPE_CHECKING:
    from lab.faults.tools import FaultTools

FAMILY = Family(Kind.SINGLE, "processing_failed_silently")


@FAMILY.fault("error-swallowed", "failed jobs are marked as completed")
def swallowed(tools: FaultTools) -> None:
    tools.turn_on(swallows_errors=True)
    uploads = tools.upload(content=NOT_AUDIO)
    tools.wait_for_uploads(uploads, "uploading", "completed")
    tools.backdate(uploads)


@FAMILY.fault("error-not-recorded", "jobs failed, and their uploads were not updated")
def not_recorded(tools: FaultTools) -> None:
    tools.turn_on(forgets_errors=True)
    uploads = tools.upload(content=NOT_AUDIO)
    tools.wait_for_uploads(uploads, "uploading", "failed")
    tools.backdate(uploads)


@FAMILY.fault("job-never-created", "uploads were received and got no job")
def never_created(tools: FaultTools) -> None:
    tools.turn_on(drops_jobs=True)
    uploads = tools.upload(stem="répétition")
    tools.wait_for_uploads(uploads, "uploading", None)
    tools.backdate(uploads)


@FAMILY.fault("status-update-lost", "jobs completed, and their status update matched no row")
def update_lost(tools: FaultTools) -> None:
    tools.turn_on(loses_updates=True)
    uploads = tools.upload(stem="répétition")
    tools.wait_for_uploads(uploads, "uploading", "completed")
    tools.backdate(uploads)
