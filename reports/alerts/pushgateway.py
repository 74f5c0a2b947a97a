"""Push the run's metrics to a Pushgateway, for a run that leaves no file to be scraped.

https://github.com/prometheus/pushgateway#put-method: the whole group of this target is replaced.
"""

from __future__ import annotations

from urllib.parse import quote

from core.language import tr
from reports.alerts.addresses import OptionError, parse_http_address, read_secret
from reports.alerts.http_call import call
from reports.model.report import Report

JOB = "veza_checks"


def push(report: Report, to: str) -> None:
    """Put the metrics of a report at `to`: an address, or env:NAME or file:PATH with it.

    Raises OptionError, CallError.
    """
    from reports.render.prometheus import render  # its library takes long to load

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
