"""The read-only accounts: the checks can read all they need with them, and write nothing."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import pika
import psycopg
import pytest

from lab.state import QUEUE
from tests.deploy.tools import DEPLOY, call, rabbitmq_account, tool
from tests.lab.made_probes import database_probe
from tests.suite import run_suite
from tests.waiting import PATIENCE, eventually

if TYPE_CHECKING:
    from lab.state import Lab

USER, PASSWORD = "veza_reader", "can only read"
ACCOUNTS = DEPLOY / "accounts"


def psql_command(lab: Lab) -> list[str]:
    """Return the command that creates the role."""
    psql = tool("psql", "apt-get install postgresql-client")
    return [
        *(psql, "-X", "-q", lab.superuser_dsn, "-v", f"role={USER}"),
        *("-f", str(ACCOUNTS / "postgresql.sql")),
    ]


@pytest.fixture(scope="module")
def role(lab: Lab) -> str:
    """The role's connection string; its script has run twice, as it may."""
    environ = {**os.environ, "VEZA_CHECKS_PASSWORD": PASSWORD}
    for _ in range(2):
        done = call(psql_command(lab), environ)
        assert done.returncode == 0, done.stdout
    return lab.dsn_as(USER, PASSWORD.replace(" ", "%20"))


@pytest.fixture(scope="module")
def user(lab: Lab) -> str:
    """The password of the broker's user, escaped for a URL; its script has run twice, as it may."""
    for _ in range(2):
        rabbitmq_account(lab, USER, PASSWORD)
    return PASSWORD.replace(" ", "%20")


def run_checks_with(lab: Lab, folder: Path, replacements: dict[str, str]) -> dict[str, str]:
    """Run the checks with other URLs in the targets file; return the status of each check."""
    text = (lab.directory / "targets.toml").read_text().replace("[targets.lab", "[targets.small")
    for old, new in replacements.items():
        assert f'"{old}"' in text
        text = text.replace(f'"{old}"', f'"{new}"')
    targets = folder / "targets.toml"
    targets.write_text(text)
    run = run_suite(
        "--target=small", f"--targets-file={targets}", "-k", "not canary", out=folder / "out"
    )
    assert run.state == "healthy", run.text
    return run.statuses


def test_the_role_is_enough_for_the_checks(lab: Lab, role: str, tmp_path: Path) -> None:
    """Every check of the database passes with the role."""
    statuses = run_checks_with(lab, tmp_path, {lab.dsn: role})
    database = {name: status for name, status in statuses.items() if name.startswith("database/")}
    assert len(database) >= 9
    assert set(database.values()) == {"passed"}, database


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE uploads SET progress = 1",
        "DELETE FROM job_queue",
        "INSERT INTO job_queue (id, type) VALUES (gen_random_uuid(), 'x')",
        "TRUNCATE uploads",
        "CREATE TABLE public.mine ()",
        "SELECT filename FROM uploads",
        "SELECT * FROM api_tokens",
        "SELECT id FROM uploads FOR UPDATE",
    ],
)
def test_the_role_can_do_no_more(role: str, statement: str) -> None:
    """The role has no privilege for the statement, even with its read-only setting off."""
    with psycopg.connect(role, autocommit=True) as session:
        session.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(statement.encode())


NAMED = """
CREATE SCHEMA named;
CREATE TABLE named.files AS SELECT * FROM uploads WITH NO DATA;
CREATE TABLE named."Jobs" AS SELECT * FROM job_queue WITH NO DATA;
CREATE VIEW named."Uploads" AS SELECT id, status, progress, created_at, updated_at, error_message
FROM named.files
"""


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (("named.files", "named.Jobs"), ("named.files", "named.Jobs")),
        (("named.Uploads", 'named."Jobs"'), ("named.Uploads", "named.Jobs")),
        (("NAMED.FILES", "job_queue"), ("named.files", "job_queue")),
    ],
)
def test_the_role_can_read_tables_with_other_names(
    lab: Lab, role: str, given: tuple[str, str], names: tuple[str, str]
) -> None:
    """Names are given as in the target, also with capital letters, or as SQL writes them."""
    environ = {**os.environ, "VEZA_CHECKS_PASSWORD": PASSWORD}
    arguments = ["-v", f"uploads_table={given[0]}", "-v", f"jobs_table={given[1]}"]
    with psycopg.connect(lab.superuser_dsn, autocommit=True) as session:
        session.execute(NAMED.encode())
        try:
            done = call([*psql_command(lab), *arguments], environ)
            assert done.returncode == 0, done.stdout
            probe = database_probe(role, uploads_table=names[0], jobs_table=names[1])
            assert probe.schema().defects == ()
            probe.close()
        finally:
            session.execute("DROP SCHEMA named CASCADE")


def test_the_role_is_read_only_by_default(role: str) -> None:
    """A client without settings of its own gets a read-only session with a statement timeout."""
    with psycopg.connect(role, autocommit=True) as session:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            session.execute("CREATE TEMP TABLE mine ()")
        limit = session.execute("SHOW statement_timeout").fetchone()
    assert limit == ("15s",)


