"""The canary against APIs that misbehave."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.probes.canary.clean_up import Remover
from fixtures.probes.canary.client import AGENT, CanaryClient
from fixtures.probes.canary.journal import CanaryJournal
from fixtures.probes.canary.lookup import Lookup
from fixtures.probes.canary.pace import Pace
from fixtures.probes.canary.record import CanaryObserver, CanaryRecord
from fixtures.probes.canary.send_and_follow import CanaryRun, CanarySettings
from fixtures.probes.errors import NotOffered, ProbeError, Unreachable
from tests.lab.fix_made_api import NAME, STATUS, TRACK, MadeApi, Manners
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from lab.state import Lab


@dataclass
class Sent:
    """A canary that was sent and followed: what the checks read of it, and its journal."""

    observer: CanaryObserver
    journal: CanaryJournal
    stop: threading.Event

    def result(self, name: str) -> object:
        """Return one result, or the error in its place."""
        try:
            result: object = getattr(self.observer, name)()
        except ProbeError as error:
            return error
        return result


@pytest.fixture
def send(made_api: MadeApi, tmp_path: Path) -> Callable[..., Sent]:
    """Send a canary to the fake API and follow it to its end."""

    def go(
        deadline: float = PATIENCE,
        timeout: float = PATIENCE,
        ends: float = PATIENCE,
        delete: str = TRACK,
        lookup: Lookup | None = None,
        token: str = "token",
        pace: Pace | None = None,
    ) -> Sent:
        http = CanaryClient(made_api.url, timeout, "the API")
        journal = CanaryJournal(tmp_path / "canaries.jsonl")
        journal.open()
        stop, may_remove = threading.Event(), threading.Event()
        may_remove.set()
        end = time.monotonic() + ends
        settings = CanarySettings(
            NAME, token, "/api/v1/upload", STATUS, TRACK, "file", deadline, end
        )
        remover = Remover(http, "token", delete, STATUS, lookup, journal)
        remover.remove_earlier()
        record = CanaryRecord()
        CanaryRun(settings, http, journal, record, remover, stop, pace).run(may_remove)
        return Sent(CanaryObserver(record, end + 1), journal, stop)

    return go


def test_a_working_api_passes_all_checks(made_api: MadeApi, send: Callable[..., Sent]) -> None:
    """The canary is accepted, followed, compared and removed; each request has our User-Agent."""
    sent = send()
    assert sent.observer.acceptance().accepted
    assert [stage.status for stage in sent.observer.completion().stages] == [
        "uploading",
        "completed",
    ]
    assert sent.observer.track().matches
    assert sent.observer.removal().clean
    assert not sent.journal.pending()
    assert {agent for _, _, agent, _ in made_api.asked} == {AGENT}
    assert f'filename="{NAME}.wav"'.encode() in made_api.asked[0][3]
    assert [method for method, *_ in made_api.asked].count("DELETE") == 1


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (507, "HTTP 507, the API could not store the file: no"),
        (413, "refuses a WAV of one second as too large: no"),
        (500, "HTTP 500: no"),
    ],
)
def test_a_rejected_file_fails_its_check(
    made_api: MadeApi, send: Callable[..., Sent], status: int, reason: str
) -> None:
    """The first check fails for a valid file that is rejected; the others are unreachable."""
    made_api.manners.posts = [(status, {"error": {"message": "no"}}, {})]
    sent = send()
    acceptance = sent.observer.acceptance()
    assert not acceptance.accepted
    assert acceptance.refused_by_proxy is (status == 413), "too large for either of them"
    assert reason in str(acceptance)
    assert isinstance(sent.result("completion"), Unreachable)
    assert "was not accepted" in str(sent.result("track"))


@pytest.mark.parametrize("status", [502, 503, 504])
@pytest.mark.parametrize(
    ("kind", "body", "reason", "by_proxy"),
    [
        (
            "text/html",
            b"<html><body>Bad Gateway</body>",
            ": look at the proxy before the API",
            True,
        ),
        ("text/plain", b"no healthy upstream", ": no healthy upstream", True),
        ("text/plain", b"", "", True),
        ("application/json", b'{"error": "no broker"}', ": no broker", False),
    ],
)
def test_a_proxy_that_answers_in_the_place_of_the_api_fails_its_check(
    made_api: MadeApi,
    send: Callable[..., Sent],
    status: int,
    kind: str,
    body: bytes,
    reason: str,
    by_proxy: bool,
) -> None:
    """Its server errors have no JSON, and say nothing of the storage."""
    made_api.manners.posts = [(status, body, {"Content-Type": kind})]
    acceptance = send().observer.acceptance()
    assert (acceptance.accepted, acceptance.refused_by_proxy) == (False, by_proxy)
    assert f"HTTP {status}{reason}" in str(acceptance)


@pytest.mark.parametrize(
    ("post", "reason"),
    [
        ((429, {}, {"Retry-After": "3600"}), "HTTP 429, Retry-After 3600 s)"),
        ((429, {}, {}), "limits how often"),
        ((401, {}, {}), "unknown or expired"),
        ((403, {}, {}), "may not upload"),
        ((404, {}, {}), "check canary.upload_path"),
        ((302, {}, {"Location": "/login"}), "which is not an upload API"),
    ],
)
def test_a_refused_sender_is_unreachable(
    made_api: MadeApi, send: Callable[..., Sent], post: Any, reason: str
) -> None:
    """A rate limit, a wrong token or a wrong path is no failure of the service."""
    made_api.manners.posts = [post]
    error = send().result("acceptance")
    assert isinstance(error, Unreachable)
    assert reason in str(error)


@pytest.mark.parametrize("status", [400, 415, 422])
def test_a_refused_form_is_unreachable(
    made_api: MadeApi, send: Callable[..., Sent], status: int
) -> None:
    """The sentence has what the API said, clean and without the token, and the key to check."""
    body = {"error": {"message": "no \x1b[1mmultipart field 'audio' of a-very-secret-token"}}
    made_api.manners.posts = [(status, body, {})]
    error = send(token="a-very-secret-token").result("acceptance")
    assert isinstance(error, Unreachable)
    assert f"refuses the canary's form with HTTP {status}: no " in str(error)
    assert "multipart field 'audio' of " in str(error)
    assert "check canary.file_field, which is file" in str(error)
    assert "secret" not in str(error)
    assert "\x1b" not in str(error)


def test_a_refused_form_has_any_other_body(made_api: MadeApi, send: Callable[..., Sent]) -> None:
    """A list of invalid fields is shown as it is, cut."""
    made_api.manners.posts = [(422, {"detail": [{"loc": ["body", "audio"]}] * 99}, {})]
    error = str(send().result("acceptance"))
    assert 'HTTP 422: {"detail": [{"loc": ["body", "audio"]}' in error
    assert len(error) < 600


def test_a_short_retry_after_is_waited_for_once(
    made_api: MadeApi, send: Callable[..., Sent]
) -> None:
    """The canary is sent again after a Retry-After of one second."""
    made_api.manners.posts = [(429, {}, {"Retry-After": "1"}), *made_api.manners.posts]
    assert send().observer.acceptance().accepted
    assert [method for method, *_ in made_api.asked].count("POST") == 2


def test_an_acceptance_without_an_id_fails(made_api: MadeApi, send: Callable[..., Sent]) -> None:
    """An accepted upload needs an id; only the database could say whether the upload exists."""
    made_api.manners.posts = [(202, {"data": {"upload_id": "../x"}}, {})]
    sent = send()
    assert "HTTP 202 without an upload id" in str(sent.observer.acceptance())
    assert isinstance(sent.result("removal"), NotOffered)
    assert NAME in str(sent.result("removal"))


def test_an_api_that_never_answers_fails(made_api: MadeApi, send: Callable[..., Sent]) -> None:
    """A file without a response was not accepted, and may have been stored."""
    made_api.manners.silent = True
    sent = send(timeout=0.5)
    assert "it is unknown whether the API stored the file" in str(sent.observer.acceptance())
    assert [entry.name for entry in sent.journal.pending()] == [NAME]


def test_an_upload_that_is_stored_late_is_looked_for_again(
    lab: Lab, made_api: MadeApi, send: Callable[..., Sent]
) -> None:
    """Without an answer, an upload that the database does not have yet may still come."""
    made_api.manners.silent = True
    sent = send(timeout=0.5, lookup=Lookup(lab.dsn, "uploads", PATIENCE))
    assert "may still store it" in str(sent.result("removal"))
    assert [entry.name for entry in sent.journal.pending()] == [NAME]


@pytest.mark.parametrize(
    ("statuses", "name", "detail"),
    [
        (["uploading"], "departure", "is uploading after"),
        (["processing"], "completion", "is processing after"),
        ([404], "departure", "HTTP 404, the API no longer knows the upload"),
        (["processing", 404], "completion", "HTTP 404, the API no longer knows the upload"),
        (["failed"], "completion", "is failed after"),
        (["failed"], "completion", "the API reports the error disk on fire"),
        ([500], "departure", "HTTP 500 without a status"),
        (["uploading", "processing", "uploading"], "completion", "is uploading after"),
    ],
    ids=["never left", "never done", "lost", "lost later", "failed", "why", "500", "fell back"],
)
def test_a_canary_that_does_not_complete_is_reported(
    made_api: MadeApi,
    send: Callable[..., Sent],
    statuses: list[str | int],
    name: str,
    detail: str,
) -> None:
    """The sentence has its last status and the time; the canary is removed in any case."""
    made_api.manners.statuses = list(statuses)
    # Long enough to see each status; the last one stays.
    sent = send(deadline=1.0)
    timeline = sent.result(name)
    assert detail in str(timeline)
    assert not getattr(timeline, "completed", True)
    assert getattr(sent.result("removal"), "clean", False)
    assert isinstance(sent.result("track"), Unreachable)


def test_a_response_for_another_upload_is_ignored(
    made_api: MadeApi, send: Callable[..., Sent]
) -> None:
    """The other upload's status is not the canary's, and the other upload is not deleted."""
    made_api.manners.told_id = "somebody-elses"
    made_api.manners.statuses = ["completed"]
    sent = send(deadline=0.6)
    assert "the API returned upload somebody-elses instead" in str(sent.observer.departure())
    assert not sent.observer.departure().left_uploading
    assert not [path for method, path, *_ in made_api.asked if "somebody" in path]


def test_a_run_that_ends_before_the_deadline_is_unreachable(
    made_api: MadeApi, send: Callable[..., Sent]
) -> None:
    """A canary that had less time than its deadline did not fail."""
    made_api.manners.statuses = ["uploading"]
    error = send(deadline=600.0, ends=0.5).result("departure")
    assert isinstance(error, Unreachable)
    assert "the run ended" in str(error)


def test_a_canary_behind_a_queue_that_moves_is_not_late(
    made_api: MadeApi,
    send: Callable[..., Sent],
    services: Lab,
    aged_upload: Callable[..., str],
) -> None:
    """Where the run ends before its turn comes, the check says how many jobs are ahead."""
    aged_upload("completed", minutes=1.0, job="completed")
    aged_upload(minutes=0.9, job="pending")
    aged_upload(minutes=0.9, job="pending")
    waiting(made_api, aged_upload(minutes=0.5, job="pending"))
    error = send(deadline=0.2, ends=10.5, pace=pace_of(services)).result("departure")
    assert isinstance(error, Unreachable)
    assert "is still waiting behind 2 jobs that move at " in str(error)


def test_a_canary_whose_turn_comes_late_completes(
    made_api: MadeApi,
    send: Callable[..., Sent],
    services: Lab,
    aged_upload: Callable[..., str],
) -> None:
    """While earlier jobs end it is followed beyond its deadline, until it completes."""
    aged_upload("completed", minutes=1.0, job="completed")
    waiting(made_api, aged_upload(minutes=0.5, job="pending"), *["uploading"] * 6, "completed")
    timeline = send(deadline=0.2, pace=pace_of(services)).observer.completion()
    assert timeline.completed
    assert timeline.seconds > 0.2


@pytest.mark.parametrize(
    "minutes", [None, 6.0, 1.0], ids=["no job ended", "one ended long ago", "only later jobs end"]
)
def test_a_canary_behind_a_queue_that_stands_still_is_late(
    made_api: MadeApi,
    send: Callable[..., Sent],
    services: Lab,
    aged_upload: Callable[..., str],
    minutes: float | None,
) -> None:
    """Without the end of an earlier job there is no turn to wait for: the check fails."""
    if minutes is not None:
        aged_upload("completed", minutes=minutes, job="completed")
    aged_upload(minutes=4.0, job="pending")
    waiting(made_api, aged_upload(minutes=3.0, job="pending"))
    timeline = send(deadline=0.2, pace=pace_of(services)).observer.departure()
    assert not timeline.left_uploading


def waiting(made_api: MadeApi, upload: str, *statuses: str) -> None:
    """Have the API accept the canary as this upload, and report these statuses."""
    made_api.manners.posts = [(202, {"data": {"upload_id": upload, "status": "uploading"}}, {})]
    made_api.manners.told_id = upload
    made_api.manners.track = {"data": {"id": upload}}
    made_api.manners.statuses = list(statuses) or ["uploading"]


def pace_of(lab: Lab) -> Pace:
    """Return a reader of the lab's jobs."""
    return Pace(lab.dsn, "uploads", "job_queue", "process_upload", PATIENCE)


