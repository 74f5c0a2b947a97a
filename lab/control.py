"""The supervisor's control socket: one JSON request and one JSON answer per connection."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.errors import LabError

MAX_BYTES = 64 * 1024


def ask(
    directory: Path, command: str, arguments: dict[str, object] | None = None, seconds: float = 30
) -> Any:
    """Send `command` to the supervisor and return its answer.

    Raises LabError when no supervisor answers within `seconds`, and when the command fails.
    """
    request = json.dumps({"command": command, **(arguments or {})}) + "\n"
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(seconds)
            _with_address(directory, connection.connect)
            connection.sendall(request.encode())
            with connection.makefile("rb") as answers:
                answer = json.loads(answers.readline(MAX_BYTES) or b"null")
    except (FileNotFoundError, ConnectionError):
        raise LabError(
            f"no lab is running in {directory}; start one with: python -m lab up"
        ) from None
    except (OSError, ValueError) as exc:
        raise LabError(f"the lab's supervisor does not answer: {exc}") from exc
    if answer is None:
        raise LabError("the lab's supervisor closed the connection without an answer")
    if answer.get("error"):
        raise LabError(answer["error"])
    return answer.get("result")


def listen(directory: Path) -> socket.socket:
    """Return the supervisor's listening socket, which only this user can connect to."""
    (directory / "control").unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX)
    previous = os.umask(0o077)
    try:
        _with_address(directory, server.bind)
    finally:
        os.umask(previous)
    server.listen(8)
    return server


def _with_address(directory: Path, call: Callable[[str], object]) -> None:
    """Call `call` with a path of the socket that fits into the 107 bytes of a unix address."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        call(f"/proc/self/fd/{descriptor}/control")
    finally:
        os.close(descriptor)
