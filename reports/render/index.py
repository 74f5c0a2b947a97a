"""The overview: a row for each target and runbook, the worst first, and its JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from core.frozen import frozen
from core.language import tr
from core.text import clean, cut, flat
from reports.history.schedule import WORST_FIRST, interval_of, worst_states
from reports.history.trend import Point
from reports.model.report import Report
from reports.render.nagios import SKEW
from reports.render.verdict import NOT_SEEN, verdict_of
from reports.render.words import BAD

SCHEMA = 1
"""Version of the JSON's shape; it changes when a reader of the old one would misread the new."""

SLOT, SLOTS = timedelta(hours=3), 56
"""The strip of a row: the worst state of each three hours of a week."""

OVERDUE_GAPS = 2
"""Usual gaps between two runs without a run, after which a row is overdue."""

OVERDUE_MIN = 600.0
OVERDUE_UNKNOWN = 86_400.0
"""Seconds after which a row is overdue: at least, and where no usual gap is known yet."""

RANKS = {"incident": 0, "unknown": 2, "at risk": 4, "healthy": 5}
"""The place of a state in the order; between them come incidents and others that are overdue."""

TEXT_MAX = 400


@frozen
class Row:
    """Row of one target and runbook.

    `folder` is the path of its files from the overview, with slashes. `problem` says why its report
    cannot be used, `note` why its history cannot; both are empty where all is well. `since` and
    `started` are ISO times in UTC, None where unknown; `since_at_least` where the history begins
    with that run. `overdue_after` is the age of a run in seconds after which the row is overdue,
    and `strip` the worst state in each SLOT, None where no run was. `page` is the file in `folder`
    to open, empty where there is none.
    """

    folder: str
    target: str
    environment: str = ""
    runbook: str = ""
    state: str = "unknown"
    problem: str = ""
    note: str = ""
    headline: str = ""
    impact: str = ""
    cause: str = ""
    since: str | None = None
    since_at_least: bool = False
    started: str | None = None
    overdue_after: float = OVERDUE_UNKNOWN
    strip: tuple[str | None, ...] = ()
    page: str = ""

    def overdue(self, now: datetime) -> bool:
        """Return whether the last run is too long ago, or says that it is yet to come."""
        if self.started is None:
            return False
        age = (now - datetime.fromisoformat(self.started)).total_seconds()
        return not -SKEW <= age <= self.overdue_after

    def rank(self, now: datetime) -> int:
        """Return the row's place among the others: the smallest has to be looked at first."""
        if self.overdue(now):
            return 1 if self.state == "incident" else 3
        return self.rank_in_time

    @property
    def rank_in_time(self) -> int:
        """Return the row's place while it is not overdue."""
        return 3 if self.problem else RANKS[self.state]


@frozen
class Past:
    """The history's part of a row: the last runs with their states, and when the state began.

    `since` is None where the history does not have the report's own run.
    """

    runs: tuple[Point, ...] = ()
    since: str | None = None
    since_at_least: bool = False
    note: str = ""


@frozen
class Overview:
    """All rows, the worst first, at the time `now`."""

    rows: tuple[Row, ...]
    now: datetime

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of rows by state, the worst first; overdue ones are counted apart."""
        counter = Counter("overdue" if row.overdue(self.now) else row.state for row in self.rows)
        return {state: counter[state] for state in (*WORST_FIRST, "overdue")}


def overview_of(rows: Sequence[Row], now: datetime) -> Overview:
    """Return the overview with its rows in order: the worst first, then by name."""
    return Overview(tuple(sorted(rows, key=lambda row: (row.rank(now), row.folder))), now)


def streak_of(state: str) -> tuple[str, ...]:
    """Return the states of the runs since which a target is in this state."""
    return BAD if state in BAD else (state,)


def slot_end(now: datetime) -> datetime:
    utc = now.astimezone(UTC)
    midnight = utc.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + ((utc - midnight) // SLOT + 1) * SLOT


def row_of(
    folder: str, report: Report, past: Past, page: str, now: datetime, overdue: float | None = None
) -> Row:
    """Return the row of a report; `overdue` replaces the seconds that its runs suggest."""
    verdict = verdict_of(report, ())
    own = Point(report.started, report.state, report.seconds, {})
    since, at_least = past.since or report.started, past.since_at_least
    if verdict.since:
        # The first item that suffered is older than the first run that saw it.
        since, at_least = verdict.since.at, False
    runs = (*(run for run in past.runs if run.started != report.started), own)
    after, strip = _rhythm(runs, now, overdue)
    return Row(
        folder=folder,
        target=_line(report.target.name),
        environment=_line(report.target.environment),
        runbook=_line(report.runbook),
        state=report.state,
        note=_line(past.note),
        headline=_line(report.headline),
        impact=_line(verdict.impact),
        cause=_line(
            tr("not seen: {names}", names=verdict.cause)
            if verdict.label == tr(NOT_SEEN)
            else verdict.cause
        ),
        since=_utc(Point(since, "", 0.0, {}).at),
        since_at_least=at_least,
        started=_utc(own.at),
        overdue_after=after,
        strip=strip,
        page=page,
    )


def broken_row(
    folder: str, problem: str, past: Past, page: str, now: datetime, overdue: float | None = None
) -> Row:
    """Return the row of a folder whose report cannot be used; its history may still be there."""
    target, _, runbook = folder.partition("/")
    after, strip = _rhythm(past.runs, now, overdue)
    return Row(
        folder=folder,
        target=_line(target),
        runbook=_line(runbook),
        problem=_line(problem),
        note=_line(past.note),
        started=_utc(max((at for run in past.runs if (at := run.at)), default=None)),
        overdue_after=after,
        strip=strip,
        page=page,
    )


def to_json(overview: Overview) -> str:
    """Return the overview as JSON with a row on each line; docs/reports.md describes it."""
    head = {
        "schema": SCHEMA,
        "generated": _utc(overview.now),
        "counts": overview.counts,
        "strip": {
            "end": _utc(slot_end(overview.now)),
            "slot_seconds": int(SLOT.total_seconds()),
            "slots": SLOTS,
        },
    }
    rows = ",\n".join(_dump(_as_json(row, overview.now)) for row in overview.rows)
    return f'{_dump(head)[:-1]}, "rows": [\n{rows}\n]}}\n'


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _as_json(row: Row, now: datetime) -> dict[str, Any]:
    values = asdict(row)
    values["overdue_after_seconds"] = values.pop("overdue_after")
    return values | {"folder": clean(row.folder), "overdue": row.overdue(now)}


def _rhythm(
    runs: Sequence[Point], now: datetime, overdue: float | None
) -> tuple[float, tuple[str | None, ...]]:
    """Return after how many seconds a row is overdue, and its strip."""
    interval = interval_of(runs)
    if overdue is None and interval is not None:
        overdue = max(OVERDUE_GAPS * interval, OVERDUE_MIN)
    strip = worst_states(runs, slot_end(now), SLOT, SLOTS, overdue or 0.0)
    return OVERDUE_UNKNOWN if overdue is None else overdue, strip


def _utc(at: datetime | None) -> str | None:
    """Return a time in UTC as ISO 8601; None where there is none, or none that a clock can show."""
    try:
        return None if at is None else at.astimezone(UTC).isoformat(timespec="seconds")
    except OverflowError:
        return None


def _line(text: str) -> str:
    return cut(flat(clean(text)), TEXT_MAX)
