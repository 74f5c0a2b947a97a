"""How a run shows which preventive actions of this runbook are in place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from core.language import tr
from reports.render.preventive import Seen, data_of, not_looked_at, texts_of

if TYPE_CHECKING:
    from reports.model.report import Report

_WORKER = re.compile(r"worker|\bjobs?\b", re.IGNORECASE)
_RETRY = re.compile(
    r"\bretrying\b|\bretry #?[1-9]|\b(attempt|tentative)s?\W{1,4}([2-9]|[1-9]\d)"
    r"|\b([2-9]|[1-9]\d) (attempt|tentative)s|nouvelle tentative",
    re.IGNORECASE,
)
"""A line about a job that was tried again; a setting or a first attempt is none."""


def _alert(report: Report) -> Seen:
    check = "upload_status/stuck_uploads_have_an_alert"
    data = data_of(report, check, "alert_rules.about_waiting")
    if texts_of(data.get("about_waiting")):
        return Seen(True, report.evidence(check))
    return not_looked_at(report, check)


def _slow_alert(_report: Report) -> Seen:
    return Seen(False, tr("not looked at: no check looks for an alert rule on the processing time"))


def _metric(report: Report) -> Seen:
    check = "upload_status/metrics_are_served"
    data = data_of(report, check, "metrics.served")
    if "has_duration" not in data:
        return not_looked_at(report, check)
    where = str(data.get("where", tr("the API")))
    if data["has_duration"] is True:
        return Seen(True, tr("{place} serves the processing time", place=where))
    return Seen(False, tr("not in place: {place} does not serve the processing time", place=where))


def _worker_health(report: Report) -> Seen:
    check, ready = "upload_status/worker_health_is_ok", "upload_status/api_is_ready"
    if not data_of(report, check, "api.worker_health"):
        return not_looked_at(report, check)
    answer = report.evidence(check)
    data = data_of(report, ready, "api.readiness")
    if "parts" not in data:
        why = not_looked_at(report, ready).text
        return Seen(
            False,
            tr(
                "in part: {answer}; its place in the readiness route {reason}",
                answer=answer,
                reason=why,
            ),
        )
    route = str(data.get("route", tr("the readiness route")))
    names = [name for name in texts_of(data["parts"]) if _WORKER.search(name)]
    if names:
        return Seen(
            True,
            tr("{answer}; {route} includes {part}", answer=answer, route=route, part=names[0]),
        )
    return Seen(
        False,
        tr(
            "in part: {answer}, but {route} does not include the worker", answer=answer, route=route
        ),
    )


def _time_limit(report: Report) -> Seen:
    check, stuck = "logs/no_job_ran_out_of_time", "database/no_stuck_upload_ran_out_of_time"
    if texts_of(data_of(report, stuck, "database.recorded_errors").get("timeouts")):
        left = report.evidence(stuck)
        return Seen(
            False,
            tr(
                "in part: jobs have a limit, but their uploads stay as they are: {evidence}",
                evidence=left,
            ),
        )
    logged = data_of(report, check, "logs.expired_jobs")
    counts = logged.get("counts")
    if isinstance(counts, list) and any(counts):
        return Seen(True, report.evidence(check))
    long = report.outcome("database/jobs_finish_in_time")
    if long and long.status == "failed":
        return Seen(False, tr("not in place, or longer: {evidence}", evidence=long.seen))
    if not logged:
        return not_looked_at(report, check)
    return Seen(False, tr("not seen: {evidence}", evidence=report.evidence(check)))


def _retries(report: Report) -> Seen:
    check = "logs/no_recent_processing_errors"
    data = data_of(report, check, "logs.errors")
    if not data:
        return not_looked_at(report, check)
    for line in texts_of(data.get("samples")):
        if _RETRY.search(line):
            return Seen(True, tr("logged: {line}", line=line))
    return Seen(False, tr("not seen: no logged error of the run is about a second attempt"))


LOOKS = (
    (r"(m[ée]tri(c|que)|record|mesure).*(process|traitement|dur[ée]e|duration)", _metric),
    (r"\balert.*\b(slow|lent|processing|traitement|dur[ée]e|duration)", _slow_alert),
    (r"\balert|monitoring|surveillance", _alert),
    (r"(health|sant[ée]).*\bworker|\bworker.*(health|sant[ée])", _worker_health),
    (r"\bretr(y|ies)\b|nouvelles? tentatives?|r[ée]essa[iy]", _retries),
    (r"time-?out|time limit|deadline|d[ée]lai", _time_limit),
)
"""A word of the action's title, and what is looked at for it; the first that fits."""
