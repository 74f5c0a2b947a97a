"""Confirmed causes: what people say an incident's cause really was, in `confirmed/`.

The folder lies beside the history and outlives it. Each incident has a file of its own, which is
written atomically: a killed process leaves it whole or absent, two calls at a time lose nothing,
and a damaged file costs one incident. Beside it lies the incident's report, for a replay.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from core.files import FileError, read_file, sync_folder, unwritable, write_file
from core.frozen import frozen
from core.language import trn
from reports.history.actions import Action, read_actions
from reports.history.incidents import INCIDENT_RUNS, Incident, RunRecord, incidents
from reports.history.store import NAME, History, HistoryError
from reports.model.report import Report, SeenBefore
from reports.model.report_json import LoadError, load_report, to_json

if TYPE_CHECKING:
    from pydantic import TypeAdapter


FOLDER = "confirmed"

KEPT_MAX = 200
"""Confirmed incidents that are kept, the newest."""

BYTES_MAX = 2**20
"""Bytes of the largest confirmation that is read: some actions with their commands."""

OTHER = "other"
"""The confirmed cause of an incident that none of the model's causes explains."""

FALSE_ALARM = "false-alarm"
"""The confirmed cause of an incident that was none."""


@frozen
class Confirmation:
    """The confirmed causes of one incident, by their ids.

    `incident` is the start of its first run, `last` that of its last run when it was confirmed, and
    `ended` that of the first run after it, empty where that is not known.
    """

    incident: str
    last: str
    causes: tuple[str, ...]
    note: str = ""
    ended: str = ""
    actions: tuple[Action, ...] = ()

    @property
    def began(self) -> datetime:
        """Return when the first run saw the incident."""
        return datetime.fromisoformat(self.incident)

    @property
    def seconds(self) -> float | None:
        """Return the time from the first bad run to the first good one; None where not known."""
        if not self.ended:
            return None
        seconds = (datetime.fromisoformat(self.ended) - self.began).total_seconds()
        return seconds if seconds >= 0 else None

    @property
    def ended_by(self) -> Action | None:
        """Return the last action after which it was verified that the incident was over."""
        return next((one for one in reversed(self.actions) if one.recovered), None)

    def is_of(self, incident: Incident) -> bool:
        """Return whether this is about an incident; the history may have lost a part of it."""
        return any(run.started in (self.incident, self.last) for run in incident.runs)


@frozen
class Learned:
    """Confirmations and actions of a target, oldest first; `notes` say what was not read."""

    confirmations: tuple[Confirmation, ...] = ()
    actions: tuple[Action, ...] = ()
    notes: tuple[str, ...] = ()

    def of(self, incident: Incident) -> Confirmation | None:
        """Return the confirmation of an incident; None where nobody has confirmed it."""
        return next((one for one in self.confirmations if one.is_of(incident)), None)


def read_learned(folder: Path) -> Learned:
    """Return what was confirmed and done on the target of this folder; raises nothing."""
    confirmations, damaged = [], 0
    try:
        paths = [*folder.joinpath(FOLDER).glob("*.json")]
    except OSError:
        # A folder that this user may not enter; the note on the actions says so.
        paths = []
    for path in paths:
        if path.name.endswith(".report.json"):
            continue
        try:
            confirmations.append(_parse(read_file(path, BYTES_MAX, follow=False)))
        except (FileError, ValueError):
            damaged += 1
    actions, note = read_actions(folder)
    notes = [note] if note else []
    if damaged:
        notes.append(
            trn(
                "{folder}: {n} damaged confirmation left out",
                "{folder}: {n} damaged confirmations left out",
                damaged,
                folder=folder / FOLDER,
            )
        )
    confirmations.sort(key=lambda one: one.began)
    return Learned(tuple(confirmations), actions, tuple(notes))


def write_confirmation(folder: Path, confirmation: Confirmation, report: Report) -> Path:
    """Write a confirmation with its incident's report; return its path. Raises FileError.

    The report comes first: one without its confirmation does no harm.
    """
    place = folder / FOLDER
    path = place / f"{_stem(confirmation)}.json"
    write_file(_report_path(folder, confirmation), to_json(report))
    write_file(path, json.dumps(asdict(confirmation), ensure_ascii=False, indent=1) + "\n")
    try:
        sync_folder(place)
        _drop_oldest(place)
    except OSError as exc:
        raise unwritable(place, exc) from exc
    return path


