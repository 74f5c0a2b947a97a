"""Consume messages of the upload queue and acknowledge none."""

from __future__ import annotations

import pika

from lab.program import argument_parser
from lab.state import load


def main() -> None:
    """Consume until the supervisor stops this process."""
    parser = argument_parser("lab.faults.unacking_consumer", __doc__)
    parser.add_argument("--name", required=True, help="the name of its connection")
    parser.add_argument("--priority", type=int, default=0, help="that of a worker is 0")
    arguments = parser.parse_args()
    lab = load(arguments.dir)
    parameters = pika.URLParameters(lab.app_amqp_url)
    parameters.client_properties = {"connection_name": arguments.name}
    channel = pika.BlockingConnection(parameters).channel()
    # It has no prefetch limit: with a higher priority than the workers it gets everything. With
    # the same, the broker serves the consumers in turn.
    channel.basic_consume(
        lab.rabbitmq.queue, lambda *_: None, arguments={"x-priority": arguments.priority}
    )
    channel.start_consuming()


if __name__ == "__main__":
    main()
