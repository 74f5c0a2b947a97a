"""The history's SQLite file: opening, migrations, transactions, and a corrupt file.

It is in WAL mode, so that one process writes while others read. `user_version` is the version of
the tables, and `application_id` says that the file is ours.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from core.errors import TranslatedError
from core.language import mark, tr

T = TypeVar("T")

APPLICATION_ID = 0x56455A41
"""The letters VEZA; a database with another id is never written to."""

WAIT = 2.0
"""Seconds that a writer waits for another one: the history must not delay the verdict."""

MIGRATIONS = (
    """
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        started TEXT NOT NULL,
        seconds REAL NOT NULL,
        state TEXT NOT NULL,
        headline TEXT NOT NULL,
        certainty TEXT NOT NULL,
        report BLOB
    );
    CREATE TABLE figures (
        run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        value REAL,
        PRIMARY KEY (run, name)
    ) WITHOUT ROWID;
    CREATE TABLE checks (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE outcomes (
        run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
        check_id INTEGER NOT NULL REFERENCES checks(id),
        status TEXT NOT NULL,
        PRIMARY KEY (run, check_id)
    ) WITHOUT ROWID;
    CREATE TABLE ranking (
        run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
        place INTEGER NOT NULL,
        hypothesis TEXT NOT NULL,
        title TEXT NOT NULL,
        probability REAL NOT NULL,
        held INTEGER NOT NULL,
        PRIMARY KEY (run, place)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE alert_runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        report TEXT NOT NULL UNIQUE,
        started TEXT NOT NULL,
        state TEXT NOT NULL,
        judged INTEGER NOT NULL DEFAULT 0,
        pinged INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE alert (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        kind TEXT NOT NULL,
        since TEXT NOT NULL,
        told REAL NOT NULL
    );
    CREATE TABLE alert_messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        what TEXT NOT NULL,
        kind TEXT NOT NULL,
        title TEXT NOT NULL,
        body TEXT NOT NULL,
        done INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE alert_deliveries (
        message INTEGER NOT NULL REFERENCES alert_messages(id) ON DELETE CASCADE,
        destination TEXT NOT NULL,
        PRIMARY KEY (message, destination)
    ) WITHOUT ROWID;
    """,
    # The symptoms of an incident, and which of them later runs have observed.
    """
    ALTER TABLE checks ADD COLUMN role TEXT NOT NULL DEFAULT '';
    ALTER TABLE alert_runs ADD COLUMN symptoms TEXT NOT NULL DEFAULT '[]';
    ALTER TABLE alert_runs ADD COLUMN outcomes TEXT NOT NULL DEFAULT '{}'
    """,
    # The incident that a message belongs to: services that keep one open know it by its episode.
    """
    ALTER TABLE alert ADD COLUMN episode TEXT NOT NULL DEFAULT '';
    ALTER TABLE alert_messages ADD COLUMN episode TEXT NOT NULL DEFAULT '';
    ALTER TABLE alert_messages ADD COLUMN since TEXT NOT NULL DEFAULT '';
    UPDATE alert SET episode = since;
    UPDATE alert_messages SET (episode, since) = (SELECT since, since FROM alert)
        WHERE (NOT done OR id = (SELECT max(id) FROM alert_messages))
        AND EXISTS (SELECT 1 FROM alert)
    """,
)
"""The statements from each version of the tables to the next. A released one is never changed."""

_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_LOCKED = mark("the history {path} is locked by another process, for longer than {seconds:g} s")
PROBLEMS = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_READONLY: mark("the history {path} cannot be written: it is read-only"),
    sqlite3.SQLITE_FULL: mark("the history {path} cannot be written: No space left on device"),
}
"""The sentence for an error of SQLite's by its code."""


class HistoryError(TranslatedError):
    """The history cannot be used; `str()` is one sentence that names the file and the reason."""


class CorruptError(HistoryError):
    """The file is no longer a database."""


class OpenFile:
    """The open history. A context manager that closes it."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._db = connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._db.close()

    def transaction(self) -> AbstractContextManager[None]:
        """Return a context that makes all changes within it, or none."""
        return transaction(self._db, self._path)

    def rows(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
        """Return the rows of an answer; raises HistoryError."""
        with translate_errors(self._path):
            return self._db.execute(query, parameters).fetchall()


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Make all changes within the context, or none; raises HistoryError."""
    with translate_errors(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                # On a full disk SQLite may have rolled back by itself; the first error counts.
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
            raise


@contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """Raise HistoryError in place of SQLite's errors."""
    try:
        yield
    except sqlite3.Error as exc:
        code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
        if code in _CORRUPT:
            raise CorruptError(
                "the history {path} is corrupt: {error}", path=path, error=exc
            ) from exc
        problem = PROBLEMS.get(code, mark("the history {path} cannot be used: {error}"))
        raise HistoryError(problem, path=path, error=exc, seconds=WAIT) from exc


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Return a connection to the history, which is created if missing; raises HistoryError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise HistoryError(
            "the history {path} cannot be created: {reason}", path=path, reason=exc.strerror
        ) from exc
    _refuse_special_files(path)
    with translate_errors(path):
        connection = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Return a read-only connection; raises HistoryError if there is no history."""
    _refuse_special_files(path)
    if not path.exists():
        raise HistoryError("there is no history at {path}: no run has written one yet", path=path)
    with translate_errors(path):
        connection = _connect_reading(path)
        try:
            version = _version(connection, path)
        except BaseException:
            connection.close()
            raise
    if version != len(MIGRATIONS):
        connection.close()
        raise HistoryError(
            "the history {path} has an older version: the next run updates it", path=path
        )
    return connection


def set_aside_if_corrupt(path: Path, action: Callable[[], T]) -> tuple[T, str]:
    """Run an action on the history; if the file is corrupt, set it aside and run it once more.

    Returns the action's result and a note for the user, which is empty unless this process has set
    the file aside. Raises HistoryError.
    """
    try:
        inode = path.stat().st_ino
    except OSError:
        # There is none yet, or the action says why it cannot be looked at.
        inode = 0
    try:
        return action(), ""
    except CorruptError:
        aside = set_aside(path, inode)
        note = tr(
            "the history was corrupt; it was renamed to {aside}, and a new one was started",
            aside=aside,
        )
        return action(), note if aside else ""


def set_aside(path: Path, inode: int) -> Path | None:
    """Rename a corrupt history, and return its new name: nothing is deleted.

    `inode` is that of the corrupt file. Returns None if another process has already renamed it and
    started a new one. Raises HistoryError if it cannot be renamed.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    try:
        if path.stat().st_ino != inode:
            return None
        path.rename(aside)
        for suffix in ("-wal", "-shm"):
            # They belong to the old file; beside a new one they would corrupt that too.
            companion = path.with_name(path.name + suffix)
            if companion.exists():
                companion.rename(aside.with_name(aside.name + suffix))
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise HistoryError(
            "the history {path} is corrupt and cannot be renamed: {reason}",
            path=path,
            reason=exc.strerror,
        ) from exc
    return aside


def _refuse_special_files(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as exc:
        raise HistoryError(
            "the history {path} cannot be read: {reason}", path=path, reason=exc.strerror
        ) from exc
    # SQLite would wait forever at a pipe.
    if not stat.S_ISREG(mode):
        raise HistoryError("the history {path} is not a regular file", path=path)
    if not os.access(path, os.R_OK):
        # SQLite's own reason would be that it cannot open the file.
        raise HistoryError(
            "the history {path} cannot be read: {reason}",
            path=path,
            reason=os.strerror(errno.EACCES),
        )


def _connect_reading(path: Path) -> sqlite3.Connection:
    address = path.resolve().as_uri()
    connection = sqlite3.connect(f"{address}?mode=ro", uri=True, timeout=WAIT)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.OperationalError:
        # WAL writes beside the file even to read it. Without the right to do so, a file that no
        # process has open can be read on its own.
        connection.close()
        if path.with_name(f"{path.name}-wal").exists():
            raise
        return sqlite3.connect(f"{address}?immutable=1", uri=True, timeout=WAIT)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    _version(connection, path)
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    _use_wal(connection)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA journal_size_limit = 1048576")
    if _version(connection, path) == len(MIGRATIONS):
        return
    with transaction(connection, path):
        # The version again, now under the lock: another process may have just migrated the file.
        for migration in MIGRATIONS[_version(connection, path) :]:
            for statement in migration.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL. SQLite does not wait for other writers here, so this does."""
    deadline = time.monotonic() + WAIT
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as exc:
            busy = exc.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _version(connection: sqlite3.Connection, path: Path) -> int:
    # All three from one snapshot: another process may be creating the file at this moment.
    within = connection.in_transaction
    if not within:
        connection.execute("BEGIN")
    try:
        tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        owner = int(connection.execute("PRAGMA application_id").fetchone()[0])
    finally:
        if not within and connection.in_transaction:
            connection.execute("COMMIT")
    if owner != APPLICATION_ID and (tables or owner or version):
        raise HistoryError("{path} is a database of another program, not a history", path=path)
    if version > len(MIGRATIONS):
        raise HistoryError(
            "the history {path} has version {version}, and this veza-checks knows {known}: "
            "a newer veza-checks has written it",
            path=path,
            version=version,
            known=len(MIGRATIONS),
        )
    return version