def test_a_different_track_fails(made_api: MadeApi, send: Callable[..., Sent]) -> None:
    """A track of another size is not the file that was sent."""
    made_api.manners.track = {"data": {"id": "u1", "size": 3}}
    assert "is 3 bytes" in str(send().observer.track())


def test_statuses_in_capital_letters_are_followed(
    made_api: MadeApi, send: Callable[..., Sent]
) -> None:
    """An API may write its statuses as its language writes constants."""
    made_api.manners.posts = [(202, {"data": {"upload_id": "u1", "status": "UPLOADING"}}, {})]
    made_api.manners.statuses = ["UPLOADING", "COMPLETED"]
    sent = send(deadline=1.0)
    assert sent.observer.completion().completed, sent.observer.completion()
    assert [stage.status for stage in sent.observer.completion().stages] == [
        "uploading",
        "completed",
    ]


def test_a_track_in_a_store_of_objects_is_unreachable(
    made_api: MadeApi, send: Callable[..., Sent]
) -> None:
    """A redirect to where the file is does not say that it is missing."""
    made_api.manners.track_status = 302
    made_api.manners.track_headers = {"Location": "https://files.example/u1?signature=s"}
    with pytest.raises(Unreachable, match=r"a redirect to https://files\.example for the track"):
        send().observer.track()


