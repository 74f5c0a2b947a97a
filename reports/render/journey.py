"""The journey of a named item: what the database knows, and what the checks saw on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.journey import Stage
from core.text import count

if TYPE_CHECKING:
    from core.journey import Journey
    from reports.model.report import Report


def with_outcomes(journey: Journey, report: Report) -> tuple[Stage, ...]:
    """Return the stages with two more: its file in storage, and the message in the queue.

    The broker shows how many messages wait, not whose they are.
    """
    stages = list(journey.stages)
    if stages and report.layout.stored_check:
        stages.insert(1, _stored(report))
    created = next((place for place, one in enumerate(stages) if one.name == "job created"), None)
    if created is not None:
        stages.insert(created + 1, _message(stages[created + 1], report))
    return tuple(stages)


def _stored(report: Report) -> Stage:
    check = report.layout.stored_check
    outcome = next((r.outcome for r in report.results if r.outcome.check == check), None)
    if outcome is None:
        return Stage("stored", None, None, "storage", "not checked")
    reached = {"passed": True, "failed": False}.get(outcome.status)
    # Several items may be named: the sentence says which.
    return Stage("stored", reached, None, "storage", outcome.seen or "its file is there")


def _message(picked_up: Stage, report: Report) -> Stage:
    backlog, consumers = report.figure("backlog"), report.figure("consumers")
    if backlog is None:
        return Stage("message", None, None, "queue", "not observed")
    note = count(round(backlog), "message") + " ready"
    if consumers is not None:
        note += f", {count(round(consumers), 'consumer')}"
    reached = True if picked_up.reached else None
    return Stage("message", reached, None, "queue", note)
