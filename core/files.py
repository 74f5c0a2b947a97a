"""Files that are whole or not there: written beside their place, then moved onto it."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class WriteError(Exception):
    """A file could not be written; `str()` says which and why. What was there before still is."""


def write_atomically(path: Path, text: str) -> None:
    """Write UTF-8 text to `path`, making its folder; raises WriteError and leaves no remains."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            # mkstemp's 0600 would hide the report from the monitoring user that reads it.
            os.fchmod(file.fileno(), 0o644)
        os.replace(temporary, path)  # noqa: PTH105 - both are strings of one folder
        temporary = None
    except OSError as exc:
        raise WriteError(f"{path} cannot be written: {exc.strerror}") from exc
    finally:
        if temporary is not None:
            os.unlink(temporary)  # noqa: PTH108
