"""Prometheus metrics of the API, read from the database at each scrape.

Of many uploads they are kept for a while. A service counts them as they come and go; counted here,
they would cost as much as all that a run asks, on the same cores.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from lab.database import STATUSES, Pool

MANY, KEPT = 1_000_000, 15.0
"""Uploads of which the metrics are kept, and for how many seconds."""

BUCKETS = (0.1, 0.5, 1, 5, 15, 60, 300, 600)


class UploadCollector(Collector):
    """Uploads by status, and the durations of jobs completed since this process started."""

    def __init__(self, pool: Pool, since: datetime) -> None:
        self._pool = pool
        self._since = since
        self._metrics: list[Metric] = []
        self._until = 0.0

    def describe(self) -> Iterable[Metric]:
        # Empty: without this method, the registry would collect, and so need the database.
        return []

    def collect(self) -> list[Metric]:
        """Return the metrics; raises psycopg.Error when the database does not answer."""
        now = time.monotonic()
        if now >= self._until:
            self._metrics = list(self._read(now))
        return self._metrics

    def _read(self, now: float) -> Iterator[Metric]:
        with self._pool.connection() as session:
            rows = session.execute("SELECT status::text, count(*) AS n FROM uploads GROUP BY 1")
            counts = {row["status"]: row["n"] for row in rows}
            seconds = [
                float(row["seconds"])
                for row in session.execute(
                    "SELECT extract(epoch FROM completed_at - started_at) AS seconds"
                    " FROM job_queue WHERE status = 'completed' AND completed_at >= %s",
                    (self._since,),
                )
            ]
        if sum(counts.values()) > MANY:
            self._until = now + KEPT
        # A gauge whose name ends in _total: the real system has this name.
        uploads = GaugeMetricFamily(
            "veza_file_uploads_total", "Uploads by their current status.", labels=["status"]
        )
        for status in STATUSES:
            uploads.add_metric([status], counts.get(status, 0))
        yield uploads
        yield HistogramMetricFamily(
            "veza_upload_processing_duration_seconds",
            "Seconds from the start of a job to its completion.",
            buckets=[
                *((str(limit), sum(s <= limit for s in seconds)) for limit in BUCKETS),
                ("+Inf", len(seconds)),
            ],
            sum_value=sum(seconds),
        )
