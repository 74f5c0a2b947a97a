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
    from lab.faults.tools import Hands

HELPERS = ("queue_flood", "unacking_consumer", "table_lock")
# What `up` set, see lab.broker.CONFIGURATION.
WATERMARK, DISK_LIMIT = "0.4", "50MB"


def heal(hands: Hands) -> None:
    """Undo everything; return when a fresh upload goes through and nothing is left over."""
    for helper in HELPERS:
        hands.ask("stop", name=helper)
    # Stopped first: a worker in trouble would spoil what is put right, and one with a job that
    # never returns is only healed by a new process.
    hands.ask("stop", name="trickle")
    hands.ask("stop", name="worker")
    write_bugs(hands.directory, Bugs())
    _storage(hands)
    _database(hands)
    _broker(hands)
    hands.ask("start", name="api")
    hands.wait_for_health("/readyz", 200, 30)
    _put_back(hands)
    hands.ask("start", name="worker")
    hands.wait_for_health("/health/worker", 200, 30)
    _wait_until_ended(hands)
    _remove_uploads(hands)
    hands.ask("start", name="trickle")
    forget_logs(hands)
    _prove(hands)


def _storage(hands: Hands) -> None:
    lab = hands.lab
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


def _database(hands: Hands) -> None:
    hands.ask("start", name="postgres")
    hands.wait(lambda: postgres.is_ready(hands.lab), 30, "PostgreSQL is ready")
    hands.query("UPDATE api_tokens SET revoked_at = NULL WHERE revoked_at IS NOT NULL")


def _broker(hands: Hands) -> None:
    if not (hands.directory / "rabbitmq" / "rabbitmq.conf").exists():
        return
    if not hands.lab.broker:
        hands.lab = dataclasses.replace(hands.lab, broker=True)
        hands.lab.save()
        targets.write(hands.lab)
        # It was started without a broker.
        hands.ask("stop", name="api")
    lab = hands.lab
    was_running = hands.pid("rabbitmq") is not None
    hands.ask("start", name="epmd")
    hands.ask("start", name="rabbitmq")
    hands.wait(lambda: _manages(hands), 60, "RabbitMQ is ready")
    node = broker.manage(lab, "GET", "/api/nodes")[0]
    if was_running and (node["mem_alarm"] or node["disk_free_alarm"]):
        broker.control(lab, "set_vm_memory_high_watermark", WATERMARK)
        broker.control(lab, "set_disk_free_limit", DISK_LIMIT)
        hands.wait(lambda: not _alarms(hands), 20, "the alarms to clear")
    for name, arguments in ((QUEUE, broker.QUEUE_ARGUMENTS), (DEAD_LETTER, {})):
        path = f"/api/queues/%2F/{name}"
        broker.manage(lab, "PUT", path, {"durable": True, "arguments": arguments})
        # Nothing is lost: every job is in job_queue, and comes back from there.
        broker.manage(lab, "DELETE", f"{path}/contents")


def _manages(hands: Hands) -> bool:
    try:
        nodes = broker.manage(hands.lab, "GET", "/api/nodes")
        broker.manage(hands.lab, "GET", "/api/queues/%2F")
    except LabError:
        return False
    return bool(nodes) and "mem_alarm" in nodes[0]


def _alarms(hands: Hands) -> bool:
    node = broker.manage(hands.lab, "GET", "/api/nodes")[0]
    return bool(node["mem_alarm"] or node["disk_free_alarm"])


def _put_back(hands: Hands) -> None:
    """Have every upload that has not ended processed again, or failed when its file is lost."""
    rows = hands.query(
        "SELECT id, filename, size FROM uploads WHERE status NOT IN ('completed', 'failed')"
    )
    jobs: list[UUID] = []
    for upload, filename, size in rows:
        path = hands.lab.uploads / str(upload) / stored_name(filename)
        if path.is_file() and path.stat().st_size == size:
            jobs.append(_new_job(hands, upload))
        else:
            _mark_lost(hands, upload)
    if hands.lab.broker and jobs:
        _publish(hands, jobs)


def _new_job(hands: Hands, upload: UUID) -> UUID:
    """One pending job, in place of those that went wrong."""
    job = uuid4()
    hands.query("DELETE FROM job_queue WHERE payload ->> 'upload_id' = %s", str(upload))
    hands.query(
        "INSERT INTO job_queue (id, type, payload, status)"
        " VALUES (%s, %s, jsonb_build_object('upload_id', %s::text), 'pending')",
        *(job, QUEUE, str(upload)),
    )
    return job


def _mark_lost(hands: Hands, upload: UUID) -> None:
    """What an operator does about a file that is gone: tell the user."""
    hands.query(
        "UPDATE uploads SET status = 'failed', updated_at = now(),"
        " error_message = 'the file was lost, please upload it again' WHERE id = %s",
        upload,
    )
    hands.query(
        "UPDATE job_queue SET status = 'failed', completed_at = now(), error = 'file lost'"
        " WHERE payload ->> 'upload_id' = %s AND status <> 'completed'",
        str(upload),
    )


def _publish(hands: Hands, jobs: list[UUID]) -> None:
    try:
        connection = pika.BlockingConnection(pika.URLParameters(hands.lab.app_amqp_url))
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


def _wait_until_ended(hands: Hands) -> None:
    hands.wait(
        lambda: (
            not hands.query(
                "SELECT 1 FROM uploads WHERE status NOT IN ('completed', 'failed') LIMIT 1"
            )
        ),
        60,
        "the uploads that were stuck to end",
    )
    if hands.lab.broker:
        hands.wait_for_depth(messages_ready=(0, 0), messages_unacknowledged=(0, 0))


def _remove_uploads(hands: Hands) -> None:
    """The users of the fault delete their tracks."""
    for upload in hands.noted():
        answer = hands.client.delete(f"/api/v1/tracks/{upload}")
        # Their own pruning may have been first.
        if answer.status_code not in (200, 404):
            raise LabError(f"upload {upload} could not be deleted: {answer.text[:200]}")
    hands.forget_noted()


def forget_logs(hands: Hands) -> None:
    """Start the logs anew: the fault's errors would stay recent for a quarter of an hour."""
    for directory in (hands.lab.app_logs, hands.lab.worker_logs):
        for path in directory.iterdir():
            path.unlink()


def _prove(hands: Hands) -> None:
    answer = hands.client.post(
        "/api/v1/upload", files={"file": ("healed.wav", tone(0.2), "audio/wav")}
    )
    upload = UUID(answer.json()["data"]["upload_id"])
    hands.wait_for([upload], "completed", "completed")
    for log in ("api.log", "jobs.log"):
        hands.wait((hands.lab.app_logs / log).exists, 10, f"{log} to be written")
    pid = hands.pid("worker")
    deadline = time.monotonic() + 20
    hands.wait(
        lambda: pid is not None and uptime(pid) > targets.SETTLED_SECONDS,
        max(1.0, deadline - time.monotonic()),
        "the worker to settle",
    )
    if hands.lab.broker:
        # Management's figures lag; they too shall show a lab that is well, a fresh upload aside.
        hands.wait_for_depth(
            messages_ready=(0, 2), messages_unacknowledged=(0, 2), consumers=(1, 1)
        )
