"""Back to a healthy lab, whatever was done to it, by a fault or by hand."""

from __future__ import annotations

import dataclasses
import shutil
import time
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pika
from pika.exceptions import AMQPError

from lab import broker, postgres, storage, targets
from lab.audio import tone
from lab.bugs import Bugs, write_bugs
from lab.errors import LabError
from lab.faults.storage import AWAY, BALLAST
from lab.processes import uptime
from lab.processing import stored_name
from lab.state import DEAD_LETTER, QUEUE
from lab.storage import is_mounted

if TYPE_CHECKING:
    from lab.faults.tools import FaultTools

HELPERS = ("queue_flood", "unacking_consumer", "table_lock")
# What `up` set, see lab.broker.CONFIGURATION.
WATERMARK, DISK_LIMIT = "0.4", "50MB"


def heal(tools: FaultTools) -> None:
    """Undo everything; return when a fresh upload goes through and nothing is left over."""
    for helper in HELPERS:
        tools.ask("stop", name=helper)
    # Stopped first: a worker in trouble would spoil what is put right, and one with a job that
    # never returns is only healed by a new process.
    tools.ask("stop", name="trickle")
    tools.ask("stop", name="worker")
    write_bugs(tools.directory, Bugs())
    _storage(tools)
    _database(tools)
    _broker(tools)
    tools.ask("start", name="api")
    tools.wait_for_health("/readyz", 200, 30)
    _put_back(tools)
    tools.ask("start", name="worker")
    tools.wait_for_health("/health/worker", 200, 30)
    _wait_until_ended(tools)
    _remove_uploads(tools)
    tools.ask("start", name="trickle")
    forget_logs(tools)
    _prove(tools)


def _storage(tools: FaultTools) -> None:
    lab = tools.lab
    if is_mounted(lab.storage_root):
        storage.remount(lab.storage_root, f"rw,size={storage.SIZE},nr_inodes={storage.INODES}")
    away = lab.storage_root / AWAY
    if away.is_dir():
        if lab.uploads.is_dir():
            # Something made the directory anew meanwhile; what it holds belongs into the old one.
            for path in lab.uploads.iterdir():
                path.rename(away / path.name)
            lab.uploads.rmdir()
        away.rename(lab.uploads)
    lab.uploads.mkdir(exist_ok=True)
    lab.uploads.chmod(0o755)
    if (lab.storage_root / BALLAST).is_dir():
        shutil.rmtree(lab.storage_root / BALLAST)
    for directory in lab.uploads.iterdir():
        directory.chmod(0o755)
        for path in directory.iterdir():
            path.chmod(0o644)


def _database(tools: FaultTools) -> None:
    tools.ask("start", name="postgres")
    tools.wait(lambda: postgres.is_ready(tools.lab), 30, "PostgreSQL is ready")
    tools.query("UPDATE api_tokens SET revoked_at = NULL WHERE revoked_at IS NOT NULL")


def _broker(tools: FaultTools) -> None:
    if not (tools.directory / "rabbitmq" / "rabbitmq.conf").exists():
        return
    if not tools.lab.broker:
        tools.lab = dataclasses.replace(tools.lab, broker=True)
        tools.lab.save()
        targets.write(tools.lab)
        # It was started without a broker.
        tools.ask("stop", name="api")
    lab = tools.lab
    was_running = tools.pid("rabbitmq") is not None
    tools.ask("start", name="epmd")
    tools.ask("start", name="rabbitmq")
    tools.wait(lambda: _manages(tools), 60, "RabbitMQ is ready")
    node = broker.manage(lab, "GET", "/api/nodes")[0]
    if was_running and (node["mem_alarm"] or node["disk_free_alarm"]):
        broker.control(lab, "set_vm_memory_high_watermark", WATERMARK)
        broker.control(lab, "set_disk_free_limit", DISK_LIMIT)
        tools.wait(lambda: not _alarms(tools), 20, "the alarms to clear")
    for name, arguments in ((QUEUE, broker.QUEUE_ARGUMENTS), (DEAD_LETTER, {})):
        path = f"/api/queues/%2F/{name}"
        broker.manage(lab, "PUT", path, {"durable": True, "arguments": arguments})
        # Nothing is lost: every job is in job_queue, and comes back from there.
        broker.manage(lab, "DELETE", f"{path}/contents")


def _manages(tools: FaultTools) -> bool:
    try:
        nodes = broker.manage(tools.lab, "GET", "/api/nodes")
        broker.manage(tools.lab, "GET", "/api/queues/%2F")
    except LabError:
        return False
    return bool(nodes) and "mem_alarm" in nodes[0]


