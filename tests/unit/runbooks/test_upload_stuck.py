"""The runbook "Upload stuck": the steps of its corrective actions, by what was seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.outcome import Observation, Outcome, Status
from reports.model.build import EndedRun, build_report, replay
from reports.runbook.conditions import facts_of, holds
from tests import made

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
        (("database/no_job_was_passed_over",), "skipped", [BLOCKS, MISSING, PUBLISH]),
        (("queue/queue_exists",), "failed", [BLOCKS, MISSING, PUBLISH]),
        (("queue/backlog_is_bounded",), "passed", [BLOCKS]),
    ],
    ids=[
        "no message arrives",
        "without management",
        "passed over",
        "queue deleted",
        "queue flooded",
    ],
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
    # A screen shows the first commands: the publisher's errors say most.
    first = {step.title: step.commands[0].text for step in blocked.steps if step.commands}
    assert "publish" in first.get(MISSING, "publish")


def test_a_directory_is_looked_at_before_its_rights_are_changed() -> None:
    """An empty one may be the place of a file system that is not mounted."""
    steps = [step for action in made.bundle().document.actions for step in action.steps]
    [step] = [step for step in steps if step.title.startswith("Let the service write")]
    texts = [command.text for command in step.commands]
    looks = [place for place, text in enumerate(texts) if "ls -A" in text or "findmnt" in text]
    changes = [place for place, text in enumerate(texts) if "chown" in text]
    assert [*looks, *changes] == sorted([*looks, *changes]), texts
    assert looks, texts


def _after_lost_updates(*failed: str) -> dict[str, str]:
    """The commands for uploads that stay in `processing` although their jobs have completed."""
    ended = Observation("database.ended_jobs", "", {}, 0.0, {}, {"upload_ids": "41\n42"})
    lost = "database/finished_jobs_updated_their_upload"
    outcomes = [
        Outcome(row.id, "failed", observations=(ended,))
        if row.id == lost
        else Outcome(row.id, "failed" if row.id in failed else "passed")
        for row in made.bundle().evidence.checks
    ]
    target = replace(
        made.TARGET,
        placeholders={
            "jobs_table": "job_queue",
            "uploads_table": "uploads",
            "job_type": "convert",
            "every_log_files": "/log/api.log\n/log/worker.log",
        },
    )
    report = build_report(EndedRun(outcomes, [], target, made.STARTED, 1.5), made.bundle())
    return {
        step.title: "\n".join(command.text for command in step.commands)
        for remedy in report.remedies
        for step in remedy.steps
    }


def test_uploads_whose_status_was_lost_are_repaired_though_none_is_stuck() -> None:
    """The commands have the ids of these uploads: the signal knows none in `processing`.

    One is enough to look at, and a command with all of them would be too long for a terminal.
    """
    commands = _after_lost_updates("signal/no_upload_overstays_processing")
    assert "'upload_id' = '41'" in commands["Find the step that failed"]
    assert "IN ('41', '42')" in commands["If they fail again, mark the uploads as failed"]


def test_they_are_not_marked_as_too_slow() -> None:
    """Their jobs have completed, also where another job hangs."""
    hung = ("signal/no_upload_overstays_processing", "database/jobs_finish_in_time")
    commands = _after_lost_updates(*hung)
    assert "'41'" in commands["Find the step that failed"]
    title = "If the same uploads hang or exceed their time again, mark them as failed"
    assert "'41'" not in commands[title]


def test_no_file_is_called_readable_that_nobody_looked_at() -> None:
    """Without a stuck upload the checks of their files pass, and say nothing of the others."""
    report = made.report(("signal/uploads_do_not_all_fail", "logs/no_storage_errors_are_logged"))
    [step] = [
        step
        for remedy in report.remedies
        for step in remedy.steps
        if step.title == "Compare the path in the log"
    ]
    assert "and readable" not in step.text


def test_a_frozen_worker_is_resumed_though_another_one_works() -> None:
    """No cause is named, and the step is for just what failed."""
    report = made.report(("worker/process_is_responsive",))
    assert (report.state, report.diagnosis.certainty) == ("at risk", "unclear")
    assert [step.title for step in report.remedies[-1].steps] == ["Resume the frozen worker"]


LINK = "Look at the link, the mount and who uses it"
PATH = "Compare the path in the log"


@pytest.mark.parametrize(
    ("reason", "steps"),
    [
        ((), [LINK, PATH]),
        (("storage/directory_is_writable_by_service",), []),
        (("storage/disk_space_is_free",), []),
        (("storage/inodes_are_free",), []),
        (("storage/directory_exists",), [LINK]),
    ],
    ids=["only the log tells", "not writable", "disk full", "no inodes", "not there"],
)
def test_files_that_never_arrived_are_looked_for_where_nothing_else_tells_why(
    reason: tuple[str, ...], steps: list[str]
) -> None:
    """A full disk of temporary files is in the log alone; a surer reason needs neither step."""
    seen = ("storage/stuck_files_exist", "logs/no_storage_errors_are_logged", *reason)
    report = made.report((*STUCK, *seen))
    titles = [
        step.title
        for remedy in report.remedies
        if remedy.hypothesis == "storage_problem"
        for step in remedy.steps
    ]
    assert [title for title in titles if title in (LINK, PATH)] == steps


def test_who_holds_messages_is_looked_for_where_management_does_not_tell() -> None:
    """RabbitMQ's own command lists the channels; else the step that closes one names it."""
    kinds: tuple[tuple[Status, bool], ...] = (("skipped", True), ("passed", False))
    for status, looks in kinds:
        statuses: dict[str, Status] = {
            IN_THE_QUEUE: "skipped",
            "queue/deliveries_are_acknowledged": status,
        }
        report = made.report(STUCK, statuses=statuses, stuck=())
        [blocked] = [one for one in report.remedies if one.hypothesis == "queue_blocked"]
        [step] = [step for step in blocked.steps if step.title == BLOCKS]
        assert any("list_channels" in text for text in step.left_out) is looks


