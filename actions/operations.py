"""The three kinds of change: a command on a host, SQL in one transaction, published messages.

`prepare` changes nothing that lasts, and announces what `run` would change; it raises Refused.
`run` changes it, and raises Failed or Uncertain.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import psycopg
from psycopg.pq import TransactionStatus

from actions.errors import Failed, Refused, Uncertain
from core.language import tr, trn
from core.secrets import without_password
from core.text import first_line, named
from fixtures.probes.deadline import Deadline
from fixtures.probes.errors import Unreachable
from fixtures.probes.host.shell import Shell
from fixtures.probes.host.spec import display_name
from reports.runbook.placeholders import sql_statements

if TYPE_CHECKING:
    import pika

    from actions.plan import PlannedCommand
    from actions.rights import Rights
    from fixtures.target.model import Actions, Target

# The client logs each failed attempt with its addresses; our error message has the reason.
logging.getLogger("pika").setLevel(logging.CRITICAL)

CONNECT_MAX = 10
"""Seconds that opening a connection may take."""

LOCK_MAX = 5
"""Seconds that a statement waits for a lock."""

WRITES = ("UPDATE", "INSERT", "DELETE")
"""The statements of a permitted transaction; any other one is refused."""

LOST = ("08", "57")
"""Classes of the errors after which a session no longer exists."""

# The output of both streams in order, then the exit code: the shell's own would not tell a command
# that failed from a connection that was lost.
WRAPPED = 'sh -c "$1" 2>&1; printf "\\n%s" "$?"'

_BEGIN = re.compile(r"BEGIN|START TRANSACTION", re.IGNORECASE)
_COMMIT = re.compile(r"COMMIT|END", re.IGNORECASE)
_FIRST_WORD = re.compile(r"(?:\s*--[^\n]*\n)*\s*([A-Za-z]+)")
_PSQL_FORMAT = re.compile(r"^[ \t]*\\(?:pset [^\n\\]*|g(?: [^\n\\]*)?)$", re.MULTILINE)


class Operation(Protocol):
    """One command, ready to be run; `place` names where for a person."""

    place: str

    def prepare(self) -> str:
        """Return what `run` would change; raises Refused."""

    def run(self) -> str:
        """Make the change and return what came of it; raises Failed, Uncertain."""

    def close(self) -> None:
        """End the connections."""


def operation_of(planned: PlannedCommand, target: Target, rights: Rights) -> Operation:
    """Return the operation of a command that may run; raises Refused for what no client takes."""
    table = target.actions
    assert table is not None
    text = planned.command.text
    if planned.place == "database":
        return Transaction(_secret(rights.dsn), text, table)
    if planned.place == "queue":
        assert target.queue is not None
        return Publication(
            _secret(rights.dsn), _secret(rights.broker_url), target.queue.name, text, table
        )
    return HostCommand(planned.place, text, table, target.ssh.config_file)


def _secret(value: Any) -> str:
    return str(value.get_secret_value())


class HostCommand:
    """A shell command on a host, by the user of `[actions]`."""

    def __init__(self, spec: str, text: str, rights: Actions, ssh_config: str | None) -> None:
        self.place = display_name(spec)
        self._text = text
        self._timeout = rights.timeout
        self._shell = Shell(
            spec, timeout=CONNECT_MAX, ssh_config=ssh_config, ssh_identity=rights.identity_file
        )

    def prepare(self) -> str:
        """Open the connection."""
        reach = self._shell.reach()
        if not reach.ok:
            raise Refused(str(reach))
        return tr("on {place}", place=self.place)

    def run(self) -> str:
        """Run the command and return its output."""
        try:
            result = self._shell.run(
                WRAPPED, self._text, timeout=self._timeout, doing=tr("the command")
            )
        except Unreachable as exc:
            raise Uncertain(str(exc)) from exc
        output, _, code = result.stdout.rpartition("\n")
        if not code.isdigit():
            raise Uncertain(
                "the command was ended on {place} before it had finished", place=self.place
            )
        if code != "0":
            raise Failed(
                tr(
                    "the command ended with exit status {code} on {place}",
                    code=code,
                    place=self.place,
                ),
                output,
            )
        return output

    def close(self) -> None:
        """End the connection."""
        self._shell.close()


class Transaction:
    """Statements that write, in one transaction: all of them, on the announced rows, or none."""

    def __init__(self, dsn: str, text: str, rights: Actions) -> None:
        self.place = tr("the database")
        self._dsn = dsn
        self._rights = rights
        self._statements = _written_statements(text)
        self._announced: list[tuple[str, int]] = []

    def prepare(self) -> str:
        """Run the statements and roll them back; return their numbers of rows."""
        try:
            with _session(self._dsn, self._rights.timeout) as session:
                self._announced = self._execute(session)
                session.rollback()
        except psycopg.Error as exc:
            raise Refused("the database refused it: {reason}", reason=_reason(exc)) from exc
        rows = sum(rows for _, rows in self._announced)
        if rows == 0:
            raise Refused(tr("it would change no row"))
        counts = _counts(self._announced)
        return trn("{n} row: {counts}", "{n} rows: {counts}", rows, counts=counts)

    def run(self) -> str:
        """Run the statements; commit if they touched the announced rows, or else roll back."""
        is_committing = False
        try:
            with _session(self._dsn, self._rights.timeout) as session:
                counts = self._execute(session)
                if counts != self._announced:
                    session.rollback()
                    raise Failed(
                        "rolled back: announced were {announced}, it was {counted}",
                        announced=_counts(self._announced),
                        counted=_counts(counts),
                    )
                is_committing = True
                session.commit()
        except Refused as exc:
            raise Failed("rolled back: {reason}", reason=exc) from exc
        except psycopg.Error as exc:
            # With another code the server answered: it refused the commit.
            if is_committing and (exc.sqlstate or LOST[0])[:2] in LOST:
                raise Uncertain(
                    "the connection was lost in the commit: {reason}", reason=_reason(exc)
                ) from exc
            raise Failed("rolled back: {reason}", reason=_reason(exc)) from exc
        return tr("committed: {counts}", counts=_counts(counts))

    def _execute(self, session: psycopg.Connection[Any]) -> list[tuple[str, int]]:
        counts: list[tuple[str, int]] = []
        for word, statement in self._statements:
            # Binary results make psycopg send one statement alone: the server refuses two.
            rows = session.execute(statement.encode(), binary=True).rowcount
            if session.info.transaction_status != TransactionStatus.INTRANS:
                raise Refused(tr("a statement ended the transaction"))
            counts.append((word, rows))
            if sum(rows for _, rows in counts) > self._rights.rows_max:
                raise Refused(
                    "{counts}: more rows than rows_max in the target's [actions] permits, {most}",
                    counts=_counts(counts),
                    most=self._rights.rows_max,
                )
        return counts

    def close(self) -> None:
        """Do nothing: each transaction has its own connection."""


class Publication:
    """Messages that a query yields, published to the target's queue."""

    def __init__(self, dsn: str, url: str, queue: str, text: str, rights: Actions) -> None:
        self.place = tr("queue {queue}", queue=queue)
        self._dsn = dsn
        self._url = url
        self._queue = queue
        self._rights = rights
        self._query = _query(text)
        self._announced = 0

    def prepare(self) -> str:
        """Read the messages; return their number."""
        self._announced = len(self._messages())
        if not self._announced:
            raise Refused(tr("there is no message to publish"))
        return trn(
            "{n} message to queue {queue}",
            "{n} messages to queue {queue}",
            self._announced,
            queue=self._queue,
        )

    def run(self) -> str:
        """Publish the messages if they are as many as announced, each confirmed by the broker."""
        try:
            messages = self._messages()
        except Refused as exc:
            raise Failed("nothing was published: {reason}", reason=exc) from exc
        if len(messages) != self._announced:
            raise Failed(
                trn(
                    "nothing was published: announced were {announced}, it is {n} message",
                    "nothing was published: announced were {announced}, it is {n} messages",
                    len(messages),
                    announced=self._announced,
                )
            )
        return self._publish(messages)

    def _messages(self) -> list[dict[str, Any]]:
        limit = self._rights.rows_max
        try:
            with _session(self._dsn, self._rights.timeout, read_only=True) as session:
                # The client holds all rows of an answer: a long outage has very many.
                query = f"SELECT * FROM (\n{self._query}\n) AS found LIMIT {limit + 1}"  # noqa: S608 - one SELECT of the runbook
                rows = session.execute(query.encode(), binary=True).fetchall()
        except (psycopg.Error, ValueError) as exc:
            # A text that is not UTF-8 is no JSON for the client.
            raise Refused("the database refused it: {reason}", reason=_reason(exc)) from exc
        if len(rows) > limit:
            raise Refused(
                "there are more messages than rows_max in the target's [actions] permits, {most}",
                most=limit,
            )
        messages = [row[0] for row in rows]
        for message in messages:
            if (
                not isinstance(message, dict)
                or message.get("routing_key") != self._queue
                or not isinstance(message.get("payload"), str)
            ):
                raise Refused("a row is no message to the queue {queue}", queue=self._queue)
        return messages

    def _publish(self, messages: Sequence[dict[str, Any]]) -> str:
        from pika.exceptions import AMQPError, NackError, UnroutableError

        published, is_publishing = 0, False
        try:
            with _broker(self._url) as connection:
                channel = connection.channel()
                channel.confirm_delivery()
                for message in messages:
                    is_publishing = True
                    channel.basic_publish(
                        "",
                        self._queue,
                        message["payload"].encode(),
                        _properties_of(message),
                        mandatory=True,
                    )
                    published, is_publishing = published + 1, False
        except (AMQPError, OSError) as exc:
            done = trn(
                "{published} of {n} message published",
                "{published} of {n} messages published",
                len(messages),
                published=published,
            )
            if published == len(messages):
                return done
            # What the broker returned or refused it has not kept.
            is_lost = is_publishing and not isinstance(exc, (UnroutableError, NackError))
            reason = f"{type(exc).__name__} {first_line(without_password(str(exc)))}".strip()
            sentence = tr("{done}, then {reason}", done=done, reason=reason)
            raise (Uncertain if published or is_lost else Failed)(sentence) from exc
        return trn("{n} message published", "{n} messages published", published)

    def close(self) -> None:
        """Do nothing: the connections live as long as their call."""


