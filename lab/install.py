"""`python -m lab setup`: RabbitMQ through apt where that is allowed, else a line that says how."""

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
    """Install what is missing; one line about the result, or about what the lab runs without.

    Raises LabError where the lab cannot run at all.
    """
    postgres.binaries()
    if shutil.which("setpriv") is None:
        raise LabError("setpriv is missing; install it with: sudo apt-get install util-linux")
    if broker.is_installed():
        return "Everything is there: PostgreSQL (from the wheel) and RabbitMQ."
    if shutil.which("apt-get") is None:
        return f"RabbitMQ is missing and there is no apt-get here; {WITHOUT}"
    prefix = _prefix()
    if prefix is None:
        return f"RabbitMQ is missing; install it with: {COMMAND}. Meanwhile {WITHOUT}"
    try:
        _install(prefix)
    except LabError as exc:
        return f"RabbitMQ is missing: {exc}. Meanwhile {WITHOUT}"
    return "RabbitMQ is installed."


def _install(prefix: list[str]) -> None:
    """Install RabbitMQ through apt; raises LabError."""
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
        raise LabError(f"rabbitmq-server was installed, yet {broker.SCRIPTS} is not there")


def _prefix() -> list[str] | None:
    """What to put before a command to run it as root, None when we may not."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    asked = subprocess.run(["sudo", "-n", "true"], capture_output=True, timeout=10, check=False)
    return ["sudo", "-n"] if asked.returncode == 0 else None


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
