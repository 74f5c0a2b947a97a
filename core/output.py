"""This process's standard output and error."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
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


@contextmanager
def optional_output() -> Generator[None]:
    """Have what runs within, and after it, go on where its output cannot be written.

    A sentence on standard error says so once, unless the reader of a pipe has stopped.
    """
    open_closed_streams()
    replaced = []
    if sys.stdout is sys.__stdout__:
        replaced.append(_Optional(sys.stdout, print_unwritten))
        sys.stdout = replaced[-1].text()
    if sys.stderr is sys.__stderr__:
        replaced.append(_Optional(sys.stderr, lambda _: None))
        sys.stderr = replaced[-1].text()
    streams = sys.stdout, sys.stderr
    try:
        yield
    finally:
        # pytest has put the former ones back, and has printed to them.
        sys.stdout, sys.stderr = streams
        for optional in replaced:
            optional.flush_former()


class _Optional(io.FileIO):
    """The file of a stream; what cannot be written to it is dropped, and the first is reported."""

    def __init__(self, former: Any, report: Callable[[object], None]) -> None:
        super().__init__(former.fileno(), "w", closefd=False)
        self._former = former
        self._report: Callable[[object], None] | None = report

    def text(self) -> TextIO:
        """Return a stream that writes here, with the former one's encoding and buffering."""
        return io.TextIOWrapper(
            io.BufferedWriter(self),
            encoding=self._former.encoding,
            # A sentence may have letters that the encoding does not have.
            errors="replace" if self._former.errors == "strict" else self._former.errors,
            line_buffering=self._former.line_buffering,
            write_through=self._former.write_through,
        )

    def write(self, data: Any, /) -> int:
        """Write bytes, or drop them."""
        try:
            return super().write(data)
        except OSError as exc:
            self._dropped(exc)
            return memoryview(data).nbytes

    def flush_former(self) -> None:
        """Write what the former stream still holds, or drop it."""
        try:
            self._former.flush()
        except OSError as exc:
            self._dropped(exc)

    def _dropped(self, exc: OSError) -> None:
        report, self._report = self._report, None
        if report and not isinstance(exc, BrokenPipeError):
            report(exc.strerror)
