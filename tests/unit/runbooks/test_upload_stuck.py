"""The runbook "Upload stuck": the steps of its corrective actions, by what was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import made

if TYPE_CHECKING:
    from core.outcome import Status

STUCK = (
    "signal/no_upload_is_stuck",
    "signal/uploads_are_completing",
    "upload_status/uploads_have_left_uploading",
    "upload_status/progress_agrees_with_status",
    "logs/upload_transitions_are_logged",
    "database/jobs_start_promptly",
)
IN_THE_QUEUE = "database/pending_jobs_are_in_the_queue"
BLOCKS = "Find out what blocks it"
MISSING = "Find out why messages do not reach the queue"
PUBLISH = "Publish the messages of the pending jobs"


@pytest.mark.parametrize(
    ("failed", "in_the_queue", "steps"),
    [
        ((), "failed", [MISSING, PUBLISH]),
        ((), "skipped", [BLOCKS, MISSING]),
        (("queue/queue_exists",), "failed", [BLOCKS, MISSING, PUBLISH]),
        (("queue/backlog_is_bounded",), "passed", [BLOCKS]),
    ],
    ids=["no message arrives", "without management", "queue deleted", "queue flooded"],
)
def test_a_blocked_queue_is_looked_at_where_its_messages_are_lost(
    failed: tuple[str, ...], in_the_queue: Status, steps: list[str]
) -> None:
    """Before they are published again; the broker only where something speaks against it."""
    statuses: dict[str, Status] = {IN_THE_QUEUE: in_the_queue}
    report = made.report((*STUCK, *failed), statuses=statuses, stuck=())
    [blocked] = [one for one in report.remedies if one.hypothesis == "queue_blocked"]
    titles = [step.title for step in blocked.steps]
    assert [title for title in titles if title in (BLOCKS, MISSING, PUBLISH)] == steps
