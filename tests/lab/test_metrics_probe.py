"""Metrics probe against the lab's metrics and against invalid text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from fixtures.probes.errors import NotOffered, Unreachable
from fixtures.probes.http.client import HttpClient
from fixtures.probes.http.metrics import MetricsProbe
from lab import metrics
from lab.database import Pool
from tests.lab.fix_services import Reply, ReplyServer
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from lab.state import Lab

Make = Callable[[str], MetricsProbe]
GAUGE = b'# TYPE veza_file_uploads_total gauge\nveza_file_uploads_total{status="%s"} %s\n'


@pytest.fixture
def clients() -> Iterator[list[HttpClient]]:
    """The clients of a test, which are closed after it."""
    clients: list[HttpClient] = []
    yield clients
    for client in clients:
        client.close()


@pytest.fixture
def probe_of(clients: list[HttpClient]) -> Make:
    """Make probes of a URL."""

    def make(url: str) -> MetricsProbe:
        clients.append(HttpClient(url, PATIENCE, "the API"))
        return MetricsProbe(clients[-1], "/metrics")

    return make


def test_healthy_metrics_are_read(
    services: Lab, probe_of: Make, aged_upload: Callable[..., str]
) -> None:
    """The lab serves the runbook's series with plausible values."""
    # Another test may have restarted the API a moment ago.
    aged_upload("completed", minutes=1.0, job="completed", started=0.1)
    probe = probe_of(services.api_url)
    assert probe.served().missing == ()
    assert probe.served().has_duration
    assert probe.uploading().value < 10
    assert probe.processing_time().seconds < 60


@pytest.mark.parametrize(
    ("many", "kept", "is_kept"), [(-1, 600.0, True), (-1, 0.0, False), (metrics.MANY, 600.0, False)]
)
def test_the_lab_keeps_the_metrics_of_many_uploads(
    services: Lab,
    monkeypatch: pytest.MonkeyPatch,
    aged_upload: Callable[..., str],
    many: int,
    kept: float,
    is_kept: bool,
) -> None:
    """After a while it counts them again; those of fewer uploads are of each scrape."""
    monkeypatch.setattr(metrics, "MANY", many)
    monkeypatch.setattr(metrics, "KEPT", kept)
    pool = Pool(services.owner_dsn, "veza-api")
    registry = CollectorRegistry()
    registry.register(metrics.UploadCollector(pool, datetime.now(UTC)))

    def waiting() -> float | None:
        return registry.get_sample_value("veza_file_uploads_total", {"status": "pending"})

    try:
        before = waiting()
        aged_upload("pending")
        assert before is not None
        assert waiting() == before + (not is_kept)
    finally:
        pool._borrow().close()


def test_one_scrape_answers_everything(reply_server: ReplyServer, probe_of: Make) -> None:
    """One GET without the token serves all questions."""
    reply_server.reply = Reply(body=GAUGE % (b"uploading", b"3"), media_type="text/plain")
    probe = probe_of(reply_server.url)
    assert probe.uploading().value == 3
    assert probe.served().missing == ()
    assert reply_server.requests == [("GET", "/metrics", None)]


@pytest.mark.parametrize(("rows", "is_old"), [(3, True), (100, True), (101, False), (None, False)])
def test_an_old_metric_is_no_symptom(
    reply_server: ReplyServer, clients: list[HttpClient], rows: int | None, is_old: bool
) -> None:
    """A metric above the limit counts only where the database has as many, or does not say."""
    reply_server.reply = Reply(body=GAUGE % (b"uploading", b"500"), media_type="text/plain")
    clients.append(HttpClient(reply_server.url, PATIENCE, "the API"))
    probe = MetricsProbe(clients[-1], "/metrics", count=lambda: rows)
    if is_old:
        with pytest.raises(Unreachable, match=rf"is 500, and the database has {rows} such uploads"):
            probe.uploading(100)
    else:
        assert probe.uploading(100).value == 500