def _properties_of(message: Mapping[str, Any]) -> pika.BasicProperties:
    """Return the properties of a message: it is kept, comes first, and says whether it is JSON.

    Some frameworks read no JSON of which the message does not say that it is.
    """
    import pika

    properties = message.get("properties")
    kind = properties.get("content_type") if isinstance(properties, dict) else None
    return pika.BasicProperties(
        content_type=kind if isinstance(kind, str) else None,
        delivery_mode=2,
        priority=255,
    )


@contextmanager
def _session(
    dsn: str, seconds: float, *, read_only: bool = False
) -> Iterator[psycopg.Connection[Any]]:
    """Open a session with time limits; an open transaction is rolled back."""
    with Deadline(seconds + CONNECT_MAX) as deadline:
        session = psycopg.connect(dsn, connect_timeout=CONNECT_MAX, application_name="veza-actions")
        with closing(session):
            deadline.watch(session.fileno())
            # Never the reverse: a database that is read-only by default may be so on purpose.
            session.read_only = True if read_only else None
            limits = {
                "statement_timeout": seconds,
                "lock_timeout": min(LOCK_MAX, seconds),
                "idle_in_transaction_session_timeout": seconds,
            }
            for name, limit in limits.items():
                session.execute("SELECT set_config(%s, %s, true)", (name, f"{limit * 1000:.0f}"))
            yield session


