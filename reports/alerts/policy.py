"""When somebody is told: an alert's life as a function of the last runs. Pure.

Runs have the order in which they were seen, never that of their clocks. A run that could not tell
says nothing for or against an incident; several of them are an alert of their own, for silence is
not health. Nor does a run that looked only at other things than those which made the incident one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from reports.history.incidents import not_looked_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Verdict = Literal["good", "at risk", "incident", "unknown"]
What = Literal["alert", "reminder", "recovery"]

RUNS_MAX = 200
"""Runs that are looked back upon, for when an alert began."""

_RANK = {"good": 0, "unknown": 1, "at risk": 2, "incident": 3}


@dataclass(frozen=True)
class Rule:
    """`confirm` bad runs of the last `of` make an alert; a reminder every `remind_every` seconds.

    `at_risk`: a risk is worth a message too, and not an incident only.
    """

    confirm: int = 2
    of: int = 2
    remind_every: float = 4 * 3600.0
    at_risk: bool = False

    def verdict(self, state: str) -> Verdict:
        """Return what a run's state is to this rule."""
        if state == "incident":
            return "incident"
        if state == "at risk":
            return "at risk" if self.at_risk else "good"
        return "good" if state == "healthy" else "unknown"


@dataclass(frozen=True)
class Seen:
    """One run: its state, and when it began, ISO 8601 in UTC.

    `outcomes` are the checks that passed or failed, `symptoms` the failed ones of an incident.
    """

    state: str
    started: str
    symptoms: tuple[str, ...] = ()
    outcomes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Alert:
    """What people were told last: `kind` is "good" where nothing is the matter.

    `since` is when the first bad run began, `told` the Unix time of the last message.
    """

    kind: Verdict = "good"
    since: str = ""
    told: float = 0.0


@dataclass(frozen=True)
class Change:
    """Something to tell: of which kind of alert, since when, and for how many seconds.

    `seconds` is None where a clock that was set back makes nonsense of it.
    """

    what: What
    kind: Verdict
    since: str
    seconds: float | None


def step(alert: Alert, runs: Sequence[Seen], rule: Rule, now: float) -> tuple[Alert, Change | None]:
    """Return the alert after the last of these runs (oldest first), and what is to be told.

    `now` is Unix time. An alert is told when it is confirmed, when it turns from not being able to
    tell or from a risk into worse, and when the last run is good and no rule holds any more.
    """
    runs = runs[-RUNS_MAX:]
    counted = judging(runs, rule)
    if not counted or counted[-1] is not runs[-1]:
        return alert, None
    verdicts = [(rule.verdict(run.state), run.started) for run in counted]
    latest, at = verdicts[-1]
    kind, since = _confirmed(verdicts, rule)
    if _RANK[kind] > _RANK[alert.kind]:
        # A risk that becomes an incident is one story; the blindness before it is another.
        since = alert.since if alert.kind == "at risk" else since
        return Alert(kind, since, now), Change("alert", kind, since, _between(since, at))
    if alert.kind == "good":
        return alert, None
    if latest == "good":
        if _still(verdicts, alert, rule):
            return alert, None
        back = _first_good(verdicts)
        return Alert(), Change("recovery", alert.kind, alert.since, _between(alert.since, back))
    if now < alert.told:
        # The clock was set back: the wait for the reminder begins again.
        return replace(alert, told=now), None
    if now - alert.told >= rule.remind_every:
        told = Change("reminder", alert.kind, alert.since, _between(alert.since, at))
        return replace(alert, told=now), told
    return alert, None


def judging(runs: Sequence[Seen], rule: Rule) -> list[Seen]:
    """Return the runs that count: all but those which left an incident where it was.

    After a bad run that is a run which saw nothing worse, and has not looked again at each check
    that was the matter: it was narrowed, broken off, or skipped them.
    """
    counted: list[Seen] = []
    open_checks: set[str] = set()
    for run in runs:
        verdict = rule.verdict(run.state)
        if verdict in ("good", "at risk") and not_looked_at(open_checks, run.outcomes):
            continue
        if verdict == "good":
            open_checks.clear()
        elif verdict in ("at risk", "incident"):
            # Where a risk is told too, it is over only when no cause fails either.
            failed = (check for check, status in run.outcomes.items() if status == "failed")
            open_checks.update(failed if rule.at_risk else run.symptoms)
        counted.append(run)
    return counted


def _confirmed(verdicts: Sequence[tuple[Verdict, str]], rule: Rule) -> tuple[Verdict, str]:
    """Return what the last run confirms, and when the first of its bad runs began."""
    latest = verdicts[-1][0]
    if latest == "unknown":
        blind = [(verdict == "unknown", started) for verdict, started in verdicts]
        return ("unknown", _since(blind, rule)) if _enough(blind, rule) else ("good", "")
    if latest == "good":
        return "good", ""
    telling = [entry for entry in verdicts if entry[0] != "unknown"]
    bad = [(verdict != "good", started) for verdict, started in telling]
    if not _enough(bad, rule):
        return "good", ""
    worst = [(verdict == "incident", started) for verdict, started in telling]
    return ("incident" if _enough(worst, rule) else "at risk"), _since(bad, rule)


def _enough(marks: Sequence[tuple[bool, str]], rule: Rule) -> bool:
    return sum(bad for bad, _ in marks[-rule.of :]) >= rule.confirm


def _still(verdicts: Sequence[tuple[Verdict, str]], alert: Alert, rule: Rule) -> bool:
    """Whether enough of the last runs were bad although the very last was not: it flaps."""
    if alert.kind == "unknown":
        return _enough([(verdict == "unknown", at) for verdict, at in verdicts], rule)
    return _enough([(v != "good", at) for v, at in verdicts if v != "unknown"], rule)


def _since(marks: Sequence[tuple[bool, str]], rule: Rule) -> str:
    """Return when the first bad one began: of those that count, or of the row before them."""
    first = len(marks) - min(rule.of, len(marks))
    while first and marks[first][0] and marks[first - 1][0]:
        first -= 1
    return next(started for bad, started in marks[first:] if bad)


def _first_good(verdicts: Sequence[tuple[Verdict, str]]) -> str:
    found = verdicts[-1][1]
    for verdict, started in reversed(verdicts):
        if verdict != "good":
            break
        found = started
    return found


def _between(start: str, end: str) -> float | None:
    seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    return seconds if seconds >= 0 else None
