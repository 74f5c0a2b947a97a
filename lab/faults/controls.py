"""Controls: nothing is broken, although it may look like it."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

from core.files import write_file
from lab import targets
from lab.faults.heal import forget_logs
from lab.faults.model import Family, Kind, Need
from lab.faults.storage import fill
from lab.faults.tools import NOT_AUDIO
from lab.processes import uptime
from lab.zaplog import zap_line

if TYPE_CHECKING:
    from lab.faults.tools import FaultTools

FAMILY = Family(Kind.CONTROL)
BUSY = 45
IDLE_MINUTES = 62


@FAMILY.fault("healthy", "nothing is done to the lab")
def healthy(tools: FaultTools) -> None:
    tools.wait_for_health("/readyz", 200)


@FAMILY.fault("healthy-busy", "many uploads, all under ten minutes old, are being worked off")
def busy(tools: FaultTools) -> None:
    # About four seconds for each of four at a time: they last for the better part of a minute.
    tools.switch(seconds_per_chunk=2.0)
    uploads = tools.upload(BUSY)
    tools.age(list(reversed(uploads)), newest=0, oldest=4)


@FAMILY.fault("healthy-idle", "nobody has uploaded anything for an hour")
def idle(tools: FaultTools) -> None:
    tools.ask("stop", name="trickle")
    tools.wait(
        lambda: (
            not tools.query("SELECT 1 FROM uploads WHERE status IN ('uploading', 'processing')")
        ),
        20,
        "the last uploads to end",
    )
    tools.age_past(IDLE_MINUTES)
    tools.wait_for_worker_line()


@FAMILY.fault("old-errors", "the log holds errors that are hours old")
def old_errors(tools: FaultTools) -> None:
    now = time.time()
    lines = "".join(
        zap_line(
            "error",
            now - hours * 3600 + number,
            "jobs/upload_processor.go:139",
            "upload processing failed",
            id=f"00000000-0000-4000-8000-{number:012d}",
            error="context deadline exceeded",
        )
        for hours in (7, 5, 3)
        for number in range(20)
    )
    path = tools.lab.app_logs / "jobs.log"
    # In front of today's lines, in the same file: its modification time tells nothing.
    write_file(path, lines + path.read_text(encoding="utf-8"))


@FAMILY.fault("user-errors", "users sent files that are no audio, and were told so")
def user_errors(tools: FaultTools) -> None:
    uploads = tools.upload(content=NOT_AUDIO)
    tools.wait_for(uploads, "failed", "failed")


@FAMILY.fault("disk-85-percent", "the upload directory is 85 percent full", Need.FILE_SYSTEM)
def disk_85_percent(tools: FaultTools) -> None:
    fill(tools.lab.storage_root, 0.85)


@FAMILY.fault("broker-absent", "Veza runs without RabbitMQ, from the job_queue table")
def broker_absent(tools: FaultTools) -> None:
    if not tools.lab.broker:
        return
    dataclasses.replace(tools.lab, broker=False).save()
    for name in ("worker", "api", "rabbitmq", "epmd"):
        tools.ask("stop", name=name)
    tools.lab = dataclasses.replace(tools.lab, broker=False)
    targets.write(tools.lab)
    for name in ("api", "worker"):
        tools.ask("start", name=name)
    tools.wait_for_health("/health/worker", 200)
    tools.wait_for(tools.upload(1), "completed", "completed")
    # The change was made long ago, as far as anyone who looks at the logs is concerned.
    forget_logs(tools)
    settle(tools)


def settle(tools: FaultTools) -> None:
    """Until the worker has been up for a while, as its target's threshold asks."""
    pid = tools.pid("worker")
    tools.wait(
        lambda: pid is not None and uptime(pid) > targets.SETTLED_SECONDS,
        10,
        "the worker to settle",
    )