@contextmanager
def _broker(url: str) -> Iterator[Any]:
    """Open a connection to RabbitMQ that ends when the broker hangs or blocks it."""
    import pika

    parameters = pika.URLParameters(url)
    parameters.client_properties = {"connection_name": "veza-actions"}
    parameters.connection_attempts = 1
    parameters.socket_timeout = parameters.stack_timeout = CONNECT_MAX
    # A broker that hangs sends no heartbeat; one in alarm blocks and sends them.
    parameters.heartbeat = parameters.blocked_connection_timeout = CONNECT_MAX
    connection = pika.BlockingConnection(parameters)
    try:
        yield connection
    finally:
        # Closing one that was lost would raise an error in place of the reason.
        if connection.is_open:
            connection.close()


def _written_statements(text: str) -> list[tuple[str, str]]:
    """Return the statements between BEGIN and COMMIT, each with its first word; raises Refused."""
    statements = list(sql_statements(text))
    if statements and _BEGIN.fullmatch(statements[0]):
        statements = statements[1:]
        if not statements or not _COMMIT.fullmatch(statements.pop()):
            raise Refused(tr("its transaction has no COMMIT at its end"))
    words = [(_word(statement), statement) for statement in statements]
    other = [word or statement[:40] for word, statement in words if word not in WRITES]
    if other or not words:
        if not other:
            raise Refused(tr("only UPDATE, INSERT and DELETE may run, not nothing"))
        raise Refused(
            "only UPDATE, INSERT and DELETE may run, not {statements}", statements=named(other)
        )
    return words


def _query(text: str) -> str:
    """Return the one SELECT of a psql script that writes its rows to a file; raises Refused."""
    statements = sql_statements(_PSQL_FORMAT.sub("", text))
    if len(statements) != 1 or _word(statements[0]) != "SELECT" or "\\" in statements[0]:
        raise Refused(tr("messages come from one SELECT, with no psql command but \\pset and \\g"))
    return statements[0]


def _word(statement: str) -> str:
    match = _FIRST_WORD.match(statement)
    return match[1].upper() if match else ""


def _counts(counts: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{word} {rows}" for word, rows in counts)


def _reason(exc: Exception) -> str:
    return first_line(without_password(str(exc)))
