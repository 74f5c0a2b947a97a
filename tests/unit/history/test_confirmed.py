"""Confirmed causes and the journal of actions: what later reports say of an earlier incident."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actions.journal import Journal
from reports.history import actions as journal
from reports.history import confirmed, store
from reports.history.actions import read_actions
from reports.history.confirmed import (
    Confirmation,
    read_learned,
    report_of,
    seen_before,
    settle,
    write_confirmation,
)
from reports.history.incidents import Incident, incidents
from tests import made
from tests.waiting import PATIENCE


def at(minutes: float) -> str:
    """A time that many minutes after the first run."""
    return (datetime.fromisoformat(made.STARTED) + timedelta(minutes=minutes)).isoformat()


def events(
    action: str, minutes: float, step: str, end: str, seconds: float
) -> list[dict[str, Any]]:
    """The lines of the journal that `python -m actions` writes of one action."""
    begun = {"at": at(minutes), "action": action}
    ended = {"at": at(minutes + seconds / 60), "action": action}
    return [
        {
            **begun,
            "event": "start",
            "who": "ada on laptop",
            "cause": "job_worker_down",
            "step": step,
        },
        {**begun, "event": "command", "place": "local", "command": "systemctl restart worker"},
        {**begun, "event": "result", "output": ""},
        {**begun, "event": "done"},
        {**ended, "event": end, "result": f"{end}: a sentence"},
    ]


def write_journal(folder: Path, *actions: list[dict[str, Any]]) -> Path:
    """Write these events as a target's journal, and return its path."""
    path = folder / journal.NAME
    lines = [json.dumps(event) for action in actions for event in action]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def two_incidents(folder: Path) -> list[Incident]:
    """Record an incident of 20 minutes that is over, and one that goes on."""
    starts = [(made.incident, 0), (made.incident, 10), (made.recovered, 20), (made.incident, 60)]
    for report, minutes in starts:
        store.record(folder / store.NAME, report(started=at(minutes)))
    with store.History.to_read(folder / store.NAME) as history:
        return incidents(history.runs(100))


def confirm(folder: Path, incident: Incident, *causes: str, note: str = "") -> Confirmation:
    """Confirm an incident, and return what was written."""
    runs = incident.runs
    one = Confirmation(runs[0].started, runs[-1].started, causes or ("job_worker_down",), note)
    write_confirmation(folder, one, made.incident(started=runs[0].started))
    return one


def test_a_confirmation_is_read_back_with_its_report(tmp_path: Path) -> None:
    """Causes, note and actions are as they were, and the incident's report can be replayed."""
    (action,), _ = read_actions(
        write_journal(tmp_path, events("a", 12, "Restart the worker", "verified", 31)).parent
    )
    one = Confirmation(at(0), at(10), ("queue_blocked", "other"), "a note", at(20), (action,))
    write_confirmation(tmp_path, one, made.incident())
    assert read_learned(tmp_path).confirmations == (one,)
    assert report_of(tmp_path, one) == made.incident()


def test_confirming_again_replaces(tmp_path: Path) -> None:
    """A person may correct what was confirmed: an incident has one confirmation."""
    first = two_incidents(tmp_path)[0]
    confirm(tmp_path, first)
    again = confirm(tmp_path, first, "storage_problem")
    assert read_learned(tmp_path).confirmations == (again,)


