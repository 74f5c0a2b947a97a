"""The upload's path as a row of stations: the state of each, and where the path is broken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from core.outcome import OBSERVED
from core.text import count
from reports.render.html import text as html_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.outcome import Outcome
    from reports.diagnosis.result import Finding
    from reports.model.report import Report, Result

Kind = Literal["holds", "fails", "broken", "partly", "unseen", "absent"]
Link = Literal["whole", "cut", "stalled"]

SIGNS: dict[Link, str] = {"whole": " ─ ", "cut": " ─✗ ", "stalled": " ┄ "}
"""The sign before a station, by the state of the path from the one before it."""

STATIONS: tuple[tuple[str, str, str, tuple[tuple[str, str], ...]], ...] = (
    (
        "client",
        "Client",
        "upload path",
        (
            ("uploads_stuck", "uploads stuck"),
            ("oldest_stuck_seconds", "the oldest"),
            ("users_affected", "users affected"),
        ),
    ),
    ("api", "API", "api", (("uploads_uploading", "uploading"),)),
    (
        "storage",
        "Storage",
        "storage",
        (("disk_free_ratio", "of space free"), ("inodes_free_ratio", "of inodes free")),
    ),
    ("database", "Database", "database", (("jobs_waiting", "jobs late"),)),
    (
        "queue",
        "Queue",
        "queue",
        (
            ("backlog", "waiting"),
            ("unacknowledged", "unacknowledged"),
            ("dead_letters", "dead-lettered"),
        ),
    ),
    (
        "worker",
        "Worker",
        "worker",
        (("worker_processes", "running"), ("consumers", "consuming")),
    ),
    (
        "completed",
        "Completed",
        "upload path",
        (("uploads_completed", "recently"), ("processing_seconds", "on average")),
    ),
)
"""Key, name, component and figures (id, noun) of each station, in the upload's order.

The API stores the file before it records the job: a full disk breaks the path there.
"""

NOT_OBSERVED = "not observed"

SINGULAR = {
    "uploads stuck": "upload stuck",
    "users affected": "user affected",
    "jobs late": "job late",
}
"""The nouns that have a singular of their own."""

AT_THE_END = ("signal/uploads_are_completing", "signal/processing_time_is_normal")
"""The checks of the upload path that belong to its end; the others belong to its start."""

PLACES = {
    "job_worker_down": "worker",
    "queue_blocked": "queue",
    "storage_problem": "storage",
    "processing_failed_silently": "worker",
    "processing_timeout": "worker",
}
"""The station that a cause breaks; any other breaks the one with the strongest evidence."""


READING = ("storage/stuck_files_are_readable",)
"""The checks of the storage that concern the worker, not the API that writes."""

FINISHING = ("processing_failed_silently", "processing_timeout")
"""The causes for which the work arrives at its station and does not leave it."""


@dataclass(frozen=True)
class Measure:
    """A figure of a station: its value and what it counts.

    `limit` is the value that the checks accept, such as "max 100", or empty. `violated`: the value
    lies beyond it.
    """

    value: str
    noun: str
    limit: str = ""
    violated: bool = False

    @property
    def observed(self) -> bool:
        """Return whether the run saw it: absent is not zero."""
        return self.value != NOT_OBSERVED


@dataclass(frozen=True)
class Station:
    """One station.

    `cause` names what breaks the path here or, before any symptom, threatens to. `link` is the
    state of the path between the station before and this one.
    """

    key: str
    name: str
    kind: Kind
    said: str
    measures: tuple[Measure, ...]
    cause: str
    link: Link


def stations(report: Report) -> tuple[Station, ...]:
    """Return the stations of the upload's path as this run observed them."""
    breaks = _breaks(report)
    left_out = {source.component for source in report.coverage if source.place is None}
    row: list[Station] = []
    cut_before_next = False
    for key, name, component, figures in STATIONS:
        outcomes = [r.outcome for r in report.results if _station(r) == key]
        kind, said = _seen(outcomes)
        found = breaks.get(key, [])
        if found:
            # Before any symptom, uploads still pass.
            kind = "broken" if report.state == "incident" else "fails"
        elif component in left_out and not any(o.status in OBSERVED for o in outcomes):
            kind, said = "absent", "not configured"
        measures = tuple(_measure(report, figure, noun) for figure, noun in figures)
        if key == "client" and not report.figure("uploads_stuck"):
            measures = measures[:1]  # no upload, no oldest
        behind = kind == "broken" and all(one.behind for one in found)
        link: Link = "stalled" if any(station.kind == "broken" for station in row) else "whole"
        if cut_before_next or (kind == "broken" and not behind):
            link = "cut"
        cut_before_next = behind
        cause = " and ".join(one.title for one in found)
        row.append(Station(key, name, kind, said, measures, cause, link))
    return tuple(row)


