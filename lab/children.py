"""The supervisor's child processes by name: start, signal, stop and restart them."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from lab import clean_up
from lab.errors import LabError
from lab.processes import identify

Start = Callable[[], "subprocess.Popen[bytes]"]
OUTPUT_MAX_BYTES = 4 * 1024 * 1024
RESTART_SECONDS = 0.8
# The signal that stops each service; the others get SIGTERM. An orderly stop of RabbitMQ takes
# seconds and saves data that the lab deletes. PostgreSQL frees its shared memory on SIGQUIT.
STOP_SIGNALS = {"rabbitmq": signal.SIGKILL, "epmd": signal.SIGKILL, "postgres": signal.SIGQUIT}


class Children:
    """The child processes of one supervisor.

    Use it in the main thread only: the kernel sends a parent-death signal when the thread ends
    that started the child.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._restarted: dict[str, float] = {}
        """Children to restart when they end, each with the earliest monotonic time for it."""

    def start(self, name: str, start: Start) -> int:
        """Start a child unless it runs, and return its process id."""
        running = self._running.get(name)
        if running is None or running.poll() is not None:
            self._running[name] = start()
            self._save_identities()
        return self._running[name].pid

    def pids(self) -> dict[str, int]:
        """Return the process ids of the running children, by name."""
        return {name: child.pid for name, child in self._running.items() if child.poll() is None}

    def has_ended(self, name: str) -> bool:
        """Return whether the child was started and has ended."""
        child = self._running.get(name)
        return child is not None and child.poll() is not None

    def send(self, name: str, number: int) -> None:
        """Send a signal to a child; raises LabError when it does not run."""
        child = self._running.get(name)
        if child is None or child.poll() is not None:
            raise LabError(f"{name} is not running")
        child.send_signal(number)

    def stop(self, name: str, seconds: float = 3) -> None:
        """Stop a child: with its stop signal, then with SIGKILL. Does nothing when none runs."""
        self._restarted.pop(name, None)
        child = self._running.pop(name, None)
        if child is None:
            return
        if child.poll() is None:
            child.send_signal(STOP_SIGNALS.get(name, signal.SIGTERM))
            # A child that is stopped (SIGSTOP) handles no other signal until it continues.
            child.send_signal(signal.SIGCONT)
            try:
                child.wait(seconds)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(10)
        self._save_identities()

    def stop_all(self) -> None:
        """Stop all children in reverse order of their start: each depends on earlier ones."""
        for name in reversed(list(self._running)):
            self.stop(name)

    def keep_restarting(self, name: str, on: bool) -> None:
        """Turn automatic restarts of a child on or off, like those of an init system."""
        if on:
            self._restarted[name] = 0.0
        else:
            self._restarted.pop(name, None)

    def supervise(self, service: Callable[[str], Start]) -> None:
        """Reap ended children, restart those that `keep_restarting` names, and cap their logs."""
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

    def _save_identities(self) -> None:
        identities = [identify(pid) for pid in self.pids().values()]
        clean_up.save_processes(self._directory, "children", filter(None, identities))
