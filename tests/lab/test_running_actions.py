"""`python -m actions` on the lab: what it runs, what it refuses, and what it leaves when killed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pika
import psycopg
import pytest

from actions import operations
from actions.errors import Failed, Refused, Uncertain
from actions.execute import confirm, locked
from actions.journal import Journal
from actions.operations import HostCommand, Publication, Transaction
from fixtures.target.model import Actions, Target
from lab import faults
from tests.lab.fix_operator import Operator
from tests.lab.fix_ssh import SshServer
from tests.lab.test_actions import AGAIN, PUBLISH
from tests.suite import ROOT, run_suite
from tests.waiting import eventually

if TYPE_CHECKING:
    from lab.state import Lab

RESTART = "Restart the worker"


class Incident:
    """An incident of the lab: its report, and the calls of `python -m actions` on it."""

    def __init__(self, operator: Operator, fault: str) -> None:
        self.operator = operator
        self.targets = operator.lab.directory / "targets.toml"
        faults.inject(operator.lab.directory, [fault])
        out = operator.directory / "out"
        run = run_suite("--target=lab", f"--targets-file={self.targets}", out=out)
        assert run.report is not None, run.text
        assert not run.report["partial"], run.text
        self.report = out / "lab/upload_stuck/report.json"
        self.steps = {step["title"]: step["number"] for step in run.report["remedies"][0]["steps"]}
        self.journal = Journal(self.report.parent)

    def command(self, *options: object) -> list[str]:
        """Return the command line; a title among the options stands for its step's number."""
        return self.operator.act_command(self.report, self.targets, *self._words(options))

    def call(self, *options: object) -> tuple[int, str]:
        """Return exit status and output of one call."""
        done = self.operator.act(self.report, self.targets, *self._words(options))
        return done.returncode, done.stdout

    def _words(self, options: Sequence[object]) -> list[str]:
        return [str(self.steps.get(str(option), option)) for option in options]

    def edit(self, old: str, new: str) -> Path:
        """Write a copy of the targets file with another text in it; use it from now on."""
        text = self.targets.read_text()
        assert old in text
        self.targets = self.operator.directory / "targets.toml"
        self.targets.write_text(text.replace(old, new))
        return self.targets

    def events(self) -> list[str]:
        """Return the names of the journal's events."""
        return [event["event"] for event in self.journal.events()]


def test_a_killed_worker_is_restarted_once_and_verified(operator: Operator) -> None:
    """A call that is killed in the middle, one that tells it, one that ends, and one too late."""
    incident = Incident(operator, "worker-killed")
    act = ("--execute", "--do", RESTART)
    kill_in_the_middle(incident, *act)
    half_done = f'"{RESTART}" of '
    for status, text in (incident.call(), incident.call("--do", RESTART)):
        assert (status, half_done in text) == (0, True), text
    status, text = incident.call(*act)
    assert (status, "started, may have taken effect" in text) == (2, True), text
    assert incident.events() == ["start", "command", "told"]

    secret = operator.lab.passwords.owner
    operator.say(f"the password is {secret}")
    status, text = incident.call(*act)
    assert status == 0, text
    assert "the password is ***\n" in text
    assert secret not in text + incident.journal.path.read_text()
    assert "verified: worker/process_is_running after" in text
    assert incident.events()[3:] == ["start", "command", "result", "done", "verified"]
    start = incident.journal.events()[3]
    assert start["cause"] == "job_worker_down"
    assert "worker/process_is_running" in start["evidence"]["failed"]

    status, text = incident.call(*act)
    assert (status, "the cause was Job worker down" in text) == (2, True), text
    assert incident.events()[-1] == "verified"


