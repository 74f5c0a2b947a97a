"""Fixture `pooler`: PgBouncer in transaction mode before the lab's PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.processes import spawn
from tests.lab.fix_ssh import free_port, listens
from tests.waiting import PATIENCE, eventually

if TYPE_CHECKING:
    from lab.state import Lab

PGBOUNCER = Path("/usr/sbin/pgbouncer")


@pytest.fixture(params=["refuses options", "drops options"])
def pooler(request: pytest.FixtureRequest, services: Lab, tmp_path: Path) -> Iterator[str]:
    """Yield the DSN of the application's user behind a pooler."""
    if not PGBOUNCER.exists():
        pytest.skip("PgBouncer is missing; install it with: apt-get install pgbouncer")
    dropped = ",options" if request.param == "drops options" else ""
    port, settings = free_port(), tmp_path / "pgbouncer.ini"
    login = f"user=veza password={services.passwords.owner}"
    settings.write_text(
        f"[databases]\nveza = host=127.0.0.1 port={services.ports.postgres} {login}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        "auth_type = any\npool_mode = transaction\n"
        f"ignore_startup_parameters = extra_float_digits{dropped}\n"
    )
    command = [str(PGBOUNCER), str(settings)]
    process = spawn(command, log=tmp_path / "pgbouncer.out", unprivileged=True)
    try:
        eventually(lambda: listens(port), "PgBouncer to listen")
        yield f"postgresql://veza@127.0.0.1:{port}/veza"
    finally:
        process.kill()
        process.wait(PATIENCE)
