"""The canary's parts that need no service: its file, its journal, its record, who may send it."""

from __future__ import annotations

import io
import json
import threading
import time
import wave
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.canary import refusal
from fixtures.probes.canary.answers import given_id, message_of, track_of
from fixtures.probes.canary.audio import SECONDS, wav
from fixtures.probes.canary.journal import KEPT, LINES_MAX, Journal
from fixtures.probes.canary.record import Canary, Record, sweep_records
from fixtures.probes.canary.results import Acceptance, Journey, Removal, Stage
from fixtures.probes.errors import NotOffered, Unreachable
from fixtures.probes.http.client import Answer
from fixtures.target.model import Api, Target
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

API = Api.model_validate(
    {"url": "http://127.0.0.1:1", "token": "x"}, context={"environment": "lab"}
)


def target(**values: Any) -> Target:
    """A target with an API, which takes writes unless told otherwise."""
    given: dict[str, Any] = {
        "environment": "staging",
        "allow_writes": True,
        "name": "here",
        "api": API,
    }
    return Target(**(given | values))


# --- Who may send it


def test_a_target_that_takes_writes_takes_a_canary() -> None:
    """With allow_writes and an API nothing stands in the way."""
    assert refusal(target(), yes_live=False) is None


@pytest.mark.parametrize(
    ("values", "yes_live", "told"),
    [
        ({"allow_writes": False}, True, "allow_writes = true"),
        ({"environment": "live"}, False, "add --yes-live"),
        ({"api": None}, False, "has no [api]"),
    ],
    ids=["no writes", "live", "no API"],
)
def test_a_canary_that_may_not_be_sent_is_refused(
    values: dict[str, Any], yes_live: bool, told: str
) -> None:
    """One sentence says why it may not, and what to change."""
    reason = refusal(target(**values), yes_live=yes_live)
    assert reason
    assert told in reason
    assert "here" in reason
    assert "\n" not in reason


def test_a_live_target_takes_a_canary_that_was_confirmed() -> None:
    """--yes-live is the second key, beside allow_writes."""
    assert refusal(target(environment="live"), yes_live=True) is None


# --- The file


def test_the_file_is_a_wav_that_any_reader_takes() -> None:
    """The standard library reads it: mono, 16 bits, one second, not silent."""
    with wave.open(io.BytesIO(wav("veza-canary-1", "a comment of odd length"))) as sound:
        assert (sound.getnchannels(), sound.getsampwidth()) == (1, 2)
        assert sound.getnframes() / sound.getframerate() == SECONDS
        assert any(sound.readframes(sound.getnframes()))


@pytest.mark.parametrize("title", ["veza-canary-1", "veza-canary-12"])
def test_the_file_says_in_itself_what_it_is(title: str) -> None:
    """Its RIFF metadata has title and comment, and its length is what its header says."""
    data = wav(title, "synthetic")
    assert b"INAM" in data
    assert title.encode() in data
    assert b"synthetic" in data
    assert int.from_bytes(data[4:8], "little") + 8 == len(data)


# --- The journal


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """A journal that is open and empty."""
    made = Journal(tmp_path / "lab" / "canaries.jsonl")
    made.open()
    return made


def test_what_is_not_removed_is_pending(journal: Journal) -> None:
    """Intended and accepted canaries may be there, with the id that became known."""
    journal.note("intended", "one")
    journal.note("intended", "two")
    journal.note("accepted", "two", "id-2")
    journal.note("intended", "three")
    journal.note("accepted", "three", "id-3")
    journal.note("removed", "three", "id-3")
    assert [(e.name, e.upload_id) for e in journal.pending()] == [("one", ""), ("two", "id-2")]


def test_a_line_that_a_kill_cut_short_harms_no_other(journal: Journal) -> None:
    """A torn line is ignored, and the next one begins on a line of its own."""
    journal.note("intended", "one")
    with journal.path.open("a") as file:
        file.write('{"at": 1.0, "event": "inten')
    journal.note("intended", "two")
    assert [entry.name for entry in journal.pending()] == ["one", "two"]


@pytest.mark.parametrize("line", ["[]", "{}", '{"at":"x","event":1,"name":2}', "\x00", '"a"'])
def test_a_line_of_somebody_else_is_ignored(journal: Journal, line: str) -> None:
    """Whatever else is in the file is no canary."""
    journal.path.write_text(f"{line}\n")
    journal.note("intended", "one")
    assert [entry.name for entry in journal.pending()] == ["one"]


def test_the_journal_does_not_grow_for_ever(journal: Journal) -> None:
    """What is closed is forgotten but for the newest; what is pending never is."""
    lines = [
        json.dumps({"at": float(n), "event": "removed", "name": f"n{n}", "upload_id": "i"})
        for n in range(LINES_MAX)
    ]
    pending = json.dumps({"at": 0.0, "event": "intended", "name": "old", "upload_id": ""})
    journal.path.write_text("\n".join([pending, *lines]) + "\n")
    journal.open()
    assert len(journal.path.read_text().splitlines()) == KEPT + 1
    assert [entry.name for entry in journal.pending()] == ["old"]
    assert f'"n{LINES_MAX - 1}"' in journal.path.read_text()
    assert list(journal.path.parent.iterdir()) == [journal.path]


