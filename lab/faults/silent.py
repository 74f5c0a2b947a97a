"""Processing failed silently: nobody wrote down that it went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.faults.model import Family, Kind
from lab.faults.tools import NOT_AUDIO

if TYPE_CHECKING:
    from lab.faults.tools import FaultTools

FAMILY = Family(Kind.SINGLE, "processing_failed_silently")


@FAMILY.fault("error-swallowed", "jobs that went wrong are called completed")
def swallowed(tools: FaultTools) -> None:
    tools.switch(swallows_errors=True)
    uploads = tools.upload(content=NOT_AUDIO)
    tools.wait_for(uploads, "uploading", "completed")
    tools.age(uploads)


@FAMILY.fault("error-not-recorded", "jobs failed, their uploads were not told")
def not_recorded(tools: FaultTools) -> None:
    tools.switch(forgets_errors=True)
    uploads = tools.upload(content=NOT_AUDIO)
    tools.wait_for(uploads, "uploading", "failed")
    tools.age(uploads)


@FAMILY.fault("job-never-created", "uploads arrived and got no job")
def never_created(tools: FaultTools) -> None:
    tools.switch(drops_jobs=True)
    uploads = tools.upload(stem="répétition")
    tools.wait_for(uploads, "uploading", None)
    tools.age(uploads)


@FAMILY.fault("status-update-lost", "jobs were done, the status update hit no row")
def update_lost(tools: FaultTools) -> None:
    tools.switch(loses_updates=True)
    uploads = tools.upload(stem="répétition")
    tools.wait_for(uploads, "uploading", "completed")
    tools.age(uploads)
