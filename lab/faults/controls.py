"""Controls: nothing is broken, but something looks unusual."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

from core.files import write_file
from lab import targets
from lab.faults.heal import delete_logs
from lab.faults.model import EVERY_RUNBOOK, Family, Kind, Need
from lab.faults.storage import fill
from lab.faults.tools import NOT_AUDIO
from lab.state import LOAD_GENERATOR
from lab.zaplog import log_line

if TYPE_CHECKING:
    from lab.faults.tools import FaultTools

FAMILY = Family(Kind.CONTROL)
BUSY_UPLOADS = 45
IDLE_MINUTES = 62


@FAMILY.fault("healthy", "nothing is changed", runbooks=EVERY_RUNBOOK)
def healthy(tools: FaultTools) -> None:
    tools.wait_for_http_status("/readyz", 200)


@FAMILY.fault(
    "healthy-busy", "many uploads wait, all younger than ten minutes, and the queue drains"
)
def busy(tools: FaultTools) -> None:
    # Four jobs run at a time, about four seconds each: the backlog lasts almost a minute.
    tools.turn_on(seconds_per_chunk=2.0)
    uploads = tools.upload(BUSY_UPLOADS)
    tools.backdate_between(uploads, 0, 4)


@FAMILY.fault("healthy-idle", "nobody has uploaded anything for an hour")
def idle(tools: FaultTools) -> None:
    tools.stop(LOAD_GENERATOR)
    tools.wait(
        lambda: (
            not tools.query("SELECT 1 FROM uploads WHERE status IN ('uploading', 'processing')")
        ),
        20,
        "the end of the last uploads",
    )
    tools.backdate_history(IDLE_MINUTES)
    tools.wait_for_worker_log()


@FAMILY.fault("old-errors", "the log holds errors that are hours old")
def old_errors(tools: FaultTools) -> None:
    now = time.time()
    lines = "".join(
        log_line(
            tools.lab.variant,
            "error",
            now - hours * 3600 + number,
            "jobs/upload_processor.go:139",
            "upload processing failed",
            id=f"{number:026d}",
            error="context deadline exceeded",
        )
        for hours in (7, 5, 3)
        for number in range(20)
    )
    path = tools.worker_log()
    # Before today's lines, in the same file: the file's modification time does not help.
    write_file(path, lines + path.read_text(encoding="utf-8"))


@FAMILY.fault("user-errors", "users sent files that are not audio, and got an error message")
def user_errors(tools: FaultTools) -> None:
    uploads = tools.upload(content=NOT_AUDIO)
    tools.wait_for_uploads(uploads, "failed", "failed")


@FAMILY.fault("disk-85-percent", "the upload directory is 85 percent full", Need.FILE_SYSTEM)
def disk_85_percent(tools: FaultTools) -> None:
    fill(tools.lab.storage_root, 0.85)


@FAMILY.fault("broker-absent", "Veza runs without RabbitMQ, from the job_queue table")
def broker_absent(tools: FaultTools) -> None:
    if not tools.lab.broker:
        return
    dataclasses.replace(tools.lab, broker=False).save()
    for name in (*tools.lab.workers, "api", "rabbitmq", "epmd"):
        tools.stop(name)
    tools.lab = dataclasses.replace(tools.lab, broker=False)
    targets.write(tools.lab)
    for name in ("api", *tools.lab.workers):
        tools.start(name)
    tools.wait_for_http_status("/readyz", 200)
    tools.wait_for_all_workers()
    tools.wait_for_uploads(tools.upload(1), "completed", "completed")
    # The logs must not show the change: in this control it was made long ago.
    delete_logs(tools)
    tools.wait(tools.lab.api_log.exists, 20, "the next line of the API's log")
    tools.wait_for_worker_log()
    tools.wait_for_settled_worker()
