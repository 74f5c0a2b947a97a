"""The pure parts of the lab."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import broker, bugs, install, remains, zaplog
from lab.audio import NotAudioError, Track, tone
from lab.errors import LabError
from lab.faults import FAULTS, PAIRS, Kind
from lab.processes import Identity, identify
from lab.processing import stored_name
from lab.state import escape_ere
from lab.zaplog import ZapLog, zap_line
from tests.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

HYPOTHESES = {
    "job_worker_down",
    "queue_blocked",
    "storage_problem",
    "processing_failed_silently",
    "processing_timeout",
}


def test_tone_is_read_back_whole(tmp_path: Path) -> None:
    """A generated WAV file has the length and loudness that were asked for."""
    (tmp_path / "tone.wav").write_bytes(tone(0.5))
    shares: list[float] = []
    with Track(tmp_path / "tone.wav") as track:
        analysis = track.analyse(shares.append)
    assert analysis.seconds == 0.5
    assert 0.3 < analysis.peak < 0.4
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize("content", [b"", b"RIFF", b"ID3 something", tone(0.1)[:30]])
def test_what_is_no_wav_is_called_so(tmp_path: Path, content: bytes) -> None:
    """Empty, foreign and truncated headers are the user's mistake, not a crash."""
    (tmp_path / "broken.wav").write_bytes(content)
    with pytest.raises(NotAudioError):
        Track(tmp_path / "broken.wav")


@given(st.text())
def test_stored_name_is_safe(filename: str) -> None:
    """Whatever the user calls a file, it is stored under a plain name without a directory."""
    assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", stored_name(filename))


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1))
def test_escaped_text_matches_itself(text: str) -> None:
    """A directory's name in the worker's pattern stands for itself."""
    assert re.fullmatch(escape_ere(text), text)


def test_log_lines_are_zaps() -> None:
    """A line is one JSON object with level, ts, caller and msg first."""
    line = zap_line("info", 1765792800.123, "handlers/upload.go:88", "é\n", id="x")
    assert line.count("\n") == 1
    assert list(json.loads(line)) == ["level", "ts", "caller", "msg", "id"]


def test_log_is_capped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that grew past its cap is set aside once, and the one before it is dropped."""
    monkeypatch.setattr(zaplog, "MAX_BYTES", 200)
    zap = ZapLog(tmp_path / "api.log")
    for number in range(20):
        zap.info("x.go:1", "line", number=number)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 600


def test_bugs_survive_their_file(tmp_path: Path) -> None:
    """What is switched on is read back; without a file nothing is on."""
    assert bugs.read_bugs(tmp_path) == bugs.Bugs()
    bugs.write_bugs(tmp_path, bugs.Bugs(hangs=True, seconds_per_chunk=2.5))
    assert bugs.read_bugs(tmp_path) == bugs.Bugs(hangs=True, seconds_per_chunk=2.5)


def test_reused_process_id_is_somebody_else() -> None:
    """A process is recognised by its id and start, so that no stranger is ever killed."""
    own = identify(os.getpid())
    assert own is not None
    assert own.is_alive()
    stranger = Identity(own.pid, own.started + 1)
    assert not stranger.is_alive()
    stranger.kill()
    assert own.is_alive()


def test_child_dies_with_its_parent(tmp_path: Path) -> None:
    """A child that was spawned ends when its parent is killed."""
    program = (
        "import sys; from pathlib import Path; from lab.processes import spawn\n"
        "sleeper = [sys.executable, '-c', 'import time; time.sleep(300)']\n"
        "child = spawn(sleeper, log=Path(sys.argv[1]))\n"
        # The child is setpriv first; the signal is set when it has become the sleeper. While it
        # becomes the one or the other, it has no command line at all.
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
    eventually(lambda: not child.is_alive(), "the child's end")


def test_setup_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without RabbitMQ and without apt one sentence says so, and that the lab runs all the same."""
    (tmp_path / "setpriv").symlink_to("/usr/bin/setpriv")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(broker, "SCRIPTS", tmp_path / "rabbitmq")
    said = install.setup()
    assert said.startswith("RabbitMQ is missing and there is no apt-get here; the lab runs without")


def test_claim_refuses_what_is_not_a_labs(tmp_path: Path) -> None:
    """A file, and a directory with foreign content, are not taken over."""
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path):
        with pytest.raises(LabError, match="choose another"):
            remains.claim(place)


def test_faults_claim_known_hypotheses() -> None:
    """A single fault makes exactly one hypothesis of the runbook true, the others none."""
    for fault in FAULTS.values():
        assert fault.truth <= HYPOTHESES
        assert len(fault.truth) == (fault.kind is Kind.SINGLE), fault.name
    assert {truth for fault in FAULTS.values() for truth in fault.truth} == HYPOTHESES


def test_pairs_cross_hypotheses() -> None:
    """Each pair makes two different hypotheses true; there are at least eight."""
    assert len(PAIRS) >= 8
    assert all(len(FAULTS[one].truth | FAULTS[two].truth) == 2 for one, two in PAIRS)
