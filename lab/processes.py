"""Start, identify and end processes; every child ends with its parent."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lab.errors import LabError

NOBODY = 65534
AS_NOBODY = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}")


def wait_until(condition: Callable[[], bool], seconds: float, awaited: str) -> None:
    """Wait until `condition()` is true; raises LabError that names `awaited` after `seconds`."""
    deadline = time.monotonic() + seconds
    pause = 0.02
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"timed out after {seconds:g} s: {awaited}")
        time.sleep(pause)
        pause = min(pause * 1.3, 0.25)


@dataclass(frozen=True)
class Identity:
    """A process, identified by its id and start time, because process ids are reused."""

    pid: int
    started: int
    """Start time in clock ticks after boot, field 22 of /proc/PID/stat."""

    def is_alive(self) -> bool:
        """Return whether this process exists and is not a zombie."""
        stat = _stat(self.pid)
        return stat is not None and stat[1] == self.started and stat[0] != "Z"

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to this process, if it is alive."""
        if self.is_alive():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, seconds: float) -> bool:
        """Wait for the end of this process at most `seconds`; return whether it has ended."""
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
    """Return the identity of a process, None when there is none with this id."""
    stat = _stat(pid)
    return Identity(pid, stat[1]) if stat else None


def process_state(pid: int) -> str | None:
    """Return the kernel's letter for a process's state ("R", "S", "T"), None without a process."""
    stat = _stat(pid)
    return stat[0] if stat else None


def uptime(pid: int) -> float:
    """Return the seconds since a process started, 0 when there is none with this id."""
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
    # The command's name can contain parentheses: the other fields follow the last one.
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
    """Start a child process that gets `death_signal` when this process ends.

    `unprivileged`: a child of root runs as nobody, because PostgreSQL refuses to run as root. It
    can still read what root can, because its binaries may be closed to other users.
    `obey_modes`: a child of root runs without the capabilities to ignore file modes.

    Call it in the main thread only: the kernel sends a parent-death signal when the thread ends
    that started the child.
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
    """Run a command and return its output; raises LabError with the output's last line."""
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
def can_map_to_nobody() -> bool:
    """Return whether root can be mapped to nobody in a user namespace.

    A mapped process keeps root's access to files. Where this is impossible, the child really
    changes its user to nobody.
    """
    if shutil.which(AS_NOBODY[0]) is None:
        return False
    unshare = subprocess.run([*AS_NOBODY, "true"], capture_output=True, timeout=10, check=False)
    return unshare.returncode == 0


def environment_with_lab() -> dict[str, str]:
    """Return this process's environment with the project's root on PYTHONPATH."""
    root = str(Path(__file__).parent.parent)
    path = os.environ.get("PYTHONPATH")
    return os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{path}" if path else root}


def _wrapped(argv: list[str], death_signal: str, unprivileged: bool, obey_modes: bool) -> list[str]:
    # setpriv sets the death signal last, because a change of credentials clears it.
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise LabError("setpriv is not installed; install it with: apt-get install util-linux")
    options = [setpriv, "--pdeathsig", death_signal]
    if os.geteuid() == 0 and unprivileged and can_map_to_nobody():
        options = [*AS_NOBODY, "--", *options]
    elif os.geteuid() == 0 and unprivileged:
        options += [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        options += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    if os.geteuid() == 0 and obey_modes:
        options += ["--bounding-set=-dac_override,-dac_read_search"]
    return [*options, "--", *argv]
