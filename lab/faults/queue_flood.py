"""Fill the upload queue with other work, faster than the worker consumes it."""

from __future__ import annotations

import threading

import pika

from lab.program import load_lab

FIRST_MESSAGES = 3000
MESSAGES_PER_SECOND = 10
MESSAGES_MAX = 20_000


def main() -> None:
    """Publish until the limit, or until the supervisor stops this process."""
    lab = load_lab("lab.faults.queue_flood", __doc__)
    queue = lab.rabbitmq.queue
    channel = pika.BlockingConnection(pika.URLParameters(lab.app_amqp_url)).channel()
    for _ in range(FIRST_MESSAGES):
        channel.basic_publish("", queue, b"notify")
    pause = threading.Event()
    for _ in range((MESSAGES_MAX - FIRST_MESSAGES) // MESSAGES_PER_SECOND):
        channel.connection.process_data_events(0)
        for _ in range(MESSAGES_PER_SECOND):
            channel.basic_publish("", queue, b"notify")
        pause.wait(1.0)


if __name__ == "__main__":
    main()
