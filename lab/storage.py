"""The upload directory: on its own small file system where the machine lets it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from lab.errors import LabError
from lab.processes import run, wait_until

SIZE = "64m"
INODES = 2000


def prepare(root: Path) -> str:
    """Mount a small tmpfs on `root` if we may, make `root`/uploads; "tmpfs" or "directory"."""
    root.mkdir(parents=True, exist_ok=True)
    kind = "directory"
    if os.geteuid() == 0:
        options = f"size={SIZE},nr_inodes={INODES},mode=755"
        try:
            run(["mount", "-t", "tmpfs", "-o", options, "veza-lab", str(root)], 10)
            kind = "tmpfs"
        except LabError:
            # A container without CAP_SYS_ADMIN: `status` says that the storage is a directory.
            kind = "directory"
    (root / "uploads").mkdir(mode=0o755, exist_ok=True)
    return kind


def remount(root: Path, options: str) -> None:
    """Change mount options ("ro", "rw", "size=..,nr_inodes=..") of the tmpfs at `root`."""
    run(["mount", "-o", f"remount,{options}", str(root)], 10)


def release(root: Path) -> None:
    """Unmount what `prepare` mounted, also what a killed lab left behind."""
    for _ in range(4):
        if not is_mounted(root):
            return
        # Lazy as the last resort only: a process that still looks there must not keep it for ever.
        if subprocess.run(
            ["umount", str(root)], capture_output=True, timeout=10, check=False
        ).returncode:
            run(["umount", "--lazy", str(root)], 10)
    wait_until(lambda: not is_mounted(root), 5, f"unmounting {root}")


def is_mounted(root: Path) -> bool:
    """Whether something is mounted exactly at `root`."""
    wanted = str(root).replace("\\", "\\134").replace(" ", "\\040")
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    return any(line.split(" ")[1] == wanted for line in mounts)
