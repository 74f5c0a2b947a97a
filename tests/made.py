"""Reports for tests of what is done with them: made by the real runbook, from outcomes on paper."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.outcome import Observation, Outcome
from reports.diagnosis.evidence import load_evidence
from reports.model.build import Book, assemble
from reports.runbook.markdown import load_runbook

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.outcome import Status
    from reports.model.report import Report

ROOT = Path(__file__).parents[1]

STARTED = "2026-03-02T10:00:00+00:00"

TARGET: dict[str, Any] = {
    "name": "live",
    "environment": "live",
    "components": {"api": "https://veza.example", "database": "veza at db", "queue": None},
    "placeholders": {"service": "veza-backend-api", "api_url": "https://veza.example"},
    "runbook_document": None,
}

DEAD_WORKER = (
    "signal/no_upload_is_stuck",
    "worker/process_is_running",
    "queue/queue_has_a_consumer",
    "database/jobs_start_promptly",
)


@cache
def book() -> Book:
    """The runbook as shipped."""
    folder = ROOT / "runbooks/upload_stuck"
    return Book(load_runbook(folder / "runbook.md"), load_evidence(folder / "evidence.toml"))


def report(
    failed: Sequence[str] = (),
    *,
    statuses: Mapping[str, Status] | None = None,
    seen: str = "seen otherwise",
    stuck: Sequence[Mapping[str, Any]] = (),
    data: Mapping[str, Mapping[str, Any]] | None = None,
    problems: Sequence[str] = (),
    started: str = STARTED,
    none: bool = False,
    only: str = "",
) -> Report:
    """A report of all checks of the runbook: passed, but for those named.

    `stuck` are the rows of the stuck uploads, `data` other observations by name; `none`: no check
    was selected, `only`: those alone whose names begin with it.
    """
    uploads = {
        "total": len(stuck),
        "users": len({row.get("user_id") for row in stuck}),
        "shown": [dict(row) for row in stuck],
    }
    observed = {"database.stuck_uploads": uploads, **(data or {})}
    notes = tuple(Observation(name, name, value, 0.001) for name, value in observed.items())
    outcomes = []
    for row in book().evidence.checks:
        if none or not row.id.startswith(only):
            continue
        status: Status = "failed" if row.id in failed else (statuses or {}).get(row.id, "passed")
        first = row.id == "signal/no_upload_is_stuck"
        outcomes.append(
            Outcome(
                row.id,
                status,
                expected=f"{row.id} holds.",
                seen="" if status == "passed" else seen,
                observations=notes if first else (),
                seconds=0.01,
            )
        )
    return assemble(outcomes, problems, TARGET, book(), started, 1.5)


def incident(**changes: Any) -> Report:
    """A report of a dead worker, with two stuck uploads of one user."""
    stuck = [
        {"id": f"upload-{n}", "user_id": "ada", "age_seconds": age, "error_message": None}
        for n, age in ((1, 2820.0), (2, 900.0))
    ]
    data = {
        "queue.depth": {"ready": 10, "consumers": 0},
        "metrics.uploading": {"value": 2.0},
        "database.flow": {"completed": 0, "waiting": 2},
    }
    return report(DEAD_WORKER, **{"stuck": stuck, "data": data, **changes})


def recovered(**changes: Any) -> Report:
    """A report of the same platform when the worker is back."""
    data = {
        "queue.depth": {"ready": 0, "consumers": 1},
        "metrics.uploading": {"value": 0.0},
        "database.flow": {"completed": 12, "waiting": 0},
        "processing.mean_time": {"seconds": 4.5},
    }
    return report(**{"data": data, **changes})
