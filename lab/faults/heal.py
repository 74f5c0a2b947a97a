"""Make the lab healthy again, whether a fault or a person broke it."""

from __future__ import annotations

import dataclasses
import itertools
import random
import shutil
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import pika
import psycopg
from pika.exceptions import AMQPError
from psycopg import sql
from psycopg.rows import dict_row

from lab import accounts, broker, database, login_load, login_seed, postgres, storage, targets
from lab.audio import tone
from lab.bugs import Bugs, read_bugs, write_bugs
from lab.database import WRITABLE
from lab.errors import LabError
from lab.faults.storage import BALLAST, MOVED_AWAY
from lab.faults.tools import STEM
from lab.processing import stored_name
from lab.state import LOAD_GENERATOR
from lab.storage import is_mounted

if TYPE_CHECKING:
    from lab.faults.tools import FaultTools

HELPERS = ("connection_hog", "queue_flood", "unacking_consumer", "table_lock", "worker_limiter")
# The node's own settings, see lab.broker.CONFIGURATION.
MEMORY_WATERMARK, DISK_FREE_LIMIT = "0.4", "50MB"


def heal(tools: FaultTools) -> None:
    """Undo every fault and return when a new upload completes; raises LabError."""
    for helper in HELPERS:
        tools.stop(helper)
    # The worker stops first: a failing one would damage what is repaired below, and only a new
    # process gets rid of a job that never returns.
    tools.stop(LOAD_GENERATOR)
    for worker in tools.lab.workers:
        tools.stop(worker)
    _reset_bugs(tools)
    _repair_storage(tools)
    _repair_database(tools)
    _repair_broker(tools)
    tools.start("api")
    tools.wait_for_http_status("/readyz", 200, 30)
    _requeue_uploads(tools)
    for worker in tools.lab.workers:
        tools.start(worker)
    tools.wait_for_all_workers()
    _wait_for_requeued_uploads(tools)
    _delete_recorded_uploads(tools)
    tools.start(LOAD_GENERATOR)
    delete_logs(tools)
    _verify(tools)


def heal_logins(tools: FaultTools) -> None:
    """Undo the faults of the login alone, which leave everything else as it is; raises LabError."""
    for helper in HELPERS:
        tools.stop(helper)
    _reset_bugs(tools)
    _repair_accounts(tools)
    tools.start("api")
    tools.wait_for_http_status("/readyz", 200, 30)
    tools.lab.api_log.unlink(missing_ok=True)
    _wait_for_a_login(tools)


def _reset_bugs(tools: FaultTools) -> None:
    """Turn off all bugs; end an API that remembers the logins of one address, or still hashes.

    A login that began under a high cost would store its hash after the healing.
    """
    bugs = read_bugs(tools.directory)
    if bugs.ignores_proxy or bugs.hash_rounds > Bugs.hash_rounds:
        tools.stop("api")
    write_bugs(tools.directory, Bugs())


def _repair_accounts(tools: FaultTools) -> None:
    with psycopg.connect(tools.lab.superuser_dsn, connect_timeout=5, options=WRITABLE) as admin:
        admin.execute("ALTER ROLE veza CONNECTION LIMIT -1")
    stored = accounts.hash_password(tools.lab.passwords.login)
    tools.query(
        "UPDATE users SET status = 'active', password_hash = %s WHERE status <> 'active'"
        " OR split_part(password_hash, '$', 2) <> %s",
        stored,
        str(accounts.ROUNDS),
    )
    login_seed.replace_attempts(tools.lab)


def _wait_for_a_login(tools: FaultTools) -> None:
    # Each try as another user: after many healings in a minute, the limit of logins refuses one
    # address, and to ask again would only lengthen that.
    users = itertools.cycle(random.sample(range(accounts.USERS), accounts.USERS))
    with httpx.Client(base_url=tools.lab.api_url, timeout=20) as client:
        tools.wait(lambda: login_load.visit(tools.lab, client, next(users)) == 200, 20, "a login")