def test_a_canary_whose_answer_is_too_long_stays_known(
    made_api: MadeApi, send: Callable[..., Sent]
) -> None:
    """The file was sent: the next run looks for it, although the answer was not read."""
    made_api.manners.posts = [(202, {"data": {"upload_id": "u1", "log": "x" * 2**20}}, {})]
    sent = send()
    assert "more than 1 MiB" in str(sent.result("acceptance"))
    assert [entry.name for entry in sent.journal.pending()] == [NAME]


def test_a_failed_delete_is_repeated_by_the_next_run(
    made_api: MadeApi, send: Callable[..., Sent], tmp_path: Path
) -> None:
    """The check names what is left; the next run removes it and counts it."""
    made_api.manners.delete = 500
    removal = send().observer.removal()
    assert not removal.clean
    assert "upload u1 (veza-canary-test-1): the API answers DELETE with HTTP 500" in str(removal)
    made_api.manners = Manners()
    made_api.manners.statuses = ["completed"]
    # Both uploads are u1: the API no longer knows it after the first removal.
    sent = send(deadline=0.6)
    assert sent.observer.removal().earlier_removed == 1
    assert sent.observer.removal().clean
    assert not sent.journal.pending()


def test_a_delete_without_effect_is_reported(made_api: MadeApi, send: Callable[..., Sent]) -> None:
    """A delete that answers HTTP 200 fails while the API still reports the upload."""
    made_api.manners.shown_after = True
    removal = send().observer.removal()
    assert "answers DELETE with HTTP 200 and still reports the upload (completed)" in str(removal)


