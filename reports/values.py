"""What the probes saw that a corrective action names: ids, pids, places."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.outcome import Outcome

SAFE = re.compile(r"[A-Za-z0-9/][A-Za-z0-9._/:@-]{0,199}")
"""What may stand in a command that a person is going to paste: nothing that a shell acts on."""

PLACES: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "upload_id": ("database.stuck_uploads", ("shown", 0, "id")),
    "track_id": ("database.newest_completed", ("track_id",)),
    "worker_pid": ("processes.running", ("processes", 0, "pid")),
    "host": ("processes.running", ("processes", 0, "host")),
    "connection_pid": ("database.locks", ("holders", 0, "pid")),
}
"""Where a placeholder's value is: the observation's name, and the way into its data."""


def observed_values(outcomes: Sequence[Outcome]) -> dict[str, str]:
    """Return the placeholders that the observations fill, by the placeholder's name.

    A value that a shell would act on is left out: what a target says is hostile, and a person
    pastes these commands.
    """
    seen = {o.name: o.data for outcome in outcomes for o in outcome.observations}
    found = {name: _follow(seen.get(source), way) for name, (source, way) in PLACES.items()}
    return {name: value for name, value in found.items() if value and SAFE.fullmatch(value)}


def _follow(data: Any, way: tuple[str | int, ...]) -> str | None:
    for step in way:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return None if data is None else str(data)
