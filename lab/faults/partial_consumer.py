"""Consume the upload queue in turn with the workers, and acknowledge nothing."""

from __future__ import annotations

import pika

from lab.program import load_lab


def main() -> None:
    """Consume until the supervisor stops this process."""
    lab = load_lab("lab.faults.partial_consumer", __doc__)
    parameters = pika.URLParameters(lab.app_amqp_url)
    parameters.client_properties = {"connection_name": "statistics-export"}
    channel = pika.BlockingConnection(parameters).channel()
    # Without a priority: the broker serves the consumers in turn.
    channel.basic_consume(lab.rabbitmq.queue, lambda *_: None)
    channel.start_consuming()


if __name__ == "__main__":
    main()
