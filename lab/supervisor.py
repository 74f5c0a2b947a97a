"""The parent of every process of a lab: `python -m lab.supervisor --dir DIR`, started by `up`.

When it ends, even by SIGKILL, all its children end: each has a parent-death signal.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.files import write_file
from lab import boot, clean_up, control
from lab.children import Children
from lab.errors import LabError
from lab.processes import process_state
from lab.program import argument_parser
from lab.state import load
from lab.variants import STANDARD, get_variant

if TYPE_CHECKING:
    import socket


class Stop(BaseException):
    """The supervisor got SIGTERM."""


class Supervisor:
    """Answers the control socket and manages the child processes, in the main thread."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.children = Children(directory)
        self._commands: dict[str, Callable[..., Any]] = {
            "status": self._status,
            "signal": self.children.send,
            "stop": self.children.stop,
            "start": lambda name: self.children.start(name, self._service(name)),
            "restart_loop": lambda name, on: self.children.keep_restarting(name, bool(on)),
            "helper": lambda name, argv: self.children.start(name, boot.helper(argv)),
        }

    def serve(self, server: socket.socket) -> None:
        """Answer requests until SIGTERM, which also comes when the lab's owner ends."""
        self._service = boot.services(load(self.directory))
        while True:
            readable, _, _ = select.select([server], [], [], 0.2)
            self.children.supervise(self._service)
            if readable:
                connection, _ = server.accept()
                with connection:
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(2)
        try:
            with connection.makefile("rb") as requests:
                request = json.loads(requests.readline(control.MAX_BYTES))
            command = self._commands[request.pop("command")]
            answer = {"result": command(**request)}
        except LabError as exc:
            answer = {"error": str(exc)}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
            answer = {"error": f"the supervisor could not run the command: {exc!r}"}
        # The client may have closed the connection.
        with suppress(OSError):
            connection.sendall(json.dumps(answer).encode() + b"\n")

    def _status(self) -> dict[str, Any]:
        processes = {
            name: {"pid": pid, "state": process_state(pid)}
            for name, pid in self.children.pids().items()
        }
        return {"supervisor": os.getpid(), "processes": processes}


def main() -> int:
    """Run a lab; return 0 after an orderly end, 1 when the lab did not start."""
    parser = argument_parser("lab.supervisor", __doc__)
    parser.add_argument("--owner", type=int, metavar="PID", help="end when this process ends")
    parser.add_argument("--variant", default=STANDARD.name, help="the platform to start")
    parser.add_argument("--no-broker", action="store_true", help="start no RabbitMQ")
    arguments = parser.parse_args()
    directory: Path = arguments.dir

    def stop(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Stop

    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _write_phase(directory, f"failed: a lab is already running in {directory}")
        return 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, stop)
    supervisor = Supervisor(directory)
    code = 0
    try:
        if arguments.owner is not None:
            _stop_with(arguments.owner)
        clean_up.clear(directory)
        clean_up.save_supervisor(directory)
        server = control.listen(directory)
        boot.boot(
            directory,
            supervisor.children,
            get_variant(arguments.variant),
            with_broker=not arguments.no_broker,
        )
        _write_phase(directory, "ready")
        supervisor.serve(server)
    except Stop:
        print("stopping", file=sys.stderr)
    except LabError as exc:
        _write_phase(directory, f"failed: {exc}")
        code = 1
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        supervisor.children.stop_all()
        clean_up.clear(directory, keep_logs=code != 0)
    return code


def _stop_with(owner: int) -> None:
    """Send SIGTERM to this process when the owner ends, however it ends; raises LabError."""
    try:
        descriptor = os.pidfd_open(owner)
    except ProcessLookupError:
        raise LabError(f"the owner, process {owner}, does not exist") from None

    def watch() -> None:
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        poller.poll()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="owner", daemon=True).start()


def _write_phase(directory: Path, text: str) -> None:
    write_file(directory / "phase", text)


if __name__ == "__main__":
    sys.exit(main())
