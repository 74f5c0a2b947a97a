"""The interpretation of the API's responses to the canary, and the sentences about them."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.probes.canary.answers import compare_track, error_message, upload_id_in
from fixtures.probes.canary.audio import wav
from fixtures.probes.canary.results import Removal, StatusTimeline, TimeInStatus
from fixtures.probes.http.client import Answer


@pytest.mark.parametrize(
    ("fields", "upload_id"),
    [
        ({"upload_id": "a-1", "id": "b"}, "a-1"),
        ({"id": 7}, "7"),
        ({"track_id": "t"}, "t"),
        ({"id": True}, ""),
        ({"id": "../../admin"}, ""),
        ({"id": "x" * 65}, ""),
        ({}, ""),
    ],
)
def test_only_a_valid_upload_id_is_used(fields: dict[str, Any], upload_id: str) -> None:
    """A path, a boolean or a long text in the place of an id never gets into a URL."""
    assert upload_id_in(fields) == upload_id


def test_the_api_s_error_message_is_one_printable_line() -> None:
    """The API's error message is cut to one line without control characters."""
    body = {"error": {"message": "too\x1b[2J big\nand more"}}
    assert error_message(body) == ": too?[2J big"
    assert error_message(None) == ""
    assert error_message({"error": "no"}) == ": no"


AUDIO = wav("c", "x")


@pytest.mark.parametrize(
    ("answer", "matches", "detail"),
    [
        (Answer(200, "audio/wav", "", "", AUDIO), True, "identical to the file that was sent"),
        (Answer(200, "audio/wav", "", "", AUDIO[:-1]), False, "different from the file"),
        (Answer(200, "application/json", "", "", b'{"data":{"id":"t"}}'), True, "metadata"),
        (Answer(200, "application/json", "", "", b'{"data":{"id":"u"}}'), False, "returned u"),
        (Answer(200, "application/json", "", "", b'{"data":{"size":3}}'), False, "is 3 bytes"),
        (Answer(200, "text/html", "", "", b"<html>"), False, "not a track"),
        (Answer(404, "application/json", "", "", b"{}"), False, "HTTP 404"),
    ],
)
def test_a_track_is_compared_with_the_sent_file(answer: Answer, matches: bool, detail: str) -> None:
    """A track matches if its bytes are the same, or its metadata does not differ."""
    track = compare_track("the API", "t", answer, AUDIO)
    assert track.matches is matches
    assert detail in str(track)


def test_a_timeline_says_which_status_and_for_how_long() -> None:
    """The sentence has the last status, the earlier ones with their durations, and the reason."""
    stages = (TimeInStatus("uploading", 0.2), TimeInStatus("processing", 14.8))
    late = StatusTimeline("the API", "u1", 15.0, 15.0, stages, True, "")
    assert str(late) == "canary u1 at the API is processing after 15 s (uploading for 200 ms)"
    lost = StatusTimeline("the API", "u1", 15.0, 15.0, stages[:1], False, "HTTP 404")
    assert str(lost) == "canary u1 at the API was last reported uploading; after 15 s: HTTP 404"
    assert late.left_uploading
    assert not late.completed
    assert not lost.left_uploading


def test_a_removal_names_what_is_left() -> None:
    """The sentence has each upload that is left, and counts the earlier ones that were removed."""
    removal = Removal("the API", "c", ("upload u1 (c): HTTP 500",), 2)
    assert str(removal) == (
        "the API: not removed: upload u1 (c): HTTP 500; 2 earlier canaries removed"
    )
    assert not removal.clean
