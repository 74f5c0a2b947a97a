"""The order in which a lab comes up, and how each of its processes is started."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import httpx
import psycopg

from lab import broker, postgres, seed_data, storage, targets
from lab.errors import LabError
from lab.processes import run, spawn, uptime, wait_until
from lab.state import Lab, load, new_lab

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.children import Children, Start

OPERATIONS_USER = None
TRICKLE_USER = UUID("7e2a0c1c-0000-4000-8000-000000000001")


def boot(directory: Path, children: Children, *, with_broker: bool) -> None:
    """From an empty directory to a lab in which an upload has been completed. Raises LabError."""
    for name in ("log", "log/veza-backend-api", "log/veza-worker"):
        (directory / name).mkdir()
    kind = storage.prepare(directory / "storage")
    lab = new_lab(
        directory,
        broker=with_broker and broker.is_installed(),
        storage_kind=kind,
        drops_capabilities=_may_drop_capabilities(),
    )
    lab.save()
    service = services(lab)
    if lab.broker:
        broker.prepare(lab)
        for name in ("epmd", "rabbitmq"):
            children.start(name, service(name))
    postgres.initialise(lab)
    children.start("postgres", service("postgres"))
    _wait(children, "postgres", lambda: postgres.is_ready(lab), 30)
    postgres.create_database(lab)
    _issue_tokens(lab)
    seed_data.seed(lab)
    if lab.broker:
        _wait(children, "rabbitmq", lambda: broker.is_ready(lab), 60)
    for name in ("api", "worker"):
        children.start(name, service(name))
    _wait(children, "api", lambda: _answers(lab, "/readyz"), 20)
    _wait(children, "worker", lambda: _answers(lab, "/health/worker"), 20)
    children.start("trickle", service("trickle"))
    _wait(children, "trickle", lambda: _completed_one(lab), 20)
    worker = children.pids()["worker"]
    _wait(children, "worker", lambda: uptime(worker) > targets.SETTLED_SECONDS, 20)
    if lab.broker:
        _wait(children, "rabbitmq", lambda: broker.tells_of_deliveries(lab), 20)
    targets.write(lab)


def services(lab: Lab) -> Callable[[str], Start]:
    """How to start each by name. KeyError for a name that is none."""

    def program(name: str) -> Start:
        module = {"api": "lab.api", "worker": "lab.job_worker", "trickle": "lab.load_generator"}[
            name
        ]
        return lambda: spawn(
            [sys.executable, "-m", module, "--dir", str(lab.directory)],
            log=lab.directory / "log" / f"{name}.out",
            env=_environment(),
            obey_modes=lab.drops_capabilities,
        )

    starters: dict[str, Start] = {
        "epmd": lambda: broker.start_epmd(lab),
        "rabbitmq": lambda: broker.start(lab),
        "postgres": lambda: postgres.start(lab),
    }
    return lambda name: starters.get(name) or program(name)


def helper(argv: list[str]) -> Start:
    """A process of a fault: `python -m <argv>`."""
    directory = Path(argv[argv.index("--dir") + 1])
    lab = load(directory)
    return lambda: spawn(
        [sys.executable, "-m", *argv], log=lab.directory / "log" / "helper.out", env=_environment()
    )


def _environment() -> dict[str, str]:
    root = str(Path(__file__).parent.parent)
    path = os.environ.get("PYTHONPATH")
    return os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{path}" if path else root}


def _may_drop_capabilities() -> bool:
    """As root: whether our program can be read without root's privilege to overlook modes."""
    if os.geteuid() != 0:
        return False
    setpriv = shutil.which("setpriv") or "setpriv"
    bounding = "--bounding-set=-dac_override,-dac_read_search"
    try:
        run([setpriv, bounding, "--", sys.executable, "-c", "import sys"], 10)
    except LabError:
        return False
    return True


def _wait(children: Children, name: str, condition: Callable[[], bool], seconds: float) -> None:
    def holds() -> bool:
        if children.has_ended(name):
            raise LabError(f"{name} ended at once; what it said is in log/{name}.out")
        return condition()

    wait_until(holds, seconds, f"{name} is ready")


def _answers(lab: Lab, path: str) -> bool:
    try:
        return httpx.get(lab.api_url + path, timeout=3).status_code == 200
    except httpx.TransportError:
        return False


def _issue_tokens(lab: Lab) -> None:
    with psycopg.connect(lab.owner_dsn) as session:
        for token, user in (
            (lab.passwords.token, OPERATIONS_USER),
            (lab.passwords.user_token, TRICKLE_USER),
        ):
            session.execute(
                "INSERT INTO api_tokens (token_sha256, user_id) VALUES (%s, %s)",
                (hashlib.sha256(token.encode()).hexdigest(), user),
            )


def _completed_one(lab: Lab) -> bool:
    with psycopg.connect(lab.owner_dsn) as session:
        row = session.execute(
            "SELECT count(*) FROM uploads WHERE user_id = %s AND status = 'completed'",
            (TRICKLE_USER,),
        ).fetchone()
    return row is not None and row[0] > 0
