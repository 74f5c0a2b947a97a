"""Single values out of what the probes saw: for commands to name, and for figures to follow."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.outcome import Outcome

Way = tuple[str | int, ...]
"""The way into an observation's data: keys and places."""

SAFE = re.compile(r"[A-Za-z0-9/][A-Za-z0-9._/:@-]{0,199}")
"""What may stand in a command that a person is going to paste: nothing that a shell acts on."""

PLACEHOLDERS: dict[str, tuple[str, Way]] = {
    "upload_id": ("database.stuck_uploads", ("shown", 0, "id")),
    "track_id": ("database.newest_completed", ("track_id",)),
    "worker_pid": ("worker.running", ("processes", 0, "pid")),
    "host": ("worker.running", ("processes", 0, "host")),
    "mount_point": ("storage.space", ("rooms", 0, "mount")),
    "connection_pid": ("database.locks", ("holders", 0, "pid")),
}
"""Where the value of a runbook's placeholder is: the observation's name, the way into its data."""


@dataclass(frozen=True)
class Figure:
    """A number of a run that is worth following from run to run.

    `value` is None where it was not observed: absent is not zero. `unit` is "seconds", "ratio" (of
    the whole, 0 to 1) or "" for a count.
    """

    id: str
    value: float | None
    unit: str
    meaning: str


FIGURES: tuple[tuple[str, str, Way, str, str], ...] = (
    ("uploads_stuck", "database.stuck_uploads", ("total",), "", "uploads stuck in uploading"),
    (
        "oldest_stuck_seconds",
        "database.stuck_uploads",
        ("shown", 0, "age_seconds"),
        "seconds",
        "age of the oldest stuck upload",
    ),
    ("users_affected", "database.stuck_uploads", ("users",), "", "users whose uploads are stuck"),
    ("uploads_uploading", "metrics.uploading", ("value",), "", "uploads in uploading, by the API"),
    ("uploads_completed", "database.flow", ("completed",), "", "uploads completed lately"),
    ("jobs_waiting", "database.flow", ("waiting",), "", "jobs that have waited too long"),
    (
        "processing_seconds",
        "processing.mean_time",
        ("seconds",),
        "seconds",
        "mean processing time of recent uploads",
    ),
    ("backlog", "queue.depth", ("ready",), "", "messages that wait in the upload queue"),
    ("consumers", "queue.depth", ("consumers",), "", "consumers of the upload queue"),
    (
        "unacknowledged",
        "queue.deliveries",
        ("unacknowledged",),
        "",
        "messages delivered and not acknowledged",
    ),
    ("dead_letters", "queue.dead_letters", ("messages",), "", "messages given up"),
)
RATIOS = (
    ("disk_free_ratio", "storage.space", "free part of the fullest upload file system"),
    ("inodes_free_ratio", "storage.inodes", "free part of that file system's inodes"),
)


def observed_values(outcomes: Sequence[Outcome]) -> dict[str, str]:
    """Return the placeholders that the observations fill, by the placeholder's name.

    A value that a shell would act on is left out: what a target says is hostile, and a person
    pastes these commands.
    """
    seen = _observations(outcomes)
    found = {name: _follow(seen.get(at), way) for name, (at, way) in PLACEHOLDERS.items()}
    texts = {name: str(value) for name, value in found.items() if value is not None}
    return {name: text for name, text in texts.items() if SAFE.fullmatch(text)}


def figures_of(outcomes: Sequence[Outcome]) -> tuple[Figure, ...]:
    """Return the run's figures, always all of them and in the same order."""
    seen = _observations(outcomes)
    numbers = {name: _number(_follow(seen.get(at), way)) for name, at, way, _, _ in FIGURES}
    if numbers["uploads_stuck"] == 0:
        numbers["oldest_stuck_seconds"] = 0.0
    counted = [Figure(name, numbers[name], unit, said) for name, _, _, unit, said in FIGURES]
    workers = _follow(seen.get("worker.running"), ("processes",))
    present = None if workers is None else float(len(workers))
    return (
        *counted,
        Figure("worker_processes", present, "", "processes of the job worker"),
        *(Figure(name, _least(seen.get(at)), "ratio", said) for name, at, said in RATIOS),
    )


def _observations(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    return {o.name: o.data for outcome in outcomes for o in outcome.observations}


def _least(data: Any) -> float | None:
    """Return the least free part over the hosts; a file system that counts no whole has none."""
    rooms: Sequence[Mapping[str, Any]] = _follow(data, ("rooms",)) or ()
    parts = [room["free"] / room["total"] for room in rooms if room["total"]]
    return round(min(parts), 4) if parts else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _follow(data: Any, way: Way) -> Any:
    for step in way:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data
