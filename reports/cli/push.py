"""`python -m reports push`: the run's metrics, for a run that leaves no file to be scraped.

https://github.com/prometheus/pushgateway#put-method: the whole group of this target is replaced.
"""

from __future__ import annotations

import argparse
from urllib.parse import quote

from core.language import tr
from reports.alerts.addresses import OptionError, parse_http_address, read_secret
from reports.alerts.http_call import call
from reports.cli.command import Commands, add_reader, load_whole_report

JOB = "veza_checks"


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
    """Put the metrics of a report at the address; raises OptionError, CallError."""
    from reports.render.prometheus import render  # its library takes long to load

    report, to = load_whole_report(options.report), options.to
    plain = to.startswith(("http://", "https://"))
    if not plain and not to.startswith(("env:", "file:")):
        raise OptionError(tr("--to: write http://HOST:PORT, env:NAME or file:PATH"))
    parts = parse_http_address(to if plain else read_secret(to, "--to"), "--to")
    if plain and parts.password is not None:
        raise OptionError(tr("--to: write an address with a password as env:NAME or file:PATH"))
    group = f"/metrics/job/{JOB}/target/{quote(report.target.name, safe='')}"
    if report.runbook_name:
        group += f"/runbook/{quote(report.runbook_name, safe='')}"
    address = parts._replace(path=parts.path.rstrip("/") + group, query="", fragment="")
    call("PUT", address, render(report), {"Content-Type": "text/plain; version=0.0.4"})
    return 0
