"""The journal of sent canaries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fixtures.probes.canary.journal import CLOSED_MAX, LINES_MAX, CanaryJournal


@pytest.fixture
def journal(tmp_path: Path) -> CanaryJournal:
    """An open journal without entries."""
    journal = CanaryJournal(tmp_path / "lab" / "canaries.jsonl")
    journal.open()
    return journal


def test_canaries_that_were_not_removed_are_pending(journal: CanaryJournal) -> None:
    """Intended and accepted canaries are pending, with the id if it is known."""
    journal.note("intended", "one")
    journal.note("intended", "two")
    journal.note("accepted", "two", "id-2")
    journal.note("intended", "three")
    journal.note("accepted", "three", "id-3")
    journal.note("removed", "three", "id-3")
    assert [(e.name, e.upload_id) for e in journal.pending()] == [("one", ""), ("two", "id-2")]


def test_an_incomplete_line_is_ignored(journal: CanaryJournal) -> None:
    """A line that a kill cut short is no entry, and the next entry has a line of its own."""
    journal.note("intended", "one")
    with journal.path.open("a") as file:
        file.write('{"at": 1.0, "event": "inten')
    journal.note("intended", "two")
    assert [entry.name for entry in journal.pending()] == ["one", "two"]


@pytest.mark.parametrize("line", ["[]", "{}", '{"at":"x","event":1,"name":2}', "\x00", '"a"'])
def test_an_invalid_line_is_ignored(journal: CanaryJournal, line: str) -> None:
    """A line that is not an entry is skipped."""
    journal.path.write_text(f"{line}\n")
    journal.note("intended", "one")
    assert [entry.name for entry in journal.pending()] == ["one"]


def test_old_closed_entries_are_dropped(journal: CanaryJournal) -> None:
    """Only the newest closed entries are kept; pending entries always are."""
    lines = [
        json.dumps({"at": float(n), "event": "removed", "name": f"n{n}", "upload_id": "i"})
        for n in range(LINES_MAX)
    ]
    pending = json.dumps({"at": 0.0, "event": "intended", "name": "old", "upload_id": ""})
    journal.path.write_text("\n".join([pending, *lines]) + "\n")
    journal.open()
    assert len(journal.path.read_text().splitlines()) == CLOSED_MAX + 1
    assert [entry.name for entry in journal.pending()] == ["old"]
    assert f'"n{LINES_MAX - 1}"' in journal.path.read_text()
    assert list(journal.path.parent.iterdir()) == [journal.path]
