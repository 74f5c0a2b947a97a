"""The supervisor's children by name: start, signal, stop, restart, remember."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from lab import clean_up
from lab.errors import LabError
from lab.processes import identify

if TYPE_CHECKING:
    from pathlib import Path

Start = Callable[[], "subprocess.Popen[bytes]"]
OUTPUT_MAX_BYTES = 4 * 1024 * 1024
RESTART_SECONDS = 0.8
# How each is asked to end; the others get SIGTERM. RabbitMQ would take seconds for an orderly end
# of data that is thrown away; PostgreSQL's SIGQUIT frees its shared memory at once.
ENDING = {"rabbitmq": signal.SIGKILL, "epmd": signal.SIGKILL, "postgres": signal.SIGQUIT}


class Children:
    """Used from the main thread only: a parent-death signal follows the thread that forked."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._restarted: dict[str, float] = {}
        """Names that are started again when they end, with the earliest moment for that."""

    def start(self, name: str, start: Start) -> int:
        """Start it unless it runs; its process id."""
        running = self._running.get(name)
        if running is None or running.poll() is not None:
            self._running[name] = start()
            self._remember()
        return self._running[name].pid

    def pids(self) -> dict[str, int]:
        """Those that run."""
        return {name: child.pid for name, child in self._running.items() if child.poll() is None}

    def has_ended(self, name: str) -> bool:
        """Whether it was started and is no more."""
        child = self._running.get(name)
        return child is not None and child.poll() is not None

    def send(self, name: str, number: int) -> None:
        """A signal. LabError when no such child runs."""
        child = self._running.get(name)
        if child is None or child.poll() is not None:
            raise LabError(f"{name} is not running")
        child.send_signal(number)

    def stop(self, name: str, seconds: float = 3) -> None:
        """End it, politely first. Nothing to do is fine."""
        self._restarted.pop(name, None)
        child = self._running.pop(name, None)
        if child is None:
            return
        if child.poll() is None:
            child.send_signal(ENDING.get(name, signal.SIGTERM))
            # One that was stopped would not see a polite signal.
            child.send_signal(signal.SIGCONT)
            try:
                child.wait(seconds)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(10)
        self._remember()

    def stop_all(self) -> None:
        """The latest first, since it uses the earlier."""
        for name in reversed(list(self._running)):
            self.stop(name)

    def keep_restarting(self, name: str, on: bool) -> None:
        """Start it again whenever it ends, as an init system would; off by default."""
        if on:
            self._restarted[name] = 0.0
        else:
            self._restarted.pop(name, None)

    def look_after(self, service: Callable[[str], Start]) -> None:
        """Reap those that ended, restart those that shall be, cap what they print."""
        for name, child in list(self._running.items()):
            if child.poll() is None or name not in self._restarted:
                continue
            if time.monotonic() >= self._restarted[name]:
                self._restarted[name] = time.monotonic() + RESTART_SECONDS
                self.start(name, service(name))
        for path in (self._directory / "log").glob("*.out"):
            if path.stat().st_size > OUTPUT_MAX_BYTES:
                with path.open("wb"):
                    pass

    def _remember(self) -> None:
        found = [identify(child.pid) for child in self._running.values() if child.poll() is None]
        clean_up.remember(self._directory, "children", [each for each in found if each])