def _repair_storage(tools: FaultTools) -> None:
    lab = tools.lab
    if is_mounted(lab.storage_root):
        storage.remount(lab.storage_root, f"rw,size={storage.SIZE},nr_inodes={storage.INODES}")
    moved_away = lab.storage_root / MOVED_AWAY
    if moved_away.is_dir():
        if lab.uploads.is_dir():
            # A new directory was made meanwhile: its files go into the original one.
            for path in lab.uploads.iterdir():
                path.rename(moved_away / path.name)
            lab.uploads.rmdir()
        moved_away.rename(lab.uploads)
    lab.uploads.mkdir(exist_ok=True)
    lab.uploads.chmod(0o755)
    if (lab.storage_root / BALLAST).is_dir():
        shutil.rmtree(lab.storage_root / BALLAST)
    for path in lab.uploads.iterdir():
        path.chmod(0o755 if path.is_dir() else 0o644)
        for file in path.iterdir() if path.is_dir() else ():
            file.chmod(0o644)


def _repair_database(tools: FaultTools) -> None:
    tools.start("postgres")
    tools.wait(lambda: postgres.is_ready(tools.lab), 30, "PostgreSQL is ready")
    if tools.is_read_only():
        # A session that it is opening may have read the setting, and is listed nowhere yet.
        tools.stop("api")
    # Whoever made the database writable again may have left sessions that are not.
    tools.set_read_only(on=False)
    _repair_accounts(tools)
    # Those of the stopped workers, which would pass for those of new ones.
    tools.query("DELETE FROM worker_heartbeats")
    tools.query("UPDATE api_tokens SET revoked_at = NULL WHERE revoked_at IS NOT NULL")


def _repair_broker(tools: FaultTools) -> None:
    if not (tools.directory / "rabbitmq" / "rabbitmq.conf").exists():
        return
    if not tools.lab.broker:
        tools.lab = dataclasses.replace(tools.lab, broker=True)
        tools.lab.save()
        targets.write(tools.lab)
        # The API was started without a broker and must read the new configuration.
        tools.stop("api")
    lab = tools.lab
    was_running = tools.pid("rabbitmq") is not None
    tools.start("epmd")
    tools.start("rabbitmq")
    tools.wait(lambda: _management_answers(tools), 60, "RabbitMQ is ready")
    if was_running and _has_alarm(tools):
        broker.control(lab, "set_vm_memory_high_watermark", MEMORY_WATERMARK)
        broker.control(lab, "set_disk_free_limit", DISK_FREE_LIMIT)
        tools.wait(lambda: not _has_alarm(tools), 20, "the end of the broker's alarms")
    permission = broker.path_of(lab, "permissions", broker.APPLICATION)
    broker.manage(lab, "PUT", permission, broker.rights(".*"))
    broker.set_message_ttl(lab, 0)
    found = broker.manage(lab, "GET", broker.path_of(lab, "queues"))
    declared = {queue["name"]: queue["arguments"] for queue in found}
    for name, arguments in broker.queues(lab).items():
        path = broker.path_of(lab, "queues", name)
        if declared.get(name, arguments) != arguments:
            # Somebody declared it again, and did not know them.
            broker.manage(lab, "DELETE", path)
        broker.manage(lab, "PUT", path, {"durable": True, "arguments": arguments})
        # No job is lost: each is in job_queue, and _requeue_uploads publishes it again.
        broker.manage(lab, "DELETE", f"{path}/contents")


def _management_answers(tools: FaultTools) -> bool:
    try:
        nodes = broker.manage(tools.lab, "GET", "/api/nodes")
        broker.manage(tools.lab, "GET", broker.path_of(tools.lab, "queues"))
    except LabError:
        return False
    return bool(nodes) and "mem_alarm" in nodes[0]


def _has_alarm(tools: FaultTools) -> bool:
    node = broker.manage(tools.lab, "GET", "/api/nodes")[0]
    return bool(node["mem_alarm"] or node["disk_free_alarm"])


def _requeue_uploads(tools: FaultTools) -> None:
    """Give each unfinished upload a new job, or mark it as failed when its file is lost."""
    rows = tools.query(
        "SELECT id::text, filename, size FROM uploads WHERE status NOT IN ('completed', 'failed')"
    )
    jobs: list[str] = []
    for upload, filename, size in rows:
        path = tools.lab.stored_file(upload, stored_name(filename))
        if path.is_file() and path.stat().st_size == size:
            jobs.append(_replace_job(tools, upload))
        else:
            _mark_as_lost(tools, upload)
    if tools.lab.broker and jobs:
        _publish(tools, jobs)


