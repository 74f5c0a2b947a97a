"""API probe against the lab's API, through the fault proxy, and against malformed answers."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import pytest

from fixtures.probes.background import begin
from fixtures.probes.errors import NotOffered, Unreachable
from fixtures.probes.http.api import ApiProbe
from fixtures.probes.http.client import HttpClient
from fixtures.probes.subjects import Subject
from tests.lab.fix_services import Reply
from tests.lab.made_probes import api_probe
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from lab.state import Lab
    from tests.lab.fix_proxy import Proxy
    from tests.lab.fix_services import ReplyServer

SECRET = "a-very-secret-token"


Make = Callable[..., ApiProbe]


@pytest.fixture
def probe_of() -> Iterator[Make]:
    """Make probes of a URL; their clients are closed after the test."""
    clients: list[HttpClient] = []

    def make(
        url: str,
        token: str = SECRET,
        timeout: float = PATIENCE,
        known: str | None = None,
        worker_health_path: str | Literal[False] = "/health/worker",
        ready_path: str | Literal[False] = "/readyz",
    ) -> ApiProbe:
        client, *more = [HttpClient(url, timeout, "the API") for _ in range(3)]
        clients.extend((client, *more))
        return api_probe(
            client,
            token,
            worker_health_path=worker_health_path,
            ready_path=ready_path,
            known_upload=lambda: known,
            more=more,
        )

    yield make
    for client in clients:
        client.close()


def status_body(status: str = "uploading", progress: object = 100) -> bytes:
    data = {"status": status, "progress": progress, "created_at": "2026-01-01T10:00:00Z"}
    return json.dumps({"success": True, "data": data}).encode()


def test_healthy_api_passes(probe_of: Make, services: Lab) -> None:
    """The API of a healthy lab is reachable, ready, and accepts the token."""
    probe = probe_of(services.api_url, services.passwords.token)
    assert probe.reach().ok, probe.reach()
    assert probe.token().accepted
    assert probe.readiness().ok, probe.readiness()


def test_stuck_upload_is_named(
    probe_of: Make, services: Lab, aged_upload: Callable[..., str]
) -> None:
    """An upload that the API still reports as uploading is named with its progress and age."""
    upload = aged_upload(minutes=47)
    probe = probe_of(services.api_url, services.passwords.token)
    statuses = probe.statuses((Subject(upload),), 600.0)
    assert len(statuses.stuck) == len(statuses.stuck_at_full_progress) == 1
    assert (
        f"reports 1 of 1 sampled upload as still waiting after 10 min, 1 at 100 %: {upload}"
        in str(statuses)
    )
    assert "47 min old" in str(statuses)


def test_young_upload_is_not_stuck(
    probe_of: Make, services: Lab, aged_upload: Callable[..., str]
) -> None:
    """An upload younger than the limit is reported, but not as stuck."""
    upload = aged_upload(minutes=3)
    probe = probe_of(services.api_url, services.passwords.token)
    statuses = probe.statuses((Subject(upload),), 600.0)
    assert statuses.stuck == ()
    assert statuses.uploads[0].status == "uploading"


def test_a_status_in_capital_letters_is_the_same(probe_of: Make, reply_server: ReplyServer) -> None:
    """An API may write its statuses as its language writes constants."""
    reply_server.reply = Reply(body=status_body("UPLOADING"))
    statuses = probe_of(reply_server.url).statuses((Subject("u1"),), 600.0)
    assert len(statuses.stuck) == 1, statuses


@pytest.mark.parametrize("name", [b"status", b"state"])
def test_the_attributes_of_json_api_are_read(
    probe_of: Make, reply_server: ReplyServer, name: bytes
) -> None:
    """JSON:API has an upload's fields in `data.attributes`; its status may be its state."""
    fields = b'{"' + name + b'": "completed", "progress": 100}'
    reply_server.reply = Reply(
        body=b'{"data": {"type": "uploads", "id": "x", "attributes": ' + fields + b"}}"
    )
    (upload,) = probe_of(reply_server.url).statuses((Subject("x"),), 600.0).uploads
    assert (upload.status, upload.progress) == ("completed", 100)


