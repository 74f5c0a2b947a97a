"""Reports for tests of what is done with them: made by the real runbook, from outcomes on paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from core.outcome import Affected, Observation, Outcome, Status
from core.target_summary import TargetSummary
from reports.model.build import EndedRun, build_report
from reports.model.bundle import RunbookBundle, load_bundle
from reports.model.report import Report

ROOT = Path(__file__).parents[1]

STARTED = "2026-03-02T10:00:00+00:00"

TARGET = TargetSummary(
    name="live",
    environment="live",
    components={"api": "https://veza.example", "database": "veza at db", "queue": None},
    placeholders={
        "service": "veza-backend-api",
        "worker_service": "veza-backend-api",
        "api_url": "https://veza.example",
        "worker_pattern": "job.*worker|worker.*upload",
    },
    limits={"processing_seconds": 300.0, "oldest_stuck_seconds": 600.0, "backlog": 100.0},
    minimums={"consumers": 1.0, "disk_free_ratio": 0.1},
)

_MADE: dict[str, Report] = {}
"""Reports by what they are made of: to diagnose takes a tenth of a second."""

DEAD_WORKER = (
    "signal/no_upload_is_stuck",
    "worker/process_is_running",
    "queue/queue_has_a_consumer",
    "database/jobs_start_promptly",
)


@cache
def bundle() -> RunbookBundle:
    """The runbook as shipped."""
    folder = ROOT / "runbooks/upload_stuck"
    return load_bundle(folder)


def report(
    failed: Sequence[str] = (),
    *,
    statuses: Mapping[str, Status] | None = None,
    seen: str = "seen otherwise",
    stuck: Sequence[Affected] = (),
    figures: Mapping[str, float] | None = None,
    problems: Sequence[str] = (),
    started: str = STARTED,
    none: bool = False,
    only: str = "",
) -> Report:
    """A report of all checks of the runbook: passed, but for those named.

    `stuck` are the stuck uploads, `figures` other figures by id; `none`: no check was selected,
    `only`: those alone whose names begin with it.
    """
    measured = {
        "uploads_stuck": len(stuck),
        "oldest_stuck_seconds": max((one.age_seconds or 0.0 for one in stuck), default=0.0),
        "users_affected": len({one.user_id for one in stuck}),
        **(figures or {}),
    }
    values: dict[str, float | None] = {name: float(value) for name, value in measured.items()}
    placeholders = {"upload_id": stuck[0].id} if stuck else {}
    observation = Observation(
        "database.stuck_uploads", "stuck uploads", {}, 0.001, values, placeholders, tuple(stuck)
    )
    outcomes = []
    for row in bundle().evidence.checks:
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
                observations=(observation,) if first else (),
                seconds=0.01,
            )
        )
    key = repr((outcomes, problems))
    if key not in _MADE:
        _MADE[key] = build_report(EndedRun(outcomes, problems, TARGET, started, 1.5), bundle())
    return replace(_MADE[key], started=started)


def incident(**changes: Any) -> Report:
    """A report of a dead worker, with two stuck uploads of one user."""
    stuck = [
        Affected(f"upload-{n}", user_id="ada", age_seconds=age)
        for n, age in ((1, 2820.0), (2, 900.0))
    ]
    figures = {
        "backlog": 10,
        "consumers": 0,
        "uploads_uploading": 2,
        "uploads_completed": 0,
        "jobs_waiting": 2,
    }
    return report(DEAD_WORKER, **{"stuck": stuck, "figures": figures, **changes})


def recovered(**changes: Any) -> Report:
    """A report of the same platform when the worker is back."""
    figures = {
        "backlog": 0,
        "consumers": 1,
        "uploads_uploading": 0,
        "uploads_completed": 12,
        "jobs_waiting": 0,
        "processing_seconds": 4.5,
    }
    return report(**{"figures": figures, **changes})
