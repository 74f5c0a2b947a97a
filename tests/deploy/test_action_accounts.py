"""The accounts of `python -m actions`: they can do what our runbook permits, and no more."""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pika
import psycopg
import pytest

from actions.operations import Publication, Transaction
from fixtures.target.model import Actions
from reports.runbook.placeholders import fill_command
from reports.runbook.run_rules import parse_rule
from tests import made
from tests.deploy.tools import DEPLOY, call, rabbitmq_account, tool, validate
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from lab.state import Lab

USER, PASSWORD = "veza_fixer", "may-only-fix"
ACCOUNTS = DEPLOY / "accounts"
SUDOERS = ACCOUNTS / "sudoers-actions"


@pytest.fixture(scope="module")
def role(lab: Lab) -> str:
    """The role's connection string; its script has run twice, as it may."""
    psql = tool("psql", "apt-get install postgresql-client")
    script = str(ACCOUNTS / "postgresql-actions.sql")
    environ = {**os.environ, "VEZA_ACTIONS_PASSWORD": PASSWORD}
    for _ in range(2):
        command = [psql, "-X", "-q", lab.superuser_dsn, "-v", f"role={USER}", "-f", script]
        done = call(command, environ)
        assert done.returncode == 0, done.stdout
    return lab.dsn_as(USER, PASSWORD)


def waiting_upload(session: psycopg.Connection[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Add an upload that waits; return a row with its id."""
    row = session.execute(
        "INSERT INTO uploads"
        " (user_id, filename, status, progress, size, created_at, updated_at)"
        " SELECT user_id, 'x.wav', 'uploading', 100, 1, now(), now() FROM uploads LIMIT 1"
        " RETURNING id::text"
    ).fetchone()
    assert row is not None
    return row


@pytest.fixture
def unsent(lab: Lab) -> Iterator[str]:
    """The id of an upload that waits without a job."""
    with psycopg.connect(lab.owner_dsn, autocommit=True) as session:
        row = waiting_upload(session)
        yield row[0]
        session.execute("DELETE FROM uploads WHERE id::text = %s", row)


@pytest.fixture
def upload(lab: Lab) -> Iterator[str]:
    """The id of an upload that waits, with a job that began and failed; no worker has it."""
    with psycopg.connect(lab.owner_dsn, autocommit=True) as session:
        row = waiting_upload(session)
        session.execute(
            "INSERT INTO job_queue (type, payload, status, created_at, started_at)"
            " VALUES ('process_upload', jsonb_build_object('upload_id', %s::text), 'failed',"
            " now(), now())",
            row,
        )
        yield row[0]
        session.execute("DELETE FROM job_queue WHERE payload ->> 'upload_id' = %s", row)
        session.execute("DELETE FROM uploads WHERE id::text = %s", row)


def commands(place: str) -> list[tuple[str, str]]:
    """Return the texts of the runbook's permitted commands for a place, with their languages."""
    return [
        (command.text, command.language)
        for group in made.bundle().document.actions
        for step in group.steps
        for command in step.commands
        if command.run and parse_rule(command.run, command.language).on == place
    ]


def test_the_role_is_enough_for_the_runbook(lab: Lab, role: str, upload: str, unsent: str) -> None:
    """Every permitted statement touches the upload; each is rolled back."""
    lists = ("upload_ids", *(f"{kind}_upload_ids" for kind in ("missing", "incomplete")))
    lists = (*lists, "unreadable_upload_ids", "overdue_upload_ids")
    tables = {"uploads_table": "uploads", "jobs_table": "job_queue", "job_type": "process_upload"}
    tables["processing_max_seconds"] = "0"
    written = commands("database")
    assert len(written) >= 7
    for text, language in written:
        # An upload that never arrived has no job.
        chosen = unsent if "NOT EXISTS" in text and "INSERT" not in text else upload
        filled, missing = fill_command(text, language, tables | dict.fromkeys(lists, chosen))
        assert not missing
        announced = Transaction(role, filled, Actions()).prepare()
        # No job of the upload is abandoned.
        renewed = ("2 rows: UPDATE 1, INSERT 1", "2 rows: UPDATE 0, UPDATE 1, INSERT 1")
        assert announced.startswith(("1 row: UPDATE 1", *renewed)), announced
    with psycopg.connect(lab.owner_dsn) as session:
        rows = session.execute("SELECT status::text FROM uploads WHERE id::text = %s", [upload])
        assert rows.fetchall() == [("uploading",)]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM job_queue",
        "DELETE FROM uploads",
        "TRUNCATE uploads",
        "UPDATE uploads SET filename = 'x'",
        "UPDATE job_queue SET payload = '{}'",
        "INSERT INTO uploads (filename) VALUES ('x')",
        "CREATE TABLE public.mine ()",
        "SELECT filename FROM uploads",
        "SELECT * FROM api_tokens",
    ],
)
def test_the_role_can_do_no_more(role: str, statement: str) -> None:
    """The role has no privilege for the statement."""
    refused = pytest.raises(psycopg.errors.InsufficientPrivilege)
    with psycopg.connect(role, autocommit=True) as session, refused:
        session.execute(statement.encode())