def _replace_job(tools: FaultTools, upload: str) -> str:
    """Delete the jobs of an upload, insert a pending one, and return its id."""
    with psycopg.connect(tools.lab.owner_dsn, connect_timeout=5, row_factory=dict_row) as session:
        database.delete_jobs(session, upload)
        return database.create_job(session, tools.lab.variant, upload)


def _mark_as_lost(tools: FaultTools, upload: str) -> None:
    """Mark an upload and its jobs as failed, as an operator does when the file is lost."""
    tools.query(
        "UPDATE uploads SET status = 'failed', updated_at = now(),"
        " error_message = 'the file was lost, please upload it again' WHERE id = %s",
        upload,
    )
    tools.query(
        "UPDATE job_queue SET status = 'failed', completed_at = now(), error = 'file lost'"
        " WHERE payload::jsonb ->> 'upload_id' = %s AND status <> 'completed'",
        upload,
    )


def _publish(tools: FaultTools, jobs: list[str]) -> None:
    queue = tools.lab.rabbitmq.queue
    try:
        connection = pika.BlockingConnection(pika.URLParameters(tools.lab.app_amqp_url))
        try:
            channel = connection.channel()
            channel.confirm_delivery()
            persistent = pika.BasicProperties(delivery_mode=2)
            for job in jobs:
                channel.basic_publish("", queue, job.encode(), persistent, mandatory=True)
        finally:
            connection.close()
    except AMQPError as exc:
        raise LabError(f"jobs could not be published again: {type(exc).__name__}") from exc


def _wait_for_requeued_uploads(tools: FaultTools) -> None:
    tools.wait(
        lambda: (
            not tools.query(
                "SELECT 1 FROM uploads WHERE status NOT IN ('completed', 'failed') LIMIT 1"
            )
        ),
        60,
        "the end of the stuck uploads",
    )
    if tools.lab.broker:
        tools.wait_for_queue(messages_ready=(0, 0), messages_unacknowledged=(0, 0))


def _delete_recorded_uploads(tools: FaultTools) -> None:
    """Delete the uploads that the faults made, through the API.

    A fault that did not take effect has recorded none, and they are known by their names.
    """
    track = sql.Identifier(tools.lab.variant.track_column)
    statement = sql.SQL(
        "SELECT id::text, {}::text FROM uploads WHERE id::text = ANY(%s) OR filename LIKE %s"
    ).format(track)
    values = (tools.recorded_uploads(), f"{STEM}-%")
    with psycopg.connect(tools.lab.owner_dsn, connect_timeout=5) as session:
        rows = session.execute(statement, values).fetchall()
    for upload, track_id in rows:
        path = tools.lab.variant.routes.delete.format(upload_id=upload, track_id=track_id)
        answer = tools.client.delete(path)
        # 404: the load generator has deleted it already.
        if answer.status_code not in (200, 404):
            raise LabError(f"upload {upload} could not be deleted: {answer.text[:200]}")
    # Otherwise the next fault would find them, and nobody would know whose they are.
    left = tools.query(
        "SELECT id::text, status::text FROM uploads WHERE filename LIKE %s", f"{STEM}-%"
    )
    if left:
        raise LabError(f"uploads of a fault are left: {left}; deleted: {rows}")
    tools.forget_recorded_uploads()


def delete_logs(tools: FaultTools) -> None:
    """Delete the logs: otherwise the fault's errors would stay recent for 15 minutes."""
    for directory in (tools.lab.app_logs, tools.lab.worker_logs):
        for path in directory.iterdir():
            path.unlink()


def _verify(tools: FaultTools) -> None:
    """Wait until a new upload completes and every figure is that of a healthy lab."""
    _wait_for_a_login(tools)
    name = f"healed-{uuid4().hex[:12]}.wav"
    tools.send(name, tone(0.2))
    rows = tools.query("SELECT id::text FROM uploads WHERE filename = %s", name)
    tools.wait_for_uploads([row[0] for row in rows], "completed", "completed")
    logs = [log for worker in tools.lab.workers for log in tools.lab.worker_log_files(worker)]
    for log in (tools.lab.api_log, *logs):
        tools.wait(log.exists, 10, f"the first line in {log.name}")
    tools.wait_for_settled_worker()
    if tools.lab.broker:
        workers = len(tools.lab.workers)
        # The management API's figures lag. Two messages may be new uploads.
        tools.wait_for_queue(
            messages_ready=(0, 2), messages_unacknowledged=(0, 2), consumers=(workers, workers)
        )
