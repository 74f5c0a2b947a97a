"""Somebody else's work in the uploads' queue, more of it than is worked off."""

from __future__ import annotations

import argparse
import threading
from pathlib import Path

import pika

from lab.state import QUEUE, load

AT_ONCE = 3000
PER_SECOND = 10
MAX = 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, required=True)
    lab = load(parser.parse_args().dir)
    channel = pika.BlockingConnection(pika.URLParameters(lab.app_amqp_url)).channel()
    for _ in range(AT_ONCE):
        channel.basic_publish("", QUEUE, b"notify")
    pause = threading.Event()
    for _ in range((MAX - AT_ONCE) // PER_SECOND):
        channel.connection.process_data_events(0)
        for _ in range(PER_SECOND):
            channel.basic_publish("", QUEUE, b"notify")
        pause.wait(1.0)


if __name__ == "__main__":
    main()
