"""Storage problem: files cannot be written, or differ from what was received."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lab import storage
from lab.errors import LabError
from lab.faults.model import Family, Kind, Need

if TYPE_CHECKING:
    from lab.faults.tools import FaultTools

FAMILY = Family(Kind.SINGLE, "storage_problem")
# A directory beside the uploads, on the same file system.
BALLAST = "ballast"
MOVED_AWAY = "uploads.away"


def _make_refused_uploads(tools: FaultTools) -> None:
    """Upload files that the storage cannot take; their rows stay `uploading` for an operator."""
    tools.backdate_history()
    tools.make_old_uploads("uploading", "failed")
    if tools.worker_state() == "ok":
        tools.wait_for_worker_log()


@FAMILY.fault("disk-full", "no space is left in the upload directory", Need.FILE_SYSTEM)
def disk_full(tools: FaultTools) -> None:
    with tools.load_generator_stopped():
        fill(tools.lab.storage_root, 1.0)
        _make_refused_uploads(tools)


def fill(root: Path, share: float) -> None:
    """Write a file until `share` (0 to 1) of the file system's bytes are in use."""
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
    with tools.load_generator_stopped():
        number = 0
        while os.statvfs(directory).f_ffree > 0 and number < 100_000:
            (directory / f"empty-{number}").touch()
            number += 1
        _make_refused_uploads(tools)


@FAMILY.fault("directory-missing", "the upload directory was moved away")
def directory_missing(tools: FaultTools) -> None:
    tools.lab.uploads.rename(tools.lab.storage_root / MOVED_AWAY)
    _make_refused_uploads(tools)


@FAMILY.fault("directory-not-writable", "the upload directory lost its write permission")
def directory_not_writable(tools: FaultTools) -> None:
    _require_file_modes(tools)
    tools.lab.uploads.chmod(0o555)
    _make_refused_uploads(tools)


@FAMILY.fault("read-only-mount", "the upload directory is mounted read-only", Need.FILE_SYSTEM)
def read_only_mount(tools: FaultTools) -> None:
    def remount() -> bool:
        try:
            storage.remount(tools.lab.storage_root, "ro")
        except LabError:
            # Busy: a file is open for writing.
            return False
        return True

    tools.wait(remount, 10, "remounting read-only")
    _make_refused_uploads(tools)


@FAMILY.fault("file-missing", "the files of uploads vanished before they were processed")
def file_missing(tools: FaultTools) -> None:
    _damage_uploads(tools, lambda path: path.unlink())


@FAMILY.fault("file-empty", "the files of uploads were truncated before they were processed")
def file_empty(tools: FaultTools) -> None:
    _damage_uploads(tools, lambda path: os.truncate(path, 0))


@FAMILY.fault("file-unreadable", "the service cannot read the files of uploads")
def file_unreadable(tools: FaultTools) -> None:
    _require_file_modes(tools)
    _damage_uploads(tools, lambda path: path.chmod(0))


def _require_file_modes(tools: FaultTools) -> None:
    """Raise LabError when API and worker run as root and so ignore file modes."""
    if os.geteuid() == 0 and not tools.lab.drops_capabilities:
        raise LabError("this lab's services run as root and ignore file modes; use another user")


def _damage_uploads(tools: FaultTools, damage: Callable[[Path], None]) -> None:
    """Upload files and damage each before the worker reads it."""
    worker_is_healthy = tools.worker_state() == "ok"
    if worker_is_healthy:
        # Stopped for a moment, so that the damage comes before the processing.
        tools.signal_workers(signal.SIGSTOP, until="T")
    uploads: Sequence[str] = []
    try:
        uploads = tools.upload()
        for upload in uploads:
            damage(tools.stored_file(upload))
    finally:
        if worker_is_healthy:
            for worker in tools.lab.workers:
                tools.ask("signal", name=worker, number=signal.SIGCONT)
    if worker_is_healthy:
        tools.wait_for_uploads(uploads, "uploading", "failed")
    tools.backdate(uploads)
