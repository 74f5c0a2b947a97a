"""The process that makes the looks of a watch, one after another."""

from __future__ import annotations

import select
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress

from core.units import RUN_MAX

STOP_MAX = 10.0
"""Seconds in which a process must end after its signal."""

OUTPUT_MAX = 64 * 1024
"""Bytes that are read of what a look has printed, from its end."""


class Looks:
    """Makes looks with these arguments for pytest, in a process that is started when needed.

    That process keeps its connections from one look to the next. One that died is replaced.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._command = [sys.executable, "-m", "fixtures.run.looks", *arguments]
        self._process: subprocess.Popen[bytes] | None = None
        # A file, for it has what a look printed although its process was killed.
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `end`

    def look(self) -> tuple[int, str]:
        """Look once; return the exit status of the run and what it printed."""
        if self._process and self._process.poll() is not None:
            self.replace()
        # The process writes where this descriptor is: both have the same place in the file.
        self._output.seek(0)
        self._output.truncate()
        process = self._process = self._process or self._start()
        assert process.stdin
        assert process.stdout
        try:
            # It may die at any moment; the answer then is the end of its output.
            with suppress(BrokenPipeError):
                process.stdin.write(b"look\n")
                process.stdin.flush()
            is_there, _, _ = select.select([process.stdout], [], [], RUN_MAX)
            answer = process.stdout.readline().strip() if is_there else b""
        except KeyboardInterrupt:
            process.terminate()
            self.replace()
            raise
        if answer.isdigit():
            return int(answer), self._printed()
        if not is_there:
            process.kill()
        status = self._ended(process)
        self.replace()
        return status, self._printed()

    def replace(self) -> None:
        """End the process; the next look starts another one."""
        process, self._process = self._process, None
        if process:
            assert process.stdin
            assert process.stdout
            with suppress(BrokenPipeError):
                process.stdin.close()
            self._ended(process)
            process.stdout.close()

    def end(self) -> None:
        """End the process for good."""
        self.replace()
        self._output.close()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._output,
            # A session of its own: Ctrl-C reaches it once, through this process.
            start_new_session=True,
        )

    def _ended(self, process: subprocess.Popen[bytes]) -> int:
        """Return the exit status of a process that is about to end; a late one is killed."""
        try:
            process.wait(STOP_MAX)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill()
            process.wait()
        status: int = process.returncode
        return abs(status)

    def _printed(self) -> str:
        size = self._output.seek(0, 2)
        self._output.seek(max(size - OUTPUT_MAX, 0))
        return self._output.read().decode("utf-8", "replace")
