"""Clean up after a lab: its files, its mount, and its processes if the supervisor was killed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from core.files import write_file
from lab.errors import LabError
from lab.processes import Identity, identify
from lab.storage import release

MARKER = ".veza-lab"
KEPT = {MARKER, "lock", "supervisor.log", "phase"}


def claim(directory: Path) -> None:
    """Make `directory` and mark it as a lab's; raises LabError when it holds other files."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(directory.iterdir()) and not (directory / MARKER).exists():
            raise LabError(f"{directory} is not empty and not from a lab; choose another --dir")
        (directory / MARKER).touch()
    except (FileExistsError, NotADirectoryError):
        raise LabError(f"{directory} is not a directory; choose another --dir") from None
    except OSError as exc:
        reason = f"{directory} cannot be used: {exc.strerror}"
        raise LabError(f"{reason}; choose another --dir") from None


def save_processes(directory: Path, name: str, processes: Iterable[Identity]) -> None:
    """Save processes in NAME.pids, to find them again if the supervisor is killed."""
    write_file(directory / f"{name}.pids", json.dumps([[p.pid, p.started] for p in processes]))


def save_supervisor(directory: Path) -> None:
    """Save this process as the lab's supervisor."""
    own = identify(os.getpid())
    save_processes(directory, "supervisor", [own] if own else [])


def load_processes(directory: Path, name: str) -> list[Identity]:
    """Return the processes saved in NAME.pids, alive or not; none when there is no such file."""
    try:
        return [Identity(*pair) for pair in json.loads((directory / f"{name}.pids").read_text())]
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return []


def clear(directory: Path, *, keep_logs: bool = False) -> None:
    """Kill the saved children, unmount the storage, and delete all files but those in KEPT.

    `keep_logs` keeps the logs as well, for a lab that failed to start. Raises LabError.
    """
    alive = [process for process in load_processes(directory, "children") if process.is_alive()]
    for process in alive:
        process.kill()
    for process in alive:
        if not process.wait(10):
            raise LabError(f"process {process.pid} of an earlier lab does not end after SIGKILL")
    release(directory / "storage")
    kept = KEPT | ({"log"} if keep_logs else set())
    for path in directory.iterdir():
        if path.name in kept:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
