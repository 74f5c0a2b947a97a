"""The metrics probe against the lab's metrics, and against text that is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from fixtures.probes.errors import NotOffered, Unreachable
from fixtures.probes.http.client import Web
from fixtures.probes.http.metrics import Metrics
from tests.lab.fix_services import Reply
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from lab.state import Lab
    from tests.lab.fix_services import MadeServer

Make = Callable[[str], Metrics]
GAUGE = b'# TYPE veza_file_uploads_total gauge\nveza_file_uploads_total{status="%s"} %s\n'


@pytest.fixture
def probe_of() -> Iterator[Make]:
    """Make probes of a URL; each is closed after the test."""
    made: list[Web] = []

    def make(url: str) -> Metrics:
        made.append(Web(url, PATIENCE, "the API"))
        return Metrics(made[-1])

    yield make
    for web in made:
        web.close()


def test_healthy_metrics_are_read(services: Lab, probe_of: Make) -> None:
    """The lab serves the runbook's series, and a small number of uploads is uploading."""
    probe = probe_of(services.api_url)
    assert probe.served().missing == ()
    assert probe.uploading().value < 10
    assert probe.processing_time().seconds < 60


def test_one_scrape_answers_everything(made_server: MadeServer, probe_of: Make) -> None:
    """The metrics are asked for once, without the token."""
    made_server.reply = Reply(body=GAUGE % (b"uploading", b"3"), kind="text/plain")
    probe = probe_of(made_server.url)
    assert probe.uploading().value == 3
    assert probe.served().missing == ()
    assert made_server.asked == [("GET", "/metrics", None)]


def test_absent_series_is_not_zero(made_server: MadeServer, probe_of: Make) -> None:
    """A series that is not served is skipped as unknown, never taken for zero."""
    made_server.reply = Reply(body=GAUGE % (b"completed", b"3"))
    probe = probe_of(made_server.url)
    with pytest.raises(NotOffered, match="absent is not zero"):
        probe.uploading()
    with pytest.raises(NotOffered, match="preventive action is to add veza_upload_processing"):
        probe.processing_time()


def test_counter_is_not_read_as_a_gauge(made_server: MadeServer, probe_of: Make) -> None:
    """A counter never falls, so that it cannot say how many uploads are uploading now."""
    body = (GAUGE % (b"uploading", b"12345")).replace(b"gauge", b"counter")
    made_server.reply = Reply(body=body)
    probe = probe_of(made_server.url)
    assert probe.served().missing == ()
    with pytest.raises(NotOffered, match="as a counter, which never falls"):
        probe.uploading()


def test_missing_series_are_named(made_server: MadeServer, probe_of: Make) -> None:
    """Metrics without the runbook's series fail, and the series is named."""
    made_server.reply = Reply(body=b"up 1\n")
    served = probe_of(made_server.url).served()
    assert served.missing == ("veza_file_uploads_total{status=...}",)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500),
        Reply(body=b""),
        Reply(body=b"<html>no metrics here</html>", kind="text/html"),
        Reply(body=b"\xff\xfe"),
        Reply(body=b'veza_file_uploads_total{status="uploading"} many\n'),
        Reply(body=GAUGE % (b"uploading", b"NaN")),
    ],
)
def test_what_is_no_metrics_is_unreachable(
    made_server: MadeServer, probe_of: Make, reply: Reply
) -> None:
    """Failures, pages, binary and broken lines are a sentence, not a number."""
    made_server.reply = reply
    with pytest.raises(Unreachable, match="the API at http://127"):
        probe_of(made_server.url).uploading()
