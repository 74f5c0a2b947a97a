"""The canary against APIs that misbehave, and against the lab, healthy, broken and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from fixtures.probes.canary import Flight, Plan
from fixtures.probes.canary_journal import Journal
from fixtures.probes.canary_lookup import Lookup
from fixtures.probes.canary_record import Canary, Record
from fixtures.probes.canary_removal import Remover
from fixtures.probes.canary_web import AGENT, CanaryWeb
from fixtures.probes.errors import NotOffered, ProbeError, Unreachable
from lab import faults
from tests.suite import ROOT, Run, run_suite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lab.state import Lab

CANARY = (
    "canary/upload_is_accepted",
    "canary/upload_leaves_uploading",
    "canary/upload_completes",
    "canary/track_is_served",
    "canary/canary_is_removed",
)
NAME = "veza-canary-test-1"
STATUS = "/api/v1/uploads/{upload_id}/status"
TRACK = "/api/v1/tracks/{track_id}"


# --- An API that does what it is told


@dataclass
class Manners:
    """How the made API behaves; the last of `statuses` is repeated, 404 means that it lost it."""

    posts: list[tuple[int, dict[str, Any], dict[str, str]]] = field(
        default_factory=lambda: [(202, {"data": {"upload_id": "u1", "status": "uploading"}}, {})]
    )
    statuses: list[str | int] = field(default_factory=lambda: ["uploading", "completed"])
    told_id: str = "u1"
    track: dict[str, Any] = field(default_factory=lambda: {"data": {"id": "u1"}})
    delete: int = 200
    shown_after: bool = False
    mute: bool = False
    silent: bool = False


class MadeApi(ThreadingHTTPServer):
    """An upload API on loopback with these manners; it keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.manners = Manners()
        self.asked: list[tuple[str, str, str, bytes]] = []
        self.deleted = False
        self.ended = threading.Event()


