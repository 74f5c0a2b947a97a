"""Bringing a lab up and down from outside, and describing one that runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from lab import clean_up, control, targets
from lab.errors import LabError
from lab.install import COMMAND
from lab.state import DEAD_LETTER, QUEUE, Lab, load

UP_SECONDS = 90.0
DOWN_SECONDS = 40.0
_supervisors: dict[Path, subprocess.Popen[bytes]] = {}


def is_running(directory: Path) -> bool:
    """Whether a supervisor owns this directory now, be it still starting."""
    return any(process.is_alive() for process in clean_up.recall(directory, "supervisor"))


def up(directory: Path, *, owner: int | None = None, broker: bool = True) -> Lab:
    """Start a lab and return once an upload has gone through it. Raises LabError.

    A lab that runs already is returned as it is. `owner`: a process with which the lab ends.
    """
    clean_up.claim(directory)
    if not is_running(directory):
        (directory / "phase").unlink(missing_ok=True)
        _start(directory, owner, broker)
    deadline = time.monotonic() + UP_SECONDS
    while time.monotonic() < deadline:
        phase = _read(directory / "phase")
        if phase == "ready":
            return load(directory)
        if phase.startswith("failed: "):
            raise LabError(f"the lab did not come up: {phase.removeprefix('failed: ')}")
        if not is_running(directory) and _read(directory / "phase") == phase:
            raise LabError(f"the lab did not come up; see {directory}/supervisor.log")
        time.sleep(0.05)
    down(directory)
    raise LabError(
        f"the lab did not come up within {UP_SECONDS:g} s; see {directory}/supervisor.log"
    )


def _start(directory: Path, owner: int | None, broker: bool) -> None:
    argv = [sys.executable, "-m", "lab.supervisor", "--dir", str(directory)]
    argv += [] if owner is None else ["--owner", str(owner)]
    argv += [] if broker else ["--no-broker"]
    root = str(Path(__file__).parent.parent)
    path = os.environ.get("PYTHONPATH")
    with (directory / "supervisor.log").open("wb") as log:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env=os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{path}" if path else root},
        )
    # Ours to reap, should this process still be there when the lab ends.
    _supervisors[directory] = child
    deadline = time.monotonic() + 15
    while not is_running(directory) and not _read(directory / "phase"):
        if child.poll() is not None or time.monotonic() > deadline:
            last = _read(directory / "supervisor.log").splitlines()[-1:] or ["no message"]
            raise LabError(f"the lab's supervisor did not start: {last[0]}")
        time.sleep(0.02)


def down(directory: Path) -> bool:
    """End the lab, or sweep up what a killed one left. Returns whether there was anything."""
    if not (directory / clean_up.MARKER).exists():
        return False
    found = is_running(directory) or bool(clean_up.recall(directory, "children"))
    for process in clean_up.recall(directory, "supervisor"):
        process.kill(15)
        if not process.wait(DOWN_SECONDS):
            process.kill()
            process.wait(5)
    child = _supervisors.pop(directory, None)
    if child:
        child.wait(DOWN_SECONDS)
    clean_up.clear(directory)
    for name in clean_up.KEPT - {clean_up.MARKER}:
        (directory / name).unlink(missing_ok=True)
    return found


def describe(directory: Path) -> dict[str, Any]:
    """Everything that a person or a program needs to look at this lab, or to break it."""
    answer = control.ask(directory, "status")
    lab = load(directory)
    broker: dict[str, Any] | None = None
    if lab.broker:
        broker = {
            "amqp_url": lab.amqp_url,
            "management_url": lab.management_url,
            "app_amqp_url": lab.app_amqp_url,
            "queue": QUEUE,
            "dead_letter": DEAD_LETTER,
            "node": "veza@localhost",
            "epmd_port": lab.ports.epmd,
            "home": str(directory / "rabbitmq"),
        }
    return {
        "directory": str(directory),
        "phase": _read(directory / "phase"),
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
        "broker_hint": None if broker else f"no RabbitMQ; install it with: {COMMAND}",
        "storage": {
            "path": str(lab.uploads),
            "root": str(lab.storage_root),
            "kind": lab.storage_kind,
            "modes_are_obeyed": lab.drops_capabilities or os.geteuid() != 0,
        },
        "logs": {
            "application": f"{lab.app_logs}/*.log",
            "worker": f"{lab.worker_logs}/*.log",
            "output": f"{directory}/log/*.out",
        },
        "worker_pattern": lab.worker_pattern,
        "supervisor": answer["supervisor"],
        "processes": answer["processes"],
    }


def as_text(description: dict[str, Any]) -> str:
    """The same for a person."""
    broker = description["broker"]
    storage = description["storage"]
    processes = {"supervisor": {"pid": description["supervisor"]}} | description["processes"]
    lines = {
        "API": description["api"]["url"],
        "token": description["api"]["token"],
        "PostgreSQL": description["database"]["dsn"],
        "RabbitMQ": broker["amqp_url"] if broker else description["broker_hint"],
        "management": broker["management_url"] if broker else "-",
        "uploads": f"{storage['path']} ({storage['kind']})",
        "logs": description["logs"]["application"],
        "worker log": description["logs"]["worker"],
        "targets": description["targets"],
        "processes": ", ".join(f"{name} {each['pid']}" for name, each in processes.items()),
    }
    return "\n".join(f"{name + ':':<12} {value}" for name, value in lines.items())


def as_json(description: dict[str, Any]) -> str:
    return json.dumps(description, indent=2)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
