"""Bugs of the lab's own program that can be turned on, in bugs.json of the lab's directory.

Each is a defect that a real program can have. Most affect only uploads whose file name is not plain
ASCII, so that the uploads of other users still complete.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from core.files import write_file


@dataclass(frozen=True)
class Bugs:
    """The bugs that are on; a healthy lab has none."""

    api_panics: bool = False
    """The API answers 500 on every route under /api/v1."""
    seconds_per_answer: float = 0.0
    """Seconds that the API waits before it answers a request about uploads."""
    caches_statuses: bool = False
    """The API answers with each upload's first status, whatever became of it."""
    drops_jobs: bool = False
    """Unusual names: the API accepts the upload and never creates its job."""
    swallows_errors: bool = False
    """Invalid audio: the job is marked as completed and the upload is not updated."""
    forgets_errors: bool = False
    """Invalid audio: the job is marked as failed without an error, the upload is not updated."""
    abandons_jobs: bool = False
    """Invalid audio: the error is caught and forgotten. The job stays as it was."""
    ignores_messages: bool = False
    """The worker acknowledges each message and does nothing."""
    rejects_messages: bool = False
    """The worker puts each message back and does nothing."""
    deadlocks: bool = False
    """The worker's threads wait for each other: each keeps its message and starts no job."""
    loses_updates: bool = False
    """Unusual names: the last status update has an id that does not exist."""
    hangs: bool = False
    """Unusual names: processing never returns."""
    stops_consuming: bool = False
    """The worker cancels its consumer and keeps running."""
    dies_at_start: bool = False
    """The worker exits soon after its start."""
    seconds_per_chunk: float = 0.0
    """Seconds that each chunk of audio takes in addition."""
    processing_timeout: float = 600.0
    """Seconds that a job may take; Veza itself uses ten minutes."""
    login_panics: bool = False
    """A deploy broke the login: each one ends with a panic and HTTP 500."""
    login_route_gone: bool = False
    """A deploy lost the login's route: HTTP 404."""
    verifies_with_old_key: bool = False
    """The key that signs tokens was changed, and the one that verifies them was not."""
    token_clock_offset: float = 0.0
    """Seconds by which the clock that dates the tokens is ahead of the real time."""
    hash_rounds: int = 20_000
    """Cost of a password's hash; one with a lower cost is made again at its user's next login."""
    ignores_proxy: bool = False
    """The proxy is no longer trusted: all clients have its address."""


def read_bugs(directory: Path) -> Bugs:
    """Return the bugs that are on; without a file, none is."""
    try:
        values = json.loads((directory / "bugs.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Bugs()
    known = {field.name for field in fields(Bugs)}
    return Bugs(**{name: value for name, value in values.items() if name in known})


def write_bugs(directory: Path, bugs: Bugs) -> None:
    """Turn bugs on and off, atomically."""
    write_file(directory / "bugs.json", json.dumps(asdict(bugs)))


def is_unusual(filename: str) -> bool:
    """Return whether a file name belongs to the inputs that some bugs affect."""
    return not filename.isascii()