class Asked(BaseHTTPRequestHandler):
    """Answers as the server's manners are."""

    protocol_version = "HTTP/1.1"
    server: MadeApi

    def _note(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        agent = self.headers.get("User-Agent", "")
        self.server.asked.append((self.command, self.path, agent, body))

    def _answer(self, status: int, told: object, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        sent = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        for name, value in (sent | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self._note()
        if self.server.manners.silent:
            self.server.ended.wait(30)
            return
        posts = self.server.manners.posts
        self._answer(*(posts.pop(0) if len(posts) > 1 else posts[0]))

    def do_DELETE(self) -> None:
        self._note()
        if self.server.manners.mute:
            self.server.ended.wait(30)
            return
        status = self.server.manners.delete
        self.server.deleted = status < 300 and not self.server.manners.shown_after
        self._answer(status, {})

    def do_GET(self) -> None:
        self._note()
        manners = self.server.manners
        if self.server.deleted:
            self._answer(404, {"error": {"message": "no such upload"}})
        elif "/tracks/" in self.path:
            self._answer(200, manners.track)
        else:
            left = manners.statuses
            status = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(status, int):
                self._answer(status, {})
            else:
                told = {"id": manners.told_id, "status": status, "error_message": "disk on fire"}
                self._answer(200, {"data": told})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Keep quiet."""


@pytest.fixture
def made_api() -> Iterator[MadeApi]:
    """The made API, well-mannered until a test tells it otherwise."""
    server = MadeApi()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.ended.set()
    server.shutdown()
    thread.join(5)
    server.server_close()


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
        deadline: float = 0.6,
        timeout: float = 2.0,
        ends: float = 30.0,
        delete: str = TRACK,
        lookup: Lookup | None = None,
    ) -> Sent:
        url = f"http://127.0.0.1:{made_api.server_address[1]}"
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
    sent = send()
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
    sent = send()
    assert "the API answers for somebody-elses" in str(sent.seen.departure())
    assert not sent.seen.departure().left
    assert not [path for method, path, *_ in made_api.asked if "somebody" in path]


def test_a_run_that_ends_first_has_seen_no_failure(
    made_api: MadeApi, send: Callable[..., Sent]
) -> None:
    """Time that was not given cannot be overrun: the check could not look."""
    made_api.manners.statuses = ["uploading"]
    trouble = send(deadline=30.0, ends=0.5).part("departure")
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
    sent = send()
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
    began = time.monotonic()
    sent = send(timeout=3.0)
    assert time.monotonic() - began < 10
    assert "did not answer within 3 s" in str(sent.seen.removal())
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


# --- The lab


def left_in(lab: Lab) -> list[str]:
    """What is left of canaries in the lab: rows, jobs without a row, directories without one."""
    with psycopg.connect(lab.owner_dsn) as session:
        rows = session.execute("SELECT id::text FROM uploads WHERE filename LIKE 'veza-canary%'")
        found = [row[0] for row in rows.fetchall()]
        rows = session.execute(
            "SELECT j.id::text FROM job_queue j WHERE NOT EXISTS"
            " (SELECT 1 FROM uploads u WHERE u.id::text = j.payload ->> 'upload_id')"
        )
        found += [f"job {row[0]}" for row in rows.fetchall()]
    found += [str(path) for path in lab.uploads.glob("*/veza-canary*")]
    return found


def run_lab(lab: Lab, out: Path, *arguments: str) -> Run:
    """Run the suite with a canary against this lab; a warning of a library fails it."""
    environ = {"VEZA_LAB_DIR": str(lab.directory)}
    return run_suite("--target", "lab", "-W", "error", *arguments, out=out, environ=environ)


@contextmanager
def broken(lab: Lab, fault: str) -> Iterator[None]:
    """The lab with this fault, healed afterwards."""
    faults.inject(lab.directory, (fault,))
    try:
        yield
    finally:
        faults.heal(lab.directory)


def events(out: Path) -> list[str]:
    """The events of the run's journal."""
    path = out / "lab" / "canaries.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line)["event"] for line in lines]


@pytest.mark.parametrize("processes", ["-n0", "-n2"])
def test_a_healthy_lab_takes_one_canary_through(lab: Lab, tmp_path: Path, processes: str) -> None:
    """All five checks pass, in one process or two, with one canary, of which nothing is left."""
    run = run_lab(lab, tmp_path, "--canary", processes)
    assert {check: run.statuses.get(check) for check in CANARY} == dict.fromkeys(CANARY, "passed")
    assert run.state == "healthy", run.text
    assert run.status == 0
    assert events(tmp_path) == ["intended", "accepted", "removed"]
    assert left_in(lab) == []
    names = {path.name for path in (tmp_path / "lab").iterdir() if "veza-canary" in path.name}
    assert not names, "the record is gone with the run"
    (journey,) = run.outcome("canary/upload_completes")["observations"]
    assert [stage["status"] for stage in journey["data"]["stages"]][-1] == "completed"
    assert all(stage["seconds"] >= 0 for stage in journey["data"]["stages"])


def test_a_run_without_it_sends_none(lab: Lab, tmp_path: Path) -> None:
    """Without --canary nothing is written, and its checks are no part of the run."""
    run = run_lab(lab, tmp_path)
    assert not set(CANARY) & set(run.statuses)
    assert events(tmp_path) == []


def test_a_selection_without_its_checks_sends_none(lab: Lab, tmp_path: Path) -> None:
    """--canary allows it; what is selected decides whether it flies."""
    run = run_lab(lab, tmp_path, "--canary", "-k", "storage")
    assert not set(CANARY) & set(run.statuses)
    assert events(tmp_path) == []


@pytest.mark.parametrize(
    ("fault", "truth", "failed"),
    [
        ("worker-killed", "job_worker_down", "canary/upload_leaves_uploading"),
        ("disk-full", "storage_problem", "canary/upload_is_accepted"),
        ("slow-processing", "processing_timeout", "canary/upload_leaves_uploading"),
    ],
)
def test_a_fault_is_felt_by_the_canary_and_named(
    lab: Lab, tmp_path: Path, fault: str, truth: str, failed: str
) -> None:
    """The canary fails where the fault bites, the cause is named, and the canary is gone."""
    lacking = faults.lacking(lab.directory, (fault,))
    if lacking:
        pytest.skip(f"{fault} needs {lacking}")
    with broken(lab, fault):
        run = run_lab(lab, tmp_path, "--canary")
        assert left_in(lab) == []
    assert run.report
    assert run.report["diagnosis"]["most_likely_set"] == [truth], run.text
    assert run.statuses[failed] == "failed"
    assert run.statuses["canary/canary_is_removed"] == "passed"
    assert not {"error", "missing"} & set(run.statuses.values())
    assert run.state == "incident"


LIVE = """
[targets.far]
environment = "live"
allow_writes = {writes}
[targets.far.api]
url = "http://127.0.0.1:1"
token = "env:HOME"
"""


@pytest.mark.parametrize(
    ("writes", "told"),
    [("false", "set allow_writes = true"), ("true", "add --yes-live")],
)
def test_where_nothing_may_be_written_it_is_a_usage_error(
    tmp_path: Path, writes: str, told: str
) -> None:
    """One sentence, exit status 4, and nothing begun."""
    file = tmp_path / "targets.toml"
    file.write_text(LIVE.format(writes=writes))
    run = run_suite(f"--targets-file={file}", "--target", "far", "--canary", out=tmp_path / "out")
    assert run.status == 4
    assert told in run.errors + run.text
    assert "Traceback" not in run.errors + run.text
    assert not (tmp_path / "out" / "far" / "canaries.jsonl").exists()


def test_an_api_that_is_down_gets_no_canary(tmp_path: Path) -> None:
    """Confirmed for live, it is tried; what cannot be connected to was sent nothing."""
    file = tmp_path / "targets.toml"
    file.write_text(LIVE.format(writes="true"))
    arguments = (f"--targets-file={file}", "--target", "far", "--canary", "--yes-live")
    run = run_suite(*arguments, out=tmp_path / "out")
    assert run.statuses["canary/upload_is_accepted"] == "unreachable"
    assert run.outcome("canary/canary_is_removed")["seen"].startswith("no canary was sent")
    lines = (tmp_path / "out" / "far" / "canaries.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["intended", "unsent"]


def test_an_upload_of_somebody_else_is_never_deleted(lab: Lab, tmp_path: Path) -> None:
    """An id that is not the canary's, in a journal or an answer, is refused by its name."""
    journal = Journal(tmp_path / "canaries.jsonl")
    journal.open()
    with psycopg.connect(lab.owner_dsn, autocommit=True) as session:
        row = session.execute(
            "INSERT INTO uploads (id, user_id, filename, status) VALUES"
            " (gen_random_uuid(), gen_random_uuid(), 'song.wav', 'completed') RETURNING id::text"
        ).fetchone()
        assert row
        journal.note("intended", NAME)
        journal.note("accepted", NAME, row[0])
        web = CanaryWeb(lab.api_url, 5.0, "the API")
        lookup = Lookup(lab.dsn, "uploads", 5.0)
        remover = Remover(web, lab.passwords.token, TRACK, STATUS, lookup, journal)
        removal = remover.remove(NAME, row[0])
        still = session.execute("SELECT 1 FROM uploads WHERE id::text = %s", (row[0],)).fetchone()
        session.execute("DELETE FROM uploads WHERE id::text = %s", (row[0],))
    assert still
    assert "does not carry the canary's name" in str(removal)


@contextmanager
def started(lab: Lab, out: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A run with a canary that has just been started; killed at the end, if it still runs."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "VEZA_"))}
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", f"--out={out}", "--target", "lab", "--canary", *arguments],
        cwd=ROOT,
        env={**environ, "VEZA_LAB_DIR": str(lab.directory)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(30)


def await_event(out: Path, event: str, process: subprocess.Popen[bytes], most: float = 30) -> None:
    """Wait until the journal has this event; fails when the run ends or time is up first."""
    until = time.monotonic() + most
    while event not in events(out):
        assert process.poll() is None, f"the run ended before {event}"
        assert time.monotonic() < until, f"no {event} within {most} s"
        threading.Event().wait(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_takes_its_canary_along(
    lab: Lab, tmp_path: Path, number: signal.Signals
) -> None:
    """While the canary waits for a dead worker, the run is ended: it is removed, and not waited
    for."""
    with broken(lab, "worker-killed"), started(lab, tmp_path) as process:
        await_event(tmp_path, "accepted", process)
        began = time.monotonic()
        process.send_signal(number)
        process.wait(20)
        assert time.monotonic() - began < 8
        assert events(tmp_path)[-1] == "removed"
        assert left_in(lab) == []
    assert (tmp_path / "lab" / "report.json").exists()


def test_a_run_killed_while_its_canary_waits_is_swept_by_the_next(lab: Lab, tmp_path: Path) -> None:
    """SIGKILL leaves an accepted canary behind; the next run removes it and says so."""
    with broken(lab, "worker-killed"), started(lab, tmp_path) as process:
        await_event(tmp_path, "accepted", process)
        process.kill()
        process.wait(10)
        assert left_in(lab), "what the next run is to find"
    run = run_lab(lab, tmp_path, "--canary")
    assert left_in(lab) == []
    assert run.statuses["canary/canary_is_removed"] == "passed"
    (seen,) = run.outcome("canary/canary_is_removed")["observations"]
    assert "1 earlier canary removed as well" in seen["seen"]


def test_runs_killed_at_any_moment_leave_nothing_beyond_the_next(lab: Lab, tmp_path: Path) -> None:
    """Killed at moments spread over the whole run, before, while and after the canary is sent."""
    for moment in range(8):
        with started(lab, tmp_path) as process:
            try:
                process.wait(0.7 + 0.12 * moment)
            except subprocess.TimeoutExpired:
                process.kill()
    run = run_lab(lab, tmp_path, "--canary")
    assert left_in(lab) == []
    assert run.state == "healthy", run.text
    assert not list((tmp_path / "lab").glob(".veza-canary*"))
