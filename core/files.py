"""Files that a person names: read with a cap, written whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

READ_MAX = 2**20
"""Bytes read of a file that a person wrote: a page of text, not a disk image."""


class FileError(OSError):
    """A file cannot be read or written; `str()` is one sentence that names it and the reason."""


def read_file(path: str | Path, limit: int = READ_MAX) -> bytes:
    """Return the content of a regular file of at most `limit` bytes; raises FileError."""
    try:
        # Without O_NONBLOCK a FIFO in its place would hold the reader forever.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            regular = stat.S_ISREG(os.fstat(handle).st_mode)
            content = file.read(limit + 1) if regular else b""
    except (OSError, ValueError) as exc:
        raise FileError(f"{path} cannot be read: {getattr(exc, 'strerror', None) or exc}") from exc
    if not regular:
        raise FileError(f"{path} cannot be read: not a regular file")
    if len(content) > limit:
        raise FileError(f"{path} cannot be read: larger than {limit >> 20} MiB")
    return content


def read_text(path: str | Path, limit: int = READ_MAX) -> str:
    """Return the content of a regular UTF-8 file, without a byte order mark; raises FileError."""
    content = read_file(path, limit)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise FileError(f"{path}, line {line}: not UTF-8 text") from exc


def write_file(path: Path, text: str, mode: int = 0o644) -> None:
    """Write UTF-8 text to `path` atomically, with the permissions `mode`, making its folder.

    A reader sees the old content or the new, never a part. Raises FileError and then leaves the
    old content in place and no temporary file.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name.lstrip('.')}.", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            # mkstemp's 0600 would hide a report from the monitoring user that reads it.
            os.fchmod(file.fileno(), mode)
        temporary.replace(path)
        temporary = None
    except OSError as exc:
        raise FileError(f"{path} cannot be written: {exc.strerror}") from exc
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
