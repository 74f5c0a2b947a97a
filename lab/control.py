"""The line to the supervisor: one JSON object each way over a unix socket of the lab."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING, Any

from lab.errors import LabError

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 64 * 1024


def ask(
    directory: Path, command: str, arguments: dict[str, object] | None = None, seconds: float = 30
) -> Any:
    """Have the supervisor do `command`; its answer. LabError when there is none or it refuses."""
    request = json.dumps({"command": command, **(arguments or {})}) + "\n"
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(seconds)
            _at(directory, line.connect)
            line.sendall(request.encode())
            with line.makefile("rb") as answers:
                answer = json.loads(answers.readline(MAX_BYTES) or b"null")
    except (FileNotFoundError, ConnectionError):
        raise LabError(
            f"no lab is running in {directory}; start one with: python -m lab up"
        ) from None
    except (OSError, ValueError) as exc:
        raise LabError(f"the lab's supervisor does not answer: {exc}") from exc
    if answer is None:
        raise LabError("the lab's supervisor went away")
    if answer.get("error"):
        raise LabError(answer["error"])
    return answer.get("result")


def listen(directory: Path) -> socket.socket:
    """The supervisor's end, for this user only."""
    (directory / "control").unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX)
    previous = os.umask(0o077)
    try:
        _at(directory, server.bind)
    finally:
        os.umask(previous)
    server.listen(8)
    return server


def _at(directory: Path, act: Any) -> None:
    # A socket's path may have 107 bytes; through the open directory it is always short enough.
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        act(f"/proc/self/fd/{descriptor}/control")
    finally:
        os.close(descriptor)
