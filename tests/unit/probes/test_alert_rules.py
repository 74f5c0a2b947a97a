"""Which queries of alert rules are about uploads that wait."""

from __future__ import annotations

import pytest

from fixtures.probes.http.alert_rules import names_waiting_uploads


@pytest.mark.parametrize(
    "query",
    [
        'min_over_time(sum(veza_file_uploads_total{status="uploading"})[10m:1m]) > 0',
        'sum(veza_file_uploads_total{job="api", status=~"uploading|pending"}) > 50',
        "veza_file_uploads_total{status='pending'} > 100",
        '{__name__="veza_file_uploads_total",status="uploading"} > 0',
        'veza_file_uploads_total{path="}",status="uploading"} > 0',
        "veza_checks_oldest_stuck_seconds > 600",
        'absent(up) or veza_file_uploads_total{status="uploading"} > 0',
    ],
)
def test_a_query_on_waiting_uploads(query: str) -> None:
    """By the series and its label, in any of the language's forms."""
    assert names_waiting_uploads(query)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "up == 0",
        'absent(veza_file_uploads_total{status="uploading"})',
        'absent_over_time(veza_file_uploads_total{status="uploading"}[15m])',
        'rate(veza_file_uploads_total{status="completed"}[5m]) == 0',
        'veza_file_uploads_total{status!="uploading"} > 0',
        'other_file_uploads_total{status="uploading"} > 0',
        'other{of="veza_file_uploads_total",status="completed"} > 0',
        "veza_checks_uploads_stuck_limit > 600",
    ],
)
def test_a_query_on_something_else(query: str) -> None:
    """That a series is absent, ends well, or has a like name."""
    assert not names_waiting_uploads(query)
