"""Consume every message of the upload queue and acknowledge none."""

from __future__ import annotations

import pika

from lab.program import load_lab


def main() -> None:
    """Consume until the supervisor stops this process."""
    lab = load_lab("lab.faults.unacking_consumer", __doc__)
    parameters = pika.URLParameters(lab.app_amqp_url)
    parameters.client_properties = {"connection_name": "migration-script"}
    channel = pika.BlockingConnection(parameters).channel()
    # Its priority is above the worker's, and it has no prefetch limit: it gets everything.
    channel.basic_consume(lab.rabbitmq.queue, lambda *_: None, arguments={"x-priority": 10})
    channel.start_consuming()


if __name__ == "__main__":
    main()
