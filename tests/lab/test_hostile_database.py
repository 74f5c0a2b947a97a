"""Database probe against servers that answer as no PostgreSQL does."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import pytest

from fixtures.probes.errors import Unreachable
from fixtures.probes.postgres.connection import BYTES_MAX
from fixtures.probes.postgres.database import DatabaseProbe
from fixtures.probes.postgres.opening import is_login_refused, refusal
from tests.lab.made_probes import database_probe
from tests.waiting import PATIENCE

TEXT, INT8, FLOAT8 = 25, 20, 701


def message(kind: bytes, body: bytes = b"") -> bytes:
    """Return one message of the server's side of the protocol."""
    return kind + struct.pack("!I", len(body) + 4) + body


def row_description(*kinds: int) -> bytes:
    """Return the description of columns of these types."""
    columns = b"".join(b"c\0" + struct.pack("!IHIhih", 0, 0, kind, -1, -1, 0) for kind in kinds)
    return message(b"T", struct.pack("!H", len(kinds)) + columns)


def data_row(*values: bytes) -> bytes:
    """Return one row of text values."""
    body = b"".join(struct.pack("!I", len(value)) + value for value in values)
    return message(b"D", struct.pack("!H", len(values)) + body)


READY = message(b"Z", b"I")
WELCOME = message(b"R", struct.pack("!I", 0)) + READY
PARSED = message(b"1") + message(b"2")
END = message(b"C", b"SELECT 1\0")


def endless_rows() -> Iterator[bytes]:
    """Yield rows without an end."""
    yield PARSED + row_description(TEXT)
    rows = data_row(b"x" * 1000) * 60
    while True:
        yield rows


def giant_row() -> Iterator[bytes]:
    """Yield one row that announces a gigabyte."""
    length = 1 << 30
    header = struct.pack("!I", length + 10) + struct.pack("!HI", 1, length)
    yield PARSED + row_description(TEXT) + b"D" + header
    while True:
        yield b"x" * 60_000


def one_answer(
    *kinds: int, row: tuple[bytes, ...] = (), rows: int = 1
) -> Callable[[], list[bytes]]:
    """Return the behaviour of a server that answers each statement with the same rows."""
    return lambda: [PARSED + row_description(*kinds) + data_row(*row) * rows + END]


