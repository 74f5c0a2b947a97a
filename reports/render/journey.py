"""The journey of a named item: what the database knows, and what the checks saw on the way."""

from __future__ import annotations

from dataclasses import replace

from core.journey import Journey, Stage
from core.language import tr, trc, trn
from reports.model.report import Report

PICKED_UP = 2
"""The place of this stage in a journey, after "received" and "job created"."""


def with_outcomes(journey: Journey, report: Report) -> Journey:
    """Return it with two stages more: its file in storage, and the message in the queue.

    The broker shows how many messages wait, not whose they are.
    """
    stages = list(journey.stages)
    if len(stages) > PICKED_UP:
        stages.insert(PICKED_UP, _message(stages[PICKED_UP], report))
    if stages and report.layout.stored_check:
        stages.insert(1, _stored(report))
    return replace(journey, stages=tuple(stages))


def _stored(report: Report) -> Stage:
    outcome = report.outcome(report.layout.stored_check)
    if outcome is None:
        return Stage(trc("stage", "stored"), None, None, "storage", tr("not checked"))
    reached = {"passed": True, "failed": False}.get(outcome.status)
    # Several items may be named: the sentence says which.
    return Stage(
        trc("stage", "stored"), reached, None, "storage", outcome.seen or tr("its file is there")
    )


def _message(picked_up: Stage, report: Report) -> Stage:
    backlog, consumers = report.figure("backlog"), report.figure("consumers")
    if backlog is None:
        return Stage(trc("stage", "message"), None, None, "queue", tr("not observed"))
    note = trn("{n} message ready", "{n} messages ready", round(backlog))
    if consumers is not None:
        note += trn(", {n} consumer", ", {n} consumers", round(consumers))
    reached = True if picked_up.reached else None
    return Stage(trc("stage", "message"), reached, None, "queue", note)