@pytest.mark.parametrize("body", [b'{"error": "slow down"}', b"<html>429 Too Many Requests"])
def test_one_request_too_many_is_unreachable(
    probe_of: Make, reply_server: ReplyServer, body: bytes
) -> None:
    """A limit of requests says nothing of the token, of the API's health, or of an upload."""
    reply_server.reply = Reply(429, body)
    assert probe_of(reply_server.url).reach().ok
    probe = probe_of(reply_server.url)
    assert probe.first_answer().ok
    for call in (probe.token, probe.readiness, probe.worker_health):
        with pytest.raises(Unreachable, match=r"answers HTTP 429 on /.*: it limits how often"):
            call()
    with pytest.raises(Unreachable, match=r"answers HTTP 429 on /.*: it limits how often"):
        probe.statuses((Subject("u1"),), 600.0)


def test_wrong_token_is_refused_and_stays_secret(probe_of: Make, services: Lab) -> None:
    """A wrong token is refused, makes statuses unreachable, and appears in no message."""
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
    """A token without the right to read the upload makes its status unreachable."""
    upload = aged_upload()
    probe = probe_of(services.api_url, services.passwords.user_token)
    with pytest.raises(Unreachable, match="the right to read all uploads"):
        probe.statuses((Subject(upload),), 600.0)


def test_refused_connection_is_tried_once(
    probe_of: Make, services: Lab, proxy: Callable[[str, int], Proxy]
) -> None:
    """A refused connection fails reach with its reason; later calls repeat it at once."""
    way = proxy("127.0.0.1", services.ports.api)
    way.stop()
    probe = probe_of(f"http://127.0.0.1:{way.port}")
    assert not probe.reach().ok
    assert "Connection refused" in str(probe.reach())
    # A server answers now, and is not asked any more.
    with socket.create_server(("127.0.0.1", way.port)):
        for call in (probe.token, probe.readiness, probe.worker_health, probe.require_token):
            with pytest.raises(Unreachable, match="Connection refused"):
                call()


def test_silent_api_costs_one_timeout(
    probe_of: Make, services: Lab, proxy: Callable[[str, int], Proxy]
) -> None:
    """An API that accepts connections and never answers costs one time-out."""
    way = proxy("127.0.0.1", services.ports.api)
    way.go_deaf()
    probe = probe_of(f"http://127.0.0.1:{way.port}", timeout=0.4)
    assert "did not answer within 0.4 s" in str(probe.reach())
    with pytest.raises(Unreachable, match=r"did not answer within 0\.4 s"):
        probe.readiness()
    assert way.accepted == 1


def test_closed_connection_is_opened_again(
    probe_of: Make, services: Lab, proxy: Callable[[str, int], Proxy]
) -> None:
    """A keep-alive connection that the server closed is replaced."""
    way = proxy("127.0.0.1", services.ports.api)
    probe = probe_of(f"http://127.0.0.1:{way.port}", services.passwords.token)
    assert probe.reach().ok
    way.cut()
    assert probe.readiness().ok


def test_drip_feeding_server_ends_in_time(probe_of: Make, reply_server: ReplyServer) -> None:
    """A server that sends single bytes is cut off at the time limit of the whole call."""
    reply_server.reply = Reply(body=b"x" * 100_000, drip=0.05)
    assert "did not answer within 0.4 s" in str(probe_of(reply_server.url, timeout=0.4).reach())


def test_an_authority_of_ones_own_is_trusted_on_this_machine(
    probe_of: Make, tls_server: int
) -> None:
    """The authority in SSL_CERT_FILE counts for 127.0.0.1 as well, as at the end of a tunnel."""
    reach = probe_of(f"https://127.0.0.1:{tls_server}").reach()
    assert reach.ok, reach


