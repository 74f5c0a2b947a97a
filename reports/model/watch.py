"""The runbook's metrics to watch after an incident, matched to the figures of the checks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FIGURES = (
    (re.compile(r"veza_file_uploads_total.*uploading"), "uploads_uploading"),
    (re.compile(r"veza_file_uploads_total.*completed"), "uploads_completed"),
    (re.compile(r"veza_upload_processing_duration|\bprocessing\b"), "processing_seconds"),
    (re.compile(r"rabbitmq_queue_messages_ready|\bready messages\b"), "backlog"),
)
"""A metric's name in a runbook, and the figure that measures it."""

_RISING = ("uploads_completed",)
"""The figures that rise when uploads flow again; the others fall."""

_LIMITED = ("processing_seconds",)
"""The figures that have recovered when they are within the target's limit."""


@dataclass(frozen=True)
class WatchedMetric:
    """A metric that the runbook says to watch after an incident.

    `figure` is the id of the figure that measures it, None where no check does. The metric recovers
    while the figure is at most `limit`; where there is no limit, when it falls, or when it rises.
    """

    name: str
    figure: str | None = None
    rises: bool = False
    limit: float | None = None


def watched_metrics(items: Sequence[str], limits: Mapping[str, float]) -> tuple[WatchedMetric, ...]:
    """Return the metrics of the runbook's list; `limits` are the target's, by the figure's id."""
    metrics = []
    for item in items:
        name = re.split(r"\s[-–—]\s", item)[0].replace("`", "")
        figure = next((figure for pattern, figure in _FIGURES if pattern.search(name)), None)
        limit = limits.get(figure) if figure and figure in _LIMITED else None
        metrics.append(WatchedMetric(name, figure, figure in _RISING, limit))
    return tuple(metrics)
