"""Publish new jobs to RabbitMQ; while it is down or blocks publishers, keep them in memory."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

import pika
from pika.exceptions import AMQPError, ConnectionBlockedTimeout

if TYPE_CHECKING:
    from lab.state import Lab
    from lab.zaplog import ZapLog

CALLER = "queue/publisher.go"
WAITING_MAX = 10_000


class Publisher:
    """A thread with one connection; `state` is "ok" or the reason why it cannot publish."""

    def __init__(self, lab: Lab, zap: ZapLog) -> None:
        self.state = "not connected yet"
        self._lab = lab
        self._zap = zap
        # When it is full, the oldest job is dropped; its row stays pending in job_queue.
        self._waiting: deque[str] = deque(maxlen=WAITING_MAX)
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def publish(self, job: str) -> None:
        """Have a job published as soon as possible; returns at once."""
        self._waiting.append(job)

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            try:
                self._publish_waiting()
            except ConnectionBlockedTimeout:
                self._set_state("blocked by the broker")
            except (AMQPError, OSError) as exc:
                self._set_state(type(exc).__name__)
            pause.wait(1.0)

    def _publish_waiting(self) -> None:
        """Connect and publish the waiting jobs until an error ends the connection."""
        parameters = pika.URLParameters(self._lab.app_amqp_url)
        parameters.heartbeat = 10
        # A blocked publisher handles nothing else, so it gives up soon and connects again.
        parameters.blocked_connection_timeout = 4
        parameters.client_properties = {"connection_name": "veza-api"}
        connection = pika.BlockingConnection(parameters)
        queue = self._lab.rabbitmq.queue
        try:
            channel = connection.channel()
            channel.confirm_delivery()
            properties = pika.BasicProperties(delivery_mode=2, content_type="text/plain")
            while True:
                connection.process_data_events(0.05)
                while self._waiting:
                    job = self._waiting[0]
                    # Mandatory: a deleted queue is an error, or the job would vanish.
                    channel.basic_publish("", queue, job.encode(), properties, mandatory=True)
                    self._waiting.popleft()
                # Not before: on a connection that opens, publishing may still be blocked.
                self._set_state("ok")
        finally:
            if connection.is_open:
                connection.close()

    def _set_state(self, state: str) -> None:
        if state != self.state:
            self.state = state
            if state == "ok":
                self._zap.info(f"{CALLER}:40", "broker connected", queue=self._lab.rabbitmq.queue)
            else:
                self._zap.warn(
                    f"{CALLER}:44", "broker unavailable, new jobs stay in job_queue", reason=state
                )