class FakeServer:
    """PostgreSQL's protocol up to the answer to a statement, which is `behaviour`'s."""

    def __init__(self, behaviour: Callable[[], Iterable[bytes]]) -> None:
        self._behaviour = behaviour
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.sent = 0

    @contextmanager
    def serving(self) -> Iterator[FakeServer]:
        """Context in which a thread serves connections, one after the other."""
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(PATIENCE)
            try:
                with connection:
                    self._serve(connection)
            except OSError:
                continue

    def _serve(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        # The startup message has no type. libpq may ask for encryption first.
        while struct.unpack("!I", _body(stream)[:4])[0] in (80877103, 80877104):
            connection.sendall(b"N")
        connection.sendall(WELCOME)
        has_failed = False
        while (kind := stream.read(1)) and kind != b"X":
            _body(stream)
            if kind in b"QE" and not has_failed:
                for part in self._behaviour():
                    connection.sendall(part)
                    self.sent += len(part)
                    # A server skips the other statements up to the next Sync.
                    has_failed = has_failed or part[:1] == b"E"
            if kind in b"QS":
                has_failed = False
                connection.sendall(READY)


def _body(stream: IO[bytes]) -> bytes:
    """Read one message of the client's side, without its type."""
    length = stream.read(4)
    if len(length) < 4:
        raise ConnectionError
    return stream.read(struct.unpack("!I", length)[0] - 4)


def calls(probe: DatabaseProbe) -> list[Callable[[], object]]:
    """Return every question to the database."""
    return [
        probe.schema,
        lambda: probe.stuck_uploads(600.0),
        lambda: probe.subjects(None, 600.0, 20),
        lambda: probe.subjects(("u1",), 600.0, 20),
        lambda: probe.overdue_processing(300.0),
        probe.newest_completed,
        probe.recently_finished,
        lambda: probe.pending_jobs(300.0, 300.0),
        lambda: probe.running_jobs(300.0),
        lambda: probe.passed_over_jobs(300.0),
        lambda: probe.late_starts(300.0),
        lambda: probe.flow(300.0),
        probe.ended_jobs,
        probe.unfinished_jobs,
        probe.just_ended_jobs,
        lambda: probe.locks(1.0),
        lambda: probe.writes(30.0),
    ]


@pytest.mark.parametrize("behaviour", [endless_rows, giant_row])
def test_a_large_answer_is_cut_off(behaviour: Callable[[], Iterator[bytes]]) -> None:
    """The probe stops to read an endless answer and a giant row, and asks no more."""
    server = FakeServer(behaviour)
    with server.serving():
        probe = database_probe(f"postgresql://u@127.0.0.1:{server.port}/d")
        for call in calls(probe):
            with pytest.raises(Unreachable, match=r"far larger than any|memory"):
                call()
        probe.close()
    # What the kernel holds on both sides comes on top.
    assert server.sent < 4 * BYTES_MAX


ODD = {
    "no column": one_answer(),
    "one column": one_answer(TEXT, row=(b"x",)),
    "many numbers": one_answer(*[INT8] * 40, row=(b"9223372036854775807",) * 40),
    "no finite number": one_answer(*[FLOAT8] * 4, row=(b"NaN", b"Infinity", b"1e308", b"-1")),
    "no numbers": one_answer(INT8, INT8, TEXT, FLOAT8, row=(b"none", b"", b"\xff\xfe", b"x")),
    "long texts": one_answer(*[TEXT] * 4, row=(b"\xff" * 9000,) * 4, rows=50),
    "more values than columns": one_answer(TEXT, row=(b"a", b"b")),
    "ready after each statement": lambda: [
        PARSED + row_description(TEXT) + data_row(b"x") + END + READY
    ],
    "more answers than statements": lambda: (
        [PARSED + row_description(TEXT) + data_row(b"x") + END + READY] * 3
    ),
    "garbage": lambda: [b"\0garbage, and not the protocol" * 40],
    "no answer": lambda: [END],
    "error": lambda: [message(b"E", b"SERROR\0CXX000\0Mmade\0\0")],
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_answer_is_unreachable(name: str) -> None:
    """Answers with other columns, types and values than asked for are one sentence, no crash."""
    with FakeServer(ODD[name]).serving() as server:
        dsn = f"postgresql://u@127.0.0.1:{server.port}/d"
        with closing(database_probe(dsn, timeout=5.0)) as probe:
            assert probe.reach().ok
            for call in calls(probe):
                with pytest.raises(Unreachable) as refused:
                    call()
                assert str(refused.value).startswith("database d at 127.0.0.1:")
                assert "\n" not in str(refused.value)


@pytest.mark.parametrize("key", ["passfile", "sslrootcert", "sslkey"])
def test_a_setting_that_names_a_fifo_is_refused(tmp_path: Path, key: str) -> None:
    """libpq would wait for it without end."""
    os.mkfifo(tmp_path / "fifo")
    probe = database_probe(f"host=127.0.0.1 port=1 user=u {key}={tmp_path}/fifo", timeout=5.0)
    assert f"its {key} {tmp_path}/fifo is not a regular file" in str(probe.reach())


@pytest.mark.parametrize(
    ("text", "login"),
    [
        ('FATAL:  password authentication failed for user "x"', True),
        ('FATAL:  no pg_hba.conf entry for host "::1", user "x", database "d"', True),
        ('FATAL:  role "x" is not permitted to log in', True),
        ('FATAL:  permission denied for database "d"\nDETAIL:  User does not have CONNECT', True),
        ("connection failed: fe_sendauth: no password supplied", True),
        ("expected authentication request from server, but received H", False),
        ("authentication method 99 not supported", False),
        ('FATAL:  unrecognized configuration parameter "password_x"', False),
    ],
)
def test_only_a_refused_login_is_called_one(text: str, login: bool) -> None:
    """A protocol error that mentions authentication is no refused login."""
    import psycopg

    sentence = refusal("database d", psycopg.OperationalError(text), 1.0)
    assert ("the login is refused" in sentence) is login


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("FATAL:  authentification par mot de passe échouée pour l'utilisateur  « x »", True),
        ("FATAL:  aucune entrée dans pg_hba.conf pour « ::1 », utilisateur « x »", True),
        ('ВАЖНО:  пользователь "x" не прошёл проверку подлинности (по паролю)', True),
        ("FATAL:  Rolle »x« hat keine Berechtigung zum Einloggen", True),
        ("FATAL:  la base de données « d » n'existe pas", False),
        ("FATAL:  désolé, trop de clients sont déjà connectés", False),
        ("FATAL:  le système de bases de données est en cours d'arrêt", False),
    ],
)
def test_a_login_is_refused_in_any_language(text: str, refused: bool) -> None:
    """A server of French settings speaks French before anybody has logged in."""
    import psycopg

    connection: Any = SimpleNamespace(used_password=True, user=b"x", db=b"d")
    error = psycopg.OperationalError(
        f'connection to server at "::1", port 5432 failed: {text}', pgconn=connection
    )
    assert is_login_refused(error) is refused
    assert ("the login is refused" in refusal("database d", error, 1.0)) is refused
