"""The upload directory, on a small file system of its own where the machine allows a mount."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from lab.errors import LabError
from lab.processes import run, wait_until

SIZE = "64m"
INODES = 2000


def prepare(root: Path) -> str:
    """Mount a tmpfs on `root` if possible and make `root`/uploads.

    Returns the kind of storage, "tmpfs" or "directory".
    """
    root.mkdir(parents=True, exist_ok=True)
    kind = "directory"
    if os.geteuid() == 0:
        options = f"size={SIZE},nr_inodes={INODES},mode=755"
        try:
            run(["mount", "-t", "tmpfs", "-o", options, "veza-lab", str(root)], 10)
            kind = "tmpfs"
        except LabError:
            # For example in a container without CAP_SYS_ADMIN; `status` shows the kind.
            kind = "directory"
    (root / "uploads").mkdir(mode=0o755, exist_ok=True)
    return kind


def remount(root: Path, options: str) -> None:
    """Change mount options ("ro", "rw", "size=..,nr_inodes=..") of the tmpfs at `root`."""
    run(["mount", "-o", f"remount,{options}", str(root)], 10)


def release(root: Path) -> None:
    """Unmount the tmpfs at `root`, also one of a killed lab; raises LabError."""
    for _ in range(4):
        if not is_mounted(root):
            return
        # Lazy if necessary: a process that still uses the directory must not keep the mount.
        if subprocess.run(
            ["umount", str(root)], capture_output=True, timeout=10, check=False
        ).returncode:
            run(["umount", "--lazy", str(root)], 10)
    wait_until(lambda: not is_mounted(root), 5, f"unmounting {root}")


def is_mounted(root: Path) -> bool:
    """Return whether something is mounted exactly at `root`."""
    mount_point = str(root).replace("\\", "\\134").replace(" ", "\\040")
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    return any(line.split(" ")[1] == mount_point for line in mounts)
