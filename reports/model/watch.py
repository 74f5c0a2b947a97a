"""The runbook's metrics to watch after an incident, matched to the figures of the checks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from core.frozen import frozen
from reports.model.layout import MetricKind


@frozen
class WatchedMetric:
    """A metric that the runbook says to watch after an incident.

    `figure` is the id of the figure that measures it, None where no check does. The metric recovers
    while the figure is within `limit`; where there is no limit, when it falls, or when it rises.
    `idle` is the figure that says for how many seconds nothing has come that could make it rise.
    """

    name: str
    figure: str | None = None
    rises: bool = False
    limit: float | None = None
    idle: str | None = None


def watched_metrics(
    items: Sequence[str], kinds: Sequence[MetricKind], limits: Mapping[str, float]
) -> tuple[WatchedMetric, ...]:
    """Return the metrics of the runbook's list; `limits` are the target's, by the figure's id."""
    metrics = []
    for item in items:
        name = re.split(r"\s[-–—]\s", item)[0].replace("`", "")
        kind = next((one for one in kinds if re.search(one.pattern, name)), None)
        if kind is None:
            metrics.append(WatchedMetric(name))
        else:
            limit = limits.get(kind.figure) if kind.limited else None
            idle = kind.idle or None
            metrics.append(WatchedMetric(name, kind.figure, kind.rises, limit, idle))
    return tuple(metrics)
