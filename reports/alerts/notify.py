"""Send the messages and the heartbeat that are due after a run: `python -m reports notify`.

Safe to call again for the same report: each message is sent once, and an undelivered one is
retried.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from core.files import lock_file
from core.frozen import frozen
from core.language import tr
from core.text import titled
from reports.alerts.addresses import OptionError
from reports.alerts.delivery import DESTINATIONS_MAX, deliver
from reports.alerts.destinations import destinations_of
from reports.alerts.heartbeat import ping
from reports.alerts.http_call import CallError
from reports.alerts.incident_services import AlertedTarget
from reports.alerts.maintenance import Window, in_maintenance
from reports.alerts.message import body_of, link_of, title_of
from reports.alerts.outbox import UNDELIVERED_MAX, Outbox, report_key
from reports.alerts.policy import AlertRun, Rule, counted_runs, next_alert
from reports.history.store import NAME, HistoryError
from reports.model.report import Report

LOCK = ".notify.lock"

LOCK_WAIT = 45.0
"""Seconds that a call waits for another one of the same target, which takes at most about 30."""


@frozen
class Settings:
    """The destinations and the rule. `heartbeat` is an http address.

    `heartbeat_fails_on`: the states that are pinged as a failure.
    """

    addresses: tuple[str, ...] = ()
    rule: Rule = field(default_factory=Rule)
    windows: tuple[Window, ...] = ()
    link_base: str | None = None
    heartbeat: str | None = None
    heartbeat_fails_on: Literal["incident", "unknown", "never"] = "incident"


def notify(report: Report, path: Path, settings: Settings, now: float | None = None) -> list[str]:
    """Send what is due after a report; returns the problems, one sentence each.

    `path` is the report's file, and its folder has the history. `now` is Unix time.
    """
    now = time.time() if now is None else now
    try:
        with lock_file(path.parent / LOCK, LOCK_WAIT):
            box, note = Outbox.open(path.parent / NAME)
            with box:
                problems = _send_due(box, report, path, settings, now)
                return [note, *problems] if note else problems
    except BlockingIOError:
        return [
            tr(
                "no message was sent: another call for {folder} is still running",
                folder=path.parent,
            )
        ]
    except (HistoryError, OSError) as exc:
        reason = str(exc) if isinstance(exc, HistoryError) else f"{path.parent}: {exc.strerror}"
        beat_problems = _beat(
            settings, success=False, headline=tr("No message can be sent: {reason}", reason=reason)
        )
        return [
            tr("no message was sent, because it could be a duplicate: {reason}", reason=reason),
            *beat_problems,
        ]


def _send_due(box: Outbox, report: Report, path: Path, settings: Settings, now: float) -> list[str]:
    addresses = tuple(dict.fromkeys(settings.addresses))[:DESTINATIONS_MAX]
    link = link_of(report, settings.link_base) if settings.link_base else ""
    destinations = destinations_of(addresses, AlertedTarget(report.target.name, link))
    problems = [titled(f"--to: {one.name}", one.problem) for one in destinations if one.problem]
    if in_maintenance(settings.windows, datetime.fromtimestamp(now, UTC)):
        destinations = ()
    key = report_key(report)
    with box.transaction():
        box.add_run(key, report)
        runs = box.runs()
        if destinations and box.mark_evaluated(key):
            alert, change = next_alert(box.alert(), runs, settings.rule, now)
            box.save_alert(alert)
            if change:
                body = body_of(report, change, path, settings.link_base)
                if not box.add_message(change, title_of(report, change), body):
                    problems.append(
                        tr(
                            "more than {most} messages wait: the oldest was dropped",
                            most=UNDELIVERED_MAX,
                        )
                    )
    if settings.heartbeat and not box.is_pinged(key):
        success = _is_success(report, runs, settings)
        failures = _beat(settings, success=success, headline=report.headline)
        problems += failures
        if not failures:
            box.mark_pinged(key)
    if destinations:
        undelivered = deliver(box, destinations)
        problems += [
            tr("not delivered, the next call tries again: {reason}", reason=reason)
            for reason in undelivered
        ]
    return problems


def _beat(settings: Settings, *, success: bool, headline: str) -> list[str]:
    """Send the heartbeat, where there is one; returns the problem, if any."""
    if not settings.heartbeat:
        return []
    try:
        ping(settings.heartbeat, success=success, headline=headline)
    except (CallError, OptionError) as exc:
        return [tr("the heartbeat was not delivered: {reason}", reason=exc)]
    return []


def _is_success(report: Report, runs: Sequence[AlertRun], settings: Settings) -> bool:
    """Return whether the run is pinged as a success."""
    if settings.heartbeat_fails_on == "never":
        return True
    severity = settings.rule.severity(report.state)
    if settings.heartbeat_fails_on == "unknown":
        return severity != "unknown"
    counted = counted_runs(runs, settings.rule)
    # A run that does not count has not observed the end of an incident.
    return severity == "good" and bool(counted) and counted[-1] is runs[-1]
