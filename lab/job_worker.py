"""The job worker: `python -m lab.job_worker --dir DIR`."""

from __future__ import annotations

import os
import signal
import threading
import time

import psycopg

from lab import database
from lab.bugs import read_bugs
from lab.consumers import BrokerConsumer, JobConsumer, TableConsumer
from lab.processing import Processor
from lab.program import argument_parser
from lab.state import WORKER, load
from lab.zaplog import ZapLog

HEARTBEAT_SECONDS = 1.0


def main() -> None:
    """Process jobs until SIGTERM."""
    parser = argument_parser("lab.job_worker", __doc__)
    parser.add_argument("--name", default=WORKER, help="its name, of several on this host")
    arguments = parser.parse_args()
    directory = arguments.dir
    lab = load(directory)
    zap = ZapLog(lab.variant, *lab.worker_log_files(arguments.name))
    zap.info("jobs/worker.go:41", "Job Worker démarré", pid=os.getpid(), broker=lab.broker)
    if read_bugs(directory).dies_at_start:
        time.sleep(0.5)
        raise SystemExit("panic: runtime error: invalid memory address or nil pointer dereference")
    pool = database.Pool(lab.owner_dsn, "veza-worker")
    processor = Processor(lab, pool, zap)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    consumer: JobConsumer
    if lab.broker:
        consumer = BrokerConsumer(lab, processor, zap, stop)
    else:
        consumer = TableConsumer(lab, processor, pool, zap, stop)
    threading.Thread(
        target=_send_heartbeats,
        args=(arguments.name, pool, zap, consumer, stop),
        name="heartbeat",
        daemon=True,
    ).start()
    consumer.run()
    zap.info("jobs/worker.go:97", "job worker stopped", pid=os.getpid())
    # Exit at once: a job that never returns must not keep the process alive.
    os._exit(0)


def _send_heartbeats(
    worker: str, pool: database.Pool, zap: ZapLog, consumer: JobConsumer, stop: threading.Event
) -> None:
    while not stop.wait(HEARTBEAT_SECONDS):
        try:
            with pool.connection() as session:
                database.heartbeat(session, worker, consumer.consuming)
        except psycopg.Error as exc:
            zap.warn("jobs/worker.go:70", "heartbeat not stored", reason=database.reason(exc))
        # Also written by an idle worker: so a silent log means that no worker runs.
        zap.info("jobs/worker.go:66", "job worker heartbeat", consuming=consumer.consuming)


if __name__ == "__main__":
    main()