def report_of(folder: Path, confirmation: Confirmation) -> Report | None:
    """Return the report of a confirmed incident; None where it cannot be read."""
    try:
        return load_report(_report_path(folder, confirmation))
    except LoadError:
        return None


def settle(
    confirmation: Confirmation, episodes: Iterable[Incident], actions: Sequence[Action]
) -> Confirmation:
    """Return a confirmation with its incident's end and actions, as far as they are known now."""
    if confirmation.ended:
        return confirmation
    for episode in episodes:
        if confirmation.is_of(episode):
            ended = episode.after.started if episode.after else ""
            taken = actions_in(episode, actions) or confirmation.actions
            return replace(confirmation, ended=ended, actions=taken)
    return confirmation


def actions_in(episode: Incident, actions: Iterable[Action]) -> tuple[Action, ...]:
    """Return the actions that began after an incident's first run and before its end."""
    first = episode.runs[0].at
    end = episode.after.at if episode.after else None
    if first is None:
        return ()
    times = ((action, datetime.fromisoformat(action.at)) for action in actions)
    return tuple(one for one, at in times if first <= at and (end is None or at < end))


def seen_before(folder: Path) -> tuple[SeenBefore, ...]:
    """Return the causes that were confirmed for the earlier incidents of a target.

    Raises nothing: a history that cannot be read leaves the confirmations. It is read only where
    one of their incidents may go on.
    """
    learned = read_learned(folder)
    if all(one.ended for one in learned.confirmations):
        return earlier(learned, ())
    runs: tuple[RunRecord, ...] = ()
    try:
        with History.to_read(folder / NAME) as history:
            runs = history.runs(INCIDENT_RUNS, symptoms_only=True)
    except HistoryError:
        # The run that is under way says so when it adds itself.
        pass
    return earlier(learned, incidents(runs))


def earlier(learned: Learned, episodes: Sequence[Incident]) -> tuple[SeenBefore, ...]:
    """Return the causes that were confirmed, without those of an incident that goes on."""
    current = episodes[-1] if episodes and episodes[-1].after is None else None
    past = [
        settle(one, episodes, learned.actions)
        for one in learned.confirmations
        if current is None or not one.is_of(current)
    ]
    causes = []
    for cause in dict.fromkeys(cause for one in past for cause in one.causes):
        own = [one for one in past if cause in one.causes]
        action = own[-1].ended_by
        causes.append(
            SeenBefore(
                cause,
                times=len(own),
                last=own[-1].incident,
                ended_by=action.step if action else "",
                seconds=action.seconds if action else None,
                note=own[-1].note,
            )
        )
    return tuple(causes)


def _stem(confirmation: Confirmation) -> str:
    return confirmation.began.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _report_path(folder: Path, confirmation: Confirmation) -> Path:
    return folder / FOLDER / f"{_stem(confirmation)}.report.json"


def _drop_oldest(place: Path) -> None:
    stems = sorted({path.name.partition(".")[0] for path in place.glob("*.json")})
    for stem in stems[:-KEPT_MAX]:
        for suffix in (".json", ".report.json"):
            place.joinpath(stem + suffix).unlink(missing_ok=True)


def _parse(content: bytes) -> Confirmation:
    """Return the confirmation in these bytes; raises ValueError."""
    confirmation = _adapter().validate_json(content)
    actions = confirmation.actions
    times = [confirmation.incident, confirmation.ended, *(one.at for one in actions)]
    for at in (datetime.fromisoformat(time) for time in times if time):
        if at.tzinfo is None or not 1 < at.year < 9999:
            raise ValueError("a time has no zone or cannot be true")
    if not all(math.isfinite(one.seconds or 0.0) for one in actions) or not confirmation.incident:
        raise ValueError("a duration cannot be true, or the incident has no time")
    return confirmation


@cache
def _adapter() -> TypeAdapter[Confirmation]:
    from pydantic import TypeAdapter

    return TypeAdapter(Confirmation)
