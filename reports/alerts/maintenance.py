"""Maintenance windows: while one is open, no message is sent. They silence no check."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from core.files import FileError, read_text

if TYPE_CHECKING:
    from collections.abc import Iterable

WINDOWS_MAX = 1_000


@dataclass(frozen=True)
class MaintenanceWindow:
    """A period from `start` until before `end`, both with their zone."""

    start: datetime
    end: datetime


def parse_window(text: str) -> MaintenanceWindow:
    """Return the window of "START/END" in ISO 8601; raises ValueError with an example.

    A time without a zone is this machine's local time.
    """
    try:
        start, end = (datetime.fromisoformat(part.strip()).astimezone() for part in text.split("/"))
    except (ValueError, OverflowError) as exc:
        raise ValueError(
            f"{text[:80]!r} is not a maintenance window: "
            "write it like 2026-11-23T22:00/2026-11-23T23:00"
        ) from exc
    if end <= start:
        raise ValueError(f"the maintenance window {text[:80]!r} ends before it starts")
    return MaintenanceWindow(start, end)


def read_windows(
    values: Iterable[str],
) -> tuple[tuple[MaintenanceWindow, ...], tuple[str, ...]]:
    """Return the windows that the values write or name as file:PATH, and the problems with them.

    A window that cannot be read silences nothing: a slip in the file must not cost an alert.
    """
    windows: list[MaintenanceWindow] = []
    problems: list[str] = []
    for value in values:
        try:
            lines = _lines(value.removeprefix("file:")) if value.startswith("file:") else [value]
        except FileError as exc:
            problems.append(f"maintenance windows: {exc}")
            continue
        for line in lines:
            try:
                windows.append(parse_window(line))
            except ValueError as exc:
                problems.append(str(exc))
    return tuple(windows[:WINDOWS_MAX]), tuple(problems[:3])


def in_maintenance(windows: Iterable[MaintenanceWindow], now: datetime) -> bool:
    """Return whether `now`, with its zone, is within a window."""
    return any(window.start <= now < window.end for window in windows)


def _lines(path: str) -> list[str]:
    lines = read_text(path).splitlines()[:WINDOWS_MAX]
    without_comments = (line.partition("#")[0].strip() for line in lines)
    return [line for line in without_comments if line]
