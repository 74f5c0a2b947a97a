"""What a lab leaves in its directory and in the system, and taking that away again."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

from core.files import write_file
from lab.errors import LabError
from lab.processes import Identity, identify
from lab.storage import release

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MARKER = ".veza-lab"
KEPT = {MARKER, "lock", "supervisor.log", "phase"}


def claim(directory: Path) -> None:
    """Make the directory ours. LabError when it holds something that no lab put there."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(directory.iterdir()) and not (directory / MARKER).exists():
            raise LabError(f"{directory} is not empty and not a lab's; choose another --dir")
        (directory / MARKER).touch()
    except (FileExistsError, NotADirectoryError):
        raise LabError(f"{directory} is not a directory; choose another --dir") from None
    except OSError as exc:
        reason = f"{directory} cannot be used: {exc.strerror}"
        raise LabError(f"{reason}; choose another --dir") from None


def remember(directory: Path, name: str, processes: Iterable[Identity]) -> None:
    """Note processes, so that they can be found should their supervisor be killed."""
    write_file(directory / f"{name}.pids", json.dumps([[p.pid, p.started] for p in processes]))


def remember_supervisor(directory: Path) -> None:
    own = identify(os.getpid())
    remember(directory, "supervisor", [own] if own else [])


def recall(directory: Path, name: str) -> list[Identity]:
    """The processes noted under `name`, whether alive or not."""
    try:
        return [Identity(*pair) for pair in json.loads((directory / f"{name}.pids").read_text())]
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return []


def clear(directory: Path, *, keep_report: bool = False) -> None:
    """End noted children, unmount, delete everything but what tells how it ended.

    `keep_report` keeps the logs too: the lab did not come up and somebody will ask why.
    """
    left = [process for process in recall(directory, "children") if process.is_alive()]
    for process in left:
        process.kill()
    for process in left:
        if not process.wait(10):
            raise LabError(f"process {process.pid} of an earlier lab does not end")
    release(directory / "storage")
    kept = KEPT | ({"log"} if keep_report else set())
    for path in directory.iterdir():
        if path.name in kept:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
