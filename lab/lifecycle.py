"""Start and end a lab from another process, and describe a running one."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import clean_up, control, targets
from lab.errors import LabError
from lab.install import COMMAND
from lab.processes import environment_with_lab
from lab.state import Lab, default_directory, load
from lab.variants import STANDARD

if TYPE_CHECKING:
    from lab.variants import Variant

UP_SECONDS = 150.0
DOWN_SECONDS = 40.0
_supervisors: dict[Path, subprocess.Popen[bytes]] = {}


def is_running(directory: Path) -> bool:
    """Return whether a supervisor runs for this directory, even one that is still starting."""
    return any(process.is_alive() for process in clean_up.load_processes(directory, "supervisor"))


def up(
    directory: Path,
    *,
    variant: Variant | None = None,
    owner: int | None = None,
    broker: bool = True,
) -> Lab:
    """Start a lab, unless it runs, and return it when an upload has completed.

    Without a `variant`, a running lab of any variant will do, and the standard one is started.
    `owner` is the id of a process: the lab ends when that process ends. Raises LabError, also when
    a lab of another variant runs.
    """
    clean_up.claim(directory)
    if not is_running(directory):
        (directory / "phase").unlink(missing_ok=True)
        _start(directory, variant or STANDARD, owner, broker)
    deadline = time.monotonic() + UP_SECONDS
    while time.monotonic() < deadline:
        phase = _read(directory / "phase")
        if phase == "ready":
            lab = load(directory)
            if variant not in (None, lab.variant):
                raise LabError(
                    f"a lab of the variant {lab.variant.name} runs in {directory}; "
                    "end it first: python -m lab down"
                )
            return lab
        if phase.startswith("failed: "):
            raise LabError(f"the lab did not start: {phase.removeprefix('failed: ')}")
        if not is_running(directory) and _read(directory / "phase") == phase:
            raise LabError(f"the lab did not start; see {directory}/supervisor.log")
        time.sleep(0.05)
    down(directory)
    raise LabError(f"the lab did not start within {UP_SECONDS:g} s; see {directory}/supervisor.log")


def _start(directory: Path, variant: Variant, owner: int | None, broker: bool) -> None:
    argv = [sys.executable, "-m", "lab.supervisor", "--dir", str(directory)]
    argv += ["--variant", variant.name]
    argv += [] if owner is None else ["--owner", str(owner)]
    argv += [] if broker else ["--no-broker"]
    with (directory / "supervisor.log").open("wb") as log:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env=environment_with_lab(),
        )
    # `down` reaps it: it is this process's child.
    _supervisors[directory] = child
    deadline = time.monotonic() + 15
    while not is_running(directory) and not _read(directory / "phase"):
        if child.poll() is not None or time.monotonic() > deadline:
            last = _read(directory / "supervisor.log").splitlines()[-1:] or ["no message"]
            raise LabError(f"the lab's supervisor did not start: {last[0]}")
        time.sleep(0.02)


def down(directory: Path) -> bool:
    """End the lab, or clean up after a killed one; return whether there was a lab."""
    if not (directory / clean_up.MARKER).exists():
        return False
    was_up = is_running(directory) or bool(clean_up.load_processes(directory, "children"))
    for process in clean_up.load_processes(directory, "supervisor"):
        process.kill(15)
        if not process.wait(DOWN_SECONDS):
            process.kill()
            process.wait(5)
    child = _supervisors.pop(directory, None)
    if child:
        # One that has just begun is in no file yet.
        child.terminate()
        child.wait(DOWN_SECONDS)
    clean_up.clear(directory)
    for name in clean_up.KEPT - {clean_up.MARKER}:
        (directory / name).unlink(missing_ok=True)
    return was_up


def describe(directory: Path) -> dict[str, Any]:
    """Return the JSON of `status --json`: URLs, paths, secrets and process ids of the lab.

    Raises LabError when no lab runs there.
    """
    answer = control.ask(directory, "status")
    lab = load(directory)
    broker: dict[str, Any] | None = None
    if lab.broker:
        broker = {
            "amqp_url": lab.amqp_url,
            "management_url": lab.management_url if lab.rabbitmq.management else None,
            "app_amqp_url": lab.app_amqp_url,
            "vhost": lab.rabbitmq.vhost,
            "queue": lab.rabbitmq.queue,
            "dead_letter": lab.rabbitmq.dead_letter,
            "node": "veza@localhost",
            "epmd_port": lab.ports.epmd,
            "home": str(directory / "rabbitmq"),
        }
    return {
        "directory": str(directory),
        "phase": _read(directory / "phase"),
        "variant": lab.variant.name,
        "targets": str(targets.path(lab)),
        "api": {
            "url": lab.api_url,
            "token": lab.passwords.token,
            "user_token": lab.passwords.user_token,
        },
        "database": {
            "dsn": lab.dsn,
            "owner_dsn": lab.owner_dsn,
            "superuser_dsn": lab.superuser_dsn,
        },
        "broker": broker,
        "broker_hint": None if broker else f"no RabbitMQ; {_broker_hint(lab)}",
        "storage": {
            "path": str(lab.uploads),
            "root": str(lab.storage_root),
            "kind": lab.storage_kind,
            "modes_are_obeyed": lab.drops_capabilities or os.geteuid() != 0,
        },
        "logs": {
            "application": f"{lab.app_logs}/*.log",
            "worker": f"{lab.worker_logs}/*.log" if lab.has_worker_log else None,
            "output": f"{directory}/log/*.out",
        },
        "worker_pattern": lab.worker_pattern,
        "supervisor": answer["supervisor"],
        "processes": answer["processes"],
    }


def _broker_hint(lab: Lab) -> str:
    if lab.variant.broker is None:
        return f"the variant {lab.variant.name} has none"
    return f"install it with: {COMMAND}"


def as_text(description: dict[str, Any]) -> str:
    """Return the description as lines for a person."""
    broker = description["broker"]
    storage = description["storage"]
    folder = description["directory"]
    option = "" if Path(folder) == default_directory() else f" --dir {shlex.quote(folder)}"
    processes = {"supervisor": {"pid": description["supervisor"]}} | description["processes"]
    lines = {
        "variant": description["variant"],
        "API": description["api"]["url"],
        "token": description["api"]["token"],
        "PostgreSQL": description["database"]["dsn"],
        "RabbitMQ": broker["amqp_url"] if broker else description["broker_hint"],
        "management": (broker and broker["management_url"]) or "-",
        "uploads": f"{storage['path']} ({storage['kind']})",
        "logs": description["logs"]["application"],
        "worker log": description["logs"]["worker"] or "-",
        "targets": description["targets"],
        "processes": ", ".join(f"{name} {process['pid']}" for name, process in processes.items()),
        "repair": f"python -m lab heal{option}; systemctl and rabbitmqctl do not reach these "
        "processes",
    }
    return "\n".join(f"{name + ':':<12} {value}" for name, value in lines.items())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
