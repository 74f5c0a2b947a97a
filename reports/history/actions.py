"""The journal of corrective actions, `actions.jsonl` in a target's folder, as a reader sees it.

`python -m actions` writes it: one event a line, several events an action. It may be missing, and a
killed process may have cut its last line short.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from core.files import FileError, read_file
from core.frozen import frozen
from core.language import tr, trn
from core.text import printable

NAME = "actions.jsonl"

BYTES_MAX = 16 * 2**20
"""Bytes of the largest journal that is read; its writer keeps it below that."""

COMMAND_MAX = 1000

Event = dict[str, str]


@frozen
class Action:
    """One corrective action. `at` is when it began, ISO 8601 in UTC.

    `commands` are those that were started. `recovered`: the checks that verify it have held, after
    `seconds` from its beginning, which is None where the journal has no end.
    """

    at: str
    step: str
    commands: tuple[str, ...] = ()
    result: str = ""
    seconds: float | None = None
    recovered: bool = False


def read_actions(folder: Path) -> tuple[tuple[Action, ...], str]:
    """Return the actions of a target's journal, oldest first, and a note on what was not read."""
    path = folder / NAME
    try:
        content = read_file(path, BYTES_MAX)
    except FileError as exc:
        return (), "" if isinstance(exc.__cause__, FileNotFoundError) else str(exc)
    lines = [line for line in content.decode("utf-8", "replace").splitlines() if line.strip()]
    actions: dict[str, list[Event]] = {}
    damaged = 0
    for line in lines:
        event = _event(line)
        if event is None:
            damaged += 1
        else:
            actions.setdefault(event["action"], []).append(event)
    note = (
        trn(
            "{path}: {n} damaged line left out",
            "{path}: {n} damaged lines left out",
            damaged,
            path=path,
        )
        if damaged
        else ""
    )
    known = [_action(events) for events in actions.values() if events[0].get("step")]
    return tuple(sorted(known, key=lambda action: action.at)), note


def _event(line: str) -> Event | None:
    """Return the texts of an event with its time in UTC; None for a damaged line."""
    try:
        event = json.loads(line)
        at = datetime.fromisoformat(event["at"]).astimezone(UTC).isoformat()
        if not (isinstance(event["action"], str) and isinstance(event["event"], str)):
            return None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    texts = {k: printable(v, COMMAND_MAX) for k, v in event.items() if isinstance(v, str)}
    return {**texts, "at": at}


def _action(events: list[Event]) -> Action:
    """Return an action from its events, of which the last says how it ended."""
    first, last = events[0], events[-1]
    ends = [event for event in events if event.get("result")]
    begun = datetime.fromisoformat(first["at"])
    seconds = (datetime.fromisoformat(ends[-1]["at"]) - begun).total_seconds() if ends else None
    if ends:
        result = ends[-1]["result"]
    elif any(event["event"] == "done" for event in events):
        result = tr("done; whether it helped is not recorded")
    else:
        result = tr("its end is not recorded")
    return Action(
        at=first["at"],
        step=first["step"],
        commands=tuple(event["command"] for event in events if event.get("command")),
        result=result,
        seconds=seconds if seconds is None or seconds >= 0 else None,
        recovered=last["event"] == "verified",
    )
