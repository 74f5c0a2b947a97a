"""The folders that looks write to; one whose process was killed is removed by the next call."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "veza-actions-"


@contextmanager
def own_folder() -> Iterator[tuple[Path, int]]:
    """Context with an empty folder, and the descriptor that says it is in use.

    The system closes the descriptor when the process and every child that inherits it have ended.
    """
    lock = None
    # Between its making and this another call may take it for abandoned.
    while lock is None:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = _lock(folder)
    try:
        yield folder, lock
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def remove_abandoned() -> None:
    """Remove this user's folders that nobody uses any longer."""
    try:
        place = tempfile.gettempdir()
    except FileNotFoundError:
        # Where no folder can be written, the next look says so.
        return
    for folder in Path(place).glob(f"{PREFIX}*"):
        lock = _lock(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """Return a descriptor that locks a folder of this user; None where it is gone or in use."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        status = os.fstat(lock)
        is_ours = status.st_uid == os.geteuid() and os.path.samestat(status, folder.lstat())
    except OSError:
        is_ours = False
    if is_ours:
        return lock
    os.close(lock)
    return None