def test_an_unknown_authority_has_a_remedy(
    probe_of: Make, tls_server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a certificate that is not accepted the sentence says why, and what to do."""
    monkeypatch.delenv("SSL_CERT_FILE")
    reach = probe_of(f"https://127.0.0.1:{tls_server}").reach()
    assert not reach.ok
    assert "not accepted: self-signed certificate; renew or correct it" in str(reach)


def test_a_server_behind_a_proxy_ends_in_time(
    probe_of: Make, server_side: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that sends single bytes through a proxy's tunnel is cut off at the same limit."""
    ended = threading.Event()

    def tunnel(listener: socket.socket) -> None:
        client = listener.accept()[0]
        client.recv(65536)
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with suppress(OSError), server_side.wrap_socket(client, True) as peer:
            peer.recv(65536)
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not ended.wait(0.05):
                peer.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{listener.getsockname()[1]}")
        threading.Thread(target=tunnel, args=(listener,), daemon=True).start()
        reach = begin(probe_of("https://api.test", timeout=1.5).reach)
        try:
            assert "did not answer within 1.5 s" in str(reach.result(PATIENCE))
        finally:
            ended.set()


def test_large_answer_is_refused(probe_of: Make, reply_server: ReplyServer) -> None:
    """An answer of more than a mebibyte is refused."""
    reply_server.reply = Reply(body=b"x" * (2**20 + 1))
    assert "more than 1 MiB" in str(probe_of(reply_server.url).reach())


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(302, location="http://login.example/?a=b"), "a redirect to http://login.example"),
        (Reply(200, b"<html>", "text/html"), "a page of HTML: not the upload API"),
        (Reply(200, b"\n<HTML lang=en>"), "a page of HTML: not the upload API"),
        (Reply(200, b"<html><body>Log in"), "a page of HTML: not the upload API"),
    ],
)
def test_wrong_answers_fail_reach(
    probe_of: Make, reply_server: ReplyServer, reply: Reply, message: str
) -> None:
    """Redirects and HTML pages fail reach, each with its own message."""
    reply_server.reply = reply
    reach = probe_of(reply_server.url).reach()
    assert not reach.ok
    assert message in str(reach)
    assert len(reply_server.requests) == 1


@pytest.mark.parametrize(
    ("reply", "remedy"),
    [
        (Reply(500, b"{}"), "see the API's log"),
        (Reply(503, b"{}"), "see the API's log"),
        (Reply(500, b"<html>oops</html>", "text/html"), "see the API's log"),
        (
            Reply(502, b"<html>bad gateway</html>", "text/html"),
            "look at the proxy before the API, and whether the API runs",
        ),
    ],
)
def test_a_server_error_is_an_answer(
    probe_of: Make, reply_server: ReplyServer, reply: Reply, remedy: str
) -> None:
    """An API that answers 5xx is reached and fails its own check; other routes are requested.

    The answer says nothing about the token, so a status is requested all the same.
    """
    reply_server.reply = reply
    reply_server.replies["/api/v1/uploads/u1/status"] = Reply(body=status_body("completed"))
    probe = probe_of(reply_server.url)
    assert probe.reach().ok
    # It stands beside the failures as what speaks for the API: an error does not.
    assert str(probe.reach()).endswith(" gives an HTTP answer")
    answer = probe.first_answer()
    assert not answer.ok
    assert str(answer).endswith(f"status, a server error; {remedy}")
    with pytest.raises(Unreachable, match="says nothing about the token"):
        probe.token()
    for health in (probe.readiness(), probe.worker_health()):
        assert (health.ok, health.http_status) == (False, reply.status)
    assert probe.statuses((Subject("u1"),), 600.0).uploads[0].status == "completed"
    probe.require_token()


def test_an_id_of_another_form_is_no_server_error(
    probe_of: Make, reply_server: ReplyServer
) -> None:
    """An API with ids of another form may fail on the unused id; an upload that exists decides."""
    reply_server.reply = Reply(500)
    reply_server.replies["/api/v1/uploads/17/status"] = Reply(body=status_body("completed"))
    probe = probe_of(reply_server.url, known="17")
    assert probe.first_answer().ok
    assert probe.token().accepted
    assert not probe_of(reply_server.url, known="18").first_answer().ok
    assert not probe_of(reply_server.url).first_answer().ok


def test_a_server_error_for_real_uploads_alone_is_seen(
    probe_of: Make, reply_server: ReplyServer
) -> None:
    """An API may refuse the unused id by its form, and fail on each upload that it reads."""
    reply_server.reply = Reply(404, b"{}")
    reply_server.replies["/api/v1/uploads/17/status"] = Reply(500)
    assert probe_of(reply_server.url, known="17").first_answer().ok
    assert not probe_of(reply_server.url, known="17").known_answer().ok
    for known in ("18", None):
        assert probe_of(reply_server.url, known=known).known_answer().ok


