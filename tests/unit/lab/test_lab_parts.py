"""The parts of the lab that need no running lab."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import broker, bugs, clean_up, database, install, variants, zaplog
from lab.audio import NotAudioError, Track, tone
from lab.errors import LabError
from lab.faults import (
    COMBINATIONS,
    FAULTS,
    LOGIN_FAILS,
    PAIRS,
    TRIPLES,
    UPLOAD_STUCK,
    Kind,
    of_runbook,
)
from lab.form_file import FormFile, NoFileError
from lab.log_formats import SLOG, ZAP_CONSOLE, ZAP_JSON, LogFormat
from lab.messages import FRENCH
from lab.processes import Identity, identify
from lab.processing import stored_name
from lab.state import escape_ere, new_lab
from lab.variants import STANDARD, VARIANTS, get_variant
from lab.zaplog import ZapLog, log_line
from tests.waiting import eventually

HYPOTHESES = {
    UPLOAD_STUCK: {
        "job_worker_down",
        "queue_blocked",
        "storage_problem",
        "processing_failed_silently",
        "processing_timeout",
    },
    LOGIN_FAILS: {
        "login_route_broken",
        "tokens_refused",
        "password_check_slow",
        "rate_limit_hits_everybody",
        "accounts_locked",
        "database_blocks_logins",
    },
}


def test_tone_can_be_analysed(tmp_path: Path) -> None:
    """A generated WAV file has the length and amplitude that it was made with."""
    (tmp_path / "tone.wav").write_bytes(tone(0.5))
    shares: list[float] = []
    with Track(tmp_path / "tone.wav") as track:
        analysis = track.analyse(shares.append)
    assert analysis.seconds == 0.5
    assert 0.3 < analysis.peak < 0.4
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize("content", [b"", b"RIFF", b"ID3 something", tone(0.1)[:30]])
def test_invalid_audio_is_recognised(tmp_path: Path, content: bytes) -> None:
    """An empty, a different and a truncated header each raise NotAudioError."""
    (tmp_path / "broken.wav").write_bytes(content)
    with pytest.raises(NotAudioError):
        Track(tmp_path / "broken.wav")


@given(st.text())
def test_stored_name_is_safe(filename: str) -> None:
    """Any file name of a user becomes a plain name without a directory."""
    assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", stored_name(filename))


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1))
def test_escaped_text_matches_itself(text: str) -> None:
    """An escaped text is a regular expression that matches the text."""
    assert re.fullmatch(escape_ere(text), text)


def test_log_lines_have_the_format_of_zap() -> None:
    """A line is one JSON object that begins with level, ts, caller and msg."""
    line = log_line(STANDARD, "info", 1765792800.123, "handlers/upload.go:88", "é\n", id="x")
    assert line.count("\n") == 1
    assert list(json.loads(line)) == ["level", "ts", "caller", "msg", "id"]


@pytest.mark.parametrize(
    ("log_format", "line"),
    [
        (
            ZAP_CONSOLE,
            '2025-12-15T11:00:00.123+0100\tERROR\tx:9\tà refaire\t{"reason":"a b"}\n',
        ),
        (
            SLOG,
            'time=2025-12-15T10:00:00.123Z level=ERROR source=x:9 msg="à refaire" reason="a b"\n',
        ),
    ],
)
def test_log_formats(log_format: LogFormat, line: str) -> None:
    """A line has the form that zap's console encoder and slog's text handler give it."""
    fields = {"reason": "a b"}
    assert log_format.encode("error", 1765792800.123, "x:9", "à refaire", fields) == line


@pytest.mark.parametrize("log_format", [ZAP_JSON, ZAP_CONSOLE, SLOG])
def test_log_lines_can_be_made_older(log_format: LogFormat) -> None:
    """An older line is the line that would have been written then."""
    now, then = (
        log_format.encode("info", ts, "x.go:1", "a b", {"id": "x"}) for ts in (9e8, 9e8 - 61.5)
    )
    assert log_format.make_older(now.rstrip("\n"), 61.5) == then


def test_every_message_of_the_program_has_a_translation() -> None:
    """The French messages are those of the program: none is left over."""
    code = "".join(path.read_text() for path in Path(variants.__file__).parent.glob("*.py"))
    assert all(code.count(f'"{message}"') >= 2 for message in FRENCH)


def test_variants_have_a_schema_and_names_of_their_own() -> None:
    """Each variant's schema and description exist, and an unknown name suggests the closest."""
    assert all(variant.schema for variant in VARIANTS.values())
    assert len({variant.description for variant in VARIANTS.values()}) == len(VARIANTS)
    with pytest.raises(LabError, match="did you mean bigint"):
        get_variant("bigints")


FORM = (
    b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\nother\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
    b"Content-Type: audio/wav\r\n\r\nRIFF\r\n-- 1234567890\r\n--x--\r\n"
)


@given(st.integers(1, len(FORM)))
def test_a_form_file_is_read_in_pieces(size: int) -> None:
    """However the body is cut, the file of the right field comes out whole."""
    pieces = (FORM[start : start + size] for start in range(0, len(FORM), size))
    form_file = FormFile("multipart/form-data; boundary=x", pieces, "file")
    assert form_file.filename == "a.wav"
    assert b"".join(form_file) == b"RIFF\r\n-- 1234567890"


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("multipart/form-data; boundary=x", "audio"),
        ("multipart/form-data", "file"),
        ("text/plain", "file"),
        ("multipart/form-data; boundary=y", "file"),
    ],
)
def test_a_form_without_the_file_is_refused(kind: str, field: str) -> None:
    """Another field, another kind of body and a wrong boundary raise NoFileError."""
    with pytest.raises(NoFileError):
        FormFile(kind, iter([FORM]), field)


