"""Track probe against answers of any kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from fixtures.probes.errors import NotOffered, Unreachable
from fixtures.probes.http.client import ANSWER_MAX, HttpClient
from fixtures.probes.http.tracks import TrackProbe
from tests.lab.fix_services import Reply, ReplyServer
from tests.lab.made_probes import API, api_probe
from tests.waiting import PATIENCE

Make = Callable[[str], TrackProbe]


@pytest.fixture
def tracks_of() -> Iterator[Make]:
    """Make probes of the tracks at a URL; their clients are closed after the test."""
    clients: list[HttpClient] = []

    def make(url: str) -> TrackProbe:
        clients.append(HttpClient(url, PATIENCE, "the API"))
        return TrackProbe(
            api_probe(clients[-1], "secret"),
            clients[-1],
            "secret",
            status_path=API.status_path,
            track_path=API.track_path,
        )

    yield make
    for client in clients:
        client.close()


@pytest.mark.parametrize("kind", ["audio/wav", "application/octet-stream"])
def test_track_may_be_the_audio_itself(
    tracks_of: Make, reply_server: ReplyServer, kind: str
) -> None:
    """A track is served as the audio file too, however large, but not as an empty one."""
    tracks = tracks_of(reply_server.url)
    audio = b"RIFF" + bytes(2 * ANSWER_MAX)
    reply_server.replies["/api/v1/tracks/t"] = Reply(body=audio, media_type=kind)
    assert tracks.track("x", "t").served
    reply_server.replies["/api/v1/tracks/t"] = Reply(body=b"", media_type=kind)
    assert not tracks.track("x", "t").served


def test_track_is_served_with_200_and_json(tracks_of: Make, reply_server: ReplyServer) -> None:
    """A track counts as served with HTTP 200 and JSON, not with another status or body."""
    tracks = tracks_of(reply_server.url)
    assert tracks.track("x", "t").served
    reply_server.reply = Reply(500)
    assert not tracks.track("x", "t").served
    reply_server.reply = Reply(404)
    assert not tracks.track("x", "t").served
    reply_server.reply = Reply(body=b"not json")
    assert not tracks.track("x", "t").served
    for body in (b'{"success": false, "error": {"code": "INTERNAL"}}', b'{"error": "no upstream"}'):
        reply_server.reply = Reply(body=body)
        track = tracks.track("x", "t")
        assert not track.served
        assert "answers HTTP 200 with an error in its body" in str(track)
    reply_server.reply = Reply(body=b'{"success": true, "data": {"id": "t"}, "error": null}')
    assert tracks.track("x", "t").served


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(429), "answers HTTP 429 on /api/v1/tracks/{track_id}: it limits how often"),
        (Reply(302, location="https://files.example/t?sig=s"), "a redirect to https://files.exam"),
    ],
)
def test_an_answer_about_something_else_is_unreachable(
    tracks_of: Make, reply_server: ReplyServer, reply: Reply, reason: str
) -> None:
    """One request too many, and a redirect to a store of objects, do not say that it is missing."""
    reply_server.replies["/api/v1/tracks/t"] = reply
    with pytest.raises(Unreachable, match=re.escape(reason)):
        tracks_of(reply_server.url).track("x", "t")


def test_track_id_comes_from_the_status_answer(tracks_of: Make, reply_server: ReplyServer) -> None:
    """Where no column has it, the status answer's track_id is requested."""
    reply_server.reply = Reply(body=b'{"data": {"status": "completed", "track_id": 17}}')
    track = tracks_of(reply_server.url).track("x")
    assert (track.id, track.served) == ("17", True)
    assert reply_server.requests[-1][1] == "/api/v1/tracks/17"


def test_unknown_track_id_proves_nothing(tracks_of: Make, reply_server: ReplyServer) -> None:
    """A 404 for a track by its upload's id is skipped, with the reason, and is no failure."""
    reply_server.reply = Reply(404, b'{"error": "not found"}')
    with pytest.raises(NotOffered, match="proves nothing: neither the uploads table nor the"):
        tracks_of(reply_server.url).track("x")


def test_a_refused_token_reads_no_track(tracks_of: Make, reply_server: ReplyServer) -> None:
    """Where the API refuses the token, no track is requested."""
    reply_server.reply = Reply(401, b'{"error": "token expired"}')
    with pytest.raises(Unreachable, match="HTTP 401"):
        tracks_of(reply_server.url).track("x", "t")
    assert [path for _, path, *_ in reply_server.requests if "tracks" in path] == []


@pytest.mark.parametrize(("status", "asked"), [(200, 1), (500, 2)])
def test_an_answer_that_is_known_is_not_asked_for_again(
    reply_server: ReplyServer, status: int, asked: int
) -> None:
    """The status of the upload that exists names its track, unless it was an error."""
    route = "/api/v1/uploads/17/status"
    reply_server.replies[route] = Reply(status, body=b'{"track_id": "t"}')
    with closing(HttpClient(reply_server.url, PATIENCE, "the API")) as http:
        api = api_probe(http, "secret", known_upload=lambda: "17")
        paths = {"status_path": API.status_path, "track_path": API.track_path}
        api.known_answer()
        assert TrackProbe(api, http, "secret", **paths).track("17").served
    assert [path for _, path, _ in reply_server.requests].count(route) == asked