def test_a_delete_without_a_response_is_given_up(
    made_api: MadeApi, send: Callable[..., Sent]
) -> None:
    """A delete without a response ends within seconds, and the next run repeats it."""
    made_api.manners.mute = True
    sent = send(timeout=2.0)
    assert "did not answer within 2 s" in str(sent.observer.removal())
    assert [entry.name for entry in sent.journal.pending()] == [NAME]


def test_an_api_without_delete_keeps_the_upload(
    made_api: MadeApi, send: Callable[..., Sent]
) -> None:
    """The check is skipped and names the upload that stays; no run tries again."""
    sent = send(delete="")
    assert isinstance(sent.result("removal"), NotOffered)
    assert f"upload u1 ({NAME}) stays" in str(sent.result("removal"))
    assert not sent.journal.pending()


def test_an_unwritable_journal_sends_nothing(
    made_api: MadeApi, send: Callable[..., Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A canary that cannot be written to the journal is not sent."""
    real = CanaryJournal.note

    def full(self: CanaryJournal, event: str, name: str, upload_id: str = "") -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(CanaryJournal, "note", full)
    error = send().result("acceptance")
    monkeypatch.setattr(CanaryJournal, "note", real)
    assert "No space left on device" in str(error)
    assert not [method for method, *_ in made_api.asked if method == "POST"]
