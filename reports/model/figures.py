"""The figures of a run, and the values that a runbook's commands name.

Probes measure them (`core.outcome.ProbeResult`); this module names them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.outcome import Observation, Outcome

SAFE = re.compile(r"[A-Za-z0-9/][A-Za-z0-9._/:@-]{0,199}")
"""A value that is safe in a command which a person pastes: nothing that a shell acts on."""


@dataclass(frozen=True)
class Figure:
    """A number of a run that a trend follows.

    `value` is None where it was not observed: absent is not zero. `unit` is "seconds", "ratio" (of
    the whole, 0 to 1) or "" for a count.
    """

    id: str
    value: float | None
    unit: str
    meaning: str


FIGURES: tuple[tuple[str, str, str], ...] = (
    ("uploads_stuck", "", "stuck uploads"),
    ("oldest_stuck_seconds", "seconds", "age of the oldest stuck upload"),
    ("users_affected", "", "users whose uploads are stuck"),
    ("uploads_uploading", "", "uploads in uploading, by the API"),
    ("uploads_completed", "", "uploads completed recently"),
    ("jobs_waiting", "", "jobs that have waited too long"),
    ("processing_seconds", "seconds", "mean processing time of recent uploads"),
    ("backlog", "", "messages that wait in the upload queue"),
    ("consumers", "", "consumers of the upload queue"),
    ("unacknowledged", "", "messages delivered and not acknowledged"),
    ("dead_letters", "", "dead-lettered messages"),
    ("worker_processes", "", "processes of the job worker"),
    ("disk_free_ratio", "ratio", "free share of the fullest upload file system"),
    ("inodes_free_ratio", "ratio", "free share of that file system's inodes"),
)
"""Id, unit and meaning of each figure, in the report's order."""


def figures_of(outcomes: Sequence[Outcome]) -> tuple[Figure, ...]:
    """Return all figures of the run, always in the same order."""
    values: dict[str, float | None] = {}
    for observation in observations(outcomes):
        values |= observation.figures
    return tuple(Figure(name, values.get(name), *words) for name, *words in FIGURES)


def placeholders_of(outcomes: Sequence[Outcome]) -> dict[str, str]:
    """Return the observed values of placeholders, by the placeholder's name.

    A value that a shell would act on is left out: a target's texts are hostile, and a person pastes
    these commands.
    """
    values = (pair for o in observations(outcomes) for pair in o.placeholders.items())
    return {name: value for name, value in values if SAFE.fullmatch(value)}


def observations(outcomes: Sequence[Outcome]) -> list[Observation]:
    """Return every observation of these outcomes, in their order."""
    return [observation for outcome in outcomes for observation in outcome.observations]
