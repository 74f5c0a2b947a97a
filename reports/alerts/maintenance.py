"""Maintenance windows: while one is open, no message is sent. They silence no check.

A window is one period, "START/END", or comes back, "CRON for DURATION in ZONE".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from core.files import FileError, read_text
from core.frozen import frozen
from core.language import mark, tr
from core.text import titled
from core.units import parse_duration

WINDOWS_MAX = 1_000

LONGEST = 7 * 24 * 3_600.0
"""Seconds of the longest window that comes back: a longer one is a schedule without alerts."""

_RECURRING = re.compile(r"(?P<cron>.+?)\s+for\s+(?P<length>.+?)(?:\s+in\s+(?P<zone>\S+))?")

EXAMPLES = mark('write it like 2026-11-23T22:00/2026-11-23T23:00, or "0 2 * * SUN for 2h"')


@frozen
class MaintenanceWindow:
    """A period from `start` until before `end`, both with their zone."""

    start: datetime
    end: datetime

    def is_open(self, now: datetime) -> bool:
        """Return whether `now`, with its zone, is within it."""
        return self.start <= now < self.end


@frozen
class RecurringWindow:
    """A window that opens whenever a cron expression says, and stays open for `length`.

    The clock is that of `zone`, None for this machine's own.
    """

    cron: str
    length: timedelta
    zone: ZoneInfo | None

    def is_open(self, now: datetime) -> bool:
        """Return whether `now`, with its zone, is within it."""
        from cronsim import CronSim

        # By the clock on the wall: cron's two is two o'clock in summer too. Where that clock is set
        # back, the last opening may be later on it than now.
        clock = now.astimezone(self.zone).replace(tzinfo=None)
        for opened in CronSim(self.cron, clock + timedelta(hours=2), reverse=True):
            # In UTC, because the clock on the wall may be set while the window is open.
            local = opened.replace(tzinfo=self.zone) if self.zone else opened.astimezone()
            start = local.astimezone(UTC)
            if start <= now:
                return now < start + self.length
        return False


Window = MaintenanceWindow | RecurringWindow


def parse_window(text: str) -> Window:
    """Return the window that a text writes; raises ValueError with an example.

    A time without a zone is this machine's local time.
    """
    recurring = _RECURRING.fullmatch(text.strip())
    if recurring:
        return _recurring(text[:80], **recurring.groupdict())
    try:
        start, end = (datetime.fromisoformat(part.strip()).astimezone() for part in text.split("/"))
    except (ValueError, OverflowError) as exc:
        raise ValueError(
            tr(
                "{text!r} is not a maintenance window: {examples}",
                text=text[:80],
                examples=tr(EXAMPLES),
            )
        ) from exc
    if end <= start:
        raise ValueError(
            tr("the maintenance window {text!r} ends before it starts", text=text[:80])
        )
    return MaintenanceWindow(start, end)


def _recurring(text: str, cron: str, length: str, zone: str | None) -> Window:
    from cronsim import CronSim, CronSimError

    problem = tr("{text!r} is not a maintenance window", text=text)
    if len(cron.split()) != 5:
        raise ValueError(
            tr(
                "{problem}: {cron!r} has not the five fields of cron; {examples}",
                problem=problem,
                cron=cron,
                examples=tr(EXAMPLES),
            )
        )
    try:
        CronSim(cron, datetime(2026, 1, 1))  # noqa: DTZ001 - a clock on the wall
    except CronSimError as exc:
        raise ValueError(
            tr(
                "{problem}: {error} in {cron!r}; {examples}",
                problem=problem,
                error=exc,
                cron=cron,
                examples=tr(EXAMPLES),
            )
        ) from exc
    try:
        seconds = parse_duration(length)
    except ValueError as exc:
        raise ValueError(titled(problem, exc)) from exc
    try:
        known = ZoneInfo(zone) if zone else None
    except (ValueError, OSError, KeyError) as exc:
        raise ValueError(
            tr(
                "{problem}: there is no time zone {zone!r}; write one like Europe/Paris",
                problem=problem,
                zone=zone,
            )
        ) from exc
    if seconds > LONGEST:
        raise ValueError(tr("{problem}: it is longer than a week", problem=problem))
    return RecurringWindow(cron, timedelta(seconds=seconds), known)


def read_windows(values: Iterable[str]) -> tuple[tuple[Window, ...], tuple[str, ...]]:
    """Return the windows that the values write or name as file:PATH, and the problems with them.

    A window that cannot be read silences nothing: a slip in the file must not cost an alert.
    """
    windows: list[Window] = []
    problems: list[str] = []
    for value in values:
        try:
            lines = _lines(value.removeprefix("file:")) if value.startswith("file:") else [value]
        except FileError as exc:
            problems.append(tr("maintenance windows: {reason}", reason=exc))
            continue
        for line in lines:
            try:
                windows.append(parse_window(line))
            except ValueError as exc:
                problems.append(titled("--quiet", exc))
    return tuple(windows[:WINDOWS_MAX]), tuple(problems[:3])


def in_maintenance(windows: Iterable[Window], now: datetime) -> bool:
    """Return whether `now`, with its zone, is within a window."""
    return any(window.is_open(now) for window in windows)


def _lines(path: str) -> list[str]:
    lines = read_text(path).splitlines()[:WINDOWS_MAX]
    # Within a cron expression SUN#1 is the first Sunday of a month.
    without_comments = (re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip() for line in lines)
    return [line for line in without_comments if line]
