"""Sources of the worker's jobs: RabbitMQ, or the job_queue table in a lab without a broker."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

import pika
import psycopg
from pika.exceptions import AMQPError

from lab import database
from lab.bugs import read_bugs
from lab.processing import BrokerAnswer, Processor

if TYPE_CHECKING:
    from pika.adapters.blocking_connection import BlockingChannel
    from pika.spec import Basic, BasicProperties

    from lab.state import Lab
    from lab.zaplog import ZapLog

CONCURRENCY = 4
RETRY_SECONDS = 1.0
REJECT_SECONDS = 0.05
OTHER_WORK_SECONDS = 0.5


class JobConsumer(Protocol):
    """Gets jobs from one source and processes them until the worker stops."""

    consuming: bool

    def run(self) -> None:
        """Process jobs until the `stop` event is set."""


class BrokerConsumer:
    """Consumes a few messages at a time and acknowledges each when its job has ended."""

    def __init__(self, lab: Lab, processor: Processor, zap: ZapLog, stop: threading.Event) -> None:
        self.consuming = False
        self._lab = lab
        self._queue = lab.rabbitmq.queue
        self._processor = processor
        self._zap = zap
        self._stop = stop
        self._pool = ThreadPoolExecutor(CONCURRENCY, "job")

    def run(self) -> None:
        while not self._stop.is_set():
            try:
                self._consume()
            except (AMQPError, OSError) as exc:
                self._zap.warn(
                    "jobs/consumer.go:52", "broker connection lost", reason=type(exc).__name__
                )
            self.consuming = False
            self._stop.wait(RETRY_SECONDS)

    def _consume(self) -> None:
        parameters = pika.URLParameters(self._lab.app_amqp_url)
        # Short, so that the broker notices a frozen worker within seconds.
        parameters.heartbeat = 5
        parameters.client_properties = {"connection_name": "veza-worker"}
        connection = pika.BlockingConnection(parameters)
        try:
            channel = connection.channel()
            channel.basic_qos(prefetch_count=CONCURRENCY)
            channel.add_on_cancel_callback(self._on_cancel)
            # The worker does not declare the queue: a deleted queue is for an operator to restore.
            tag = channel.basic_consume(
                self._queue,
                lambda _, method, properties, body: self._on_message(
                    connection, channel, method, properties, body
                ),
            )
            self.consuming = True
            self._zap.info("jobs/consumer.go:61", "job worker consuming", queue=self._queue)
            while not self._stop.is_set() and channel.is_open:
                connection.process_data_events(0.25)
                if self.consuming and read_bugs(self._lab.directory).stops_consuming:
                    channel.basic_cancel(tag)
                    self.consuming = False
                elif not (self.consuming or read_bugs(self._lab.directory).stops_consuming):
                    return
        finally:
            if connection.is_open:
                connection.close()

    def _on_cancel(self, _: object) -> None:
        self.consuming = False
        self._zap.warn("jobs/consumer.go:74", "consumer cancelled by the broker", queue=self._queue)

    def _on_message(
        self,
        connection: pika.BlockingConnection,
        channel: BlockingChannel,
        method: Basic.Deliver,
        _: BasicProperties,
        body: bytes,
    ) -> None:
        tag = method.delivery_tag

        def work() -> None:
            answer = self._process(body)
            if answer is BrokerAnswer.RETRY:
                time.sleep(RETRY_SECONDS)
            elif answer is BrokerAnswer.REJECT:
                time.sleep(REJECT_SECONDS)
            try:
                connection.add_callback_threadsafe(lambda: acknowledge(answer))
            except AMQPError:
                self._zap.warn(
                    "jobs/consumer.go:96", "not acknowledged, the broker will deliver it again"
                )

        def acknowledge(answer: BrokerAnswer) -> None:
            if not channel.is_open:
                return
            if answer is BrokerAnswer.DONE:
                channel.basic_ack(tag)
            else:
                channel.basic_nack(tag, requeue=answer is not BrokerAnswer.DEAD)

        self._pool.submit(work)

    def _process(self, body: bytes) -> BrokerAnswer:
        job = body.decode("ascii", errors="replace")
        if not self._lab.variant.ids.pattern.fullmatch(job):
            # A message of other work in the same queue. It takes a while, as the call of a service.
            self._stop.wait(OTHER_WORK_SECONDS)
            return BrokerAnswer.DONE
        bugs = read_bugs(self._lab.directory)
        if bugs.ignores_messages:
            return BrokerAnswer.DONE
        if bugs.rejects_messages:
            return BrokerAnswer.REJECT
        if bugs.deadlocks:
            threading.Event().wait()
        return self._processor.process(job)


class TableConsumer:
    """Polls the job_queue table for pending jobs."""

    def __init__(
        self,
        lab: Lab,
        processor: Processor,
        pool: database.Pool,
        zap: ZapLog,
        stop: threading.Event,
    ) -> None:
        self.consuming = False
        self._lab = lab
        self._processor = processor
        self._database = pool
        self._zap = zap
        self._stop = stop
        self._threads = ThreadPoolExecutor(CONCURRENCY, "job")
        self._running: set[str] = set()

    def run(self) -> None:
        self._zap.info("jobs/poller.go:33", "job worker polling the job_queue table")
        while not self._stop.wait(0.3):
            self.consuming = not read_bugs(self._lab.directory).stops_consuming
            if not self.consuming:
                continue
            try:
                self._submit_pending()
            except psycopg.Error as exc:
                self.consuming = False
                self._zap.warn(
                    "jobs/poller.go:47", "job_queue cannot be read", reason=database.reason(exc)
                )

    def _submit_pending(self) -> None:
        free = CONCURRENCY - len(self._running)
        if free <= 0:
            return
        with self._database.connection() as session:
            rows = session.execute(
                "SELECT id::text FROM job_queue WHERE type = %s AND status = 'pending'"
                " AND NOT id::text = ANY(%s) ORDER BY created_at LIMIT %s",
                (self._lab.variant.job_type, list(self._running), free),
            ).fetchall()
        for row in rows:
            self._running.add(row["id"])
            self._threads.submit(self._work, row["id"])

    def _work(self, job: str) -> None:
        try:
            if self._processor.process(job) is BrokerAnswer.RETRY:
                time.sleep(RETRY_SECONDS)
        finally:
            self._running.discard(job)
