"""Metrics: a series that a client of Prometheus serves from its first value on."""

from __future__ import annotations

import time
from typing import Any, cast

import pytest

from fixtures.probes.errors import NotOffered
from fixtures.probes.http.metrics import MetricsProbe

UPTIME = 3600.0


class Api:
    """An API in Go an hour after its start, which serves these lines, too."""

    name = "the API"
    status = 200

    def __init__(self, lines: str = "") -> None:
        started = f"process_start_time_seconds {time.time() - UPTIME}\n"
        self.body = f"go_goroutines 12\n{started}{lines}".encode()

    def get(self, path: str) -> Api:
        """Return itself as the answer."""
        return self


def probe_of(arrivals: tuple[float, ...] | None, lines: str = "") -> MetricsProbe:
    """Make a probe beside a database that has uploads of these ages."""
    return MetricsProbe(cast(Any, Api(lines)), "/metrics", arrivals=lambda _: arrivals)


@pytest.mark.parametrize("arrivals", [(), (3700.0,), (3600.0, 2.0)])
def test_no_series_is_missing_before_the_first_upload(arrivals: tuple[float, ...]) -> None:
    """After a deployment at night no upload has arrived, or one that has just done so."""
    with pytest.raises(NotOffered, match=r"started 60 min ago, and no upload has arrived since"):
        probe_of(arrivals).served()


@pytest.mark.parametrize("arrivals", [(1800.0,), None])
def test_a_series_is_missing_after_the_first_upload(arrivals: tuple[float, ...] | None) -> None:
    """An upload has arrived, or the database does not say."""
    assert probe_of(arrivals).served().missing


def test_a_series_without_its_label_is_missing_at_any_time() -> None:
    """A series of that name without a status is not the runbook's."""
    assert probe_of((), "veza_file_uploads_total 3\n").served().missing
