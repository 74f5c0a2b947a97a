"""The journal of actions: readable whenever its writer was killed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from actions import journal
from actions.journal import Journal
from core.files import FileError
from reports.history.actions import NAME


@pytest.fixture
def written(tmp_path: Path) -> Journal:
    """A journal with an action that ended and one that did not."""
    log = Journal(tmp_path)
    log.note("start", "one", who="root on vm", step="Restart the worker")
    log.note("command", "one", command="systemctl restart veza")
    log.note("result", "one", output="")
    log.note("done", "one")
    log.note("verified", "one", result="after 4 s")
    log.note("start", "two", who="ann on vm", step="Resume it")
    log.note("command", "two", command="kill -CONT 7")
    return log


def test_what_is_half_done_is_said_once(written: Journal) -> None:
    """The sentence names person, step and command; who was told may go on."""
    text = str(written.half_done())
    assert '"Resume it" of ann on vm at 20' in text
    assert "its command 'kill -CONT 7' was started, may have taken effect" in text
    written.note("told", "two")
    assert written.half_done() is None


@pytest.mark.parametrize("event", ["done", "failed", "uncertain"])
def test_an_action_with_its_end_is_not_half_done(written: Journal, event: str) -> None:
    """Whatever the end was, it is in the journal."""
    written.note("result", "two")
    assert written.half_done() is not None
    written.note(event, "two")
    assert written.half_done() is None


def test_a_journal_cut_at_any_byte_is_read_and_continued(written: Journal) -> None:
    """It has every whole line; the next line starts anew, and what is open is found."""
    content = written.path.read_bytes()
    for size in range(len(content)):
        written.path.write_bytes(content[:size])
        whole = content[:size].count(b"\n") + content[:size].endswith(b"}")
        events = written.events()
        assert len(events) == whole
        is_open = bool(events) and events[-1]["event"] in ("start", "command", "result")
        assert (written.half_done() is not None) is is_open
    written.path.write_bytes(content[:-9])
    written.note("told", "two")
    assert [event["event"] for event in written.events()][-2:] == ["start", "told"]


def test_the_journal_drops_its_older_half(
    written: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest lines stay, the open action among them."""
    monkeypatch.setattr(journal, "BYTES_MAX", written.path.stat().st_size - 1)
    written.note("result", "two")
    assert [event["action"] for event in written.events()] == ["one", "one", "two", "two", "two"]
    assert written.half_done() is not None


def test_foreign_lines_are_left_out(written: Journal) -> None:
    """Nobody acted on a line that is no event."""
    known = len(written.events())
    with written.path.open("ab") as file:
        file.write(b"\xff\xfe\n[]\n" + json.dumps({"event": 3}).encode() + b"\n")
    assert len(written.events()) == known


def test_a_journal_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """Then nothing runs: it comes first."""
    (tmp_path / NAME).mkdir()
    with pytest.raises(FileError, match=r"actions\.jsonl cannot be"):
        Journal(tmp_path).note("start", "one")
