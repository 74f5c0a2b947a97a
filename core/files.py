"""Files that a person names: read with a cap, written whole or not at all; and locks."""

from __future__ import annotations

import fcntl
import io
import os
import re
import stat
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

from core.errors import TranslatedError
from core.language import tr
from core.text import printable

READ_MAX = 2**20
"""Bytes read of a file that a person wrote: a page of text, not a disk image."""

TOML_MAX = 256 * 2**10
"""Bytes read of a TOML file: hundreds of targets."""

KEY_PARTS_MAX = 32
"""Parts of a dotted key or header."""

LOCK_POLL = 0.1
"""Seconds between two attempts to get a lock."""

_STRING_OR_COMMENT = re.compile(
    r"""
    \"{3} (?:[^"\\] | \\. | "(?!""))* (?:"{3,5} | \\?\Z)
    | '{3} .*? (?:'{3,5} | \Z)
    | " (?:[^"\\\n] | \\.)* "?
    | ' [^'\n]* '?
    | \# [^\n]*
    """,
    re.VERBOSE | re.DOTALL,
)
"""A string or a comment of TOML; one that nothing closes goes on to the end."""


class FileError(TranslatedError, OSError):
    """A file cannot be read or written; `str()` is one sentence that names it and the reason."""


def unwritable(path: Path, error: OSError) -> FileError:
    """Return the error for a file or folder that cannot be written."""
    return FileError("{path} cannot be written: {reason}", path=path, reason=error.strerror)


def from_here(path: Path) -> Path:
    """Return a path from the working directory where it lies in it, as a person would type it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def read_file(path: str | Path, limit: int = READ_MAX, *, follow: bool = True) -> bytes:
    """Return the content of a regular file of at most `limit` bytes; raises FileError.

    Without `follow` a symbolic link in its place is refused.
    """
    try:
        # Without O_NONBLOCK a FIFO in its place would hold the reader forever.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        handle = os.open(path, flags if follow else flags | os.O_NOFOLLOW)
        with os.fdopen(handle, "rb") as file:
            regular = stat.S_ISREG(os.fstat(handle).st_mode)
            content = file.read(limit + 1) if regular else b""
    except (OSError, ValueError) as exc:
        raise FileError(
            "{path} cannot be read: {reason}",
            path=path,
            reason=getattr(exc, "strerror", None) or exc,
        ) from exc
    if not regular:
        raise FileError("{path} cannot be read: not a regular file", path=path)
    if len(content) > limit:
        if limit >= 2**20:
            problem = tr(
                "{path} cannot be read: larger than {size} MiB", path=path, size=limit >> 20
            )
        else:
            problem = tr(
                "{path} cannot be read: larger than {size} KiB", path=path, size=limit >> 10
            )
        raise FileError(problem)
    return content


def read_text(path: str | Path, limit: int = READ_MAX, *, follow: bool = True) -> str:
    """Return the content of a regular UTF-8 file, without a byte order mark; raises FileError."""
    content = read_file(path, limit, follow=follow)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise FileError("{path}, line {line}: not UTF-8 text", path=path, line=line) from exc


def read_toml(path: str | Path) -> dict[str, Any]:
    """Return the content of a TOML file; raises FileError, which says what is wrong and where."""
    text = read_text(path, TOML_MAX)
    bare = _STRING_OR_COMMENT.sub(lambda match: "\n" * match[0].count("\n"), text)
    for number, line in enumerate(bare.split("\n"), start=1):
        # The parser takes minutes for a key of many thousand parts.
        *keys, value = line.split("=")
        if line.lstrip()[:1] == "[":
            keys.append(value)
        if any(key.count(".") > KEY_PARTS_MAX for key in keys):
            raise FileError(
                "{path}, line {line}: not valid TOML: a key has more than {most} parts",
                path=path,
                line=number,
                most=KEY_PARTS_MAX,
            )
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise FileError(
            "{path} is not valid TOML: {problem}", path=path, problem=printable(exc)
        ) from exc
    except RecursionError as exc:
        raise FileError(
            "{path} is not valid TOML: lists or tables are nested too deep; write each table "
            "under a [header] of its own",
            path=path,
        ) from exc
    except ValueError as exc:
        # Python's own limit; a date that does not exist ends here as well.
        raise FileError(
            "{path} is not valid TOML: {problem}; correct this value",
            path=path,
            problem=printable(str(exc).partition(";")[0]),
        ) from exc


def is_open_to_others(path: str | Path) -> bool:
    """Return whether others than the owner and the group may read a file."""
    try:
        return bool(os.stat(path).st_mode & stat.S_IROTH)  # noqa: PTH116 - a path may be text
    except (OSError, ValueError):
        return False


def sync_folder(folder: Path) -> None:
    """Have the names of the folder's files on disk when this returns; raises OSError."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_file(path: Path, content: str | bytes, mode: int = 0o644) -> None:
    """Write bytes, or text as UTF-8, to `path` atomically, with the permissions `mode`, making its
    folder.

    A reader sees the old content or the new, never a part. Raises FileError and then leaves the
    old content in place and no temporary file.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name.lstrip('.')}.", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode("utf-8", "replace") if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
            # mkstemp's 0600 would hide a report from the monitoring user that reads it.
            os.fchmod(file.fileno(), mode)
        temporary.replace(path)
        temporary = None
    except OSError as exc:
        raise unwritable(path, exc) from exc
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def lock_file(path: Path, patience: float) -> io.FileIO:
    """Return a file that this process has locked until it is closed; made where it is missing.

    The operating system releases the lock also of a process that is killed. Raises BlockingIOError
    if another one still has it after `patience` seconds, OSError where there can be no lock.
    """
    ends = time.monotonic() + patience
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    file = io.FileIO(os.open(path, flags, 0o644), "r+")
    try:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= ends:
                    raise
                time.sleep(LOCK_POLL)
            else:
                return file
    except BaseException:
        file.close()
        raise
