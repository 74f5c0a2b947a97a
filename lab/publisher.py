"""Hands new jobs to RabbitMQ; keeps them while it is down or blocked, for they are in the table."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

import pika
from pika.exceptions import AMQPError, ConnectionBlockedTimeout

from lab.state import QUEUE, Lab

if TYPE_CHECKING:
    from uuid import UUID

    from lab.zaplog import ZapLog

CALLER = "queue/publisher.go"
KEPT_MAX = 10_000


class Publisher:
    """One thread with one connection. `state` is "ok" or why jobs cannot be handed over."""

    def __init__(self, lab: Lab, zap: ZapLog) -> None:
        self.state = "not connected yet"
        self._lab = lab
        self._zap = zap
        # The oldest are forgotten first; they stay pending in job_queue.
        self._waiting: deque[UUID] = deque(maxlen=KEPT_MAX)
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def publish(self, job: UUID) -> None:
        """Hand the job over as soon as that is possible; returns at once."""
        self._waiting.append(job)

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            try:
                self._serve()
            except ConnectionBlockedTimeout:
                self._set_state("blocked by the broker")
            except (AMQPError, OSError) as exc:
                self._set_state(type(exc).__name__)
            pause.wait(1.0)

    def _serve(self) -> None:
        parameters = pika.URLParameters(self._lab.app_amqp_url)
        parameters.heartbeat = 10
        # A publisher that is held back does not hear anything else meanwhile; so it is let go.
        parameters.blocked_connection_timeout = 4
        parameters.client_properties = {"connection_name": "veza-api"}
        connection = pika.BlockingConnection(parameters)
        try:
            channel = connection.channel()
            channel.confirm_delivery()
            properties = pika.BasicProperties(delivery_mode=2, content_type="text/plain")
            while True:
                connection.process_data_events(0.05)
                while self._waiting:
                    job = self._waiting[0]
                    # Mandatory: a queue that is gone must not swallow the job.
                    channel.basic_publish("", QUEUE, str(job).encode(), properties, mandatory=True)
                    self._waiting.popleft()
                # Only now: a connection that opens may be one on which nothing can be published.
                self._set_state("ok")
        finally:
            if connection.is_open:
                connection.close()

    def _set_state(self, state: str) -> None:
        if state != self.state:
            self.state = state
            if state == "ok":
                self._zap.info(f"{CALLER}:40", "broker connected", queue=QUEUE)
            else:
                self._zap.warn(
                    f"{CALLER}:44", "broker unavailable, new jobs stay in job_queue", reason=state
                )
