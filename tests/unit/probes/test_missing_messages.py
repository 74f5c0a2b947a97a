"""Where the messages may be that pending jobs miss."""

from __future__ import annotations

from fixtures.probes.jobs_and_queue_results import IgnoredMessages, JobsInQueue

ELSEWHERE = (("uploads_skipped", 11),)


def test_missing_messages_may_be_in_a_queue_of_a_like_name() -> None:
    """A client moves what it cannot read there, and the sentence says so before anything long."""
    jobs = JobsInQueue("queue uploads", 13, ("7",), 0, 0, elsewhere=ELSEWHERE)
    assert str(jobs).endswith("in queue uploads (uploads_skipped has 11)")
    ignored = IgnoredMessages("queue uploads", 11.0, 13, 14, 0, (), ELSEWHERE)
    assert "13 pending jobs have no message (uploads_skipped has 11); since" in str(ignored)
