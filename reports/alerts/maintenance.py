"""Maintenance windows: times in which nobody is told. They silence messages, never checks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from core.files import FileError, read_text

if TYPE_CHECKING:
    from collections.abc import Iterable

WINDOWS_MAX = 1_000


@dataclass(frozen=True)
class Window:
    """From `start` until before `end`, both with their zone."""

    start: datetime
    end: datetime


def parse_window(text: str) -> Window:
    """Return the window of "START/END" in ISO 8601; raises ValueError with an example.

    A time without a zone is this machine's local one.
    """
    start, _, end = text.strip().partition("/")
    try:
        window = Window(
            *(datetime.fromisoformat(part.strip()).astimezone() for part in (start, end))
        )
    except (ValueError, OverflowError) as exc:
        raise ValueError(
            f"{text[:80]!r} is no window: write it like 2026-11-23T22:00/2026-11-23T23:00"
        ) from exc
    if window.end <= window.start:
        raise ValueError(f"the window {text[:80]!r} ends before it begins")
    return window


def read_windows(given: Iterable[str]) -> tuple[tuple[Window, ...], tuple[str, ...]]:
    """Return the windows given, by themselves or in a file as file:PATH, and what is wrong.

    A window that cannot be read silences nothing: a slip in the file must not cost an alert.
    """
    windows: list[Window] = []
    wrong: list[str] = []
    for text in given:
        try:
            lines = _lines(text.removeprefix("file:")) if text.startswith("file:") else [text]
        except FileError as exc:
            wrong.append(f"the maintenance windows are not known: {exc}")
            continue
        for line in lines:
            try:
                windows.append(parse_window(line))
            except ValueError as exc:
                wrong.append(str(exc))
    return tuple(windows[:WINDOWS_MAX]), tuple(wrong[:3])


def is_quiet(windows: Iterable[Window], now: datetime) -> bool:
    """Return whether `now`, with its zone, is within a window."""
    return any(window.start <= now < window.end for window in windows)


def _lines(path: str) -> list[str]:
    text = read_text(path)
    bare = (line.partition("#")[0].strip() for line in text.splitlines()[:WINDOWS_MAX])
    return [line for line in bare if line]
