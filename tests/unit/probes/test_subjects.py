"""Sampled uploads: which are stuck, and which do not exist."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from fixtures.probes.errors import NotOffered, Unreachable
from fixtures.probes.host.storage import StorageProbe
from fixtures.probes.host.stored_files import StoredFile
from fixtures.probes.subjects import Subject
from fixtures.probes.transfers import TransferProbe
from fixtures.subjects import unknown_id

AFTER = 600.0


AT_ZERO = Subject("u1", "uploading", 0, 700.0, 20.0, 9, has_job=False, records_progress=True)


@pytest.mark.parametrize(
    ("status", "age", "stuck"),
    [
        ("uploading", 601.0, True),
        ("processing", 7200.0, True),
        ("uploading", 60.0, False),
        ("completed", 7200.0, False),
        ("failed", 7200.0, False),
        ("quarantined", 7200.0, False),
        # Without a database the status is unknown, and a named upload is checked.
        (None, None, True),
    ],
)
def test_only_old_and_unfinished_uploads_are_stuck(
    status: str | None, age: float | None, stuck: bool
) -> None:
    """Neither an upload that has ended nor a young one is stuck."""
    assert Subject("u1", status, age_seconds=age).is_stuck(AFTER) is stuck


def test_an_unknown_id_is_named_with_those_near_it() -> None:
    """One sentence names the id, and what may have been meant."""
    assert unknown_id("7f9c", ()) == (
        "--upload-id: no upload has the id 7f9c; write the whole id, as in the uploads table"
    )
    assert unknown_id("7f9c", ("7f9c2b1e",)).endswith("; the nearest is 7f9c2b1e")
    assert unknown_id("7f9c", ("7f9c2b1e", "7f9d")).endswith("; the nearest are 7f9c2b1e and 7f9d")


@pytest.mark.parametrize(
    ("subject", "partial"),
    [
        (Subject("u1", "uploading", 40, has_job=False), True),
        # Without the jobs it may be partial; the probe of the transfers says so.
        (Subject("u1", "uploading", 40), True),
        (Subject("u1", "uploading", 40, error_message="  ", has_job=False), True),
        (Subject("u1", "uploading", 10, has_job=True), False),
        (Subject("u1", "uploading", 10, error_message="deadline exceeded", has_job=False), False),
        (Subject("u1", "uploading", 0, has_job=False), False),
        (Subject("u1", "uploading", 100, has_job=False), False),
        (Subject("u1", "processing", 40, has_job=False), False),
    ],
)
def test_a_job_or_an_error_shows_that_the_file_arrived(subject: Subject, partial: bool) -> None:
    """Only an upload without a job and without an error can have stopped part-way."""
    assert subject.is_partial is partial


def test_transfers_are_unknown_without_the_jobs() -> None:
    """An upload at 40 % of which no job can be read is neither partial nor received."""
    unknown = (Subject("u1", "uploading", 40),)
    with pytest.raises(Unreachable, match="whether u1 stopped part-way is unknown"):
        TransferProbe(None).transfers(unknown)
    assert "1 of 1 sampled stuck upload stopped part-way, without a job or an error: u1" in str(
        TransferProbe(None).transfers((Subject("u1", "uploading", 40, has_job=False),))
    )


def test_no_user_is_blamed_where_no_upload_arrives() -> None:
    """Several stopped part-way and none since arrived whole: the API may have stopped them."""
    partial = Subject("u1", "uploading", 40, has_job=False, others_arrived=True)
    assert TransferProbe(None).transfers((partial,)).partial
    alone = Subject("u1", "uploading", 40, has_job=False, others_arrived=False)
    with pytest.raises(Unreachable, match="whether its user gave up is unknown"):
        TransferProbe(None).transfers((alone,))
    assert TransferProbe(None).partial((alone,)), "neither its file nor its job is expected"


class OneFile:
    """A storage in which the file of each upload is whole, missing, or still written to."""

    def __init__(self, is_whole: bool, *, unfinished: bool = False) -> None:
        self.is_whole = is_whole
        self.unfinished = unfinished

    def find(self, subjects: tuple[Subject, ...]) -> tuple[StoredFile, ...]:
        sizes = (9,) if self.is_whole else (5,) if self.unfinished else ()
        return tuple(
            StoredFile(one.id, "h", len(sizes), sizes, one.size, unfinished=self.unfinished)
            for one in subjects
        )


@pytest.mark.parametrize(
    ("subject", "storage", "expects_file"),
    [
        (AT_ZERO, OneFile(False), False),
        (AT_ZERO, OneFile(True), True),
        (AT_ZERO, None, True),
        (replace(AT_ZERO, size=None), OneFile(False), True),
        (replace(AT_ZERO, size=None), OneFile(False, unfinished=True), False),
        (replace(AT_ZERO, has_job=True), OneFile(False), True),
        (replace(AT_ZERO, records_progress=False), OneFile(False), True),
    ],
)
def test_no_file_is_expected_of_an_upload_of_which_nothing_arrived(
    subject: Subject, storage: OneFile | None, expects_file: bool
) -> None:
    """At 0 %, where progress is recorded, without a job and a whole file; nobody is blamed."""
    probe = TransferProbe(cast("StorageProbe | None", storage))
    assert (probe.partial((subject,)) == ()) is expects_file
    if not expects_file:
        with pytest.raises(Unreachable, match="nothing has arrived of 1 sampled stuck upload"):
            probe.transfers((subject,))
    assert not subject.is_arriving


@pytest.mark.parametrize(("storage", "size"), [(None, 9), (None, None), (OneFile(False), None)])
def test_what_became_of_an_upload_at_zero_is_unknown_where_no_file_is_seen(
    storage: OneFile | None, size: int | None
) -> None:
    """Other uploads arrive: its user may have gone before the first byte, or its job was lost."""
    probe = TransferProbe(cast("StorageProbe | None", storage))
    left = replace(AT_ZERO, size=size, others_arrived=True)
    whole = Subject("u2", "uploading", 100, 700.0, has_job=False, others_arrived=True)
    for ask in (probe.transfers, probe.received):
        with pytest.raises(
            Unreachable, match="whether it arrived is unknown; see the API's log: u1"
        ):
            ask((left,))
    assert probe.received((left, whole)) == (whole,)
    refused = replace(left, others_arrived=False)
    assert probe.received((refused,)) == (refused,), "no upload arrives: the service is at fault"
    assert probe.received((replace(left, has_job=True),))


def test_a_user_who_sent_nothing_gave_up_where_other_uploads_arrive() -> None:
    """An API that accepts others has not refused it."""
    left = replace(AT_ZERO, others_arrived=True, updated_seconds=700.0)
    probe = TransferProbe(cast("StorageProbe", OneFile(False)))
    assert probe.transfers((left,)).partial == ("u1 (at 0 %)",)
    with pytest.raises(Unreachable, match="nothing has arrived"):
        probe.transfers((replace(left, others_arrived=False),))


def test_nothing_is_checked_where_no_stuck_upload_has_arrived() -> None:
    """That each of none has its file and its job clears neither the storage nor the worker."""
    probe = TransferProbe(cast("StorageProbe", OneFile(False)))
    left = replace(AT_ZERO, others_arrived=False)
    with pytest.raises(NotOffered, match="not known to have arrived, so not checked: u1"):
        probe.received((left,))
    whole = Subject("u2", "uploading", 100, 700.0, has_job=False)
    assert probe.received((left, whole)) == (whole,)
    assert probe.received(()) == ()


def test_a_transfer_that_goes_on_has_not_stopped() -> None:
    """A large file over a slow line changes its row again and again; nobody gave up."""
    slow = Subject("u1", "uploading", 40, 2000.0, 30.0, has_job=False)
    stopped = Subject("u2", "uploading", 40, 2000.0, 1900.0, has_job=False)
    transfers = TransferProbe(None).transfers((slow,))
    assert not transfers.partial
    assert "stopped part-way; changed in the last 10 min: u1 (at 40 %)" in str(transfers)
    assert TransferProbe(None).transfers((slow, stopped)).partial == ("u2 (at 40 %)",)
    assert TransferProbe(None).partial((slow,)) == (slow,), "no job is expected of it"