def test_the_oldest_confirmations_are_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder keeps so many incidents, the newest, each with its report."""
    monkeypatch.setattr(confirmed, "KEPT_MAX", 3)
    for number in range(5):
        one = Confirmation(at(number), at(number), ("queue_blocked",))
        write_confirmation(tmp_path, one, made.incident(started=at(number)))
    kept = read_learned(tmp_path).confirmations
    assert [one.incident for one in kept] == [at(2), at(3), at(4)]
    assert all(report_of(tmp_path, one) for one in kept)
    assert len(list(tmp_path.joinpath(confirmed.FOLDER).iterdir())) == 6


def kill_at(folder: Path, event: str, number: int) -> None:
    """Confirm an incident, and be killed just before so many system calls of this kind."""
    left = number

    def hook(name: str, _arguments: Any) -> None:
        nonlocal left
        if name == event:
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    one = Confirmation(at(60), at(60), ("storage_problem",))
    write_confirmation(folder, one, made.incident(started=at(60)))


@pytest.mark.parametrize(
    ("event", "number"), [("os.rename", 1), ("os.rename", 2), ("os.remove", 1)]
)
def test_a_kill_leaves_whole_confirmations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, event: str, number: int
) -> None:
    """The earlier one stays as it was, the new one is whole or absent, and the next call works."""
    monkeypatch.setattr(confirmed, "KEPT_MAX", 1)
    earlier = confirm(tmp_path, two_incidents(tmp_path)[0])
    process = multiprocessing.get_context("fork").Process(
        target=kill_at, args=(tmp_path, event, number)
    )
    process.start()
    process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL
    learned = read_learned(tmp_path)
    assert not learned.notes
    assert earlier in learned.confirmations
    assert len(learned.confirmations) == (2 if event == "os.remove" else 1)
    last = Confirmation(at(90), at(90), ("queue_blocked",))
    write_confirmation(tmp_path, last, made.incident(started=at(90)))
    assert read_learned(tmp_path).confirmations == (last,)


def test_calls_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    """Four people confirm two incidents together: both are there, and whole."""
    gate = threading.Barrier(4)

    def write(number: int) -> None:
        one = Confirmation(at(number % 2), at(number % 2), (f"cause_{number}",))
        gate.wait(PATIENCE)
        for _ in range(5):
            write_confirmation(tmp_path, one, made.incident(started=at(number % 2)))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    learned = read_learned(tmp_path)
    assert [one.incident for one in learned.confirmations] == [at(0), at(1)]
    assert not learned.notes


def test_a_damaged_file_costs_one_incident(tmp_path: Path) -> None:
    """The others are read, and a note says how many were not."""
    first, second = two_incidents(tmp_path)
    confirm(tmp_path, first)
    confirm(tmp_path, second)
    newest = max(tmp_path.joinpath(confirmed.FOLDER).glob("*Z.json"))
    newest.write_text(newest.read_text()[:40])
    learned = read_learned(tmp_path)
    assert [one.incident for one in learned.confirmations] == [at(0)]
    assert learned.notes == (f"{tmp_path / 'confirmed'}: 1 damaged confirmation left out",)


def test_the_end_and_the_actions_are_added_when_they_are_known(tmp_path: Path) -> None:
    """An incident may be confirmed while it goes on: a later run and the journal complete it."""
    over, current = two_incidents(tmp_path)
    write_journal(
        tmp_path,
        events("old", -5, "Of another day", "verified", 5),
        events("a", 12, "Restart the worker", "verified", 31),
        events("b", 61, "Purge the queue", "not verified", 90),
    )
    actions, _ = read_actions(tmp_path)
    known = settle(confirm(tmp_path, over), [over, current], actions)
    assert (known.ended, known.seconds) == (at(20), 20 * 60)
    assert [(one.step, one.seconds, one.recovered) for one in known.actions] == [
        ("Restart the worker", 31, True)
    ]
    goes_on = settle(confirm(tmp_path, current), [over, current], actions)
    assert (goes_on.ended, goes_on.seconds, goes_on.ended_by) == ("", None, None)
    assert [one.step for one in goes_on.actions] == ["Purge the queue"]


def test_earlier_incidents_are_counted_by_cause(tmp_path: Path) -> None:
    """The incident that goes on has been seen before only in the others."""
    over, current = two_incidents(tmp_path)
    write_journal(tmp_path, events("a", 12, "Restart the worker", "verified", 31))
    confirm(tmp_path, over, note="out of memory")
    confirm(tmp_path, current)
    (one,) = seen_before(tmp_path)
    assert (one.cause, one.times, one.last) == ("job_worker_down", 1, at(0))
    assert (one.ended_by, one.seconds, one.note) == ("Restart the worker", 31, "out of memory")
    store.record(tmp_path / store.NAME, made.recovered(started=at(70)))
    (one,) = seen_before(tmp_path)
    assert (one.times, one.last, one.ended_by) == (2, at(60), "")


def test_an_incident_that_is_over_needs_no_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run opens the history only for a confirmation whose incident may go on."""
    over, current = two_incidents(tmp_path)
    opened: list[Path] = []

    class Counted(store.History):
        @classmethod
        def to_read(cls, path: Path) -> Self:
            opened.append(path)
            return super().to_read(path)

    monkeypatch.setattr(confirmed, "History", Counted)
    write_confirmation(tmp_path, settle(confirm(tmp_path, over), [over], ()), made.incident())
    (one,) = seen_before(tmp_path)
    assert (one.times, opened) == (1, [])
    confirm(tmp_path, current)
    (one,) = seen_before(tmp_path)
    assert (one.times, len(opened)) == (1, 1)


def test_confirmations_outlive_the_history(tmp_path: Path) -> None:
    """Without a history that can be read, what people confirmed is still told."""
    confirm(tmp_path, two_incidents(tmp_path)[0])
    (tmp_path / store.NAME).write_bytes(b"no database" * 100)
    (one,) = seen_before(tmp_path)
    assert one.times == 1


def test_a_target_without_confirmations_has_seen_nothing(tmp_path: Path) -> None:
    """An empty folder, and one that is missing, have nothing to tell."""
    assert seen_before(tmp_path / "nowhere") == ()
    two_incidents(tmp_path)
    assert seen_before(tmp_path) == ()


