"""The alert policy: which message is due after a run. Pure.

Runs count in the order in which they were recorded, never by their clocks. A run of unknown state
neither confirms nor ends an incident; several of them are an alert of their own, because silence is
not health. A run that did not observe the checks of an incident does not end it either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from typing import Literal

from core.frozen import frozen
from reports.history.incidents import unobserved

Severity = Literal["good", "at risk", "incident", "unknown"]
Event = Literal["alert", "worse", "reminder", "recovery"]

RUNS_MAX = 200
"""Runs that are searched for the start of an alert."""

_RANK = {"good": 0, "unknown": 1, "at risk": 2, "incident": 3}


@frozen
class Rule:
    """`confirm` bad runs of the last `of` make an alert; a reminder every `remind_every` seconds.

    `at_risk`: a risk makes an alert too, not an incident only.
    """

    confirm: int = 2
    of: int = 2
    remind_every: float = 4 * 3600.0
    at_risk: bool = False

    def severity(self, state: str) -> Severity:
        """Return how severe a run's state is by this rule."""
        if state == "incident":
            return "incident"
        if state == "at risk":
            return "at risk" if self.at_risk else "good"
        return "good" if state == "healthy" else "unknown"


@frozen
class AlertRun:
    """One run as the policy reads it; `started` is ISO 8601 in UTC.

    `outcomes` are the checks that passed or failed, `symptoms` the failed symptoms.
    """

    state: str
    started: str
    symptoms: tuple[str, ...] = ()
    outcomes: Mapping[str, str] = field(default_factory=dict)


@frozen
class Alert:
    """The open alert; its `kind` is "good" where none is open.

    `since` is the start of the first bad run of this kind, `notified` the Unix time of the last
    message. `episode` is the start of the first bad run of all: it stays the same until all is good
    again, whatever the alert turns into.
    """

    kind: Severity = "good"
    since: str = ""
    notified: float = 0.0
    episode: str = ""


@frozen
class Change:
    """A message that is due: the event, the kind of alert, its start and its duration in seconds.

    `seconds` is None where a clock that was set back makes the duration negative. `episode` is that
    of the alert.
    """

    event: Event
    kind: Severity
    since: str
    seconds: float | None
    episode: str


def next_alert(
    alert: Alert, runs: Sequence[AlertRun], rule: Rule, now: float
) -> tuple[Alert, Change | None]:
    """Return the alert after the last of these runs (oldest first), and the message that is due.

    `now` is Unix time. A message is due when an alert is confirmed, when a risk or an unknown state
    turns into something worse, and when the last run is good and the rule no longer holds.
    """
    runs = runs[-RUNS_MAX:]
    counted = counted_runs(runs, rule)
    if not counted or counted[-1] is not runs[-1]:
        return alert, None
    severities = [(rule.severity(run.state), run.started) for run in counted]
    latest, started = severities[-1]
    kind, since = _confirmed(severities, rule)
    if _RANK[kind] > _RANK[alert.kind]:
        # A risk that becomes an incident is one alert; an unknown state before it is another.
        since = alert.since if alert.kind == "at risk" else since
        event: Event = "alert" if alert.kind == "good" else "worse"
        opened = Alert(kind, since, now, alert.episode or since)
        return opened, Change(event, kind, since, _seconds(since, started), opened.episode)
    if alert.kind == "good":
        return alert, None
    if latest == "good":
        if _is_flapping(severities, alert, rule):
            return alert, None
        seconds = _seconds(alert.since, _first_good(severities))
        return Alert(), Change("recovery", alert.kind, alert.since, seconds, alert.episode)
    if now < alert.notified:
        # The clock was set back: the wait for the reminder starts again.
        return replace(alert, notified=now), None
    if now - alert.notified >= rule.remind_every:
        seconds = _seconds(alert.since, started)
        reminder = Change("reminder", alert.kind, alert.since, seconds, alert.episode)
        return replace(alert, notified=now), reminder
    return alert, None


def counted_runs(runs: Sequence[AlertRun], rule: Rule) -> list[AlertRun]:
    """Return the runs that count for an alert.

    After a bad run, a better one counts only if it observed each check that had failed: it does not
    if it was narrowed, was interrupted or skipped them.
    """
    counted: list[AlertRun] = []
    open_checks: set[str] = set()
    for run in runs:
        severity = rule.severity(run.state)
        if severity in ("good", "at risk") and unobserved(open_checks, run.outcomes):
            continue
        if severity == "good":
            open_checks.clear()
        elif severity in ("at risk", "incident"):
            # Where a risk is an alert too, it is over only when no cause fails either.
            failed = (check for check, status in run.outcomes.items() if status == "failed")
            open_checks.update(failed if rule.at_risk else run.symptoms)
        counted.append(run)
    return counted


def _confirmed(severities: Sequence[tuple[Severity, str]], rule: Rule) -> tuple[Severity, str]:
    """Return the severity that the last run confirms, and the start of the first bad run."""
    latest = severities[-1][0]
    if latest == "unknown":
        unknown = [(severity == "unknown", started) for severity, started in severities]
        return ("unknown", _since(unknown, rule)) if _enough(unknown, rule) else ("good", "")
    if latest == "good":
        return "good", ""
    known = [entry for entry in severities if entry[0] != "unknown"]
    bad = [(severity != "good", started) for severity, started in known]
    if not _enough(bad, rule):
        return "good", ""
    worst = [(severity == "incident", started) for severity, started in known]
    return ("incident" if _enough(worst, rule) else "at risk"), _since(bad, rule)


def _enough(marks: Sequence[tuple[bool, str]], rule: Rule) -> bool:
    return sum(bad for bad, _ in marks[-rule.of :]) >= rule.confirm


def _is_flapping(severities: Sequence[tuple[Severity, str]], alert: Alert, rule: Rule) -> bool:
    """Return whether enough of the last runs were bad although the very last was not."""
    if alert.kind == "unknown":
        return _enough([(severity == "unknown", at) for severity, at in severities], rule)
    known = [entry for entry in severities if entry[0] != "unknown"]
    return _enough([(severity != "good", at) for severity, at in known], rule)


def _since(marks: Sequence[tuple[bool, str]], rule: Rule) -> str:
    """Return the start of the first bad run: of those that count, or of the row before them."""
    first = len(marks) - min(rule.of, len(marks))
    while first and marks[first][0] and marks[first - 1][0]:
        first -= 1
    return next(started for bad, started in marks[first:] if bad)


def _first_good(severities: Sequence[tuple[Severity, str]]) -> str:
    """Return the start of the first of the good runs at the end."""
    first = severities[-1][1]
    for severity, started in reversed(severities):
        if severity != "good":
            break
        first = started
    return first


def _seconds(start: str, end: str) -> float | None:
    seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    return seconds if seconds >= 0 else None