# --- The record

ACCEPTED = Acceptance("the API", "c.wav", 16044, True, 202, "u1", 0.1, "")
JOURNEY = Journey("the API", "u1", 15.0, 0.7, (Stage("uploading", 0.2),), True, "")


def test_the_record_gives_back_what_was_put(tmp_path: Path) -> None:
    """Observations come back equal, errors come back as themselves."""
    record = Record(tmp_path / "r.json")
    reader = Canary(tmp_path / "r.json", PATIENCE, time.monotonic() + PATIENCE)
    record.put("acceptance", ACCEPTED)
    record.put("departure", JOURNEY)
    record.put("completion", Unreachable("not so far"))
    record.put("removal", NotOffered("no delete"))
    assert reader.acceptance() == ACCEPTED
    assert reader.departure() == JOURNEY
    with pytest.raises(Unreachable, match="not so far"):
        reader.completion()
    with pytest.raises(NotOffered, match="no delete"):
        reader.removal()


def test_a_reader_waits_for_what_comes(tmp_path: Path) -> None:
    """A check that asks early gets the observation when it is made."""
    record = Record(tmp_path / "r.json")
    writer = threading.Timer(0.2, record.put, ("acceptance", ACCEPTED))
    writer.start()
    reader = Canary(tmp_path / "r.json", PATIENCE, time.monotonic() + PATIENCE)
    assert reader.acceptance() == ACCEPTED
    writer.join()


@pytest.mark.parametrize(("waits", "ends"), [(0.1, 3600.0), (3600.0, 0.1)])
def test_a_reader_does_not_wait_for_ever(tmp_path: Path, waits: float, ends: float) -> None:
    """Where nothing comes, or the run ends, the check could not look."""
    with pytest.raises(Unreachable, match="nothing was heard of the canary's track"):
        Canary(tmp_path / "r.json", waits, time.monotonic() + ends).track()


def test_records_of_killed_runs_are_swept(tmp_path: Path) -> None:
    """A record that nobody reads any more is deleted, and nothing else."""
    for name in (".veza-canary-1.json", ".veza-canary-2.tmp", "report.json"):
        (tmp_path / name).write_text("{}")
    sweep_records(tmp_path, ".veza-canary-*")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


# --- What answers mean


@pytest.mark.parametrize(
    ("told", "upload"),
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
def test_only_what_can_be_an_id_is_one(told: dict[str, Any], upload: str) -> None:
    """A path, a boolean or a novel in the place of an id never gets into a URL."""
    assert given_id(told) == upload


def test_the_api_s_own_words_are_one_printable_line() -> None:
    """What the API says of a refusal is cut to a line without control characters."""
    told = {"error": {"message": "too\x1b[2J big\nand more"}}
    assert message_of(told) == ": too?[2J big"
    assert message_of(None) == ""
    assert message_of({"error": "no"}) == ": no"


SOUND = wav("c", "x")


@pytest.mark.parametrize(
    ("answer", "right", "told"),
    [
        (Answer(200, "audio/wav", "", "", SOUND), True, "the bytes that were sent"),
        (Answer(200, "audio/wav", "", "", SOUND[:-1]), False, "not the bytes"),
        (Answer(200, "application/json", "", "", b'{"data":{"id":"t"}}'), True, "metadata"),
        (Answer(200, "application/json", "", "", b'{"data":{"id":"u"}}'), False, "answers for u"),
        (Answer(200, "application/json", "", "", b'{"data":{"size":3}}'), False, "has 3 bytes"),
        (Answer(200, "text/html", "", "", b"<html>"), False, "no track"),
        (Answer(404, "application/json", "", "", b"{}"), False, "HTTP 404"),
    ],
)
def test_a_track_is_right_unless_it_contradicts(answer: Answer, right: bool, told: str) -> None:
    """The bytes that were sent, or metadata that agrees with them."""
    seen = track_of("the API", "t", answer, SOUND)
    assert seen.right is right
    assert told in str(seen)


def test_the_sentences_say_what_and_for_how_long() -> None:
    """Each observation is one sentence for a person."""
    way = (Stage("uploading", 0.2), Stage("processing", 14.8))
    late = Journey("the API", "u1", 15.0, 15.0, way, True, "")
    assert str(late) == ("canary u1 at the API is processing after 15 s (uploading 200 ms before)")
    lost = Journey("the API", "u1", 15.0, 15.0, way[:1], False, "HTTP 404")
    assert "was uploading when last heard of, and after 15 s: HTTP 404" in str(lost)
    assert late.left
    assert not late.completed
    assert not lost.left
    left = Removal("the API", "c", ("upload u1 (c): HTTP 500",), 2)
    assert str(left) == (
        "the API: left behind: upload u1 (c): HTTP 500; 2 earlier canaries removed as well"
    )
    assert not left.clean
