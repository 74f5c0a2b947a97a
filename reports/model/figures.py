"""The figures of a run, and the values that a runbook's commands name.

Probes measure them (`core.outcome.ProbeResult`); this module names them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from reports.runbook.placeholders import valid_part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.outcome import Observation, Outcome


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

    A value that does not have its placeholder's form is left out: a target's texts are hostile, and
    a person pastes these commands. `upload_ids` are those of the items that suffer most.
    """
    found = observations(outcomes)
    values = {name: value for o in found for name, value in o.placeholders.items()}
    affected = next((o.affected for o in found if o.affected), ())
    values["upload_ids"] = "\n".join(item.id for item in affected)
    if "broker_connection" in values:
        values["broker_connection_in_url"] = quote(values["broker_connection"], safe="")
    valid = {name: valid_part(name, value) for name, value in values.items()}
    return {name: value for name, value in valid.items() if value}


def observations(outcomes: Sequence[Outcome]) -> list[Observation]:
    """Return every observation of these outcomes, in their order."""
    return [observation for outcome in outcomes for observation in outcome.observations]
