"""The API probe against the lab's API, through the fault proxy, and against servers of nonsense."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from fixtures.probes.errors import NotOffered, Unreachable
from fixtures.probes.http.api import Api
from fixtures.probes.http.client import Web
from fixtures.probes.subjects import Subject
from tests.lab.fix_services import Reply
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.state import Lab
    from tests.lab.fix_proxy import Proxy
    from tests.lab.fix_services import MadeServer

SECRET = "a-very-secret-token"


Make = Callable[..., Api]


@pytest.fixture
def probe_of() -> Iterator[Make]:
    """Make probes of a URL; each is closed after the test."""
    made: list[Web] = []

    def make(url: str, token: str = SECRET, timeout: float = PATIENCE) -> Api:
        made.append(Web(url, timeout, "the API"))
        return Api(made[-1], token)

    yield make
    for web in made:
        web.close()


def status_of(status: str = "uploading", progress: object = 100) -> bytes:
    data = {"status": status, "progress": progress, "created_at": "2026-01-01T10:00:00Z"}
    return json.dumps({"success": True, "data": data}).encode()


def test_healthy_api_is_well(probe_of: Make, services: Lab) -> None:
    """Of a healthy lab the API is reachable, ready, and accepts the token."""
    probe = probe_of(services.api_url, services.passwords.token)
    assert probe.reach().ok, probe.reach()
    assert probe.token().accepted
    assert probe.readiness().ok, probe.readiness()


def test_stuck_upload_is_told(
    probe_of: Make, services: Lab, aged_upload: Callable[..., str]
) -> None:
    """An upload that the API still calls uploading is named, with its progress and age."""
    upload = aged_upload(minutes=47)
    probe = probe_of(services.api_url, services.passwords.token)
    seen = probe.statuses((Subject(upload),), 600.0)
    assert len(seen.stuck) == len(seen.stuck_when_whole) == 1
    assert (
        f"1 of 1 upload looked at still is uploading after 10 min, 1 at progress 100: {upload}"
        in (str(seen))
    )
    assert "47 min old" in str(seen)


def test_young_upload_is_not_stuck(
    probe_of: Make, services: Lab, aged_upload: Callable[..., str]
) -> None:
    """An upload younger than the limit is told and not called stuck."""
    upload = aged_upload(minutes=3)
    seen = probe_of(services.api_url, services.passwords.token).statuses((Subject(upload),), 600.0)
    assert seen.stuck == ()
    assert seen.uploads[0].status == "uploading"


def test_wrong_token_is_refused_and_stays_secret(probe_of: Make, services: Lab) -> None:
    """A wrong token fails its own check; what depends on it is unreachable; nothing shows it."""
    probe = probe_of(services.api_url)
    assert probe.reach().ok
    token = probe.token()
    assert (token.accepted, token.http_status) == (False, 401)
    with pytest.raises(Unreachable, match="refuses the token with HTTP 401") as refused:
        probe.statuses((Subject("x"),), 600.0)
    assert SECRET not in str(token) + str(refused.value)


def test_another_users_upload_is_unreachable(
    probe_of: Make, services: Lab, aged_upload: Callable[..., str]
) -> None:
    """A token that may not see the upload leaves its status unknown, and says what it lacks."""
    upload = aged_upload()
    probe = probe_of(services.api_url, services.passwords.user_token)
    with pytest.raises(Unreachable, match="the right to read all uploads"):
        probe.statuses((Subject(upload),), 600.0)


def test_api_that_refuses_is_said_once(
    probe_of: Make, services: Lab, proxy: Callable[[str, int], Proxy]
) -> None:
    """A refused connection fails reach with its reason; what follows repeats it at once."""
    way = proxy("127.0.0.1", services.ports.api)
    way.stop()
    probe = probe_of(f"http://127.0.0.1:{way.port}")
    assert not probe.reach().ok
    assert "Connection refused" in str(probe.reach())
    # Somebody answers now, and is not asked any more.
    with socket.create_server(("127.0.0.1", way.port)):
        for look in (probe.token, probe.readiness, probe.worker_health, lambda: probe.track("x")):
            with pytest.raises(Unreachable, match="Connection refused"):
                look()


def test_api_that_is_silent_ends_in_time(
    probe_of: Make, services: Lab, proxy: Callable[[str, int], Proxy]
) -> None:
    """An API that accepts and never answers costs one time-out, and is said to be silent."""
    way = proxy("127.0.0.1", services.ports.api)
    way.go_deaf()
    probe = probe_of(f"http://127.0.0.1:{way.port}", timeout=0.4)
    assert "did not answer within 0.4 s" in str(probe.reach())
    with pytest.raises(Unreachable, match=r"did not answer within 0\.4 s"):
        probe.readiness()
    assert way.accepted == 1


def test_connection_that_is_cut_is_opened_again(
    probe_of: Make, services: Lab, proxy: Callable[[str, int], Proxy]
) -> None:
    """A kept-alive connection that the server ended is replaced, and the API is still reachable."""
    way = proxy("127.0.0.1", services.ports.api)
    probe = probe_of(f"http://127.0.0.1:{way.port}", services.passwords.token)
    assert probe.reach().ok
    way.cut()
    assert probe.readiness().ok


def test_drip_feeding_server_ends_in_time(probe_of: Make, made_server: MadeServer) -> None:
    """A server that sends a byte now and then is cut when the whole call's time is up."""
    made_server.reply = Reply(body=b"x" * 100_000, drip=0.05)
    assert "did not answer within 0.4 s" in str(probe_of(made_server.url, timeout=0.4).reach())