def kill_in_the_middle(incident: Incident, *options: str) -> None:
    """Kill a call with its command started, and let the command end without an effect."""
    os.mkfifo(incident.operator.hold)
    with subprocess.Popen(
        incident.command(*options),
        cwd=ROOT,
        env=incident.operator.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        writers: list[int] = []

        def is_read() -> bool:
            with suppress(OSError):
                writers.append(os.open(incident.operator.hold, os.O_WRONLY | os.O_NONBLOCK))
            return bool(writers) or process.poll() is not None

        eventually(is_read, "the command")
        process.kill()
    # The orphaned command reads the end of the FIFO, and fails.
    os.close(writers[0])
    incident.operator.hold.unlink()


def test_jobs_are_created_again_within_the_cap(operator: Operator) -> None:
    """Beyond rows_max nothing changes; else the announced rows do, and the messages follow."""
    incident = Incident(operator, "job-rows-deleted")
    full = incident.targets
    incident.edit("[targets.lab.actions]\n", "[targets.lab.actions]\nrows_max = 3\n")
    status, text = incident.call("--execute", "--do", AGAIN)
    assert (status, "more rows than rows_max in the target" in text) == (2, True), text
    incident.targets = full

    steps = ["--do", AGAIN, *(["--do", PUBLISH] if operator.lab.broker else [])]
    status, text = incident.call("--execute", *steps)
    assert status == 0, text
    announced = re.search(r"(\d+) rows: (UPDATE (\d+), INSERT \3)\n", text)
    assert announced is not None, text
    assert int(announced[1]) == 2 * int(announced[3])
    assert f"committed: {announced[2]}" in text
    assert "verified: database/stuck_uploads_have_a_job after" in text
    if operator.lab.broker:
        assert f"{announced[3]} messages published" in text
        assert "signal/no_upload_is_stuck after" in text


@pytest.fixture
def table(lab: Lab) -> Iterator[psycopg.Connection[Any]]:
    """A table `acted` with three rows, and a session of its owner."""
    with psycopg.connect(lab.owner_dsn, autocommit=True) as session:
        session.execute("CREATE TABLE acted AS SELECT n, 0 AS state FROM generate_series(1, 3) n")
        try:
            yield session
        finally:
            session.execute("DROP TABLE acted")


ONE = "BEGIN; UPDATE acted SET state = 1 WHERE state = 0 AND n < 3; COMMIT;"


def states(session: psycopg.Connection[Any]) -> list[int]:
    """Return the states of the rows."""
    return [row[0] for row in session.execute("SELECT state FROM acted ORDER BY n").fetchall()]


def test_a_transaction_that_touches_other_rows_is_rolled_back(
    lab: Lab, table: psycopg.Connection[Any]
) -> None:
    """What was announced is what is committed, or nothing is."""
    transaction = Transaction(lab.owner_dsn, ONE, Actions())
    assert transaction.prepare() == "2 rows: UPDATE 2"
    assert states(table) == [0, 0, 0]
    table.execute("UPDATE acted SET state = 2 WHERE n = 2")
    with pytest.raises(Failed, match=r"rolled back: announced were UPDATE 2, it was UPDATE 1"):
        transaction.run()
    assert states(table) == [0, 2, 0]
    assert transaction.prepare() == "1 row: UPDATE 1"
    assert transaction.run() == "committed: UPDATE 1"
    assert states(table) == [1, 2, 0]
    with pytest.raises(Refused, match="it would change no row"):
        transaction.prepare()


def test_a_commit_that_the_server_refuses_has_failed(
    lab: Lab, table: psycopg.Connection[Any]
) -> None:
    """A deferred constraint speaks up at the end only, and nothing is uncertain."""
    table.execute("ALTER TABLE acted ADD UNIQUE (n) DEFERRABLE INITIALLY DEFERRED")
    transaction = Transaction(lab.owner_dsn, "UPDATE acted SET n = 1 WHERE n < 3", Actions())
    assert transaction.prepare() == "2 rows: UPDATE 2"
    with pytest.raises(Failed, match="rolled back: duplicate key"):
        transaction.run()


def test_a_transaction_waits_for_no_lock(
    lab: Lab, table: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends long before its time limit, without a change: others may wait for its own locks."""
    monkeypatch.setattr(operations, "LOCK_MAX", 0.2)
    transaction = Transaction(lab.owner_dsn, ONE, Actions())
    with table.transaction():
        table.execute("UPDATE acted SET state = 3 WHERE n = 1")
        with pytest.raises(Refused, match="canceling statement due to lock timeout"):
            transaction.prepare()
    assert states(table) == [3, 0, 0]


def test_messages_that_no_queue_takes_are_not_published(lab: Lab) -> None:
    """The broker returns them, and a row for another queue is none."""
    if not lab.broker:
        pytest.skip("the lab runs without RabbitMQ: python -m lab setup")
    query = (
        "SELECT json_build_object('routing_key', 'nowhere', 'payload', n::text)"
        " FROM generate_series(1, 2) AS n"
    )
    dsn, url = lab.owner_dsn, lab.app_amqp_url
    publication = Publication(dsn, url, "nowhere", query, Actions())
    assert publication.prepare() == "2 messages to queue nowhere"
    with pytest.raises(Failed, match="0 of 2 messages published, then UnroutableError"):
        publication.run()
    with pytest.raises(Refused, match="no message to the queue elsewhere"):
        Publication(dsn, url, "elsewhere", query, Actions()).prepare()
    with pytest.raises(Refused, match="more messages than rows_max"):
        Publication(dsn, url, "nowhere", query, Actions(rows_max=1)).prepare()


def test_a_published_message_is_not_the_last_of_a_queue_by_priority(lab: Lab) -> None:
    """It is older than those that wait there: without a priority all of them would come first."""
    if not lab.broker:
        pytest.skip("the lab runs without RabbitMQ: python -m lab setup")
    name = "by-priority"
    kind = "json_build_object('content_type', 'application/json')"
    query = (
        f"SELECT json_build_object('routing_key', '{name}', 'payload', 'old', 'properties', {kind})"
    )
    with pika.BlockingConnection(pika.URLParameters(lab.app_amqp_url)) as connection:
        channel = connection.channel()
        channel.queue_declare(name, arguments={"x-max-priority": 10})
        try:
            channel.basic_publish("", name, b"new", pika.BasicProperties(priority=9))
            publication = Publication(lab.owner_dsn, lab.app_amqp_url, name, query, Actions())
            publication.prepare()
            publication.run()
            _, properties, body = channel.basic_get(name, auto_ack=True)
            assert (body, properties.content_type) == (b"old", "application/json")
        finally:
            channel.queue_delete(name)


# Ends the connection in which it runs, as a network does that fails.
CUT = """
p=$$
until grep -q '^sshd' /proc/$p/comm; do p=$(awk '/^PPid/ {print $2}' /proc/$p/status); done
kill -KILL $p
sleep 60
"""


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("echo tried; echo why >&2; exit 3", Failed, "exit status 3 on ssh://"),
        ("no-such-program", Failed, "exit status 127 on ssh://"),
        ("sleep 60", Uncertain, "the command timed out on ssh://"),
        (CUT, Uncertain, "cannot be reached|before it had finished"),
    ],
    ids=["fails", "is not there", "hangs", "loses its connection"],
)
def test_a_command_without_a_known_end_is_uncertain(
    ssh_server: SshServer, text: str, error: type[Exception], message: str
) -> None:
    """One that ended has failed; of any other nobody knows whether it took effect."""
    rights = Actions(identity_file=ssh_server.identity, timeout="2 s")  # type: ignore[arg-type]
    command = HostCommand(ssh_server.spec, text, rights, ssh_server.config())
    try:
        assert command.prepare().startswith("on ssh://")
        with pytest.raises(error, match=message) as ended:
            command.run()
    finally:
        command.close()
    if text.startswith("echo"):
        assert isinstance(ended.value, Failed)
        assert ended.value.output == "tried\nwhy\n"


def test_a_target_that_is_being_checked_is_left_alone(tmp_path: Path) -> None:
    """The lock is that of the runs, and its holder is named."""
    holder = rf"process {os.getpid()}, since"
    with locked(tmp_path), pytest.raises(Refused, match=holder), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


LIVE = Target(name="live", environment="live")


@pytest.mark.parametrize(("answer", "is_refused"), [("live\n", False), ("yes\n", True)])
def test_on_live_a_person_types_the_name(
    monkeypatch: pytest.MonkeyPatch, answer: str, is_refused: bool
) -> None:
    """Another answer, and any answer that comes from no terminal, runs nothing."""
    ours, theirs = os.openpty()
    with os.fdopen(theirs) as terminal, os.fdopen(ours, "w") as keyboard:
        monkeypatch.setattr(sys, "stdin", terminal)
        keyboard.write(answer)
        keyboard.flush()
        if is_refused:
            with pytest.raises(Refused, match="that is not the target's name"):
                confirm(LIVE, RESTART, None)
        else:
            confirm(LIVE, RESTART, None)


def test_without_a_terminal_the_target_has_to_allow_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """--yes names the target, and counts only where the target says so."""
    with (ROOT / "README.md").open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        with pytest.raises(Refused, match="without one, write --yes TARGET"):
            confirm(LIVE, RESTART, None)
    with pytest.raises(Refused, match="--yes names staging, and the report is of live"):
        confirm(LIVE, RESTART, "staging")
    with pytest.raises(Refused, match="--yes needs allow_actions = true"):
        confirm(LIVE, RESTART, "live")
    confirm(LIVE.model_copy(update={"allow_actions": True}), RESTART, "live")