def _station(result: Result) -> str:
    if result.component == "upload path":
        return "completed" if result.outcome.check in AT_THE_END else "client"
    return result.component


def _seen(outcomes: Sequence[Outcome]) -> tuple[Kind, str]:
    seen = [outcome for outcome in outcomes if outcome.status in OBSERVED]
    failed = sum(outcome.status == "failed" for outcome in seen)
    asked = [outcome for outcome in outcomes if outcome.status != "skipped"]
    total = count(len(asked), "check")
    blind = f", {len(asked) - len(seen)} not observed" if len(seen) < len(asked) else ""
    if failed:
        return "fails", f"{failed} of {total} failed{blind}"
    if seen:
        # A station is healthy only if every check that was asked has observed it so.
        kind: Kind = "partly" if blind else "holds"
        return kind, f"{len(seen)} of {total} passed{blind}"
    return "unseen", f"none of {total} observed" if asked else "not checked"


def _measure(report: Report, name: str, noun: str) -> Measure:
    found = next((one for one in report.figures if one.id == name), None)
    if found is None or found.value is None:
        return Measure(NOT_OBSERVED, noun)
    most, least = report.target.limits.get(name), report.target.minimums.get(name)
    limit = html_text.limit(most, least, found.unit)
    violated = (most is not None and found.value > most) or (
        least is not None and found.value < least
    )
    noun = SINGULAR.get(noun, noun) if found.value == 1 else noun
    return Measure(html_text.figure(found), noun, limit, violated)


@dataclass(frozen=True)
class _Break:
    """A cause that breaks a station. `behind`: work arrives there and does not leave."""

    title: str
    behind: bool


def _breaks(report: Report) -> dict[str, list[_Break]]:
    """Return the causes that are named, by the station that they break."""
    found: dict[str, list[_Break]] = {}
    for finding in report.diagnosis.accepted:
        place, behind = _place(report, finding)
        found.setdefault(place, []).append(_Break(finding.title, behind))
    return found


def _place(report: Report, finding: Finding) -> tuple[str, bool]:
    """Return the station that a cause breaks, and whether the path is cut behind it."""
    place = PLACES.get(finding.id) or finding.component or _strongest(report, finding)
    if place == "queue":
        in_it = (report.figure("backlog") or 0) + (report.figure("unacknowledged") or 0)
        return place, in_it > 0
    if place == "storage":
        failed = {
            result.outcome.check
            for result in report.results
            if result.component == "storage" and result.outcome.status == "failed"
        }
        # The API has stored the files, and the worker cannot read them.
        if failed and failed <= set(READING):
            return "worker", True
    return place, finding.id in FINISHING


def _strongest(report: Report, finding: Finding) -> str:
    """Return the station whose failure speaks most for this cause, or nothing."""
    known = {key for key, *_ in STATIONS} - {"client", "completed"}
    places = {result.outcome.check: _station(result) for result in report.results}
    failures = (places.get(one.check, "") for one in finding.supporting if one.status == "failed")
    return next((place for place in failures if place in known), "")
