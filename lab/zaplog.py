"""Logs in the format and the language of a variant, limited in size."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.variants import Variant

MAX_BYTES = 8 * 1024 * 1024


class ZapLog:
    """Appends lines to one or more files. Only one process may write to a file.

    A file that grows past MAX_BYTES is renamed to `<name>.1`, so a log takes at most twice that.
    """

    def __init__(self, variant: Variant, *paths: Path) -> None:
        self._variant = variant
        self._paths = paths
        self._lock = threading.Lock()

    def info(self, caller: str, msg: str, *values: object, **fields: object) -> None:
        """Write a line of level info; `caller` is the Go source line that it imitates.

        `values` are those of the %s in the message.
        """
        self._write("info", caller, msg, values, fields)

    def warn(self, caller: str, msg: str, **fields: object) -> None:
        """Write a line of level warn."""
        self._write("warn", caller, msg, (), fields)

    def error(self, caller: str, msg: str, **fields: object) -> None:
        """Write a line of level error."""
        self._write("error", caller, msg, (), fields)

    def _write(
        self,
        level: str,
        caller: str,
        msg: str,
        values: tuple[object, ...],
        fields: dict[str, object],
    ) -> None:
        line = log_line(self._variant, level, time.time(), caller, msg, *values, **fields).encode()
        with self._lock:
            for path in self._paths:
                # Opened for each line, so that a log that was moved or deleted starts again.
                descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
                try:
                    os.write(descriptor, line)
                    full = os.fstat(descriptor).st_size > MAX_BYTES
                finally:
                    os.close(descriptor)
                if full:
                    path.replace(path.with_name(path.name + ".1"))


def log_line(
    variant: Variant,
    level: str,
    ts: float,
    caller: str,
    msg: str,
    *values: object,
    **fields: object,
) -> str:
    """Return one log line with its newline; `ts` is in seconds since 1970."""
    text = variant.messages.get(msg, msg) % values
    return variant.log_format.encode(level, ts, caller, text, fields)
