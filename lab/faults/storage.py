"""Storage problem: files cannot be written, or are not what was received."""

from __future__ import annotations

import os
import shutil
import signal
from typing import TYPE_CHECKING

from lab import storage
from lab.errors import LabError
from lab.faults.model import Family, Kind, Need

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from uuid import UUID

    from lab.faults.tools import FaultTools

FAMILY = Family(Kind.SINGLE, "storage_problem")
# Beside the uploads on the same file system: somebody else's data.
BALLAST = "ballast"
AWAY = "uploads.away"


def _refused(tools: FaultTools) -> None:
    """Uploads come in and cannot be stored; they stay where they are, for an operator."""
    tools.age_past()
    uploads = tools.upload()
    tools.wait_for(uploads, "uploading", "failed")
    tools.age(uploads)
    if tools.health("/health/worker") == 200:
        tools.wait_for_worker_line()


@FAMILY.fault("disk-full", "no space is left in the upload directory", Need.FILE_SYSTEM)
def disk_full(tools: FaultTools) -> None:
    with tools.without_users():
        fill(tools.lab.storage_root, 1.0)
        _refused(tools)


def fill(root: Path, share: float) -> None:
    """Write until `share` of the file system's bytes are in use."""
    (root / BALLAST).mkdir(exist_ok=True)
    with (root / BALLAST / "data").open("ab", buffering=0) as file:
        while True:
            usage = shutil.disk_usage(root)
            missing = int(usage.total * share) - usage.used
            if missing <= 0:
                return
            try:
                file.write(b"\0" * min(missing, 1 << 20))
            except OSError:
                return


@FAMILY.fault("inodes-exhausted", "no inode is left in the upload directory", Need.FILE_SYSTEM)
def inodes_exhausted(tools: FaultTools) -> None:
    directory = tools.lab.storage_root / BALLAST
    directory.mkdir(exist_ok=True)
    with tools.without_users():
        number = 0
        while os.statvfs(directory).f_ffree > 0 and number < 100_000:
            (directory / f"empty-{number}").touch()
            number += 1
        _refused(tools)


@FAMILY.fault("directory-missing", "the upload directory was moved away")
def directory_missing(tools: FaultTools) -> None:
    tools.lab.uploads.rename(tools.lab.storage_root / AWAY)
    _refused(tools)


@FAMILY.fault("directory-not-writable", "the upload directory lost its write permission")
def directory_not_writable(tools: FaultTools) -> None:
    _check_modes(tools)
    tools.lab.uploads.chmod(0o555)
    _refused(tools)


@FAMILY.fault("read-only-mount", "the upload directory is mounted read-only", Need.FILE_SYSTEM)
def read_only_mount(tools: FaultTools) -> None:
    def remounted() -> bool:
        try:
            storage.remount(tools.lab.storage_root, "ro")
        except LabError:
            # Busy while a file is open for writing.
            return False
        return True

    tools.wait(remounted, 10, "remounting read-only")
    _refused(tools)


@FAMILY.fault("file-missing", "files of uploads vanished before they were processed")
def file_missing(tools: FaultTools) -> None:
    _spoil(tools, lambda path: path.unlink())


@FAMILY.fault("file-empty", "files of uploads were truncated before they were processed")
def file_empty(tools: FaultTools) -> None:
    _spoil(tools, lambda path: os.truncate(path, 0))


@FAMILY.fault("file-unreadable", "files of uploads cannot be read by the service")
def file_unreadable(tools: FaultTools) -> None:
    _check_modes(tools)
    _spoil(tools, lambda path: path.chmod(0))


def _check_modes(tools: FaultTools) -> None:
    if os.geteuid() == 0 and not tools.lab.drops_capabilities:
        raise LabError("as root this lab's services overlook file modes; run it as another user")


def _spoil(tools: FaultTools, damage: Callable[[Path], None]) -> None:
    """Damage files between their arrival and their processing."""
    works = tools.health("/health/worker") == 200
    if works:
        # Held back for a moment, so that the damage comes first.
        tools.signal("worker", signal.SIGSTOP, until="T")
    uploads: Sequence[UUID] = []
    try:
        uploads = tools.upload()
        for upload in uploads:
            damage(tools.file_of(upload))
    finally:
        if works:
            tools.ask("signal", name="worker", number=signal.SIGCONT)
    if works:
        tools.wait_for(uploads, "uploading", "failed")
    tools.age(uploads)