def test_a_journal_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Something else in its place is a sentence, a missing journal is none."""
    assert read_actions(tmp_path) == ((), "")
    (tmp_path / journal.NAME).mkdir()
    actions, note = read_actions(tmp_path)
    assert (actions, "not a regular file" in note or "directory" in note) == ((), True)
    assert read_learned(tmp_path).notes == (note,)


def test_an_action_without_an_end_has_not_recovered(tmp_path: Path) -> None:
    """A process that was killed in the middle leaves an action whose end is not known."""
    path = write_journal(tmp_path, events("a", 1, "Restart the worker", "verified", 31)[:2])
    with path.open("a") as file:
        file.write('{"at": "2026-03-02T10:01')
    (action,), note = read_actions(tmp_path)
    assert (action.seconds, action.recovered) == (None, False)
    assert action.result == "its end is not recorded"
    assert action.commands == ("systemctl restart worker",)
    assert note == f"{path}: 1 damaged line left out"


@pytest.mark.parametrize(
    ("ends", "result", "recovered"),
    [
        (
            [("done", {}), ("verified", {"result": "verified: all holds"})],
            "verified: all holds",
            True,
        ),
        ([("done", {}), ("not verified", {"result": "it fails"})], "it fails", False),
        ([("done", {}), ("told", {})], "done; whether it helped is not recorded", False),
        ([("uncertain", {"result": "interrupted", "output": ""})], "interrupted", False),
        ([("told", {})], "its end is not recorded", False),
    ],
)
def test_the_journal_is_read_as_it_is_written(
    tmp_path: Path, ends: list[tuple[str, dict[str, str]]], result: str, recovered: bool
) -> None:
    """The journal's own writer and its reader agree on the fields and on how an action ended."""
    written = Journal(tmp_path)
    written.note("start", "a1", who="ada", cause="job_worker_down", step="Restart the worker")
    written.note("command", "a1", place="local", command="systemctl restart worker")
    for event, facts in ends:
        written.note(event, "a1", **facts)
    (action,), note = read_actions(tmp_path)
    assert (action.step, action.commands) == ("Restart the worker", ("systemctl restart worker",))
    assert (action.result, action.recovered, note) == (result, recovered, "")


def test_a_failed_action_has_not_recovered(tmp_path: Path) -> None:
    """Only a verified recovery ended an incident."""
    failed = {"at": at(2), "action": "a", "event": "failed", "result": "exit status 1"}
    write_journal(tmp_path, [*events("a", 1, "Restart the worker", "", 4)[:3], failed])
    (action,), note = read_actions(tmp_path)
    assert (action.recovered, action.result, note) == (False, "exit status 1", "")


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
TIMES = st.sampled_from([at(0), "2026-03-02", "0001-01-01T00:00:00+14:00", "x", ""])
KEYS = ["at", "action", "event", "step", "result", "command", "incident", "last", "causes", "ended"]
OBJECTS = st.dictionaries(st.sampled_from([*KEYS, "actions", "note"]), VALUES | TIMES)


@settings(max_examples=150)
@given(st.lists(OBJECTS.map(json.dumps).map(str.encode) | st.binary(max_size=60), max_size=5))
def test_files_of_any_content_raise_nothing(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    """Anybody may have edited the files: each line and file is used or counted as damaged."""
    folder = tmp_path_factory.mktemp("target")
    (folder / journal.NAME).write_bytes(b"\n".join(lines))
    place = folder / confirmed.FOLDER
    place.mkdir()
    for number, line in enumerate(lines):
        (place / f"{number}.json").write_bytes(line)
    learned = read_learned(folder)
    earlier = confirmed.earlier(learned, [])
    assert len(earlier) <= sum(len(one.causes) for one in learned.confirmations)
    json.dumps([one.seconds for one in earlier], allow_nan=False)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("incident", ""),
        ("incident", "2026-03-02T10:00:00"),
        ("incident", "0001-01-01T00:00:00+14:00"),
        ("ended", "yesterday"),
        ("causes", "job_worker_down"),
        ("actions", [{"at": "noon", "step": "Restart the worker"}]),
        ("actions", [{"at": at(1), "step": "Restart the worker", "seconds": float("inf")}]),
    ],
)
def test_a_value_that_cannot_be_true_is_damage(tmp_path: Path, key: str, value: Any) -> None:
    """No later report may fail on what somebody has edited."""
    confirm(tmp_path, two_incidents(tmp_path)[0])
    (path,) = tmp_path.joinpath(confirmed.FOLDER).glob("*Z.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    learned = read_learned(tmp_path)
    assert (learned.confirmations, len(learned.notes)) == ((), 1)
