"""`python -m reports push`."""

from __future__ import annotations

import argparse

from core.language import tr
from reports.alerts.pushgateway import push
from reports.cli.command import Commands, add_reader, load_whole_report


def add_to(commands: Commands) -> None:
    parser = add_reader(
        commands, "push", run, tr("push the run's metrics to a Prometheus Pushgateway")
    )
    parser.add_argument(
        "--to",
        required=True,
        metavar="URL",
        help=tr("the gateway, such as http://gateway:9091; with a password, env:NAME or file:PATH"),
    )


def run(options: argparse.Namespace) -> int:
    """Push the metrics; raises OptionError, CallError."""
    push(load_whole_report(options.report), options.to)
    return 0