def test_no_role_is_created_without_a_password(lab: Lab) -> None:
    """The script fails and says which variable to set."""
    environ = {k: v for k, v in os.environ.items() if k != "VEZA_CHECKS_PASSWORD"}
    done = call([part.replace(USER, "veza_nobody") for part in psql_command(lab)], environ)
    assert done.returncode != 0
    assert "set VEZA_CHECKS_PASSWORD in the environment" in done.stdout
    with psycopg.connect(lab.superuser_dsn) as session:
        row = session.execute("SELECT FROM pg_roles WHERE rolname = 'veza_nobody'").fetchone()
    assert row is None


def test_the_user_is_enough_for_the_checks(lab: Lab, user: str, tmp_path: Path) -> None:
    """The checks of the queue pass with the user, also those that need the management API."""
    replacements = {
        lab.amqp_url: lab.amqp_url_as(USER, user),
        lab.management_url: lab.management_url_as(USER, user),
    }
    statuses = run_checks_with(lab, tmp_path, replacements)
    queue = {name: status for name, status in statuses.items() if name.startswith("queue/")}
    assert len(queue) >= 8
    # In a quiet lab, a check may have nothing to look at. None may be refused.
    assert set(queue.values()) <= {"passed", "skipped"}, queue
    assert queue["queue/broker_has_no_alarm"] == "passed"
    assert queue["queue/queue_has_a_consumer"] == "passed"


@pytest.mark.parametrize("act", ["publish", "get", "purge", "delete", "declare", "bind", "consume"])
def test_the_user_cannot_change_the_queue(lab: Lab, user: str, act: str) -> None:
    """The broker refuses the user to write, to configure and to read messages."""
    connection = pika.BlockingConnection(pika.URLParameters(lab.amqp_url_as(USER, user)))
    with contextlib.closing(connection):
        channel = connection.channel()
        channel.confirm_delivery()
        actions = {
            "publish": lambda: channel.basic_publish("", QUEUE, b"{}"),
            "get": lambda: channel.basic_get(QUEUE),
            "purge": lambda: channel.queue_purge(QUEUE),
            "delete": lambda: channel.queue_delete(QUEUE),
            "declare": lambda: channel.queue_declare("mine"),
            "bind": lambda: channel.queue_bind(QUEUE, "amq.direct", "x"),
            "consume": lambda: channel.basic_consume(QUEUE, lambda *_: None),
        }
        with pytest.raises(pika.exceptions.ChannelClosedByBroker) as refused:
            actions[act]()
    assert refused.value.reply_code == 403


PROXY = """
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/readonly.conf;
    server {{
        listen 127.0.0.1:{port};
        if ($veza_checks_writes) {{ return 403; }}
        location / {{ proxy_pass {api}; }}
    }}
}}
"""


@pytest.fixture(scope="module")
def proxy(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an nginx in front of the API, with the rule for the lab's token."""
    nginx = tool("nginx", "apt-get install nginx-light")
    folder = tmp_path_factory.mktemp("nginx")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    rule = (ACCOUNTS / "api-readonly.nginx.conf").read_text()
    (folder / "readonly.conf").write_text(rule.replace("TOKEN", lab.passwords.token))
    configuration = folder / "nginx.conf"
    configuration.write_text(PROXY.format(folder=folder, port=port, api=lab.api_url))
    command = [nginx, "-p", str(folder), "-c", str(configuration), "-e", str(folder / "error.log")]
    running = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        eventually(
            lambda: (
                status_of(f"http://127.0.0.1:{port}", "GET", "/readyz", None) is not None
                or running.poll() is not None
            ),
            "nginx to answer",
        )
        assert running.poll() is None, (folder / "error.log").read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(PATIENCE)


def status_of(url: str, method: str, path: str, authorization: str | None) -> int | None:
    """Return the HTTP status of a request, None when nobody answers."""
    from urllib.error import HTTPError, URLError

    headers = {"Authorization": authorization} if authorization else {}
    data = b"" if method == "POST" else None
    request = Request(url + path, data=data, method=method, headers=headers)
    try:
        with urlopen(request, timeout=PATIENCE) as answer:
            return int(answer.status)
    except HTTPError as refused:
        with refused:
            return refused.code
    except URLError:
        return None


def test_the_rule_lets_the_checks_read(lab: Lab, proxy: str, tmp_path: Path) -> None:
    """The checks of the API pass behind the proxy."""
    statuses = run_checks_with(lab, tmp_path, {lab.api_url: proxy})
    assert statuses["upload_status/token_is_accepted"] == "passed"
    assert statuses["upload_status/completed_track_is_served"] == "passed"


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "PATCH"])
def test_the_rule_refuses_writes_with_the_token(lab: Lab, proxy: str, method: str) -> None:
    """The proxy refuses every spelling of the header, and passes other tokens to the API."""
    path = "/api/v1/upload" if method == "POST" else "/api/v1/tracks/none"
    for scheme in ("Bearer ", "bearer ", "BEARER   "):
        assert status_of(proxy, method, path, f"{scheme}{lab.passwords.token}") == 403
    assert status_of(proxy, method, path, "Bearer another") != 403