def test_absent_series_is_not_zero(reply_server: ReplyServer, probe_of: Make) -> None:
    """An absent series is skipped as unknown, never taken for zero."""
    reply_server.reply = Reply(body=GAUGE % (b"completed", b"3"))
    probe = probe_of(reply_server.url)
    with pytest.raises(NotOffered, match="the number is unknown"):
        probe.uploading()
    with pytest.raises(NotOffered, match="preventive action is to add veza_upload_processing"):
        probe.processing_time()


def test_an_api_without_metrics_is_skipped(reply_server: ReplyServer, probe_of: Make) -> None:
    """HTTP 404 names the key, and a target that says `metrics_path = false` asks for nothing."""
    reply_server.reply = Reply(404)
    with pytest.raises(NotOffered, match=r"set api\.metrics_path, to false"):
        probe_of(reply_server.url).served()
    requests = len(reply_server.requests)
    client = HttpClient(reply_server.url, PATIENCE, "the API")
    with pytest.raises(NotOffered, match=r"has no metrics, by api\.metrics_path"):
        MetricsProbe(client, False).uploading()
    assert len(reply_server.requests) == requests


def test_counter_is_not_read_as_a_gauge(reply_server: ReplyServer, probe_of: Make) -> None:
    """A counter never falls, so it does not count the uploads that are uploading now."""
    body = (GAUGE % (b"uploading", b"12345")).replace(b"gauge", b"counter")
    reply_server.reply = Reply(body=body)
    probe = probe_of(reply_server.url)
    assert probe.served().missing == ()
    with pytest.raises(NotOffered, match="as a counter, which never falls"):
        probe.uploading()


def test_series_that_do_not_stand_together_are_one_metric(
    reply_server: ReplyServer, probe_of: Make
) -> None:
    """A metric's series count wherever they stand: an exporter made by hand need not group them."""
    text = b'veza_file_uploads_total{status="%s"} %d\n'
    body = text % (b"uploading", 5) + b"other 1\n" + text % (b"completed", 7)
    reply_server.reply = Reply(body=body, media_type="text/plain")
    probe = probe_of(reply_server.url)
    assert probe.uploading().value == 5
    assert probe.served().series == 3


def test_missing_series_are_named(reply_server: ReplyServer, probe_of: Make) -> None:
    """Metrics without the runbook's series fail and name the series."""
    reply_server.reply = Reply(body=b"up 1\n")
    served = probe_of(reply_server.url).served()
    assert served.missing == ("veza_file_uploads_total{status=...}",)
    assert not served.has_duration


@pytest.mark.parametrize(
    "typed", [b"", b"# TYPE veza_upload_processing_duration_seconds summary\n"]
)
def test_processing_time_is_served_before_the_first_upload(
    reply_server: ReplyServer, probe_of: Make, typed: bytes
) -> None:
    """The metric is there with a count of zero, and with or without its type."""
    series = b"veza_upload_processing_duration_seconds"
    typed = typed.replace(b"%s", series)
    reply_server.reply = Reply(body=typed + series + b"_sum 0\n" + series + b"_count 0\n")
    assert probe_of(reply_server.url).served().has_duration


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500),
        Reply(body=b""),
        Reply(body=b"<html>no metrics here</html>", media_type="text/html"),
        Reply(body=b"\xff\xfe"),
        Reply(body=b'veza_file_uploads_total{status="uploading"} many\n'),
        Reply(body=GAUGE % (b"uploading", b"NaN")),
    ],
)
def test_invalid_metrics_are_unreachable(
    reply_server: ReplyServer, probe_of: Make, reply: Reply
) -> None:
    """Errors, HTML pages, binary data and malformed lines make the metrics unreachable."""
    reply_server.reply = reply
    with pytest.raises(Unreachable, match="the API at http://127"):
        probe_of(reply_server.url).uploading()