@pytest.fixture(scope="module")
def url(lab: Lab) -> str:
    """The AMQP URL of the user who may publish."""
    rabbitmq_account(lab, USER, PASSWORD, "publish")
    return lab.amqp_url_as(USER, PASSWORD)


@pytest.fixture
def queue(lab: Lab, url: str) -> Iterator[Any]:
    """A channel of the application, with an empty queue `acted` of its own."""
    connection = pika.BlockingConnection(pika.URLParameters(lab.app_amqp_url))
    with contextlib.closing(connection):
        channel = connection.channel()
        channel.queue_declare("acted")
        yield channel
        channel.queue_delete("acted")


def test_the_user_is_enough_to_publish_what_the_role_reads(
    lab: Lab, role: str, url: str, queue: Any, unsent: str
) -> None:
    """The runbook's query, with both accounts: the messages arrive, as announced."""
    (text, language), *_ = commands("queue")
    with psycopg.connect(lab.owner_dsn, autocommit=True) as session:
        session.execute(
            "INSERT INTO job_queue (type, payload, status, created_at)"
            " VALUES ('acted', jsonb_build_object('upload_id', %s::text), 'pending',"
            " now() - interval '1 min')",
            (unsent,),
        )
        try:
            names = {"queue_name": "acted", "job_type": "acted", "message": "upload_id"}
            tables = {"jobs_table": "job_queue", "uploads_table": "uploads"}
            filled, missing = fill_command(text, language, names | tables)
            assert not missing
            publication = Publication(role, url, "acted", filled, Actions())
            assert publication.prepare() == "1 message to queue acted"
            assert publication.run() == "1 message published"
        finally:
            session.execute("DELETE FROM job_queue WHERE type = 'acted'")
    assert queue.basic_get("acted", auto_ack=True)[2] == unsent.encode()


