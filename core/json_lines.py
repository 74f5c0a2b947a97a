"""Journals: files with one JSON object a line. A killed process may have cut the last one short."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any


def append(path: Path, event: Mapping[str, Any]) -> None:
    """Append one event; it is on the disk when this returns. Raises OSError."""
    with path.open("ab+") as file:
        # A killed process may have left an incomplete line; this one must not continue it.
        size = file.seek(0, os.SEEK_END)
        if size and os.pread(file.fileno(), 1, size - 1) != b"\n":
            file.write(b"\n")
        file.write(json.dumps(event).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def events_in(path: Path, limit: int, texts: Collection[str]) -> list[dict[str, Any]]:
    """Return the events of the last `limit` bytes in which these keys have texts, oldest first.

    Nobody acted on a line that a kill cut short: it is left out. Without the file there is none.
    Raises OSError.
    """
    try:
        with path.open("rb") as file:
            # Only the end: a huge file must not fill the memory.
            file.seek(max(0, os.fstat(file.fileno()).st_size - limit))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []
    events = []
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and all(isinstance(event.get(key), str) for key in texts):
            events.append(event)
    return events
