"""The canary against APIs that misbehave."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.probes.canary.clean_up import Remover
from fixtures.probes.canary.client import AGENT, CanaryWeb
from fixtures.probes.canary.journal import Journal
from fixtures.probes.canary.record import Canary, Record
from fixtures.probes.canary.send_and_follow import Flight, Plan
from fixtures.probes.errors import NotOffered, ProbeError, Unreachable
from tests.lab.fix_made_api import NAME, STATUS, TRACK, MadeApi, Manners
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fixtures.probes.canary.lookup import Lookup


@dataclass
class Sent:
    """A canary that went its way: what the checks read of it, and its journal."""

    seen: Canary
    journal: Journal
    stop: threading.Event

    def part(self, name: str) -> object:
        """The observation of one part, or the error in its place."""
        try:
            found: object = getattr(self.seen, name)()
        except ProbeError as error:
            return error
        return found


@pytest.fixture
def send(made_api: MadeApi, tmp_path: Path) -> Callable[..., Sent]:
    """Send a canary to the made API and follow it to its end."""

    def go(
        deadline: float = PATIENCE,
        timeout: float = PATIENCE,
        ends: float = PATIENCE,
        delete: str = TRACK,
        lookup: Lookup | None = None,
    ) -> Sent:
        url = made_api.url
        web = CanaryWeb(url, timeout, "the API")
        journal = Journal(tmp_path / "canaries.jsonl")
        journal.open()
        stop, free = threading.Event(), threading.Event()
        free.set()
        end = time.monotonic() + ends
        plan = Plan(NAME, "token", "/api/v1/upload", STATUS, TRACK, "file", deadline, end)
        remover = Remover(web, "token", delete, STATUS, lookup, journal)
        remover.sweep()
        record = Record(tmp_path / "record.json")
        Flight(plan, web, journal, record, remover, stop).run(free)
        return Sent(Canary(tmp_path / "record.json", 1.0, end + 1), journal, stop)

    return go


def test_a_well_mannered_api_gets_a_canary_through(
    made_api: MadeApi, send: Callable[..., Sent]
) -> None:
    """Accepted, followed, served, removed; each request says who it is from."""
    sent = send()
    assert sent.seen.acceptance().accepted
    assert [stage.status for stage in sent.seen.completion().stages] == ["uploading", "completed"]
    assert sent.seen.track().right
    assert sent.seen.removal().clean
    assert not sent.journal.pending()
    assert {agent for _, _, agent, _ in made_api.asked} == {AGENT}
    assert f'filename="{NAME}.wav"'.encode() in made_api.asked[0][3]
    assert [method for method, *_ in made_api.asked].count("DELETE") == 1


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (413, "HTTP 413, it takes the file for too large: no"),
        (415, "HTTP 415, it does not take WAV for audio: no"),
        (500, "HTTP 500"),
    ],
)
def test_a_refused_file_fails_its_check(
    made_api: MadeApi, send: Callable[..., Sent], status: int, told: str
) -> None:
    """A valid file that is refused fails the first check; the others did not come so far."""
    made_api.manners.posts = [(status, {"error": {"message": "no"}}, {})]
    sent = send()
    answer = sent.seen.acceptance()
    assert not answer.accepted
    assert told in str(answer)
    assert isinstance(sent.part("completion"), Unreachable)
    assert "was not accepted" in str(sent.part("track"))


@pytest.mark.parametrize(
    ("post", "told"),
    [
        ((429, {}, {"Retry-After": "3600"}), "HTTP 429), and asks to wait 3600 s"),
        ((429, {}, {}), "limits how often"),
        ((401, {}, {}), "unknown or has expired"),
        ((403, {}, {}), "may not upload"),
        ((404, {}, {}), "see that canary.upload_path is right"),
        ((302, {}, {"Location": "/login"}), "which is no upload API"),
    ],
)
def test_a_refusal_of_us_is_no_failure_of_the_service(
    made_api: MadeApi, send: Callable[..., Sent], post: Any, told: str
) -> None:
    """Limited, not let in, or asked at the wrong place: the check could not look, and says why."""
    made_api.manners.posts = [post]
    trouble = send().part("acceptance")
    assert isinstance(trouble, Unreachable)
    assert told in str(trouble)


def test_a_short_retry_after_is_waited_for_once(
    made_api: MadeApi, send: Callable[..., Sent]
) -> None:
    """An API that asks for a second gets it, and takes the canary then."""
    made_api.manners.posts = [(429, {}, {"Retry-After": "1"}), *made_api.manners.posts]
    assert send().seen.acceptance().accepted
    assert [method for method, *_ in made_api.asked].count("POST") == 2


def test_an_acceptance_without_an_id_fails(made_api: MadeApi, send: Callable[..., Sent]) -> None:
    """Who accepts must say as what; and without a database nobody knows what is there."""
    made_api.manners.posts = [(202, {"data": {"upload_id": "../x"}}, {})]
    sent = send()
    assert "tells no upload id" in str(sent.seen.acceptance())
    assert isinstance(sent.part("removal"), NotOffered)
    assert NAME in str(sent.part("removal"))


def test_an_api_that_never_answers_fails(made_api: MadeApi, send: Callable[..., Sent]) -> None:
    """The file went out and no answer came: not accepted, and perhaps there."""
    made_api.manners.silent = True
    sent = send(timeout=0.5)
    assert "nobody knows whether it was taken" in str(sent.seen.acceptance())
    assert [entry.name for entry in sent.journal.pending()] == [NAME]


@pytest.mark.parametrize(
    ("statuses", "part", "told"),
    [
        (["uploading"], "departure", "is uploading after"),
        (["processing"], "completion", "is processing after"),
        ([404], "departure", "HTTP 404, the API does not know it any more"),
        (["processing", 404], "completion", "HTTP 404, the API does not know it any more"),
        (["failed"], "completion", "is failed after"),
        (["failed"], "completion", "the API says disk on fire"),
        ([500], "departure", "HTTP 500, which tells no status"),
        (["uploading", "processing", "uploading"], "completion", "is uploading after"),
    ],
    ids=["never left", "never done", "lost", "lost later", "failed", "why", "500", "fell back"],
)
def test_a_canary_that_does_not_arrive_says_where_it_is(
    made_api: MadeApi,
    send: Callable[..., Sent],
    statuses: list[str | int],
    part: str,
    told: str,
) -> None:
    """One sentence has its last status and its time; it is removed all the same."""
    made_api.manners.statuses = statuses
    # Time enough to see each status that there is; the last of them stays.
    sent = send(deadline=1.0)
    journey = sent.part(part)
    assert told in str(journey)
    assert not getattr(journey, "completed", True)
    assert getattr(sent.part("removal"), "clean", False)
    assert isinstance(sent.part("track"), Unreachable)


def test_an_answer_for_another_upload_counts_for_nothing(
    made_api: MadeApi, send: Callable[..., Sent]
) -> None:
    """The other upload's status is not ours, and the other upload is not deleted."""
    made_api.manners.told_id = "somebody-elses"
    made_api.manners.statuses = ["completed"]
    sent = send(deadline=0.6)
    assert "the API answers for somebody-elses" in str(sent.seen.departure())
    assert not sent.seen.departure().left
    assert not [path for method, path, *_ in made_api.asked if "somebody" in path]


