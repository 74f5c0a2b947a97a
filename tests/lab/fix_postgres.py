"""Fixture `own_server`: a PostgreSQL server whose settings and locks disturb nobody."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from lab import postgres
from lab.processes import run, spawn
from lab.state import Lab, new_lab
from lab.variants import STANDARD
from tests.lab.fix_ssh import free_port
from tests.waiting import PATIENCE, eventually


@pytest.fixture(scope="session")
def own_server() -> Iterator[Lab]:
    """The lab's roles and empty tables, and nothing that uses them.

    In `lab` a session that the application opens under a setting of a test would keep it for as
    long as it lives, and an upload that waits too long for a lock of a test would leave an error in
    the log.
    """
    with tempfile.TemporaryDirectory(prefix="veza-test-") as folder:
        server = new_lab(
            Path(folder),
            variant=STANDARD,
            broker=False,
            storage_kind="directory",
            drops_capabilities=False,
        )
        (server.directory / "log").mkdir()
        postgres.initialise(server)
        process = postgres.start(server)
        try:
            eventually(lambda: postgres.is_ready(server), "PostgreSQL to be ready")
            postgres.create_database(server)
            yield server
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE)


def _opens(dsn: str) -> bool:
    with suppress(psycopg.OperationalError), psycopg.connect(dsn):
        return True
    return False


@contextmanager
def standby_of(server: Lab) -> Iterator[int]:
    """Context with a standby that replays what the server writes; its port."""
    data, port = server.directory / "standby", free_port()
    copy = [str(postgres.binaries() / "pg_basebackup"), "-R", "-c", "fast", "-D", str(data)]
    run([*copy, "-d", server.superuser_dsn], PATIENCE, unprivileged=True)
    command = [str(postgres.binaries() / "postgres"), "-D", str(data), "-p", str(port)]
    settings = [f"--{name}={value}" for name, value in postgres.SETTINGS.items()]
    log = server.directory / "log" / "standby.out"
    process = spawn([*command, *settings], log=log, death_signal="QUIT", unprivileged=True)
    try:
        dsn = server.superuser_dsn.replace(f":{server.ports.postgres}/", f":{port}/")
        eventually(lambda: _opens(dsn), "the standby to open a session")
        yield port
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)