def test_a_form_file_shows_what_has_arrived() -> None:
    """The file's name and its first part can be read before the rest has arrived."""

    def body() -> Iterator[bytes]:
        yield FORM[:-20]
        raise ConnectionError

    form_file = FormFile("multipart/form-data; boundary=x", body(), "file")
    assert next(iter(form_file)).startswith(b"RIFF")
    with pytest.raises(ConnectionError):
        list(form_file)


def test_log_size_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that grows past its limit is renamed and replaces the one renamed before."""
    monkeypatch.setattr(zaplog, "MAX_BYTES", 200)
    zap = ZapLog(STANDARD, tmp_path / "api.log")
    for number in range(20):
        zap.info("x.go:1", "line", number=number)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 600


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            psycopg.OperationalError(
                'connection failed: connection to server at "127.0.0.1", port 5432 failed: '
                'FATAL:  password authentication failed for user "veza"'
            ),
            'pq: password authentication failed for user "veza"',
        ),
        (psycopg.OperationalError("server closed the connection"), "unexpected EOF"),
        (psycopg.errors.UndefinedTable('relation "x" does not exist'), 'pq: relation "x" does not'),
    ],
)
def test_the_log_has_the_reason_of_the_database(error: psycopg.Error, reason: str) -> None:
    """A refused login is logged with the server's words, as a Go driver does."""
    assert database.reason(error).startswith(reason)


def test_bugs_are_saved_and_read(tmp_path: Path) -> None:
    """Saved bugs are read again; without a file, none is on."""
    assert bugs.read_bugs(tmp_path) == bugs.Bugs()
    bugs.write_bugs(tmp_path, bugs.Bugs(hangs=True, seconds_per_chunk=2.5))
    assert bugs.read_bugs(tmp_path) == bugs.Bugs(hangs=True, seconds_per_chunk=2.5)


def test_reused_process_id_is_another_process() -> None:
    """A process with the same id but another start time is not alive and not killed."""
    own = identify(os.getpid())
    assert own is not None
    assert own.is_alive()
    other = Identity(own.pid, own.started + 1)
    assert not other.is_alive()
    other.kill()
    assert own.is_alive()


def test_child_ends_with_its_parent(tmp_path: Path) -> None:
    """A spawned child ends when its parent is killed."""
    program = (
        "import sys; from pathlib import Path; from lab.processes import spawn\n"
        "sleeper = [sys.executable, '-c', 'import time; time.sleep(300)']\n"
        "child = spawn(sleeper, log=Path(sys.argv[1]))\n"
        # The child is setpriv first, which sets the signal and then becomes the sleeper. During
        # each exec it has no command line.
        "commands = Path(f'/proc/{child.pid}/cmdline')\n"
        "while not (line := commands.read_bytes()) or b'setpriv' in line: pass\n"
        "print(child.pid, flush=True); input()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "log")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        assert parent.stdout is not None
        child = identify(int(parent.stdout.readline()))
    finally:
        parent.kill()
        parent.communicate()
    assert child is not None
    eventually(lambda: not child.is_alive(), "the end of the child")


def test_setup_reports_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without RabbitMQ and apt, setup says so, and that the lab still runs."""
    (tmp_path / "setpriv").symlink_to("/usr/bin/setpriv")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(broker, "SCRIPTS", tmp_path / "rabbitmq")
    message = install.setup()
    assert message.startswith("RabbitMQ is missing and so is apt-get; the lab runs without")


def test_claim_refuses_a_directory_with_other_files(tmp_path: Path) -> None:
    """A lab takes neither a file nor a directory that holds other files."""
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path):
        with pytest.raises(LabError, match="choose another"):
            clean_up.claim(path)


def test_single_faults_have_one_true_hypothesis() -> None:
    """A single fault makes one hypothesis true, an outside fault at most one cause; each hypothesis
    has a fault.
    """
    for fault in FAULTS.values():
        assert fault.truth <= HYPOTHESES[fault.runbooks[0]]
        assert not fault.cause or fault.kind is Kind.OUTSIDE, fault.name
        assert len(fault.truth) == (fault.kind is Kind.SINGLE), fault.name
    for runbook, hypotheses in HYPOTHESES.items():
        truths = [FAULTS[name].truth for name in of_runbook(runbook)]
        assert frozenset().union(*truths) == hypotheses


def test_pairs_and_triples_cross_hypotheses() -> None:
    """Each fault of a pair or a triple makes another hypothesis true."""
    assert len(PAIRS) >= 8
    assert len(TRIPLES) >= 5
    for names in (*COMBINATIONS[UPLOAD_STUCK], *COMBINATIONS[LOGIN_FAILS]):
        truth = frozenset().union(*(FAULTS[name].truth for name in names))
        assert len(truth) == len(names), names


def test_nobody_else_gets_the_ports_of_a_lab(tmp_path: Path) -> None:
    """A program that asks for one of them is refused, and the lab's server can listen there."""
    lab = new_lab(
        tmp_path,
        variant=STANDARD,
        broker=False,
        storage_kind="directory",
        drops_capabilities=False,
    )
    for port in astuple(lab.ports):
        with socket.socket() as other, pytest.raises(OSError, match="already in use"):
            other.bind(("127.0.0.1", port))
        socket.create_server(("127.0.0.1", port)).close()