def test_a_run_that_ends_first_has_seen_no_failure(
    made_api: MadeApi, send: Callable[..., Sent]
) -> None:
    """Time that was not given cannot be overrun: the check could not look."""
    made_api.manners.statuses = ["uploading"]
    trouble = send(deadline=600.0, ends=0.5).part("departure")
    assert isinstance(trouble, Unreachable)
    assert "the run ended" in str(trouble)


def test_a_track_that_is_not_ours_fails(made_api: MadeApi, send: Callable[..., Sent]) -> None:
    """Another track in the place of the canary's is not what was sent."""
    made_api.manners.track = {"data": {"id": "u1", "size": 3}}
    assert "has 3 bytes" in str(send().seen.track())


def test_a_failed_delete_is_told_and_made_up_for(
    made_api: MadeApi, send: Callable[..., Sent], tmp_path: Path
) -> None:
    """The check says what is left; the next run removes it, and says that too."""
    made_api.manners.delete = 500
    removal = send().seen.removal()
    assert not removal.clean
    assert "upload u1 (veza-canary-test-1): the API answers DELETE with HTTP 500" in str(removal)
    made_api.manners = Manners()
    made_api.manners.statuses = ["completed"]
    # Both are u1: after the first has been removed, the second is not found.
    sent = send(deadline=0.6)
    assert sent.seen.removal().swept == 1
    assert sent.seen.removal().clean
    assert not sent.journal.pending()


def test_a_delete_that_deletes_nothing_is_told(
    made_api: MadeApi, send: Callable[..., Sent]
) -> None:
    """HTTP 200 is a word; what counts is that the upload is gone."""
    made_api.manners.shown_after = True
    removal = send().seen.removal()
    assert "answers DELETE with HTTP 200 and still shows it (completed)" in str(removal)


def test_a_mute_delete_holds_nobody_for_long(made_api: MadeApi, send: Callable[..., Sent]) -> None:
    """A delete that is never answered is given up within seconds, and kept for the next run."""
    made_api.manners.mute = True
    sent = send(timeout=2.0)
    assert "did not answer within 2 s" in str(sent.seen.removal())
    assert [entry.name for entry in sent.journal.pending()] == [NAME]


def test_an_api_without_delete_is_told_what_stays(
    made_api: MadeApi, send: Callable[..., Sent]
) -> None:
    """The check is skipped, names the upload that stays, and no run tries again."""
    sent = send(delete="")
    assert isinstance(sent.part("removal"), NotOffered)
    assert f"upload u1 ({NAME}) is left there" in str(sent.part("removal"))
    assert not sent.journal.pending()


def test_an_unwritable_journal_sends_nothing(
    made_api: MadeApi, send: Callable[..., Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A canary that cannot be written down first is not created."""
    real = Journal.note

    def full(self: Journal, event: str, name: str, upload_id: str = "") -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Journal, "note", full)
    trouble = send().part("acceptance")
    monkeypatch.setattr(Journal, "note", real)
    assert "No space left on device" in str(trouble)
    assert not [method for method, *_ in made_api.asked if method == "POST"]
