"""The boxes of the preventive actions: ticked with evidence, or open with the reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.outcome import Observation, Status
from reports.model.report import Report
from reports.render.preventive import box, look, ticked
from tests import made

METRICS = ("upload_status/metrics_are_served", "metrics.served")
WORKER = ("upload_status/worker_health_is_ok", "api.worker_health")
READY = ("upload_status/api_is_ready", "api.readiness")
EXPIRED = ("logs/no_job_ran_out_of_time", "logs.expired_jobs")
RECORDED = ("database/no_stuck_upload_ran_out_of_time", "database.recorded_errors")
ERRORS = ("logs/no_recent_processing_errors", "logs.errors")

FINISH = ("database/jobs_finish_in_time", "database.long_jobs")
ALERTS = ("upload_status/stuck_uploads_have_an_alert", "alert_rules.about_waiting")
PLACES = (ALERTS, METRICS, WORKER, READY, EXPIRED, RECORDED, ERRORS)

ALERT = "Alert on stuck uploads"
METRIC = "Métrique temps processing"
HEALTH = "A health endpoint for the worker"
LIMIT = "An explicit time limit on processing"
RETRIES = "Retries with backoff"


def saw(*seen: tuple[tuple[str, str], Any, str], status: Status = "passed") -> Report:
    """A report whose checks made these observations: name, data, sentence."""
    report = made.report()
    observations = {check: Observation(name, text, data, 0.1) for (check, name), data, text in seen}
    results = [
        replace(
            result,
            outcome=replace(
                result.outcome,
                status=status,
                seen=observations[result.outcome.check].seen if status != "passed" else "",
                observations=(observations[result.outcome.check],),
            ),
        )
        if result.outcome.check in observations
        else result
        for result in report.results
    ]
    return replace(report, results=tuple(results))


API = "the API at https://veza.example"
HEALTHY = (WORKER, {"route": "/health/worker"}, f"{API} answers HTTP 200 on /health/worker")


@pytest.mark.parametrize(
    ("title", "report", "text"),
    [
        (
            METRIC,
            saw((METRICS, {"where": f"{API}/metrics", "has_duration": True}, "")),
            f"{API}/metrics serves the processing time",
        ),
        (
            "Alerte: uploads bloqués",
            saw((ALERTS, {"about_waiting": ["VezaUploadsStuck"]}, "has VezaUploadsStuck")),
            "has VezaUploadsStuck",
        ),
        (
            "Health check job worker",
            saw(HEALTHY, (READY, {"route": "/readyz", "parts": ["db", "job_worker"]}, "")),
            f"{API} answers HTTP 200 on /health/worker; /readyz includes job_worker",
        ),
        (
            "Timeout explicite",
            saw((EXPIRED, {"counts": [0, 2]}, "2 timeout lines"), status="failed"),
            "2 timeout lines",
        ),
        (
            "Retry logic",
            saw((ERRORS, {"samples": ["job failed", '"job failed", "attempts": 2']}, "")),
            'logged: "job failed", "attempts": 2',
        ),
    ],
)
def test_what_was_seen_is_ticked(title: str, report: Report, text: str) -> None:
    """The evidence stands behind the title, in English and French runbooks."""
    state = look(title, report)
    assert (state.in_place, state.text) == (True, text)
    assert box(title, report).startswith("[x] ")


@pytest.mark.parametrize(
    ("title", "report", "text"),
    [
        (ALERT, made.report(), "not looked at: upload_status/stuck_uploads_have_an_alert has not"),
        (
            ALERT,
            saw((ALERTS, None, "the target made-up has no [prometheus]"), status="skipped"),
            "open: the target made-up has no [prometheus]",
        ),
        ("Alert on slow processing", made.report(), "not looked at: no check looks for an alert"),
        ("Améliorer le code", made.report(), "not looked at: no check of the run shows it"),
        (
            METRIC,
            saw((METRICS, {"where": "/metrics", "has_duration": False}, "")),
            "not in place: /metrics does not serve the processing time",
        ),
        (
            METRIC,
            saw((METRICS, {}, "the API does not answer"), status="unreachable"),
            "not looked at: the API does not answer",
        ),
        (HEALTH, saw(HEALTHY), "in part: the API at"),
        (
            HEALTH,
            saw(HEALTHY, (READY, {"route": "/readyz", "parts": ["db"]}, "")),
            f"in part: {HEALTHY[2]}, but /readyz does not include the worker",
        ),
        (
            HEALTH,
            saw((WORKER, None, "the API has no /health/worker"), status="skipped"),
            "open: the API has no /health/worker",
        ),
        (LIMIT, saw((EXPIRED, {"counts": [0]}, "no timeout line")), "not seen: no timeout line"),
        (
            LIMIT,
            saw((RECORDED, {"timeouts": ["upload-1"]}, "1 of 2 ran out of time"), status="failed"),
            "in part: jobs have a limit, but their uploads stay as they are: 1 of 2 ran out of",
        ),
        (
            LIMIT,
            saw((FINISH, {}, "a job runs for 9 min"), status="failed"),
            "not in place, or longer: a job runs for 9 min",
        ),
        (LIMIT, made.report(only="signal/"), f"not looked at: {EXPIRED[0]} has not recorded it"),
        (
            RETRIES,
            saw((ERRORS, {"samples": ["job failed attempt=1", "max_attempts=3"]}, "")),
            "not seen: no logged error of the run is about a second attempt",
        ),
        (RETRIES, made.report(only="signal/"), f"not looked at: {ERRORS[0]} has not recorded it"),
    ],
)
def test_what_was_not_seen_stays_open(title: str, report: Report, text: str) -> None:
    """The reason says whether it was looked at."""
    state = look(title, report)
    assert (state.in_place, state.text[: len(text)]) == (False, text)
    assert box(title, report, "Code").startswith("[ ] Code: ")


@pytest.mark.parametrize(
    ("line", "again"),
    [
        ("job failed, retrying in 4 s", True),
        ("processing failed attempt=2", True),
        ("job failed after 3 attempts", True),
        ("job failed, attempt 10 of 12", True),
        ("échec du traitement, tentative 2", True),
        ("job failed, no retry", False),
        ("job failed attempts=1", False),
        ("upload failed for 10.0.0.2", False),
    ],
)
def test_a_retry_is_a_second_attempt(line: str, again: bool) -> None:
    """A first attempt and a setting show no retry."""
    assert look(RETRIES, saw((ERRORS, {"samples": [line]}, ""))).in_place == again


def test_boxes_of_the_template_are_ticked() -> None:
    """A team's own list keeps its words and its other boxes."""
    report = saw((METRICS, {"where": "a <b>", "has_duration": True}, ""))
    template = "- [ ] Métrique temps processing\n- [ ] Ajouter retry logic\n- a [ ] word"
    assert ticked(template, report).splitlines() == [
        "- [x] Métrique temps processing: a \\<b\\> serves the processing time",
        "- [ ] Ajouter retry logic",
        "- a [ ] word",
    ]


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(["has_duration", "where", "route", "parts", "counts", "samples", "timeouts"])


@given(data=st.dictionaries(KEYS, VALUES) | VALUES)
def test_data_of_any_form_makes_a_box(data: Any) -> None:
    """A report may have been edited or be of another version: each box is one line."""
    report = saw(*((place, data, "a sentence") for place in PLACES))
    for title in (METRIC, HEALTH, LIMIT, RETRIES):
        assert "\n" not in box(title, report)
