"""Processing failed silently: nobody wrote down that it went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.faults.model import Family, Kind
from lab.faults.tools import NOT_AUDIO

if TYPE_CHECKING:
    from lab.faults.tools import Hands

FAMILY = Family(Kind.SINGLE, "processing_failed_silently")


@FAMILY.fault("error-swallowed", "jobs that went wrong are called completed")
def swallowed(hands: Hands) -> None:
    hands.switch(swallows_errors=True)
    uploads = hands.upload(content=NOT_AUDIO)
    hands.wait_for(uploads, "uploading", "completed")
    hands.age(uploads)


@FAMILY.fault("error-not-recorded", "jobs failed, their uploads were not told")
def not_recorded(hands: Hands) -> None:
    hands.switch(forgets_errors=True)
    uploads = hands.upload(content=NOT_AUDIO)
    hands.wait_for(uploads, "uploading", "failed")
    hands.age(uploads)


@FAMILY.fault("job-never-created", "uploads arrived and got no job")
def never_created(hands: Hands) -> None:
    hands.switch(drops_jobs=True)
    uploads = hands.upload(stem="répétition")
    hands.wait_for(uploads, "uploading", None)
    hands.age(uploads)


@FAMILY.fault("status-update-lost", "jobs were done, the status update hit no row")
def update_lost(hands: Hands) -> None:
    hands.switch(loses_updates=True)
    uploads = hands.upload(stem="répétition")
    hands.wait_for(uploads, "uploading", "completed")
    hands.age(uploads)
