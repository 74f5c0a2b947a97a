"""What was read from a runbook's files, kept where Python keeps compiled modules.

To read them takes a tenth of a healthy run near by, and they hardly ever change. As with a module,
what is kept is used only while neither the files nor the code that reads them has changed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from core.files import read_file, write_file
from core.language import DOMAIN, LOCALES, language

T = TypeVar("T")

ROOT = Path(__file__).parents[2]

FOLDER = Path(importlib.util.cache_from_source(__file__)).parent

CODE = ("core", "reports/diagnosis", "reports/model", "reports/runbook")
"""Folders of the modules that read a runbook's files, or whose classes hold what was read."""

DIGEST = hashlib.sha256().digest_size


def compiled(name: str, files: Sequence[Path], read: Callable[[], T]) -> T:
    """Return what `read` makes of these files, or what it made of the same ones before.

    `name` is the kept file's; it has one for each language. Raises what `read` raises.
    """
    kept = FOLDER / f"{name}.{language()}.{sys.implementation.cache_tag}.pickle"
    try:
        key = _key(files)
    except OSError:
        return read()
    with suppress(OSError):
        content = read_file(kept)
        if content[:DIGEST] == _digest(key, content[DIGEST:]):
            value: T = pickle.loads(content[DIGEST:])  # noqa: S301 - as trusted as the code beside it
            return value
    made = read()
    if not sys.dont_write_bytecode:
        with suppress(OSError):
            # One that was written meanwhile may have been read half before and half after.
            if _key(files) == key:
                data = pickle.dumps(made)
                write_file(kept, _digest(key, data) + data)
    return made


def _key(files: Sequence[Path]) -> bytes:
    """Return what changes with the files and with the code; raises OSError."""
    digest = hashlib.sha256(repr([str(file) for file in files]).encode())
    for file in files:
        digest.update(_digest(read_file(file)))
    for path, state in sorted(_code()):
        digest.update(f"{path} {state.st_mtime_ns} {state.st_size}\n".encode())
    return digest.digest()


def _code() -> Iterator[tuple[str, os.stat_result]]:
    for folder in CODE:
        with os.scandir(ROOT / folder) as entries:
            yield from ((one.path, one.stat()) for one in entries if one.name.endswith(".py"))
    for catalogue in LOCALES.glob(f"{language()}/*/{DOMAIN}.mo"):
        yield str(catalogue), catalogue.stat()


def _digest(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()
