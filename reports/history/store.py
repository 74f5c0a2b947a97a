"""The history of earlier runs, in `history.sqlite3` beside a target's report.

It keeps the runs of 90 days in at most 64 MiB, and the last 200 whatever their age: one run with a
clock that was years ahead must not cost the history. Runs have the order in which they were
written, not that of their clocks. Of runs that were not healthy whole reports are kept, so that a
post-mortem can be written after the incident: one at each change, and else one every five minutes.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from core.frozen import frozen
from core.language import tr
from reports.history.file import (
    HistoryError,
    OpenFile,
    open_for_reading,
    open_for_writing,
    set_aside_if_corrupt,
    translate_errors,
)
from reports.history.incidents import RunRecord
from reports.history.trend import POINTS_MAX, Point
from reports.model.report import Report
from reports.model.report_json import MAX_BYTES, LoadError, parse_report, to_json

NAME = "history.sqlite3"

DROPPED_MAX = 500
"""Oldest runs of which one run drops those that are too old: it must not take long, whether the
history is large or all of it is too old after a pause.
"""

WHOLE_EVERY = 300.0
"""Seconds from one whole report to the next while neither the verdict nor what failed changes."""

STATES_MAX = 20_000
"""Runs whose states are read: two weeks with a run every minute."""

__all__ = ["NAME", "History", "HistoryError", "Retention", "record"]


@frozen
class Retention:
    """The limits of the history: runs of `days` in at most `size` bytes, and the last `least`."""

    days: int = 90
    size: int = 64 << 20
    least: int = 200


def record(
    path: Path, report: Report, limit: int = POINTS_MAX
) -> tuple[tuple[RunRecord, ...], str]:
    """Add a report to the history at `path`; returns the last `limit` runs and a note for the user.

    A corrupt history is set aside, and the note says so. Raises HistoryError.
    """

    def append() -> tuple[RunRecord, ...]:
        with History.to_write(path) as history:
            history.append(report)
            return history.runs(limit)

    return set_aside_if_corrupt(path, append)


class History(OpenFile):
    """An open history. A context manager; every method raises HistoryError."""

    @classmethod
    def to_write(cls, path: Path) -> Self:
        """Open the history at `path`, or create it."""
        return cls(path, open_for_writing(path))

    @classmethod
    def to_read(cls, path: Path) -> Self:
        """Open the history at `path` without changing anything."""
        return cls(path, open_for_reading(path))

    def append(self, report: Report, retention: Retention | None = None) -> None:
        """Add a run, and drop the runs that the retention no longer allows."""
        with self.transaction():
            content = None
            if self._wants_whole(report):
                content = zlib.compress(to_json(report).encode("utf-8"), 6)
            run = self._insert_run(report, content)
            self._insert_parts(run, report)
            self._retain(retention or Retention())
        with translate_errors(self._path):
            # One step of it frees one page, and only a script runs to its end.
            self._db.executescript("PRAGMA incremental_vacuum")

    def runs(self, limit: int, *, symptoms_only: bool = False) -> tuple[RunRecord, ...]:
        """Return the last runs, at most `limit`, oldest first.

        With `symptoms_only` they have what tells the incidents, and take a quarter of the time: no
        figures, no causes, and no outcomes but those of symptoms.
        """
        with translate_errors(self._path):
            rows = self._db.execute(
                "SELECT id, started, seconds, state, headline, certainty FROM runs "
                "ORDER BY id DESC LIMIT ?",
                (limit,),
            ).fetchall()
            first = rows[-1][0] if rows else 0
            figures = self._by_run(
                "SELECT run, name, value FROM figures WHERE NOT ? AND run >= ?",
                symptoms_only,
                first,
            )
            outcomes = self._by_run(
                "SELECT run, name, status FROM outcomes JOIN checks ON checks.id = check_id "
                "WHERE NOT (? AND role = 'cause') AND run >= ?",
                symptoms_only,
                first,
            )
            # In an older history a check has no role until a run selects it: it may be a symptom.
            symptoms = self._by_run(
                "SELECT run, name, status FROM outcomes JOIN checks ON checks.id = check_id "
                "WHERE status = 'failed' AND role != 'cause' AND run >= ? ORDER BY name",
                first,
            )
            ranking = self._db.execute(
                "SELECT run, hypothesis, title, probability FROM ranking "
                "WHERE held AND NOT ? AND run >= ? ORDER BY run, place",
                (symptoms_only, first),
            ).fetchall()
        # Runs in several languages: a cause has the title that the last of them gave it.
        titles = {cause: title for _run, cause, title, _probability in ranking}
        accepted: dict[int, dict[str, float]] = {}
        for run, cause, _title, probability in ranking:
            accepted.setdefault(run, {})[titles[cause]] = probability
        return tuple(
            RunRecord(
                number=number,
                started=started,
                seconds=seconds,
                state=state,
                headline=headline,
                certainty=certainty,
                figures=figures.get(number, {}),
                outcomes=outcomes.get(number, {}),
                accepted=accepted.get(number, {}),
                symptoms=tuple(symptoms.get(number, ())) if state == "incident" else (),
            )
            for number, started, seconds, state, headline, certainty in reversed(rows)
        )

    def states(self, since: str, least: int = 50) -> tuple[Point, ...]:
        """Return the runs since an ISO time in UTC, oldest first, with their states alone.

        At most the last STATES_MAX; where there are few, also older ones up to `least` in all.
        """
        rows = self.rows(
            "SELECT started, seconds, state FROM runs "
            "WHERE started >= ? OR id > (SELECT max(id) FROM runs) - ? "
            "ORDER BY id DESC LIMIT ?",
            (since, least, STATES_MAX),
        )
        return tuple(
            Point(str(started), str(state), seconds, {}) for started, seconds, state in rows[::-1]
        )

    def streak(self, states: Sequence[str], until: str) -> tuple[str, bool] | None:
        """Return when the last runs in a row with one of these states began.

        Beside it stands whether the history begins with it, so that it may have been earlier.
        `until` is the start of the last run that counts; None where its state is another one.
        """
        rows = self.rows(
            "SELECT started, id = (SELECT min(id) FROM runs) FROM runs "
            "WHERE started <= :until AND id > (SELECT coalesce(max(id), 0) FROM runs "
            "WHERE started <= :until AND state NOT IN (SELECT value FROM json_each(:states))) "
            "ORDER BY id LIMIT 1",
            {"until": until, "states": json.dumps(states)},
        )
        return (str(rows[0][0]), bool(rows[0][1])) if rows else None

    def report(self, run: int) -> Report | None:
        """Return the report of a run that was not healthy, or the last one with the same verdict.

        None where none is kept.
        """
        rows = self.rows(
            "SELECT kept.report FROM runs JOIN runs AS kept ON kept.id <= runs.id "
            "AND kept.state = runs.state AND kept.certainty = runs.certainty "
            "WHERE runs.id = ? AND kept.report IS NOT NULL ORDER BY kept.id DESC LIMIT 1",
            (run,),
        )
        if not rows:
            return None
        unpacker = zlib.decompressobj()
        try:
            raw = unpacker.decompress(rows[0][0], MAX_BYTES)
            return parse_report(raw, tr("run {run} of {path}", run=run, path=self._path))
        except (zlib.error, TypeError, LoadError) as exc:
            raise HistoryError(
                "the history {path} has a broken report: {error}", path=self._path, error=exc
            ) from exc

    def _wants_whole(self, report: Report) -> bool:
        """Return whether the next run's report is kept whole, and not in small rows alone."""
        if report.state == "healthy":
            return False
        before = self.runs(1)
        if not before:
            return True
        # By their ids: the titles are in the language of their run.
        causes = self._db.execute(
            "SELECT hypothesis FROM ranking WHERE held AND run = ?", (before[0].number,)
        )
        if _verdict_of(before[0], {row[0] for row in causes}) != _verdict_of_report(report):
            return True
        row = self._db.execute(
            "SELECT (julianday(?) - julianday(started)) * 86400 FROM runs "
            "WHERE report IS NOT NULL ORDER BY id DESC LIMIT 1",
            (report.started,),
        ).fetchone()
        passed = row[0] if row else None
        # The clock may have been set back. A day has more digits than its seconds.
        return passed is None or not -1 < passed < WHOLE_EVERY - 0.5

    def _by_run(self, query: str, *parameters: int) -> dict[int, dict[str, Any]]:
        values: dict[int, dict[str, Any]] = {}
        for run, name, value in self._db.execute(query, parameters):
            values.setdefault(run, {})[name] = value
        return values

    def _insert_run(self, report: Report, content: bytes | None) -> int:
        cursor = self._db.execute(
            "INSERT INTO runs (started, seconds, state, headline, certainty, report) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (
                report.started,
                report.seconds,
                report.state,
                report.headline,
                report.diagnosis.certainty,
                content,
            ),
        )
        return int(cursor.lastrowid or 0)

    def _insert_parts(self, run: int, report: Report) -> None:
        many = self._db.executemany
        many("INSERT INTO figures VALUES (?, ?, ?)", [(run, f.id, f.value) for f in report.figures])
        many(
            "INSERT INTO checks (name, role) VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET role = excluded.role WHERE role != excluded.role",
            [(result.outcome.check, result.role) for result in report.results],
        )
        many(
            "INSERT INTO outcomes SELECT ?, id, ? FROM checks WHERE name = ?",
            [(run, o.status, o.check) for o in report.outcomes],
        )
        accepted = {finding.id for finding in report.diagnosis.accepted}
        many(
            "INSERT INTO ranking VALUES (?, ?, ?, ?, ?, ?)",
            [
                (run, place, f.id, f.title, f.probability, int(f.id in accepted))
                for place, f in enumerate(report.diagnosis.ranked, start=1)
            ],
        )

    def _retain(self, retention: Retention) -> None:
        # The age counts from the last but one where that is earlier: a clock may be ahead once.
        self._db.execute(
            "DELETE FROM runs WHERE id IN (SELECT id FROM "
            "(SELECT id, started FROM runs ORDER BY id LIMIT ?) WHERE julianday(started) < "
            "(SELECT min(julianday(started)) - ? FROM "
            "(SELECT started FROM runs ORDER BY id DESC LIMIT 2)) "
            "AND id <= (SELECT max(id) FROM runs) - ?)",
            (DROPPED_MAX, retention.days, retention.least),
        )
        while self._used() > retention.size:
            # Several at a time, so that only one run in many has to drop any.
            dropped = self._db.execute(
                "DELETE FROM runs WHERE id IN (SELECT id FROM runs WHERE id < "
                "(SELECT max(id) FROM runs) ORDER BY id "
                "LIMIT (SELECT count(*) / 100 + 1 FROM runs))"
            ).rowcount
            if not dropped:
                return

    def _used(self) -> int:
        """Return the bytes in use: the file's pages without its free ones."""
        count, free, size = (
            int(self._db.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (count - free) * size


def _verdict_of(run: RunRecord, accepted: set[str]) -> tuple[object, ...]:
    failed = {check for check, status in run.outcomes.items() if status == "failed"}
    return run.state, run.certainty, accepted, failed


def _verdict_of_report(report: Report) -> tuple[object, ...]:
    return (
        report.state,
        report.diagnosis.certainty,
        {finding.id for finding in report.diagnosis.accepted},
        {outcome.check for outcome in report.outcomes if outcome.status == "failed"},
    )
