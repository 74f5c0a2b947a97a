"""This process's standard output and error."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from core.language import tr


def discard_output() -> None:
    """Send what is still printed nowhere: its reader, such as `head`, has stopped.

    Python would report the closed pipe once more at its exit.
    """
    _discard(sys.stdout)


def print_error(sentence: str) -> None:
    """Print to standard error, where that can be written."""
    try:
        print(sentence, file=sys.stderr, flush=True)
    except OSError:
        # Python would end with 120 for what is left in its buffer.
        _discard(sys.stderr)


def _discard(stream: TextIO) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def print_warning(sentence: str) -> None:
    """Print a warning to standard error, where that can be written."""
    print_error(tr("warning: {sentence}", sentence=sentence))


def print_unwritten(reason: object) -> None:
    """Print why standard output cannot be written."""
    print_error(tr("standard output cannot be written: {reason}", reason=reason))


def open_closed_streams() -> None:
    """Replace a stream that was closed when the process started, which Python gives as None."""
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - until the process ends
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - until the process ends
        print_unwritten(tr("it is closed"))


def take_any_text() -> None:
    """Open closed streams; a letter that a stream's encoding does not have becomes a "?"."""
    open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def make_output_optional() -> None:
    """Have the process go on where its output cannot be written.

    A sentence on standard error says so once, unless the reader of a pipe has stopped.
    """
    open_closed_streams()
    if sys.stdout is sys.__stdout__:
        sys.stdout = _Optional.around(sys.stdout, print_unwritten)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _Optional.around(sys.stderr, lambda _: None)


class _Optional(io.FileIO):
    """A file descriptor; what cannot be written to it is dropped."""

    report: Callable[[object], None] | None

    @classmethod
    def around(cls, stream: Any, report: Callable[[object], None]) -> TextIO:
        """Return a stream that writes to the same file."""
        raw = cls(stream.fileno(), "w", closefd=False)
        raw.report = report
        return io.TextIOWrapper(
            io.BufferedWriter(raw),
            encoding=stream.encoding,
            # A sentence may have letters that the encoding does not have.
            errors="replace" if stream.errors == "strict" else stream.errors,
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )

    def write(self, data: Any, /) -> int:
        """Write bytes, or drop them."""
        try:
            return super().write(data)
        except OSError as exc:
            report, self.report = self.report, None
            if report and not isinstance(exc, BrokenPipeError):
                report(exc.strerror)
            return memoryview(data).nbytes
