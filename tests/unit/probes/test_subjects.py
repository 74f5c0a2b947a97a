"""Sampled uploads: which are stuck, and which do not exist."""

from __future__ import annotations

import pytest

from fixtures.probes.subjects import Subject
from fixtures.subjects import missing_ids

AFTER = 600.0


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


def test_ids_missing_in_the_database_are_named() -> None:
    """One sentence names the ids without a row; it is empty where each has one."""
    existing = Subject("u1", "uploading", age_seconds=47.0)
    assert missing_ids((existing,)) == missing_ids(()) == ""
    assert missing_ids((existing, Subject("7f9c"))) == (
        "no upload has the id 7f9c; write the whole id, as in the uploads table"
    )
    assert "the ids 7f9c, 8a0d;" in missing_ids((Subject("7f9c"), Subject("8a0d")))