def test_endless_answer_is_cut(probe_of: Make, made_server: MadeServer) -> None:
    """An answer of more than a mebibyte is refused."""
    made_server.reply = Reply(body=b"x" * (2**20 + 1))
    assert "more than 1 MiB" in str(probe_of(made_server.url).reach())


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(503), "answers HTTP 503: it runs, and fails"),
        (Reply(302, location="http://login.example/?a=b"), "a redirect to http://login.example"),
        (Reply(200, b"<html>", "text/html"), "a page of HTML: that is not the upload API"),
    ],
)
def test_answers_that_are_not_the_apis_are_said(
    probe_of: Make, made_server: MadeServer, reply: Reply, said: str
) -> None:
    """Failures, redirects and pages make the API unreachable, each with its own words."""
    made_server.reply = reply
    reach = probe_of(made_server.url).reach()
    assert not reach.ok
    assert said in str(reach)
    assert len(made_server.asked) == 1


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"null", b'{"data": 3}', b'{"data": {"status": 7}}', b"\xff\xfe", b"[" * 9**5],
)
def test_malformed_answers_are_unreachable(
    probe_of: Make, made_server: MadeServer, body: bytes
) -> None:
    """An answer that tells no status is a sentence, whatever it holds."""
    made_server.reply = Reply(body=body)
    with pytest.raises(Unreachable, match="nothing that tells a status for upload x"):
        probe_of(made_server.url).statuses((Subject("x"),), 600.0)


@pytest.mark.parametrize(
    "progress", [None, "full", True, float("inf"), float("nan"), 10**400, {}, [1]]
)
def test_odd_progress_is_no_error(
    probe_of: Make, made_server: MadeServer, progress: object
) -> None:
    """A progress that is no number leaves the status readable."""
    made_server.reply = Reply(body=status_of(progress=progress))
    seen = probe_of(made_server.url).statuses((Subject("x", age_seconds=900.0),), 600.0)
    assert seen.uploads[0].progress is None, str(seen)
    assert len(seen.stuck) == 1


def test_upload_unknown_to_the_api_is_told(probe_of: Make, made_server: MadeServer) -> None:
    """An upload that the API answers 404 on has no status, and is no error."""
    made_server.reply = Reply(404)
    seen = probe_of(made_server.url).statuses((Subject("x"),), 600.0)
    assert (seen.uploads[0].status, seen.uploads[0].http_status) == (None, 404)
    assert "x (HTTP 404)" in str(seen)


def test_missing_worker_health_is_not_offered(probe_of: Make, made_server: MadeServer) -> None:
    """An API without the worker's health route is skipped, with the preventive action named."""
    made_server.replies["/health/worker"] = Reply(404)
    with pytest.raises(NotOffered, match="preventive action is to add it"):
        probe_of(made_server.url).worker_health()


def test_readiness_gives_its_reasons(probe_of: Make, made_server: MadeServer) -> None:
    """An API that is not ready says which of its parts are not fine."""
    body = json.dumps({"status": "ok", "checks": {"db": "ok", "queue": "connection lost"}})
    made_server.replies["/readyz"] = Reply(503, body.encode())
    readiness = probe_of(made_server.url).readiness()
    assert not readiness.ok
    assert readiness.reasons == ("checks queue: connection lost",)


def test_only_get_is_sent_and_ids_are_quoted(probe_of: Make, made_server: MadeServer) -> None:
    """Whatever an id holds stays within its part of the path; health routes get no token."""
    made_server.reply = Reply(body=status_of())
    probe = probe_of(made_server.url)
    probe.statuses((Subject("a/../b?c=d#e"),), 600.0)
    probe.readiness()
    assert {verb for verb, _, _ in made_server.asked} == {"GET"}
    assert made_server.asked[1][1] == "/api/v1/uploads/a%2F..%2Fb%3Fc%3Dd%23e/status"
    assert made_server.asked[1][2] == f"Bearer {SECRET}"
    assert made_server.asked[2][1:] == ("/readyz", None)


@pytest.mark.parametrize("token", ["line\nbreak-secret", "é-secret", "\0secret"])
def test_token_that_cannot_be_sent_stays_secret(
    probe_of: Make, made_server: MadeServer, token: str
) -> None:
    """A token that no header can hold is a sentence that does not show it."""
    seen = str(probe_of(made_server.url, token).reach())
    assert "cannot be sent in HTTP" in seen
    assert "secret" not in seen


def test_only_a_served_track_counts(probe_of: Make, made_server: MadeServer) -> None:
    """A track is served with HTTP 200 and JSON, and not otherwise."""
    probe = probe_of(made_server.url)
    assert probe.track("x").served
    made_server.reply = Reply(500)
    assert not probe.track("x").served
    made_server.reply = Reply(body=b"not json")
    assert not probe.track("x").served
