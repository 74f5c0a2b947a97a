"""The alert state in the history's file: recorded runs, the open alert, messages to deliver.

A message is written in the same transaction as the change that it reports, and is delivered
afterwards, to each destination on its own. So no message is lost, and a destination that has one
does not get it again.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Self

from core.frozen import frozen
from core.outcome import OBSERVED
from reports.alerts.policy import RUNS_MAX, Alert, AlertRun, Change
from reports.history.file import OpenFile, open_for_writing, set_aside_if_corrupt
from reports.model.report import Report
from reports.model.report_json import to_json

UNDELIVERED_MAX = 50
"""Messages that wait for a destination which does not answer; the oldest is dropped first."""

DELIVERED_MAX = 100
"""Delivered messages that are kept for inspection."""


@frozen
class Message:
    """A message to deliver, with the event, the kind, the start and the episode of its `Change`."""

    number: int
    event: str
    kind: str
    title: str
    body: str
    since: str
    episode: str


def report_key(report: Report) -> str:
    """Return a key that differs for every run and is the same for the same report."""
    return hashlib.sha256(to_json(report).encode("utf-8", "replace")).hexdigest()


class Outbox(OpenFile):
    """The open alert state. A context manager; every method raises HistoryError."""

    @classmethod
    def open(cls, path: Path) -> tuple[Self, str]:
        """Open the state in the history at `path`; returns it with a note for the user.

        A corrupt history is set aside and a new one started. Raises HistoryError.
        """
        connection, note = set_aside_if_corrupt(path, lambda: open_for_writing(path))
        return cls(path, connection), note

    def add_run(self, key: str, report: Report) -> None:
        """Record a run, unless it is recorded already."""
        results = [(r.outcome.check, r.outcome.status, r.role) for r in report.results]
        symptoms = [
            check for check, status, role in results if status == "failed" and role == "symptom"
        ]
        outcomes = {check: status for check, status, _ in results if status in OBSERVED}
        self._db.execute(
            "INSERT OR IGNORE INTO alert_runs (report, started, state, symptoms, outcomes) "
            "VALUES (?, ?, ?, ?, ?)",
            (key, report.started, report.state, json.dumps(symptoms), json.dumps(outcomes)),
        )
        self._db.execute(
            "DELETE FROM alert_runs WHERE id <= (SELECT max(id) FROM alert_runs) - ?", (RUNS_MAX,)
        )

    def mark_evaluated(self, key: str) -> bool:
        """Mark the last run as evaluated; returns False if it was, or if a later run is recorded.

        A run is not evaluated during maintenance, nor by a call without a destination.
        """
        updated = self._db.execute(
            "UPDATE alert_runs SET judged = 1 WHERE report = ? AND NOT judged "
            "AND id = (SELECT max(id) FROM alert_runs)",
            (key,),
        ).rowcount
        return bool(updated)

    def runs(self) -> tuple[AlertRun, ...]:
        """Return the recorded runs, oldest first."""
        rows = self.rows("SELECT state, started, symptoms, outcomes FROM alert_runs ORDER BY id")
        return tuple(
            AlertRun(state, started, tuple(json.loads(symptoms)), json.loads(outcomes))
            for state, started, symptoms, outcomes in rows
        )

    def alert(self) -> Alert:
        """Return the alert as it was saved last."""
        rows = self.rows("SELECT kind, since, told, episode FROM alert")
        return Alert(*rows[0]) if rows else Alert()

    def save_alert(self, alert: Alert) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO alert VALUES (1, ?, ?, ?, ?)",
            (alert.kind, alert.since, alert.notified, alert.episode),
        )

    def add_message(self, change: Change, title: str, body: str) -> bool:
        """Add a message to deliver; returns False if an undelivered one was dropped for it.

        A reminder that no destination has is replaced by the message after it.
        """
        execute = self._db.execute
        execute("DELETE FROM alert_messages WHERE done = 0 AND what = 'reminder'")
        execute(
            "INSERT INTO alert_messages (what, kind, title, body, since, episode) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (change.event, change.kind, title, body, change.since, change.episode),
        )
        execute(
            "DELETE FROM alert_messages WHERE done AND id <= "
            "(SELECT max(id) FROM alert_messages) - ?",
            (DELIVERED_MAX,),
        )
        dropped = execute(
            "DELETE FROM alert_messages WHERE NOT done AND id NOT IN "
            "(SELECT id FROM alert_messages WHERE NOT done ORDER BY id DESC LIMIT ?)",
            (UNDELIVERED_MAX,),
        ).rowcount
        return not dropped

    def undelivered(self) -> tuple[Message, ...]:
        """Return the messages that some destination does not have, oldest first."""
        return self._messages("WHERE NOT done ORDER BY id")

    def last_of_open_incident(self) -> Message | None:
        """Return the last message if it reports an incident that is not over."""
        last = self._messages("ORDER BY id DESC LIMIT 1")
        return last[0] if last and last[0].event != "recovery" else None

    def _messages(self, clause: str) -> tuple[Message, ...]:
        rows = self.rows(
            "SELECT id, what, kind, title, body, since, episode "  # noqa: S608 - ours
            f"FROM alert_messages {clause}"
        )
        return tuple(Message(*row) for row in rows)

    def is_delivered(self, message: int, destination: str) -> bool:
        query = "SELECT 1 FROM alert_deliveries WHERE message = ? AND destination = ?"
        return bool(self.rows(query, (message, destination)))

    def mark_delivered(self, message: int, destination: str) -> None:
        with self.transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO alert_deliveries VALUES (?, ?)", (message, destination)
            )

    def mark_done(self, message: int) -> None:
        """Record that every destination has a message."""
        with self.transaction():
            self._db.execute("UPDATE alert_messages SET done = 1 WHERE id = ?", (message,))

    def is_pinged(self, key: str) -> bool:
        """Return whether the heartbeat of a run was sent."""
        return bool(self.rows("SELECT 1 FROM alert_runs WHERE report = ? AND pinged", (key,)))

    def mark_pinged(self, key: str) -> None:
        """Record that the heartbeat of a run was sent."""
        with self.transaction():
            self._db.execute("UPDATE alert_runs SET pinged = 1 WHERE report = ?", (key,))
