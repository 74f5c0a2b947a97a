"""The folders that looks write to; one whose process was killed is removed by the next call."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "veza-actions-"


@contextmanager
def own_folder() -> Iterator[tuple[Path, int]]:
    """Context with an empty folder, and the descriptor that says it is in use.

    The system closes the descriptor when the process and every child that inherits it have ended.
    """
    held = None
    # Between its making and this another call may take it for abandoned.
    while held is None:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        held = _hold(folder)
    try:
        yield folder, held
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def remove_abandoned() -> None:
    """Remove this user's folders that nobody uses any longer."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        held = _hold(folder)
        if held is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(held)


def _hold(folder: Path) -> int | None:
    """Return a descriptor that locks a folder of this user; None where it is gone or in use."""
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found = os.fstat(held)
        is_ours = found.st_uid == os.geteuid() and os.path.samestat(found, folder.lstat())
    except OSError:
        is_ours = False
    if is_ours:
        return held
    os.close(held)
    return None