@pytest.mark.parametrize(
    "act", ["another exchange", "get", "purge", "delete", "declare", "bind", "consume"]
)
def test_the_user_can_do_no_more(url: str, queue: Any, act: str) -> None:
    """The broker refuses the user to read, to configure, and to write elsewhere."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    with contextlib.closing(connection):
        channel = connection.channel()
        channel.confirm_delivery()
        deeds = {
            "another exchange": lambda: channel.basic_publish("amq.direct", "acted", b"{}"),
            "get": lambda: channel.basic_get("acted"),
            "purge": lambda: channel.queue_purge("acted"),
            "delete": lambda: channel.queue_delete("acted"),
            "declare": lambda: channel.queue_declare("mine"),
            "bind": lambda: channel.queue_bind("acted", "amq.direct", "x"),
            "consume": lambda: channel.basic_consume("acted", lambda *_: None),
        }
        with pytest.raises(pika.exceptions.ChannelClosedByBroker) as refused:
            deeds[act]()
    assert refused.value.reply_code == 403


def test_the_user_has_no_management_api(lab: Lab, url: str) -> None:
    """Unlike the user of the checks, it sees no other connection."""
    parts = lab.management_url_as(USER, PASSWORD).partition("@")
    login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    request = Request(f"http://{parts[2]}/api/queues", headers={"Authorization": f"Basic {login}"})
    with pytest.raises(HTTPError) as refused, urlopen(request, timeout=PATIENCE):
        pass
    with refused.value:
        assert refused.value.code == 401


# In mounts of its own: the machine's own sudoers and users stay as they are.
ALLOWED = """
set -eu
mount -t tmpfs none /mnt
cp -a /etc /mnt/etc
mount --bind /mnt/etc /etc
install -m 0440 -o root -g root "$1" /etc/sudoers
echo 'veza-actions:x:4242:4242::/:/bin/sh' >> /etc/passwd
shift
exec sudo -l -U veza-actions "$@"
"""
ID = "7f9c2b1e-0d4a-4c58-9e6f-3a1b5d7c8e90"
FIND = (
    *("find", "/var/veza/uploads/", "!", "-type", "l"),
    *("(", "-name", ID, "-o", "-name", f"{ID}.*", "-o", "-path", f"*/{ID}/*", ")"),
    *("-exec", "chown", "-h", "veza:", "{}", "+", "-exec", "chmod", "u=rwX,go=rX", "{}", "+"),
)

SUDO: list[tuple[bool, tuple[str, ...]]] = [
    (True, ("systemctl", "restart", "veza-backend-api")),
    (False, ("systemctl", "restart", "veza-backend-api", "sshd")),
    (False, ("systemctl", "stop", "veza-backend-api")),
    (True, ("kill", "-CONT", "12", "13")),
    (False, ("kill", "-CONT", "12", "-KILL", "13")),
    (True, ("chown", "veza:", "/var/veza/uploads")),
    (False, ("chown", "-R", "veza:", "/var/veza/uploads")),
    (False, ("chown", "veza:", "/etc")),
    (True, ("chmod", "u+rwx", "/var/veza/uploads")),
    (False, ("chmod", "777", "/var/veza/uploads")),
    (True, FIND),
    (False, (*FIND[:1], "/", *FIND[2:])),
    (False, (*FIND, "-delete")),
    (False, ("sh",)),
]
"""Commands as root, and whether the user may run them."""


def test_sudo_reads_the_file() -> None:
    """A file with an error would lock everybody out of sudo."""
    validate(tool("visudo", "apt-get install sudo"), "-cf", SUDOERS)


@pytest.mark.parametrize(("is_allowed", "command"), SUDO)
def test_sudo_allows_the_runbooks_commands_alone(
    is_allowed: bool, command: tuple[str, ...]
) -> None:
    """Each command that the runbook permits, and nothing that resembles it."""
    tool("sudo", "apt-get install sudo")
    unshare = tool("unshare", "apt-get install util-linux")
    if subprocess.run([unshare, "-m", "true"], check=False, capture_output=True).returncode:
        pytest.skip("mounts of its own need root")
    done = call([unshare, "-m", "sh", "-c", ALLOWED, "sh", SUDOERS, *command])
    assert (done.returncode == 0) is is_allowed, done.stdout


def test_the_runbook_runs_as_root_what_sudo_allows() -> None:
    """The allowed commands above are the runbook's, word for word."""
    names = {
        "service": "veza-backend-api",
        "worker_service": "veza-backend-api",
        "frozen_pids": "12\n13",
        "service_user": "veza",
        "upload_dir": "/var/veza/uploads",
        "unreadable_upload_ids": ID,
    }
    permitted = [*commands("worker"), *commands("storage")]
    filled = [fill_command(text, language, names)[0] for text, language in permitted]
    script = "\n".join(['sudo() { echo "$*"; }', *filled])
    printed = call(["bash", "-c", script]).stdout.splitlines()
    assert set(printed) == {" ".join(command) for allowed, command in SUDO if allowed}
