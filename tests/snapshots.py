"""Snapshots: whole outputs as text files that a reviewer reads.

A snapshot is `__snapshots__/<test module>/<test name>.txt` beside its test. After a deliberate
change of an output, run its tests with `--snapshot-update` and review the difference as text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion


class TextFile(SingleFileSnapshotExtension):
    """One text file a snapshot."""

    _write_mode = WriteMode.TEXT
    file_extension = "txt"


@pytest.fixture
def snapshot_txt(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Return the test's snapshot; compare it with a text: `assert text == snapshot_txt`."""
    return snapshot.use_extension(TextFile)
