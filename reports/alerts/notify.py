"""One message an incident, and a sign of life after each run: `python -m reports notify`.

Safe to call again for the same report: what was told is told once, what could not be is retried.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from reports.alerts.addresses import GivenError
from reports.alerts.delivery import DESTINATIONS_MAX, deliver
from reports.alerts.heartbeat import ping
from reports.alerts.http_call import CallError
from reports.alerts.maintenance import is_quiet
from reports.alerts.message import body_of, title_of
from reports.alerts.outbox import Outbox, key_of
from reports.alerts.policy import Rule, judging, step
from reports.history.store import NAME, HistoryError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Literal

    from reports.alerts.maintenance import Window
    from reports.alerts.policy import Seen
    from reports.model.report import Report

LOCK = ".notify.lock"

LOCK_WAIT = 45.0
"""Seconds that a call waits for another of the same target, which takes at most about 30."""


@dataclass(frozen=True)
class Settings:
    """Who is told, and when. `addresses` are apprise's; `heartbeat` an http one, None for neither.

    `heartbeat_fails_on`: which states are pinged as a failure.
    """

    addresses: tuple[str, ...] = ()
    rule: Rule = field(default_factory=Rule)
    windows: tuple[Window, ...] = ()
    link_base: str | None = None
    heartbeat: str | None = None
    heartbeat_fails_on: Literal["incident", "unknown", "never"] = "incident"


def notify(report: Report, path: Path, settings: Settings, now: float | None = None) -> list[str]:
    """Tell of a report what is to be told; returns what could not be, one sentence each.

    `path` is the report's file, and its folder holds the history. `now` is Unix time.
    """
    now = time.time() if now is None else now
    addresses = tuple(dict.fromkeys(settings.addresses))[:DESTINATIONS_MAX]
    try:
        with FileLock(path.parent / LOCK, timeout=LOCK_WAIT):
            box, note = Outbox.open(path.parent / NAME)
            with box:
                problems = [note] if note else []
                return problems + _tell(box, report, path, settings, addresses, now)
    except Timeout:
        return [f"nobody was told: another call for {path.parent} is still at it"]
    except (HistoryError, OSError) as exc:
        reason = str(exc) if isinstance(exc, HistoryError) else f"{path.parent}: {exc.strerror}"
        blind = _beat(settings, ok=False, said=f"No message can be sent: {reason}")
        return [f"nobody was told, for what was told before cannot be known: {reason}", *blind]


def _tell(
    box: Outbox,
    report: Report,
    path: Path,
    settings: Settings,
    addresses: tuple[str, ...],
    now: float,
) -> list[str]:
    problems = []
    key = key_of(report)
    quiet = is_quiet(settings.windows, datetime.fromtimestamp(now, UTC))
    with box.changing():
        box.add_run(key, report)
        runs = box.runs()
        if addresses and not quiet and box.judge(key):
            alert, change = step(box.alert(), runs, settings.rule, now)
            box.keep(alert)
            if change:
                text = body_of(report, change, path, settings.link_base)
                if not box.post(change.what, change.kind, title_of(report, change), text):
                    problems.append("too many messages wait: the oldest is given up")
    if settings.heartbeat and not box.pinged(key):
        ok = _counts_as_success(report, runs, settings)
        silent = _beat(settings, ok=ok, said=report.headline)
        problems += silent
        if not silent:
            box.ping(key)
    if addresses and not quiet:
        undelivered = deliver(box, addresses)
        problems += [f"not delivered, and kept for the next call: {why}" for why in undelivered]
    return problems


def _judges(runs: Sequence[Seen], rule: Rule) -> bool:
    """Whether the last run could end an incident, as far as there was one."""
    counted = judging(runs, rule)
    return bool(counted) and counted[-1] is runs[-1]


def _beat(settings: Settings, *, ok: bool, said: str) -> list[str]:
    if not settings.heartbeat:
        return []
    try:
        ping(settings.heartbeat, ok=ok, said=said)
    except (CallError, GivenError) as exc:
        return [f"the heartbeat was not delivered: {exc}"]
    return []


def _counts_as_success(report: Report, runs: Sequence[Seen], settings: Settings) -> bool:
    if settings.heartbeat_fails_on == "never":
        return True
    verdict = settings.rule.verdict(report.state)
    if settings.heartbeat_fails_on == "incident" and not _judges(runs, settings.rule):
        # Nobody has seen the incident over, and a success would say so.
        return False
    return verdict == "good" or (settings.heartbeat_fails_on == "unknown" and verdict != "unknown")
