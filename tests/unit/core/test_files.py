"""Atomic file writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from core.files import write_file

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("mode", [0o644, 0o600])
def test_a_written_file_has_the_permissions_asked_for(tmp_path: Path, mode: int) -> None:
    """A new file and a replaced one get the given mode, whatever the old file had."""
    path = tmp_path / "folder/secret.json"
    for text in ("first", "second"):
        write_file(path, text, mode)
        assert path.read_text() == text
        assert path.stat().st_mode & 0o777 == mode
        path.chmod(0o400)
