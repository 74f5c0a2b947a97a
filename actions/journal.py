"""actions.jsonl: who ran what, when, on which evidence, with which result.

Each line is on the disk before what it announces begins, so that a killed process leaves a
readable journal, and the next call can say what is half-done.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.files import FileError, sync_folder, write_file
from core.frozen import frozen
from core.json_lines import append, events_in
from core.language import tr
from reports.history.actions import NAME

BYTES_MAX = 4 * 2**20
"""Bytes from which the older half of the journal is dropped."""

CLOSING = ("done", "failed", "uncertain", "told", "verified", "not verified")
"""Events after which nothing more of an action runs, or after which a person knows that."""


@frozen
class HalfDone:
    """An action whose end is not in the journal, with the command that was started last."""

    action: str
    step: str
    who: str
    at: str
    command: str

    def __str__(self) -> str:
        if not self.command:
            return tr('"{step}" of {who} at {at} ended before its first command', self)
        return tr(
            '"{step}" of {who} at {at} has no recorded end: its command '
            "{command!r} was started, may have taken effect, and may still "
            "be running",
            self,
        )


class Journal:
    """The journal of a target's folder. The target's lock lets one process at a time write it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    def note(self, event: str, action: str, **facts: Any) -> None:
        """Append one event of an action, on disk when this returns; raises FileError."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        try:
            self._shorten()
            append(self.path, {"at": at, "event": event, "action": action, **facts})
            sync_folder(self.path.parent)
        except OSError as exc:
            raise FileError(
                "{path} cannot be written: {reason}", path=self.path, reason=exc.strerror or exc
            ) from exc

    def half_done(self) -> HalfDone | None:
        """Return the last action if its end is missing; raises FileError.

        An earlier one cannot be open: the next one begins only after somebody was told.
        """
        events = self.events()
        if not events or events[-1]["event"] in CLOSING:
            return None
        own = [event for event in events if event["action"] == events[-1]["action"]]
        first = own[0]
        commands = [str(event.get("command", "")) for event in own if event["event"] == "command"]
        return HalfDone(
            first["action"],
            str(first.get("step", "?")),
            str(first.get("who", "?")),
            first["at"],
            commands[-1] if commands else "",
        )

    def events(self) -> list[dict[str, Any]]:
        """Return the events, oldest first, without a line that a kill cut short."""
        try:
            return events_in(self.path, 2 * BYTES_MAX, ("at", "event", "action"))
        except OSError as exc:
            raise FileError(
                "{path} cannot be read: {reason}", path=self.path, reason=exc.strerror or exc
            ) from exc

    def _shorten(self) -> None:
        if self.path.exists() and self.path.stat().st_size > BYTES_MAX:
            events = self.events()
            kept = events[len(events) // 2 :]
            write_file(self.path, "".join(f"{json.dumps(event)}\n" for event in kept))
