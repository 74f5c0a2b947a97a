"""The connections that stay open from one look of a watch to the next, against real services."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg
import pytest

from fixtures.probes.errors import Unreachable
from fixtures.probes.host.shell import Hosts
from fixtures.probes.kept import KEPT
from fixtures.probes.rabbitmq.amqp import AmqpClient
from lab import broker
from reports.cli.looks import Looks
from tests.lab.fix_ssh import SshServer
from tests.lab.made_probes import database_probe
from tests.suite import newest_report
from tests.waiting import eventually

if TYPE_CHECKING:
    from lab.state import Lab

SESSIONS = """
SELECT pid, backend_start FROM pg_stat_activity WHERE application_name = 'veza-checks'
"""


@pytest.fixture
def looks(lab: Lab, tmp_path: Path) -> Iterator[Looks]:
    """Looks at the lab, as a watch has them made."""
    targets = lab.directory / "targets.toml"
    options = ["--target=lab", f"--targets-file={targets}", f"--out={tmp_path}"]
    made = Looks(["-p", "no:cacheprovider", *options])
    yield made
    made.end()


@pytest.fixture
def keeping() -> Iterator[None]:
    """Have this process keep its connections, as one does that makes looks."""
    KEPT.is_on = True
    yield
    KEPT.close()


@pytest.fixture
def superuser(lab: Lab) -> Iterator[psycopg.Connection[Any]]:
    """A session that may see and end those of others."""
    with psycopg.connect(lab.superuser_dsn, autocommit=True) as session:
        yield session


def look(looks: Looks, folder: Path) -> dict[str, str]:
    """Look once, and return the status of each check of the database and of the queue.

    The rest of the lab may still recover from an earlier test.
    """
    _, text = looks.look()
    report = newest_report(folder)
    assert report is not None, text
    statuses = {r["outcome"]["check"]: r["outcome"]["status"] for r in report["results"]}
    assert "error" not in statuses.values(), text
    assert statuses["database/database_is_reachable"] == "passed", text
    return {c: s for c, s in statuses.items() if c.startswith(("database/", "queue/"))}


def sessions(superuser: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    """Return process id and start of the checks' session, once it is the only one.

    The one that reads a setting ends in the server's own time.
    """
    eventually(lambda: len(superuser.execute(SESSIONS).fetchall()) == 1, "one session")
    return superuser.execute(SESSIONS).fetchall()


def connections(lab: Lab) -> list[str]:
    """Return the checks' connections to the broker, as management lists them."""
    return [
        one["name"]
        for one in broker.manage(lab, "GET", "/api/connections")
        if one.get("user") == "veza_checks"
    ]


def test_three_looks_have_one_session(
    superuser: psycopg.Connection[Any], looks: Looks, tmp_path: Path
) -> None:
    """Between looks one session of the checks is open, the same one; it ends with them."""
    seen = []
    for _ in range(3):
        look(looks, tmp_path)
        seen += sessions(superuser)
    assert len(seen) == 3
    assert len(set(seen)) == 1
    looks.end()
    eventually(lambda: not superuser.execute(SESSIONS).fetchall(), "the end of the session")


def test_three_looks_have_one_broker_connection(lab: Lab, looks: Looks, tmp_path: Path) -> None:
    """Between looks one connection of the checks is open, the same one."""
    if not lab.broker:
        pytest.skip("the lab has no broker")
    seen: set[str] = set()
    for _ in range(3):
        look(looks, tmp_path)
        eventually(lambda: len(connections(lab)) == 1, "management to list one connection")
        seen.update(connections(lab))
    assert len(seen) == 1


def test_cut_connections_change_no_verdict(
    lab: Lab, superuser: psycopg.Connection[Any], looks: Looks, tmp_path: Path
) -> None:
    """The look after the servers have ended the connections sees what the first one sees."""
    first = look(looks, tmp_path)
    ((pid, _),) = sessions(superuser)
    superuser.execute("SELECT pg_terminate_backend(%s)", (pid,))
    if lab.broker:
        eventually(lambda: len(connections(lab)) == 1, "management to list one connection")
        for name in connections(lab):
            broker.manage(lab, "DELETE", f"/api/connections/{quote(name, safe='')}")
    assert look(looks, tmp_path) == first
    assert [row[0] for row in sessions(superuser)] != [pid]


def test_a_refused_login_is_told_although_a_session_is_open(
    lab: Lab, superuser: psycopg.Connection[Any], keeping: None
) -> None:
    """The open session answers, and a new one does not open: then it is kept no longer."""
    for is_refused in (False, False, True):
        probe = database_probe(lab.dsn)
        superuser.execute(f"ALTER ROLE veza_checks {'NO' if is_refused else ''}LOGIN")
        try:
            probe.prepare()
            reached = probe.reach()
            assert reached.ok != is_refused, str(reached)
            assert not probe.schema().defects
        finally:
            superuser.execute("ALTER ROLE veza_checks LOGIN")
            probe.close()
        kept = superuser.execute(SESSIONS).fetchall()
        assert is_refused or kept
    eventually(lambda: not superuser.execute(SESSIONS).fetchall(), "the end of the session")


def test_a_refused_login_is_told_although_the_broker_answers(lab: Lab, keeping: None) -> None:
    """The same for the broker's connection."""
    if not lab.broker:
        pytest.skip("the lab has no broker")
    first = AmqpClient.kept_or_new(lab.amqp_url, 5.0)
    first.log_in()
    first.give_back()
    again = AmqpClient.kept_or_new(lab.amqp_url, 5.0)
    assert again is first
    limit = broker.path_of(lab, "vhost-limits", "max-connections")
    broker.manage(lab, "PUT", limit, {"value": 0})
    try:
        with pytest.raises(Unreachable, match="the broker at "):
            again.log_in()
        assert again.declare(lab.rabbitmq.queue).exists
    finally:
        broker.manage(lab, "DELETE", limit)
        again.give_back()
    assert AmqpClient.kept_or_new(lab.amqp_url, 5.0) is not first


def test_an_ssh_login_serves_several_runs(ssh_server: SshServer, keeping: None) -> None:
    """A run uses the login of the one before; where that has ended, it logs in again."""

    def login(end: bool = False) -> str:
        hosts = Hosts(ssh_config=ssh_server.config(), ssh_identity=ssh_server.identity)
        shell = hosts.shell(ssh_server.spec)
        try:
            return shell.run('echo "$SSH_CONNECTION"').stdout
        finally:
            master = shell._master
            hosts.close()
            if end:
                assert master
                assert master._process
                os.kill(master._process.pid, signal.SIGKILL)
                master._process.wait()

    first = login()
    assert login(end=True) == first
    second = login()
    assert second != first
    assert login() == second
