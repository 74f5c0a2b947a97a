"""`python -m lab setup`: install RabbitMQ with apt where that is allowed, or else say how."""

from __future__ import annotations

import os
import shutil
import subprocess

from lab import broker, postgres
from lab.errors import LabError

COMMAND = "sudo apt-get install rabbitmq-server"
WITHOUT = "the lab runs without it, from the job_queue table"
UPDATE_SECONDS = 120
INSTALL_SECONDS = 400


def setup() -> str:
    """Install RabbitMQ where it is missing and return one sentence about the result.

    Raises LabError where something is missing without which the lab cannot run.
    """
    postgres.binaries()
    if shutil.which("setpriv") is None:
        raise LabError("setpriv is missing; install it with: sudo apt-get install util-linux")
    if broker.is_installed():
        return "PostgreSQL (from the wheel) and RabbitMQ are installed."
    if shutil.which("apt-get") is None:
        return f"RabbitMQ is missing and so is apt-get; {WITHOUT}"
    prefix = _prefix()
    if prefix is None:
        return f"RabbitMQ is missing; install it with: {COMMAND}. Meanwhile {WITHOUT}"
    try:
        _install(prefix)
    except LabError as exc:
        return f"RabbitMQ is missing: {exc}. Meanwhile {WITHOUT}"
    return "RabbitMQ is installed."


def _install(prefix: list[str]) -> None:
    """Install RabbitMQ with apt; raises LabError."""
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    install = [
        "apt-get",
        "-o",
        "DPkg::Lock::Timeout=60",
        "install",
        "-y",
        "--no-install-recommends",
        "rabbitmq-server",
    ]
    _run([*prefix, *environment, "apt-get", "update", "-q"], UPDATE_SECONDS)
    _run([*prefix, *environment, *install], INSTALL_SECONDS)
    if not broker.is_installed():
        raise LabError(f"apt-get installed rabbitmq-server, but not in {broker.SCRIPTS}")


def _prefix() -> list[str] | None:
    """Return the prefix that runs a command as root, None where this user cannot do that."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    sudo = subprocess.run(["sudo", "-n", "true"], capture_output=True, timeout=10, check=False)
    return ["sudo", "-n"] if sudo.returncode == 0 else None


def _run(argv: list[str], seconds: float) -> None:
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"apt-get did not end within {seconds:g} s; try: {COMMAND}") from None
    if done.returncode != 0:
        lines = done.stdout.decode(errors="replace").strip().splitlines()
        raise LabError(f"apt-get failed ({lines[-1] if lines else 'no output'}); try: {COMMAND}")
