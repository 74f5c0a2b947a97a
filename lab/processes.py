"""Starting, knowing again and ending processes; every child dies with its parent."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NOBODY = 65534
AS_NOBODY = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}")


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Return once `condition()` holds; LabError naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    pause = 0.02
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not within {seconds:g} s")
        time.sleep(pause)
        pause = min(pause * 1.3, 0.25)


@dataclass(frozen=True)
class Identity:
    """A process that can be recognised again although process ids are reused."""

    pid: int
    started: int
    """Clock ticks after boot, field 22 of /proc/PID/stat."""

    def is_alive(self) -> bool:
        """True while this very process exists and is not a zombie."""
        stat = _stat(self.pid)
        return stat is not None and stat[1] == self.started and stat[0] != "Z"

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send the signal to this very process, if it is still there."""
        if self.is_alive():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, seconds: float) -> bool:
        """Whether it has ended within `seconds`."""
        if not self.is_alive():
            return True
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return True
        try:
            poller = select.poll()
            poller.register(descriptor, select.POLLIN)
            return bool(poller.poll(seconds * 1000))
        finally:
            os.close(descriptor)


def identify(pid: int) -> Identity | None:
    """The identity of a running process, None when there is none."""
    stat = _stat(pid)
    return Identity(pid, stat[1]) if stat else None


def process_state(pid: int) -> str | None:
    """The kernel's one-letter state ("R", "S", "T", "Z"...), None when there is no such process."""
    stat = _stat(pid)
    return stat[0] if stat else None


def uptime(pid: int) -> float:
    """Seconds since the process was started, 0 when there is none."""
    stat = _stat(pid)
    if stat is None:
        return 0.0
    now = float(Path("/proc/uptime").read_text().split()[0])
    return now - stat[1] / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> tuple[str, int] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command's name, in parentheses, may hold anything: fields count from the last one.
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[19])


def spawn(
    argv: list[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    death_signal: str = "KILL",
    unprivileged: bool = False,
    obey_modes: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a child that ends when this thread's process ends.

    unprivileged: as root, seem to be nobody but reach what root may reach (PostgreSQL refuses
    uid 0, and its binaries may live in a directory that is closed to others).
    obey_modes: as root, without the capabilities that overlook permission bits.
    Call it from the main thread only: a parent-death signal follows the thread that forked.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            _wrapped(argv, death_signal, unprivileged, obey_modes),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd="/",
        )


def run(argv: list[str], seconds: float, *, unprivileged: bool = False) -> str:
    """Run to the end; its output. LabError with the last line of it when it fails."""
    try:
        done = subprocess.run(
            _wrapped(argv, "KILL", unprivileged, False),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            cwd="/",
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"{argv[0]} did not end within {seconds:g} s") from None
    except FileNotFoundError:
        raise LabError(f"{argv[0]} is not installed") from None
    output = done.stdout.decode(errors="replace").strip()
    if done.returncode != 0:
        last = output.splitlines()[-1] if output else f"exit code {done.returncode}"
        raise LabError(f"{Path(argv[0]).name} failed: {last}")
    return output


@cache
def seems_nobody() -> bool:
    """Whether root can be nobody in a user namespace of its own, and keep what root owns.

    Where it cannot, the user is really changed, and what is closed to others is out of reach.
    """
    if shutil.which(AS_NOBODY[0]) is None:
        return False
    asked = subprocess.run([*AS_NOBODY, "true"], capture_output=True, timeout=10, check=False)
    return asked.returncode == 0


def _wrapped(argv: list[str], death_signal: str, unprivileged: bool, obey_modes: bool) -> list[str]:
    # setpriv sets the death signal last: a change of credentials clears it.
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise LabError("setpriv is not installed; install it with: apt-get install util-linux")
    options = [setpriv, "--pdeathsig", death_signal]
    if os.geteuid() == 0 and unprivileged and seems_nobody():
        options = [*AS_NOBODY, "--", *options]
    elif os.geteuid() == 0 and unprivileged:
        options += [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        options += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    if os.geteuid() == 0 and obey_modes:
        options += ["--bounding-set=-dac_override,-dac_read_search"]
    return [*options, "--", *argv]
