"""Start a lab: the order of its processes, and the command of each."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psycopg
from psycopg.rows import dict_row

from lab import broker, database, login_seed, postgres, seed_data, storage, targets
from lab.errors import LabError
from lab.processes import environment_with_lab, run, spawn, uptime, wait_until
from lab.state import LOAD_GENERATOR, WORKER, Lab, load, new_lab

if TYPE_CHECKING:
    from lab.children import Children, Start
    from lab.variants import Variant

PATIENCE = 60.0
"""Seconds to wait for a process that starts: on a machine where others work, it takes long."""


def boot(directory: Path, children: Children, variant: Variant, *, with_broker: bool) -> None:
    """Start a lab in an empty directory and wait until an upload completes; raises LabError."""
    for name in ("log", "log/veza-backend-api", "log/veza-worker"):
        (directory / name).mkdir()
    kind = storage.prepare(directory / "storage")
    lab = new_lab(
        directory,
        variant=variant,
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
    login_seed.seed(lab)
    if lab.broker:
        _wait(children, "rabbitmq", lambda: broker.is_ready(lab), 60)
    for name in ("api", *lab.workers):
        children.start(name, service(name))
    _wait(children, "api", lambda: _is_ready(lab), PATIENCE)
    for name in lab.workers:
        _wait(children, name, partial(_consumes, lab, name), PATIENCE)
    children.start(LOAD_GENERATOR, service(LOAD_GENERATOR))
    _wait(children, LOAD_GENERATOR, lambda: _has_completed_an_upload(lab), PATIENCE)
    for name in lab.workers:
        _wait(children, name, partial(_is_settled, children.pids()[name]), PATIENCE)
    if lab.broker:
        _wait(children, "rabbitmq", lambda: broker.reports_acknowledgements(lab), PATIENCE)
    targets.write(lab)


def services(lab: Lab) -> Callable[[str], Start]:
    """Return a lookup from a service's name to the function that starts it.

    The lookup raises KeyError for an unknown name.
    """

    def program(name: str) -> Start:
        modules = {"api": ["lab.api"], LOAD_GENERATOR: ["lab.load_generator"]}
        for worker in lab.workers:
            # The first has its name by default.
            named = [] if worker == WORKER else ["--name", worker]
            modules[worker] = ["lab.job_worker", *named]
        argv = [sys.executable, "-m", *modules[name], "--dir", str(lab.directory)]
        return lambda: spawn(
            argv,
            log=lab.directory / "log" / f"{name}.out",
            env=environment_with_lab(),
            obey_modes=lab.drops_capabilities,
        )

    starters: dict[str, Start] = {
        "epmd": lambda: broker.start_epmd(lab),
        "rabbitmq": lambda: broker.start(lab),
        "postgres": lambda: postgres.start(lab),
    }
    return lambda name: starters.get(name) or program(name)


def helper(argv: list[str]) -> Start:
    """Return the function that starts a fault's helper process: `python -m <argv>`."""
    directory = Path(argv[argv.index("--dir") + 1])
    lab = load(directory)
    return lambda: spawn(
        [sys.executable, "-m", *argv],
        log=lab.directory / "log" / "helper.out",
        env=environment_with_lab(),
    )


def _may_drop_capabilities() -> bool:
    """Return whether root's API and worker can run without the right to ignore file modes.

    They cannot where the interpreter or the code is closed to other users.
    """
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
    def is_ready() -> bool:
        if children.has_ended(name):
            raise LabError(f"{name} ended at once; its output is in log/{name}.out")
        return condition()

    wait_until(is_ready, seconds, f"{name} is ready")


def _is_settled(pid: int) -> bool:
    return uptime(pid) > targets.SETTLED_SECONDS


def _is_ready(lab: Lab) -> bool:
    try:
        return httpx.get(lab.api_url + "/readyz", timeout=3).status_code == 200
    except httpx.TransportError:
        return False


def _consumes(lab: Lab, worker: str) -> bool:
    with psycopg.connect(lab.owner_dsn, row_factory=dict_row) as session:
        return worker in database.consuming_workers(session)


def _issue_tokens(lab: Lab) -> None:
    with psycopg.connect(lab.owner_dsn) as session:
        for token, user in (
            (lab.passwords.token, None),
            (lab.passwords.user_token, lab.variant.ids.load_generator),
        ):
            session.execute(
                "INSERT INTO api_tokens (token_sha256, user_id) VALUES (%s, %s)",
                (hashlib.sha256(token.encode()).hexdigest(), user),
            )


def _has_completed_an_upload(lab: Lab) -> bool:
    with psycopg.connect(lab.owner_dsn) as session:
        row = session.execute(
            "SELECT count(*) FROM uploads WHERE user_id = %s AND status = 'completed'",
            (lab.variant.ids.load_generator,),
        ).fetchone()
    return row is not None and row[0] > 0
