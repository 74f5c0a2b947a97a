"""A consumer that takes every message and acknowledges none."""

from __future__ import annotations

import argparse
from pathlib import Path

import pika

from lab.state import QUEUE, load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, required=True)
    lab = load(parser.parse_args().dir)
    parameters = pika.URLParameters(lab.app_amqp_url)
    parameters.client_properties = {"connection_name": "migration-script"}
    channel = pika.BlockingConnection(parameters).channel()
    # Preferred to the worker, and without a limit of what it may hold.
    channel.basic_consume(QUEUE, lambda *_: None, arguments={"x-priority": 10})
    channel.start_consuming()


if __name__ == "__main__":
    main()
