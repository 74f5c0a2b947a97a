"""The metrics to watch after an incident: each is matched to a figure, or to none."""

from __future__ import annotations

from reports.model.build import watched_metrics
from reports.model.report import WatchedMetric
from tests import made

LIMITS = {"processing_seconds": 120.0}
KINDS = made.bundle().layout.metrics


def test_every_metric_of_the_shipped_runbook_has_a_figure() -> None:
    """Uploads that wait fall, completed ones rise, and processing has the target's limit."""
    metrics = watched_metrics(made.bundle().document.watch, KINDS, LIMITS)
    assert [(m.figure, m.rises, m.limit) for m in metrics] == [
        ("uploads_uploading", False, None),
        ("uploads_completed", True, None),
        ("processing_seconds", False, 120.0),
        ("backlog", False, None),
    ]
    assert metrics[0].name == 'veza_file_uploads_total{status="uploading"}'


def test_a_french_metric_has_its_figure() -> None:
    """The words after the dash are the runbook's; the limit is the target's."""
    (metric,) = watched_metrics(["Temps moyen processing - Doit rester < 5 minutes"], KINDS, LIMITS)
    assert metric == WatchedMetric("Temps moyen processing", "processing_seconds", limit=120.0)


def test_a_metric_that_no_check_observes_has_no_figure() -> None:
    """It stays in the list under its name."""
    (metric,) = watched_metrics(["`node_load1` - falls, while processing goes on"], KINDS, LIMITS)
    assert metric == WatchedMetric("node_load1")
