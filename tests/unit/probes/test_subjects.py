"""The uploads that a run looks at: which of them are stuck, and which are none."""

from __future__ import annotations

import pytest

from fixtures.probes.subjects import Subject
from fixtures.subjects import lacking

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
        # Without a database nobody knows, and what is named is looked at.
        (None, None, True),
    ],
)
def test_only_old_and_unfinished_uploads_are_stuck(
    status: str | None, age: float | None, stuck: bool
) -> None:
    """An upload that has ended, and one that began just now, is not stuck."""
    assert Subject("u1", status, age_seconds=age).is_stuck(AFTER) is stuck


def test_ids_that_the_database_lacks_are_named() -> None:
    """One sentence names the ids that no row has; ids that are there make none."""
    there = Subject("u1", "uploading", age_seconds=47.0)
    assert lacking((there,)) == lacking(()) == ""
    assert lacking((there, Subject("7f9c"))) == (
        "no upload has the id 7f9c; ids are written whole, as in the uploads table"
    )
    assert "the ids 7f9c, 8a0d;" in lacking((Subject("7f9c"), Subject("8a0d")))
