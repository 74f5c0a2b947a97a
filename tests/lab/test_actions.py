"""The runbook's actions repair the lab, run as a report prints them.

`systemctl` and `sudo` are scripts on the PATH: the first restarts the lab's own processes. SQL runs
in psql as the application. Without VEZA_ALL_ACTIONS only a selection runs.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from lab import faults
from lab.bench import run_suite
from lab.faults.heal import delete_logs
from lab.faults.tools import FaultTools
from reports.model.report import Report
from reports.model.report_json import parse_report
from reports.runbook.document import Step
from tests.lab.fix_operator import Operator

AGAIN = "Have the uploads processed again"
PUBLISH = "Publish the messages of these jobs"
PUBLISH_ALL = "Publish the messages of the pending jobs"
LOST = "If the files are lost, mark the uploads as failed"
GIVE_UP = "If they fail again, mark the uploads as failed"

REPAIRS: dict[str, tuple[str, ...]] = {
    "worker-killed": ("Restart the worker",),
    "worker-frozen": ("Resume the frozen worker",),
    "broker-down": ("Start the broker", PUBLISH_ALL),
    "queue-deleted": ("If the queue does not come back, declare it", PUBLISH_ALL),
    "messages-purged": (PUBLISH_ALL,),
    "job-rows-deleted": (AGAIN, PUBLISH),
    "job-never-created": (AGAIN, PUBLISH),
    "status-update-lost": (GIVE_UP,),
    "error-swallowed": (GIVE_UP,),
    "error-not-recorded": (GIVE_UP,),
    "job-abandoned": (
        "Create the abandoned jobs anew",
        "Publish the messages of the new jobs",
        GIVE_UP,
    ),
    "job-left": ("Create the abandoned jobs anew",),
    "file-missing": (LOST,),
    "file-empty": (LOST,),
    "file-unreadable": (
        "Make the files readable for the service",
        "Have these uploads processed again",
        PUBLISH,
    ),
    "directory-missing": ("Put the directory back", LOST),
    "directory-not-writable": ("Let the service write to the directory", LOST),
    "read-only-mount": ("Mount it writable again, if it is read-only", LOST),
    "job-hung": (
        "If the same uploads hang or exceed their time again, mark them as failed",
        "Stop a job that hangs",
    ),
}
"""The steps that an operator takes for each fault, by their titles in the report."""

NOT_BY_THE_RUNBOOK = {
    "worker-crash-loop": "the program ends by itself: another version of it is needed",
    "worker-not-consuming": "the lab's bug outlives a restart: another version is needed",
    "worker-rejecting": "the lab's bug outlives a restart: another version is needed",
    "worker-deadlocked": "the lab's bug outlives a restart: another version is needed",
    "message-ignored": "the lab's bug outlives a restart: another version is needed",
    "broker-memory-alarm": "somebody set the limit: the value that it had is not known",
    "broker-disk-alarm": "somebody set the limit: the value that it had is not known",
    "queue-saturated": "the other work has to be moved, or a purge to be decided, by people",
    "deliveries-stuck": "the program behind the connection has to be ended too",
    "partial-consumer": "the program behind the connection has to be ended too",
    "dead-letters-ttl": "the policy that lets messages expire has to be changed first",
    "disk-full": "which files may go is for people to decide",
    "inodes-exhausted": "which files may go is for people to decide",
    "slow-processing": "every job is slow: more capacity or another version is needed",
    "overloaded": "more workers are needed",
    "worker-starved": "the machine has to give the worker its processor again",
    "deadline-exceeded": "every job exceeds its deadline, which is set in the program",
}
"""The single faults that no printed command repairs, each with the reason."""

SELECTION = ("worker-frozen", "job-rows-deleted", "file-unreadable", "messages-purged")
"""The faults that run always: a process, the database with the broker, the storage, the queue."""


def test_every_single_fault_is_repaired_or_has_its_reason() -> None:
    """No fault that the runbook treats is forgotten."""
    named = faults.of_runbook(faults.UPLOAD_STUCK)
    singles = {name for name in named if faults.FAULTS[name].kind == "single"}
    assert set(REPAIRS) | set(NOT_BY_THE_RUNBOOK) == singles
    assert not set(REPAIRS) & set(NOT_BY_THE_RUNBOOK)


def _marked(name: str) -> Any:
    is_skipped = name not in SELECTION and not os.environ.get("VEZA_ALL_ACTIONS")
    reason = "set VEZA_ALL_ACTIONS to repair every fault"
    return pytest.param(name, marks=[pytest.mark.skip(reason=reason)] if is_skipped else [])


@pytest.mark.parametrize("name", [_marked(name) for name in REPAIRS])
def test_the_printed_actions_repair_the_fault(operator: Operator, name: str) -> None:
    """After them the stuck uploads have completed or failed, and the next run is healthy."""
    directory = operator.lab.directory
    missing = faults.missing_needs(directory, [name])
    if missing:
        pytest.skip(f"{name} needs {missing}")
    faults.inject(directory, [name])
    report, steps = _look(directory)
    for title in REPAIRS[name]:
        if title in (PUBLISH, PUBLISH_ALL) and not operator.lab.broker:
            assert title not in steps
            continue
        if title in steps and not steps[title].commands:
            # A step that could not be filled: after the steps before it, more can be seen.
            report, steps = _look(directory)
        assert title in steps, (report.headline, list(steps))
        assert steps[title].commands, steps[title].left_out
        for command in steps[title].commands:
            if not command.text.startswith("# or"):
                operator.run_again(command)
    with FaultTools(directory) as tools:
        stuck = tools.recorded_uploads()
        assert stuck
        tools.wait(lambda: _have_ended(tools, stuck), 60, f"the end of {len(stuck)} uploads")
        # As if the minutes had passed in which the fault's log lines are recent.
        tools.wait_for_http_status("/readyz", 200)
        tools.wait_for_all_workers()
        delete_logs(tools)
        tools.wait(tools.lab.api_log.exists, 20, "the next line of the API's log")
        tools.wait_for_worker_log()
        tools.wait_for_settled_worker()
    after = parse_report(run_suite(directory)[0].encode(), name)
    assert after.state == "healthy", (
        after.headline,
        [r.outcome.seen for r in after.results if r.outcome.status == "failed"],
    )


def _look(directory: Path) -> tuple[Report, dict[str, Step]]:
    """Run the checks and return the report, and the steps that it shows by their titles."""
    report = parse_report(run_suite(directory)[0].encode(), "report.json")
    return report, {step.title: step for remedy in report.remedies for step in remedy.steps}


def _have_ended(tools: FaultTools, uploads: list[str]) -> bool:
    rows = tools.query(
        "SELECT 1 FROM uploads WHERE id::text = ANY(%s)"
        " AND (status::text = 'completed'"
        "      OR status::text = 'failed' AND error_message IS NOT NULL)",
        uploads,
    )
    return len(rows) == len(uploads)
