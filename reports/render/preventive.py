"""The preventive actions of a runbook that are in place, as far as a run has seen it.

No check is about them: this looks at what the checks have observed in any case. What they cannot
show stays open, with the reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.outcome import OBSERVED
from reports.render.markdown import escaped

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.outcome import Outcome
    from reports.model.report import Report

    Look = Callable[[Report], "Seen"]

_BOX = re.compile(r"^(\s*[-*] )\[ \] (.+)$", re.MULTILINE)

_WORKER = re.compile(r"worker|\bjobs?\b", re.IGNORECASE)
_RETRY = re.compile(
    r"\bretrying\b|\bretry #?[1-9]|\b(attempt|tentative)s?\W{1,4}([2-9]|[1-9]\d)"
    r"|\b([2-9]|[1-9]\d) (attempt|tentative)s|nouvelle tentative",
    re.IGNORECASE,
)
"""A line about a job that was tried again; a setting or a first attempt is none."""


@dataclass(frozen=True)
class Seen:
    """What is known of a preventive action: that it is in place, or why it stays open."""

    in_place: bool
    text: str


def box(title: str, report: Report, group: str = "") -> str:
    """Return a preventive action as a box in Markdown: ticked with its evidence, or open."""
    seen = look(title, report)
    name = f"{group}: {title}" if group else title
    if seen.in_place:
        return f"[x] {escaped(name)}: {escaped(seen.text)}"
    return f"[ ] {escaped(name)} ({escaped(seen.text)})"


def ticked(template: str, report: Report) -> str:
    """Return a post-mortem's template with the boxes ticked that are seen to be in place."""

    def tick(match: re.Match[str]) -> str:
        seen = look(match[2], report)
        return f"{match[1]}[x] {match[2]}: {escaped(seen.text)}" if seen.in_place else match[0]

    return _BOX.sub(tick, template)


def look(title: str, report: Report) -> Seen:
    """Return what a report shows of a preventive action with this title, English or French."""
    for pattern, find in _LOOKS:
        if pattern.search(title):
            return find(report)
    return Seen(False, "not looked at: no check of the run shows it")


def _alert(report: Report) -> Seen:
    check = "upload_status/stuck_uploads_have_an_alert"
    data = _data(report, check, "alert_rules.about_waiting")
    if _texts(data.get("about_waiting")):
        return Seen(True, report.evidence(check))
    return _not_looked_at(report, check)


def _slow_alert(_report: Report) -> Seen:
    return Seen(False, "not looked at: no check looks for an alert rule on the processing time")


def _metric(report: Report) -> Seen:
    check = "upload_status/metrics_are_served"
    data = _data(report, check, "metrics.served")
    if "has_duration" not in data:
        return _not_looked_at(report, check)
    where = str(data.get("where", "the API"))
    if data["has_duration"] is True:
        return Seen(True, f"{where} serves the processing time")
    return Seen(False, f"not in place: {where} does not serve the processing time")


def _worker_health(report: Report) -> Seen:
    check, ready = "upload_status/worker_health_is_ok", "upload_status/api_is_ready"
    if not _data(report, check, "api.worker_health"):
        return _not_looked_at(report, check)
    answer = report.evidence(check)
    data = _data(report, ready, "api.readiness")
    if "parts" not in data:
        why = _not_looked_at(report, ready).text
        return Seen(False, f"in part: {answer}; its place in the readiness route {why}")
    route = str(data.get("route", "the readiness route"))
    names = [name for name in _texts(data["parts"]) if _WORKER.search(name)]
    if names:
        return Seen(True, f"{answer}; {route} includes {names[0]}")
    return Seen(False, f"in part: {answer}, but {route} does not include the worker")


def _time_limit(report: Report) -> Seen:
    check, stuck = "logs/no_job_ran_out_of_time", "database/no_stuck_upload_ran_out_of_time"
    if _texts(_data(report, stuck, "database.recorded_errors").get("timeouts")):
        left = report.evidence(stuck)
        return Seen(
            False, f"in part: jobs have a limit, but their uploads stay as they are: {left}"
        )
    logged = _data(report, check, "logs.expired_jobs")
    counts = logged.get("counts")
    if isinstance(counts, list) and any(counts):
        return Seen(True, report.evidence(check))
    long = _outcome(report, "database/jobs_finish_in_time")
    if long and long.status == "failed":
        return Seen(False, f"not in place, or longer: {long.seen}")
    if not logged:
        return _not_looked_at(report, check)
    return Seen(False, f"not seen: {report.evidence(check)}")


def _retries(report: Report) -> Seen:
    check = "logs/no_recent_processing_errors"
    data = _data(report, check, "logs.errors")
    if not data:
        return _not_looked_at(report, check)
    for line in _texts(data.get("samples")):
        if _RETRY.search(line):
            return Seen(True, f"logged: {line}")
    return Seen(False, "not seen: no logged error of the run is about a second attempt")


def _not_looked_at(report: Report, check: str) -> Seen:
    outcome = _outcome(report, check)
    if outcome is None or outcome.status in OBSERVED or not outcome.seen:
        return Seen(False, f"not looked at: {check} has not recorded it")
    # The reason for a skip may be that the target has no such feature.
    word = "open" if outcome.status == "skipped" else "not looked at"
    return Seen(False, f"{word}: {outcome.seen}")


def _outcome(report: Report, check: str) -> Outcome | None:
    return next((r.outcome for r in report.results if r.outcome.check == check), None)


def _data(report: Report, check: str, observation: str) -> dict[str, Any]:
    """Return the data of an observation of a check; empty where it was not made."""
    outcome = _outcome(report, check)
    found = (
        one.data for one in (outcome.observations if outcome else ()) if one.name == observation
    )
    data = next(found, None)
    return data if isinstance(data, dict) else {}


def _texts(value: Any) -> list[str]:
    # A report may have been edited: anything may stand here.
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


_LOOKS: tuple[tuple[re.Pattern[str], Look], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), find)
    for pattern, find in (
        (r"(m[ée]tri(c|que)|record|mesure).*(process|traitement|dur[ée]e|duration)", _metric),
        (r"\balert.*\b(slow|lent|processing|traitement|dur[ée]e|duration)", _slow_alert),
        (r"\balert|monitoring|surveillance", _alert),
        (r"(health|sant[ée]).*\bworker|\bworker.*(health|sant[ée])", _worker_health),
        (r"\bretr(y|ies)\b|nouvelles? tentatives?|r[ée]essa[iy]", _retries),
        (r"time-?out|time limit|deadline|d[ée]lai", _time_limit),
    )
)
"""A word of the action's title, and what is looked at for it; the first that fits."""
