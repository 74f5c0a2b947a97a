"""Logging as zap's production encoder writes it: one JSON object a line, capped in size."""

from __future__ import annotations

import json
import os
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 8 * 1024 * 1024


class ZapLog:
    """Appends to one or more files; each file has one writing process.

    A file that passes MAX_BYTES is renamed to `<name>.1`: a log never takes more than twice that.
    """

    def __init__(self, *paths: Path) -> None:
        self._paths = paths
        self._lock = threading.Lock()

    def info(self, caller: str, msg: str, **fields: object) -> None:
        self._write("info", caller, msg, fields)

    def warn(self, caller: str, msg: str, **fields: object) -> None:
        self._write("warn", caller, msg, fields)

    def error(self, caller: str, msg: str, **fields: object) -> None:
        self._write("error", caller, msg, fields)

    def _write(self, level: str, caller: str, msg: str, fields: dict[str, object]) -> None:
        line = zap_line(level, time.time(), caller, msg, **fields).encode()
        with self._lock:
            for path in self._paths:
                # Opened anew for each line: a log that was moved away is followed.
                descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
                try:
                    os.write(descriptor, line)
                    full = os.fstat(descriptor).st_size > MAX_BYTES
                finally:
                    os.close(descriptor)
                if full:
                    path.replace(path.with_name(path.name + ".1"))


def zap_line(level: str, ts: float, caller: str, msg: str, **fields: object) -> str:
    """One line with its newline; `ts` in seconds since 1970."""
    values = {"level": level, "ts": round(ts, 6), "caller": caller, "msg": msg, **fields}
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")) + "\n"
