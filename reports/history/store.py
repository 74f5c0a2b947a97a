"""What earlier runs found: kept in `history.sqlite3` beside a target's report.

Kept are the runs of 90 days in at most 64 MiB, and the last 200 whatever their age: a clock that
was years ahead for one run must not cost the history. Runs have the order in which they were
written, not that of their clocks. A run that was not healthy is kept whole, so that a post-mortem
can be written when all is well again.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from reports.history.file import (
    CorruptError,
    HistoryError,
    explained,
    open_for_reading,
    open_for_writing,
    set_aside,
)
from reports.history.incidents import Run
from reports.history.trend import Point
from reports.model.report_json import MAX_BYTES, LoadError, parse_report, to_json

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path
    from types import TracebackType

    from reports.model.report import Report

NAME = "history.sqlite3"

__all__ = ["NAME", "History", "HistoryError", "Recorded", "Retention", "record"]


@dataclass(frozen=True)
class Retention:
    """How much is kept: runs of `days`, in at most `size` bytes, the last `least` in any case."""

    days: int = 90
    size: int = 64 << 20
    least: int = 200


@dataclass(frozen=True)
class Recorded:
    """The last runs with the new one, oldest first, and what a person should know of the file."""

    runs: tuple[Run, ...]
    points: tuple[Point, ...]
    note: str = ""


def record(path: Path, report: Report, limit: int = 100) -> Recorded:
    """Add a report to the history at `path`, and return the last `limit` runs.

    A corrupt history is set aside, and the note says so. Raises HistoryError.
    """
    note = ""
    inode = path.stat().st_ino if path.exists() else 0
    try:
        runs = _append(path, report, limit)
    except CorruptError:
        aside = set_aside(path, inode)
        runs = _append(path, report, limit)
        note = f"the history was corrupt; it is set aside as {aside}, and a new one begun"
        note = note if aside else ""
    return Recorded(runs, tuple(point_of(run) for run in runs), note)


def _append(path: Path, report: Report, limit: int) -> tuple[Run, ...]:
    with History.to_write(path) as history:
        history.append(report)
        return history.runs(limit)


def point_of(run: Run) -> Point:
    """Return the run as a point of a trend."""
    return Point(run.started, run.state, run.seconds, run.figures)


class History:
    """An open history. To be used as a context manager; every method raises HistoryError."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._db = connection

    @classmethod
    def to_write(cls, path: Path) -> Self:
        """Open the history at `path`, or begin it."""
        return cls(path, open_for_writing(path))

    @classmethod
    def to_read(cls, path: Path) -> Self:
        """Open the history at `path` without changing anything."""
        return cls(path, open_for_reading(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()

    def append(self, report: Report, retention: Retention | None = None) -> None:
        """Add a run, and drop what is older than the retention allows."""
        whole = None
        if report.state != "healthy":
            whole = zlib.compress(to_json(report).encode("utf-8"), 6)
        with explained(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                run = self._insert_run(report, whole)
                self._insert_parts(run, report)
                self._retain(report, retention or Retention())
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            # One step of it frees one page, and only a script is run to its end.
            self._db.executescript("PRAGMA incremental_vacuum")

    def runs(self, limit: int) -> tuple[Run, ...]:
        """Return the last runs, at most `limit`, oldest first."""
        with explained(self._path):
            rows = self._db.execute(
                "SELECT id, started, seconds, state, headline, certainty FROM runs "
                "ORDER BY id DESC LIMIT ?",
                (limit,),
            ).fetchall()
            first = rows[-1][0] if rows else 0
            figures = self._by_run("SELECT run, name, value FROM figures WHERE run >= ?", first)
            outcomes = self._by_run(
                "SELECT run, name, status FROM outcomes JOIN checks ON checks.id = check_id "
                "WHERE run >= ?",
                first,
            )
            # A check of an older history has no role until a run looks at it: it may be a symptom.
            symptoms = self._by_run(
                "SELECT run, name, status FROM outcomes JOIN checks ON checks.id = check_id "
                "WHERE status = 'failed' AND role != 'cause' AND run >= ? ORDER BY name",
                first,
            )
            held = self._by_run(
                "SELECT run, title, probability FROM ranking WHERE held AND run >= ? "
                "ORDER BY run, place",
                first,
            )
        return tuple(
            Run(
                *(number, started, seconds, state, headline, certainty),
                figures=figures.get(number, {}),
                outcomes=outcomes.get(number, {}),
                held=held.get(number, {}),
                symptoms=tuple(symptoms.get(number, ())) if state == "incident" else (),
            )
            for number, started, seconds, state, headline, certainty in reversed(rows)
        )

    def points(self, limit: int) -> tuple[Point, ...]:
        """Return the last runs as points of a trend, at most `limit`, oldest first."""
        return tuple(point_of(run) for run in self.runs(limit))

    def report(self, run: int) -> Report | None:
        """Return the whole report of a run that was not healthy; None where none is kept."""
        with explained(self._path):
            row = self._db.execute("SELECT report FROM runs WHERE id = ?", (run,)).fetchone()
        if row is None or row[0] is None:
            return None
        unpacker = zlib.decompressobj()
        try:
            raw = unpacker.decompress(row[0], MAX_BYTES)
            return parse_report(raw, f"run {run} of {self._path}")
        except (zlib.error, TypeError, LoadError) as exc:
            raise HistoryError(
                f"the history {self._path} holds a report that is broken: {exc}"
            ) from exc

    def _by_run(self, query: str, first: int) -> dict[int, dict[str, Any]]:
        found: dict[int, dict[str, Any]] = {}
        for run, name, value in self._db.execute(query, (first,)):
            found.setdefault(run, {})[name] = value
        return found

    def _insert_run(self, report: Report, whole: bytes | None) -> int:
        cursor = self._db.execute(
            "INSERT INTO runs (started, seconds, state, headline, certainty, report) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (
                report.started,
                report.seconds,
                report.state,
                report.headline,
                report.diagnosis.certainty,
                whole,
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
        outcomes = [result.outcome for result in report.results]
        many(
            "INSERT INTO outcomes SELECT ?, id, ? FROM checks WHERE name = ?",
            [(run, o.status, o.check) for o in outcomes],
        )
        judged = report.diagnosis
        held = {finding.id for finding in judged.held}
        ranked = sorted(judged.causes, key=lambda f: -f.probability)
        many(
            "INSERT INTO ranking VALUES (?, ?, ?, ?, ?, ?)",
            [
                (run, place, f.id, f.title, f.probability, int(f.id in held))
                for place, f in enumerate(ranked, start=1)
            ],
        )

    def _retain(self, report: Report, retention: Retention) -> None:
        oldest = datetime.fromisoformat(report.started) - timedelta(days=retention.days)
        self._db.execute(
            "DELETE FROM runs WHERE julianday(started) < julianday(?) "
            "AND id <= (SELECT max(id) FROM runs) - ?",
            (oldest.isoformat(), retention.least),
        )
        while self._used() > retention.size:
            # A tenth at a time: it is then a matter of one run in many.
            dropped = self._db.execute(
                "DELETE FROM runs WHERE id IN (SELECT id FROM runs WHERE id < "
                "(SELECT max(id) FROM runs) ORDER BY id "
                "LIMIT (SELECT count(*) / 10 + 1 FROM runs))"
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