def test_one_instance_that_fails_is_seen(
    probe_of: Make, reply_server: ReplyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the instances behind one address, one may fail each of its requests."""
    reply_server.reply = Reply(404, b"{}")
    path = "/api/v1/uploads/17/status"

    class InTurn(dict[str, Reply]):
        def get(self, key: str, default: Any = None) -> Any:
            first = not [one for one in reply_server.requests[:-1] if one[1] == path]
            return Reply(200 if first else 503, b"{}") if key == path else default

    monkeypatch.setattr(reply_server, "replies", InTurn())
    answer = probe_of(reply_server.url, known="17").known_answer()
    assert not answer.ok
    assert "HTTP 503" in str(answer)


def test_an_answer_has_its_time(probe_of: Make, reply_server: ReplyServer) -> None:
    """An answer that came later than the limit fails; the sentence has both figures."""
    reply_server.reply = Reply(404, b"{}", drip=0.2)
    probe = probe_of(reply_server.url)
    assert probe.answer_time(60.0).ok
    late = probe.answer_time(0.1)
    assert not late.ok
    assert late.seconds > 0.1
    assert "for an answer, more than 100 ms; look at the load of its machine" in str(late)
    reply_server.reply = Reply(404, b"{}")
    reply_server.replies["/api/v1/uploads/17/status"] = Reply(body=b"{}", drip=0.2)
    without, known = probe_of(reply_server.url), probe_of(reply_server.url, known="17")
    assert without.known_answer_time(60.0) == without.answer_time(60.0)
    assert known.known_answer_time(60.0) != known.answer_time(60.0)
    assert not known.known_answer_time(0.1).ok


def test_one_upload_with_a_server_error_does_not_hide_the_others(
    probe_of: Make, reply_server: ReplyServer
) -> None:
    """What is known of the others counts; without a stuck one the answer is not known."""
    sample = (Subject("u1"), Subject("u2"))
    reply_server.replies["/api/v1/uploads/u1/status"] = Reply(500)
    reply_server.replies["/api/v1/uploads/u2/status"] = Reply(body=status_body())
    statuses = probe_of(reply_server.url).statuses(sample, 600.0)
    assert [upload.id for upload in statuses.stuck] == ["u2"]
    reply_server.replies["/api/v1/uploads/u2/status"] = Reply(body=status_body("completed"))
    with pytest.raises(Unreachable, match="answers HTTP 500 for upload u1; see the API's log"):
        probe_of(reply_server.url).statuses(sample, 600.0)


@pytest.mark.parametrize("status", [200, 401, 404])
def test_another_status_is_no_server_error(
    probe_of: Make, reply_server: ReplyServer, status: int
) -> None:
    """A refusal or an unknown id is no server error."""
    reply_server.reply = Reply(status, b"{}")
    assert probe_of(reply_server.url).first_answer().ok


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"null", b'{"data": 3}', b'{"data": {"status": 7}}', b"\xff\xfe", b"[" * 9**5],
)
def test_malformed_answers_are_unreachable(
    probe_of: Make, reply_server: ReplyServer, body: bytes
) -> None:
    """An answer without a status makes it unreachable, whatever it contains."""
    reply_server.reply = Reply(body=body)
    with pytest.raises(Unreachable, match="answers no status for upload x"):
        probe_of(reply_server.url).statuses((Subject("x"),), 600.0)


@pytest.mark.parametrize(
    "progress", [None, "full", True, float("inf"), float("nan"), 10**400, {}, [1]]
)
def test_invalid_progress_is_ignored(
    probe_of: Make, reply_server: ReplyServer, progress: object
) -> None:
    """A progress that is not a percentage leaves the status readable."""
    reply_server.reply = Reply(body=status_body(progress=progress))
    statuses = probe_of(reply_server.url).statuses((Subject("x", age_seconds=900.0),), 600.0)
    assert statuses.uploads[0].progress is None, str(statuses)
    assert len(statuses.stuck) == 1


def test_upload_unknown_to_the_api_has_no_status(probe_of: Make, reply_server: ReplyServer) -> None:
    """An upload on which the API answers 404 has no status and is no error."""
    reply_server.reply = Reply(404)
    statuses = probe_of(reply_server.url).statuses((Subject("x"),), 600.0)
    assert (statuses.uploads[0].status, statuses.uploads[0].http_status) == (None, 404)
    assert "x (HTTP 404)" in str(statuses)


def test_missing_worker_health_is_not_offered(probe_of: Make, reply_server: ReplyServer) -> None:
    """An API without the worker's health route is skipped, and the preventive action named."""
    reply_server.replies["/health/worker"] = Reply(404)
    with pytest.raises(NotOffered, match="preventive action is to add it"):
        probe_of(reply_server.url).worker_health()


def test_a_login_before_the_routes_does_not_hide_the_way_out(
    probe_of: Make, reply_server: ReplyServer
) -> None:
    """An API that asks for a login on every route has no worker's health where the target says so.

    Nothing is requested then.
    """
    for route in ("/readyz", "/health/worker"):
        reply_server.replies[route] = Reply(401)
    probe = probe_of(reply_server.url)
    with pytest.raises(Unreachable, match=r"set api\.worker_health_path to false where"):
        probe.worker_health()
    with pytest.raises(Unreachable, match=r"set api\.ready_path to false where"):
        probe.readiness()
    reply_server.replies["/readyz"] = Reply(200, b'{"queue": "access refused"}')
    without = probe_of(reply_server.url, worker_health_path=False)
    with pytest.raises(NotOffered, match=r"by api\.worker_health_path"):
        without.worker_health()
    assert without.broker_access().refusals == ("/readyz: queue: access refused",)
    neither = probe_of(reply_server.url, worker_health_path=False, ready_path=False)
    with pytest.raises(NotOffered, match=r"by api\.ready_path"):
        neither.readiness()
    with pytest.raises(NotOffered, match="no health report"):
        neither.broker_access()


@pytest.mark.parametrize("status", [200, 202, 204])
def test_any_success_is_ready(probe_of: Make, reply_server: ReplyServer, status: int) -> None:
    """A health route may succeed without a body; the API reports no trouble with the broker."""
    reply_server.reply = Reply(404, b"{}")
    for route in ("/readyz", "/health/worker"):
        reply_server.replies[route] = Reply(status, b"")
    probe = probe_of(reply_server.url)
    assert probe.readiness().ok
    assert probe.worker_health().ok
    assert not probe.broker_access().refusals


@pytest.mark.parametrize(
    ("body", "is_ok"),
    [
        (b'{"status": "DOWN"}', False),
        (b'{"success": true, "data": {"status": "not running"}}', False),
        (b'{"healthy": false, "worker": "no heartbeat"}', False),
        (b'{"status": "degraded", "checks": {"cache": "down"}}', True),
        (b'{"status": "UP"}', True),
    ],
)
def test_a_success_that_says_it_is_down_is_none(
    probe_of: Make, reply_server: ReplyServer, body: bytes, is_ok: bool
) -> None:
    """Some health routes always answer 200, and say in the body how it is."""
    reply_server.replies["/health/worker"] = Reply(body=body)
    health = probe_of(reply_server.url).worker_health()
    assert health.ok is is_ok, health


@pytest.mark.parametrize("status", [400, 405])
def test_a_route_that_takes_no_get_is_no_health_report(
    probe_of: Make, reply_server: ReplyServer, status: int
) -> None:
    """A refused request says nothing of the service, nor of its access to the broker."""
    for route in ("/readyz", "/health/worker"):
        reply_server.replies[route] = Reply(status)
    probe = probe_of(reply_server.url)
    for call in (probe.readiness, probe.worker_health):
        with pytest.raises(
            Unreachable, match=rf"HTTP {status} on .*: not a health report; correct"
        ):
            call()
    with pytest.raises(NotOffered, match="has no health report"):
        probe.broker_access()


def test_readiness_names_unhealthy_parts(probe_of: Make, reply_server: ReplyServer) -> None:
    """An API that is not ready names its unhealthy parts."""
    body = json.dumps({"status": "ok", "checks": {"db": "ok", "queue": "connection lost"}})
    reply_server.replies["/readyz"] = Reply(503, body.encode())
    readiness = probe_of(reply_server.url).readiness()
    assert not readiness.ok
    assert readiness.reasons == ("checks queue: connection lost",)
    assert readiness.parts == ("status", "checks", "db", "queue")


@pytest.mark.parametrize(
    ("document", "parts"),
    [
        ({"data": {"worker": {"state": "ok"}}}, ("worker", "state")),
        ({"checks": [{"name": "job worker", "ok": True}]}, ("checks", "job worker", "ok")),
        ({"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}, ("a", "b", "c", "d", "e")),
        ({f"part {n}": n for n in range(90)}, tuple(f"part {n}" for n in range(50))),
        (["worker"], ()),
        (7, ()),
    ],
)
def test_the_parts_of_a_health_report_are_named(
    probe_of: Make, reply_server: ReplyServer, document: object, parts: tuple[str, ...]
) -> None:
    """Objects and lists of any form are read, to a depth and a number that end."""
    reply_server.replies["/readyz"] = Reply(200, json.dumps(document).encode())
    assert probe_of(reply_server.url).readiness().parts == parts


@pytest.mark.parametrize("body", [b"[" * 100_000, b"\x1f\x8b\x08 compressed", b'{"status": "ok"'])
def test_a_health_report_that_cannot_be_read_is_unreachable(
    probe_of: Make, reply_server: ReplyServer, body: bytes
) -> None:
    """HTTP 200 with a body that claims to be JSON and is not proves nothing."""
    for route in ("/readyz", "/health/worker"):
        reply_server.replies[route] = Reply(200, body)
    probe = probe_of(reply_server.url)
    for call in (probe.readiness, probe.worker_health):
        with pytest.raises(Unreachable, match="a body that is not valid JSON"):
            call()
    with pytest.raises(NotOffered, match="has no health report"):
        probe.broker_access()


def test_only_get_is_sent_and_ids_are_quoted(probe_of: Make, reply_server: ReplyServer) -> None:
    """Special characters of an id are quoted in the path; health routes get no token."""
    reply_server.reply = Reply(body=status_body())
    probe = probe_of(reply_server.url)
    probe.statuses((Subject("a/../b?c=d#e"),), 600.0)
    probe.readiness()
    assert {verb for verb, _, _ in reply_server.requests} == {"GET"}
    assert reply_server.requests[1][1] == "/api/v1/uploads/a%2F..%2Fb%3Fc%3Dd%23e/status"
    assert reply_server.requests[1][2] == f"Bearer {SECRET}"
    assert reply_server.requests[2][1:] == ("/readyz", None)


@pytest.mark.parametrize("token", ["line\nbreak-secret", "é-secret", "\0secret"])
def test_token_that_cannot_be_sent_stays_secret(
    probe_of: Make, reply_server: ReplyServer, token: str
) -> None:
    """A token that no HTTP header can carry appears in no message."""
    message = str(probe_of(reply_server.url, token).reach())
    assert "cannot be sent in HTTP" in message
    assert "secret" not in message


REFUSED = (
    b'{"status": "unavailable", "checks": {"broker": "403 ACCESS_REFUSED - Login was refused"}}'
)


@pytest.mark.parametrize(
    "body",
    [
        REFUSED,
        b'{"rabbitmq": {"error": "access to vhost / refused for user app: NOT_ALLOWED"}}',
        b'{"broker": "ProbableAccessDeniedError"}',
        b"message queue: authentication failed",
    ],
)
def test_a_health_report_names_a_broker_that_refuses(
    probe_of: Make, reply_server: ReplyServer, body: bytes
) -> None:
    """A report of a refused login or right is quoted, with commands that only look."""
    reply_server.replies["/readyz"] = Reply(503, body)
    reply_server.reply = Reply(404, b'{"error": "not found"}')
    access = probe_of(reply_server.url).broker_access()
    assert len(access.refusals) == 1
    assert "the broker refuses the application: /readyz: " in str(access)
    assert "rabbitmqctl list_user_permissions" in str(access)


@pytest.mark.parametrize(
    "body",
    [
        b'{"broker": "connection refused"}',
        b'{"database": "password authentication failed"}',
        b'{"queue": "permission denied for table job_queue"}',
        b'{"worker": "last heartbeat 6 s ago"}',
        b"{}",
    ],
)
def test_another_failure_is_no_refusal_by_the_broker(
    probe_of: Make, reply_server: ReplyServer, body: bytes
) -> None:
    """A report that is not well for another reason says nothing of the broker's rights."""
    reply_server.replies["/readyz"] = Reply(503, body)
    reply_server.reply = Reply(404, b'{"error": "not found"}')
    with pytest.raises(NotOffered, match="does not say that the broker refuses it"):
        probe_of(reply_server.url).broker_access()


def test_a_healthy_report_shows_access_to_the_broker(
    probe_of: Make, reply_server: ReplyServer
) -> None:
    """A report that is well passes; without any report the check is skipped."""
    reply_server.reply = Reply(404, b'{"error": "not found"}')
    with pytest.raises(NotOffered, match="has no health report"):
        probe_of(reply_server.url).broker_access()
    reply_server.replies["/health/worker"] = Reply(body=b'{"status": "ok"}')
    assert not probe_of(reply_server.url).broker_access().refusals
