"""Bugs of the lab's own program that can be switched on: bugs.json in the lab's directory.

They stand for defects that a program can really have. Most bite only on a class of inputs, file
names that are not plain ASCII, so that other users' uploads go on well beside them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from core.files import write_file

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Bugs:
    """All off in a healthy lab."""

    api_panics: bool = False
    """Every route under /api/v1 answers 500."""
    drops_jobs: bool = False
    """Unusual names: the upload is accepted, its job is never created."""
    swallows_errors: bool = False
    """A file that cannot be processed: the job is called completed, the upload is left alone."""
    forgets_errors: bool = False
    """A file that cannot be processed: the job fails, and nobody writes that down."""
    loses_updates: bool = False
    """Unusual names: the last status update is sent to an id that does not exist."""
    hangs: bool = False
    """Unusual names: processing never returns."""
    stops_consuming: bool = False
    """The worker cancels its consumer and lives on."""
    dies_at_start: bool = False
    """The worker ends soon after it has started."""
    seconds_per_chunk: float = 0.0
    """Every chunk of audio takes this much longer."""
    processing_timeout: float = 600.0
    """Seconds that a job may take; Veza's own value is ten minutes."""


def read_bugs(directory: Path) -> Bugs:
    """The bugs that are on now; none when the file is not there."""
    try:
        values = json.loads((directory / "bugs.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Bugs()
    known = {field.name for field in fields(Bugs)}
    return Bugs(**{name: value for name, value in values.items() if name in known})


def write_bugs(directory: Path, bugs: Bugs) -> None:
    """Switch bugs on and off, all or nothing."""
    write_file(directory / "bugs.json", json.dumps(asdict(bugs)))


def is_unusual(filename: str) -> bool:
    """The class of inputs on which some bugs bite."""
    return not filename.isascii()
