"""Compiled templates beside their sources, as Python keeps its modules: half of a rendering."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import BytecodeCache

if TYPE_CHECKING:
    from jinja2.bccache import Bucket


class Compiled(BytecodeCache):
    """Keeps each template's byte code in `folder`; one that cannot be written costs only time.

    jinja2 compiles a template again when its source or the version of Python or jinja2 changed.
    `settings` stands for what else decides how it is compiled, such as whether text is escaped.
    """

    def __init__(self, folder: Path, settings: bytes) -> None:
        self._folder = folder
        self._tag = hashlib.sha256(settings).hexdigest()[:12]

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill the bucket from the folder, or leave it empty."""
        with contextlib.suppress(OSError), self._path(bucket).open("rb") as file:
            bucket.load_bytecode(file)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Write the bucket's byte code, whole or not at all."""
        if sys.dont_write_bytecode:
            return
        with contextlib.suppress(OSError):
            self._folder.mkdir(exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self._folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    bucket.write_bytecode(file)
                for old in self._folder.glob(self._name(bucket, "*")):
                    old.unlink(missing_ok=True)
                Path(temporary).replace(self._path(bucket))
            except OSError:
                Path(temporary).unlink(missing_ok=True)

    def _path(self, bucket: Bucket) -> Path:
        return self._folder / self._name(bucket, self._tag)

    def _name(self, bucket: Bucket, tag: str) -> str:
        return f"{bucket.key}.{sys.implementation.cache_tag}-{tag}.jinja"
