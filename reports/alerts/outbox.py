"""What notify remembers, in the history: the runs it has seen, the alert, the messages to deliver.

A message is written down in the same transaction as the change that it tells, and is delivered
afterwards, to each destination by itself: so none is lost, and who has it does not get it again.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from core.outcome import OBSERVED
from reports.alerts.policy import RUNS_MAX, Alert, Seen
from reports.history.file import CorruptError, explained, open_for_writing, set_aside
from reports.model.report_json import to_json

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    from reports.model.report import Report

OPEN_MAX = 50
"""Messages that wait for a destination which does not answer; the oldest go first, and are told."""

DONE_MAX = 100
"""Messages that are kept after they were delivered, to look at."""


@dataclass(frozen=True)
class Message:
    """A message to deliver; `what` and `kind` are those of the change that it tells."""

    number: int
    what: str
    kind: str
    title: str
    body: str


def key_of(report: Report) -> str:
    """Return what tells a run from all others, and is the same for the same report."""
    return hashlib.sha256(to_json(report).encode("utf-8", "replace")).hexdigest()


def destination_of(address: str) -> str:
    """Return the name that a destination has here: no secret can be read from it."""
    return hashlib.sha256(address.encode("utf-8", "replace")).hexdigest()[:16]


def _sight_of(report: Report) -> tuple[list[str], dict[str, str]]:
    """Return the symptoms that failed, and what became of each check that could look."""
    failed = [r for r in report.results if r.outcome.status == "failed" and r.role == "symptom"]
    seen = [r.outcome for r in report.results if r.outcome.status in OBSERVED]
    return [r.outcome.check for r in failed], {o.check: o.status for o in seen}


class Outbox:
    """The open state. A context manager; every method raises HistoryError."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._db = connection

    @classmethod
    def open(cls, path: Path) -> tuple[Self, str]:
        """Open the state in the history at `path`, and return what a person should know of it.

        A corrupt history is set aside and a new one begun. Raises HistoryError.
        """
        inode = path.stat().st_ino if path.exists() else 0
        try:
            return cls(path, open_for_writing(path)), ""
        except CorruptError:
            aside = set_aside(path, inode)
            note = f"the history was corrupt; it is set aside as {aside}, and a new one begun"
            return cls(path, open_for_writing(path)), note if aside else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._db.close()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Make what is done within one change: all of it or nothing."""
        with explained(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def add_run(self, key: str, report: Report) -> None:
        """Remember a run, where it is not known already."""
        self._db.execute(
            "INSERT OR IGNORE INTO alert_runs (report, started, state, symptoms, outcomes) "
            "VALUES (?, ?, ?, ?, ?)",
            (key, report.started, report.state, *map(json.dumps, _sight_of(report))),
        )
        self._db.execute(
            "DELETE FROM alert_runs WHERE id <= (SELECT max(id) FROM alert_runs) - ?", (RUNS_MAX,)
        )

    def judge(self, key: str) -> bool:
        """Remember that a run is being judged; False where it was before, or a later one is known.

        A run is not judged within a maintenance window, nor by a call that has nobody to tell.
        """
        judged = self._db.execute(
            "UPDATE alert_runs SET judged = 1 WHERE report = ? AND NOT judged "
            "AND id = (SELECT max(id) FROM alert_runs)",
            (key,),
        ).rowcount
        return bool(judged)

    def runs(self) -> tuple[Seen, ...]:
        """Return the runs that were seen, in that order."""
        rows = self._db.execute(
            "SELECT state, started, symptoms, outcomes FROM alert_runs ORDER BY id"
        ).fetchall()
        return tuple(
            Seen(state, started, tuple(json.loads(symptoms)), json.loads(outcomes))
            for state, started, symptoms, outcomes in rows
        )

    def alert(self) -> Alert:
        """Return the alert as it stands."""
        row = self._db.execute("SELECT kind, since, told FROM alert").fetchone()
        return Alert(*row) if row else Alert()

    def keep(self, alert: Alert) -> None:
        """Replace the alert."""
        self._db.execute(
            "INSERT OR REPLACE INTO alert VALUES (1, ?, ?, ?)",
            (alert.kind, alert.since, alert.told),
        )

    def post(self, what: str, kind: str, title: str, body: str) -> bool:
        """Add a message to deliver; returns False where an undelivered one was given up for it.

        A reminder that nobody got is replaced by what comes after it.
        """
        change = self._db.execute
        change("DELETE FROM alert_messages WHERE done = 0 AND what = 'reminder'")
        change(
            "INSERT INTO alert_messages (what, kind, title, body) VALUES (?, ?, ?, ?)",
            (what, kind, title, body),
        )
        change(
            "DELETE FROM alert_messages WHERE done AND id <= "
            "(SELECT max(id) FROM alert_messages) - ?",
            (DONE_MAX,),
        )
        lost = change(
            "DELETE FROM alert_messages WHERE NOT done AND id NOT IN "
            "(SELECT id FROM alert_messages WHERE NOT done ORDER BY id DESC LIMIT ?)",
            (OPEN_MAX,),
        ).rowcount
        return not lost

    def waiting(self) -> tuple[Message, ...]:
        """Return the messages that are not delivered everywhere, oldest first."""
        with explained(self._path):
            rows: list[Any] = self._db.execute(
                "SELECT id, what, kind, title, body FROM alert_messages WHERE NOT done ORDER BY id"
            ).fetchall()
        return tuple(Message(*row) for row in rows)

    def has(self, message: int, destination: str) -> bool:
        """Return whether a destination got a message."""
        with explained(self._path):
            found = self._db.execute(
                "SELECT 1 FROM alert_deliveries WHERE message = ? AND destination = ?",
                (message, destination),
            ).fetchone()
        return found is not None

    def delivered(self, message: int, destination: str) -> None:
        """Remember that a destination got a message."""
        with self.changing():
            self._db.execute(
                "INSERT OR IGNORE INTO alert_deliveries VALUES (?, ?)", (message, destination)
            )

    def close(self, message: int) -> None:
        """Remember that a message is delivered everywhere."""
        with self.changing():
            self._db.execute("UPDATE alert_messages SET done = 1 WHERE id = ?", (message,))

    def pinged(self, key: str) -> bool:
        """Return whether the heartbeat of a run was sent."""
        with explained(self._path):
            row = self._db.execute(
                "SELECT pinged FROM alert_runs WHERE report = ?", (key,)
            ).fetchone()
        return bool(row and row[0])

    def ping(self, key: str) -> None:
        """Remember that the heartbeat of a run was sent."""
        with self.changing():
            self._db.execute("UPDATE alert_runs SET pinged = 1 WHERE report = ?", (key,))
