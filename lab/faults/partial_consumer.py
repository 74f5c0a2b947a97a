"""Consume the upload queue in turn with the workers, and acknowledge nothing."""

from __future__ import annotations

import argparse
from pathlib import Path

import pika

from lab.state import load


def main() -> None:
    """Consume until the supervisor stops this process."""
    parser = argparse.ArgumentParser(
        prog="python -m lab.faults.partial_consumer", description=__doc__
    )
    parser.add_argument("--dir", type=Path, required=True, help="the lab's directory")
    lab = load(parser.parse_args().dir)
    parameters = pika.URLParameters(lab.app_amqp_url)
    parameters.client_properties = {"connection_name": "statistics-export"}
    channel = pika.BlockingConnection(parameters).channel()
    # Without a priority: the broker serves the consumers in turn.
    channel.basic_consume(lab.rabbitmq.queue, lambda *_: None)
    channel.start_consuming()


if __name__ == "__main__":
    main()