@pytest.mark.parametrize("kind", ["stuck_files_exist", "stuck_files_are_whole"])
def test_only_the_kind_of_lost_files_that_there_is_has_a_command(kind: str) -> None:
    """The other one would be left out, with a reason that means nothing."""
    report = made.report((*STUCK, f"storage/{kind}"))
    [storage] = [one for one in report.remedies if one.hypothesis == "storage_problem"]
    [step] = [one for one in storage.steps if one.title.startswith("If the files are lost")]
    assert len(step.commands) + len(step.left_out) == 1


def test_incomplete_files_of_a_full_disk_are_not_looked_for() -> None:
    """What cut them off is known: neither a link nor a mount hides the rest."""
    for reason, steps in (((), [LINK]), (("storage/disk_space_is_free",), [])):
        report = made.report((*STUCK, "storage/stuck_files_are_whole", *reason))
        [storage] = [one for one in report.remedies if one.hypothesis == "storage_problem"]
        assert [step.title for step in storage.steps if step.title == LINK] == steps


def test_an_upload_is_followed_in_the_workers_log_too() -> None:
    """The API's log may end where the job begins."""
    commands = _after_lost_updates()
    title = "Follow one in the log until it is completed or an error appears"
    assert commands[title] == "grep -hwF -- 41 /log/api.log /log/worker.log | tail -n 20"


@pytest.mark.parametrize(("queue", "program"), [("uploads", "rabbitmqctl"), (None, "pgrep")])
def test_a_restarted_worker_is_looked_for_where_there_is_no_broker(
    queue: str | None, program: str
) -> None:
    """Its process shows that it runs, where no queue has consumers."""
    facts = facts_of([], {"queue": queue}, [])
    title = "Check that it runs and consumes"
    steps = [step for group in made.bundle().document.actions for step in group.steps]
    commands = [one for step in steps if step.title == title for one in step.commands]
    assert [one.text.split()[0] for one in commands if holds(one.when, facts)] == [program]


def test_only_the_kind_of_slow_jobs_that_there_is_has_a_command() -> None:
    """An upload that waits is stuck, and none is in `processing`."""
    report = made.report((*STUCK, "logs/no_job_ran_out_of_time", "logs/no_timeouts_are_logged"))
    [slow] = [one for one in report.remedies if one.hypothesis == "processing_timeout"]
    [step] = [one for one in slow.steps if one.title.startswith("If the same uploads hang")]
    assert len(step.commands) + len(step.left_out) == 1


def test_a_symptom_alone_is_looked_at() -> None:
    """Nothing is known of the cause of uploads that a deployment has left in processing."""
    values = {"uploads_table": "uploads", "processing_max_seconds": "300"}
    target = replace(made.TARGET, placeholders=values)
    alone = "signal/no_upload_overstays_processing"
    outcomes = [
        Outcome(row.id, "failed" if row.id == alone else "passed")
        for row in made.bundle().evidence.checks
    ]
    report = build_report(EndedRun(outcomes, [], target, made.STARTED, 1.5), made.bundle())
    assert report.diagnosis.certainty == "unclear"
    [remedy] = report.remedies
    [command] = remedy.steps[0].commands
    assert "status = 'processing'" in command.text


@pytest.mark.parametrize(
    ("files", "partial", "marked"),
    [("skipped", "unreachable", True), ("failed", "failed", True), ("failed", "passed", False)],
)
def test_uploads_that_storage_refused_are_marked_as_failed(
    files: Status, partial: Status, marked: bool
) -> None:
    """Nothing completes them after the repair: no file and no job of them exists."""
    statuses = {
        "storage/stuck_files_exist": files,
        "database/no_stuck_upload_is_partial": partial,
    }
    failed = ("signal/no_upload_is_stuck", "storage/disk_space_is_free")
    seen = made.report(failed, statuses=statuses)
    components = seen.target.components | {"storage": "/srv/uploads on local"}
    target = replace(seen.target, components=components)
    report = replay(replace(seen, target=target), made.bundle())
    titles = [step.title for remedy in report.remedies for step in remedy.steps]
    assert ("Mark the uploads that never arrived as failed" in titles) is marked