def _alarms(tools: FaultTools) -> bool:
    node = broker.manage(tools.lab, "GET", "/api/nodes")[0]
    return bool(node["mem_alarm"] or node["disk_free_alarm"])


def _put_back(tools: FaultTools) -> None:
    """Have every upload that has not ended processed again, or failed when its file is lost."""
    rows = tools.query(
        "SELECT id, filename, size FROM uploads WHERE status NOT IN ('completed', 'failed')"
    )
    jobs: list[UUID] = []
    for upload, filename, size in rows:
        path = tools.lab.uploads / str(upload) / stored_name(filename)
        if path.is_file() and path.stat().st_size == size:
            jobs.append(_new_job(tools, upload))
        else:
            _mark_lost(tools, upload)
    if tools.lab.broker and jobs:
        _publish(tools, jobs)


def _new_job(tools: FaultTools, upload: UUID) -> UUID:
    """One pending job, in place of those that went wrong."""
    job = uuid4()
    tools.query("DELETE FROM job_queue WHERE payload ->> 'upload_id' = %s", str(upload))
    tools.query(
        "INSERT INTO job_queue (id, type, payload, status)"
        " VALUES (%s, %s, jsonb_build_object('upload_id', %s::text), 'pending')",
        *(job, QUEUE, str(upload)),
    )
    return job


def _mark_lost(tools: FaultTools, upload: UUID) -> None:
    """What an operator does about a file that is gone: tell the user."""
    tools.query(
        "UPDATE uploads SET status = 'failed', updated_at = now(),"
        " error_message = 'the file was lost, please upload it again' WHERE id = %s",
        upload,
    )
    tools.query(
        "UPDATE job_queue SET status = 'failed', completed_at = now(), error = 'file lost'"
        " WHERE payload ->> 'upload_id' = %s AND status <> 'completed'",
        str(upload),
    )


def _publish(tools: FaultTools, jobs: list[UUID]) -> None:
    try:
        connection = pika.BlockingConnection(pika.URLParameters(tools.lab.app_amqp_url))
        try:
            channel = connection.channel()
            channel.confirm_delivery()
            persistent = pika.BasicProperties(delivery_mode=2)
            for job in jobs:
                channel.basic_publish("", QUEUE, str(job).encode(), persistent, mandatory=True)
        finally:
            connection.close()
    except AMQPError as exc:
        raise LabError(f"jobs could not be published again: {type(exc).__name__}") from exc


def _wait_until_ended(tools: FaultTools) -> None:
    tools.wait(
        lambda: (
            not tools.query(
                "SELECT 1 FROM uploads WHERE status NOT IN ('completed', 'failed') LIMIT 1"
            )
        ),
        60,
        "the uploads that were stuck to end",
    )
    if tools.lab.broker:
        tools.wait_for_depth(messages_ready=(0, 0), messages_unacknowledged=(0, 0))


def _remove_uploads(tools: FaultTools) -> None:
    """The users of the fault delete their tracks."""
    for upload in tools.noted():
        answer = tools.client.delete(f"/api/v1/tracks/{upload}")
        # Their own pruning may have been first.
        if answer.status_code not in (200, 404):
            raise LabError(f"upload {upload} could not be deleted: {answer.text[:200]}")
    tools.forget_noted()


def forget_logs(tools: FaultTools) -> None:
    """Start the logs anew: the fault's errors would stay recent for a quarter of an hour."""
    for directory in (tools.lab.app_logs, tools.lab.worker_logs):
        for path in directory.iterdir():
            path.unlink()


def _prove(tools: FaultTools) -> None:
    answer = tools.client.post(
        "/api/v1/upload", files={"file": ("healed.wav", tone(0.2), "audio/wav")}
    )
    upload = UUID(answer.json()["data"]["upload_id"])
    tools.wait_for([upload], "completed", "completed")
    for log in ("api.log", "jobs.log"):
        tools.wait((tools.lab.app_logs / log).exists, 10, f"{log} to be written")
    pid = tools.pid("worker")
    deadline = time.monotonic() + 20
    tools.wait(
        lambda: pid is not None and uptime(pid) > targets.SETTLED_SECONDS,
        max(1.0, deadline - time.monotonic()),
        "the worker to settle",
    )
    if tools.lab.broker:
        # Management's figures lag; they too shall show a lab that is well, a fresh upload aside.
        tools.wait_for_depth(
            messages_ready=(0, 2), messages_unacknowledged=(0, 2), consumers=(1, 1)
        )
