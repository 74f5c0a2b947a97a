"""`python -m reports index`: which folders have a row, and what becomes of one that is damaged."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reports.cli.main import main
from reports.history.store import NAME, History, record
from reports.model.report import Report
from reports.model.report_json import to_json
from tests import made

Capture = pytest.CaptureFixture[str]


_began: list[datetime] = []


@pytest.fixture(autouse=True)
def _begin() -> None:
    """Note when a test begins: ages count from then, not from when the module was read."""
    _began[:] = [datetime.now(UTC)]


def at(minutes: float) -> str:
    """A time that many minutes before the test began."""
    return (_began[0] - timedelta(minutes=minutes)).isoformat(timespec="seconds")


def saved(folder: Path, *reports: Report) -> None:
    """Make a folder as runs leave it: their history, and the last one's report and page."""
    for report in reports:
        record(folder / NAME, report)
    (folder / "report.json").write_text(to_json(reports[-1]), encoding="utf-8")
    (folder / "report.html").write_text("<!doctype html>")


def indexed(out: Path, *options: str) -> dict[str, dict[str, Any]]:
    """The rows of the overview that the command writes, by folder."""
    assert main(["index", str(out), *options]) == 0
    assert (out / "index.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    document = json.loads((out / "index.json").read_text(encoding="utf-8"))
    assert document["schema"] == 1
    return {row["folder"]: row for row in document["rows"]}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder with one target, whose runs come every five minutes."""
    runs = [made.recovered(started=at(minutes)) for minutes in (27, 22, 17, 12)]
    saved(tmp_path / "live", *runs, made.incident(started=at(7)), made.incident(started=at(2)))
    return tmp_path


def test_a_target_has_a_row(out: Path, capsys: Capture) -> None:
    """State, since when, headline, link and the strip of the last days."""
    row = indexed(out)["live"]
    assert (row["target"], row["runbook"], row["state"]) == ("live", "Upload stuck", "incident")
    assert row["headline"] == made.incident().headline
    assert (row["page"], row["started"], row["overdue"]) == ("report.html", at(2), False)
    # The oldest upload is older than the first run that saw the incident.
    assert at(50) < row["since"] < at(45)
    assert row["overdue_after_seconds"] == 600
    assert row["strip"][-1] == "incident"
    assert capsys.readouterr().out == f"1 row: 1 incident; {out / 'index.html'}\n"


def test_each_runbook_of_a_target_has_a_row(out: Path) -> None:
    """Its files are in a folder of its own; those of partial runs are no target's state."""
    saved(out / "eu/login_fails", made.recovered(started=at(3)))
    saved(out / "eu/upload_stuck", made.recovered(started=at(3)))
    saved(out / "eu/upload_stuck/partial", made.incident(started=at(1)))
    saved(out / "live/partial", made.recovered(started=at(1)))
    saved(out / "eu/partial", made.incident(started=at(1)))
    (out / "eu/confirmed").mkdir()
    rows = indexed(out)
    assert list(rows) == ["live", "eu/login_fails", "eu/upload_stuck"]
    assert {row["state"] for row in rows.values()} == {"incident", "healthy"}
    page = (out / "index.html").read_text()
    assert 'href="eu/login_fails/report.html"' in page


@pytest.mark.parametrize("name", ["partial", "confirmed"])
def test_a_target_may_have_the_name_of_a_folder_of_ours(out: Path, name: str) -> None:
    """Below a target's folder it is one of ours, beside the targets it is a target."""
    (out / "live").rename(out / name)
    assert [*indexed(out)] == [name]


def test_the_folder_of_a_file_system_has_no_row(out: Path) -> None:
    """A volume of its own has `lost+found` at its top, and no run has to do with that."""
    (out / "lost+found").mkdir(mode=0o700)
    assert [*indexed(out)] == ["live"]


def test_since_is_the_first_run_of_a_state(tmp_path: Path) -> None:
    """A history that begins with it does not know how long it has been so."""
    good = [made.recovered(started=at(minutes)) for minutes in (40, 30)]
    saved(tmp_path / "new", *good)
    saved(tmp_path / "old", made.incident(started=at(50)), *good)
    rows = indexed(tmp_path)
    assert (rows["new"]["since"], rows["new"]["since_at_least"]) == (good[0].started, True)
    assert (rows["old"]["since"], rows["old"]["since_at_least"]) == (good[0].started, False)


DAMAGED = {
    "empty": ("", "report.json is empty"),
    "torn": (to_json(made.recovered())[:900], "report.json is cut short: it ends within line "),
    "text": ("all is well", "report.json is "),
    "newer": ('{"schema": 99}', "report.json has schema '99', and this version reads 1"),
    "partial": (
        to_json(replace(made.recovered(), partial=True)),
        "report.json is of a partial run, which says nothing of the whole target",
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_report_is_a_row_with_a_sentence(out: Path, name: str) -> None:
    """It is unknown, and its history still says when the last run was."""
    content, sentence = DAMAGED[name]
    (out / "live/report.json").write_text(content)
    row = indexed(out)["live"]
    assert row["state"] == "unknown"
    assert row["problem"].startswith(sentence)
    assert str(out) not in row["problem"]
    assert row["started"] == at(2)
    assert 'class="row gone"' in (out / "index.html").read_text()


def test_a_folder_without_a_report_is_a_row(tmp_path: Path) -> None:
    """A target that never had a whole run must not be missed; a file in its place is none."""
    (tmp_path / "live").mkdir()
    saved(tmp_path / "staging/partial", made.recovered())
    saved(tmp_path / "lost", made.recovered(started=at(5)))
    (tmp_path / "lost/report.json").unlink()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "notes.txt").write_text("")
    rows = indexed(tmp_path)
    assert list(rows) == ["live", "lost", "staging"]
    problems = {row["problem"] for row in rows.values()}
    assert problems == {"no whole run has written a report here yet"}
    assert rows["lost"]["started"] == at(5)


def test_a_report_that_cannot_be_read_is_a_row(out: Path) -> None:
    """A link that leads nowhere, a folder or a pipe in its place: one sentence, no waiting."""
    for name in ("link", "folder", "pipe"):
        (out / name).mkdir()
    (out / "link/report.json").symlink_to("nowhere")
    (out / "folder/report.json").mkdir()
    os.mkfifo(out / "pipe/report.json")
    rows = indexed(out)
    assert rows["link"]["problem"] == "report.json cannot be read: No such file or directory"
    assert rows["pipe"]["problem"] == "report.json cannot be read: not a regular file"
    assert rows["folder"]["problem"].startswith("report.json cannot be read: ")


def test_a_history_that_cannot_be_used_costs_the_strip_alone(out: Path) -> None:
    """The state comes from the report; a sentence stands where the strip would be."""
    (out / "live" / NAME).write_bytes(b"not a database, but long enough to be taken for one" * 9)
    row = indexed(out)["live"]
    assert row["state"] == "incident"
    assert row["note"].startswith(f"the history {NAME} is corrupt")
    assert [state for state in row["strip"] if state] == ["incident"]


def test_a_history_that_is_being_written_is_read(out: Path) -> None:
    """A run that holds the history in a transaction is no problem, and nothing is changed."""
    path = out / "live" / NAME
    with History.to_write(path) as writer:
        writer._db.execute("BEGIN IMMEDIATE")
        writer._db.execute("UPDATE runs SET state = 'healthy'")
        row = indexed(out)["live"]
        writer._db.execute("ROLLBACK")
    assert row["note"] == ""
    assert row["strip"][-1] == "incident"
    with History.to_read(path) as history:
        assert [run.state for run in history.states(at(60))][-2:] == ["incident", "incident"]


def test_a_history_may_lack_the_run_of_the_report(out: Path) -> None:
    """The report is written first: in between, its state is known since that run."""
    (out / "live/report.json").write_text(to_json(made.recovered(started=at(1))))
    row = indexed(out)["live"]
    assert (row["state"], row["since"], row["since_at_least"]) == ("healthy", at(1), False)


def test_overdue_is_what_the_option_says(out: Path) -> None:
    """A schedule is known better by those who made it."""
    row = indexed(out, "--overdue", "90s")["live"]
    assert (row["overdue"], row["overdue_after_seconds"]) == (True, 90)
    assert 'class="row bad late"' in (out / "index.html").read_text()


def test_page_refreshes_as_the_option_says(out: Path) -> None:
    """Once a minute, or as often as the option says, or never."""
    page = out / "index.html"
    for options, refresh in (
        ([], 'data-refresh="60"'),
        (["--refresh", "5min"], 'data-refresh="300"'),
        (["--refresh", "never"], "<body>"),
    ):
        indexed(out, *options)
        assert refresh in page.read_text()


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path: Path, capsys: Capture) -> None:
    """Neither a missing folder nor a file makes an overview."""
    assert main(["index", str(tmp_path / "missing")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"{tmp_path / 'missing'} cannot be read: No such file or directory\n"
    assert list(tmp_path.iterdir()) == []


def test_names_are_shown_and_linked_whatever_they_are(tmp_path: Path) -> None:
    """A folder's name may be anything that a file system takes."""
    name = b"caf\xe9 <b>&\"'".decode(errors="surrogateescape")
    saved(tmp_path / "made", made.recovered(started=at(1)))
    (tmp_path / "made").rename(tmp_path / name)
    (row,) = indexed(tmp_path).values()
    assert row["target"] == "live"
    assert "caf%E9%20%3Cb%3E%26%22%27/report.html" in (tmp_path / "index.html").read_text()
