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
        "storage",
        "Storage",
        "storage",
        (("disk_free_ratio", "of space free"), ("inodes_free_ratio", "of inodes free")),
    ),
    (
        "completed",
        "Completed",
        "upload path",
        (("uploads_completed", "recently"), ("processing_seconds", "on average")),
    ),
)
"""Key, name, component and figures (id, noun) of each station, in the upload's order."""

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


@dataclass(frozen=True)
class Station:
    """One station. `figures` are pairs of a value and what it counts.

    `cause` names what breaks the path here or, before any symptom, threatens to. `after_break`
    says that an earlier station is broken.
    """

    key: str
    name: str
    kind: Kind
    said: str
    figures: tuple[tuple[str, str], ...]
    cause: str
    after_break: bool


def stations(report: Report) -> tuple[Station, ...]:
    """Return the stations of the upload's path as this run observed them."""
    causes = _breaks(report)
    left_out = {source.component for source in report.coverage if source.place is None}
    row: list[Station] = []
    for key, name, component, figures in STATIONS:
        outcomes = [r.outcome for r in report.results if _station(r) == key]
        kind, said = _seen(outcomes)
        cause = " and ".join(causes.get(key, ()))
        if cause:
            # Before any symptom, uploads still pass.
            kind = "broken" if report.state == "incident" else "fails"
        elif component in left_out and not any(o.status in OBSERVED for o in outcomes):
            kind, said = "absent", "not configured"
        told = tuple(_figure(report, figure, word) for figure, word in figures)
        if key == "client" and not report.figure("uploads_stuck"):
            told = told[:1]  # no upload, no oldest
        after = any(station.kind == "broken" for station in row)
        row.append(Station(key, name, kind, said, told, cause, after))
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


def _figure(report: Report, name: str, word: str) -> tuple[str, str]:
    found = next((one for one in report.figures if one.id == name), None)
    if found and found.value == 1:
        word = SINGULAR.get(word, word)
    return (html_text.figure(found) if found else "not observed", word)


def _breaks(report: Report) -> dict[str, list[str]]:
    """Return the titles of the causes that are named, by the station that they break."""
    found: dict[str, list[str]] = {}
    for finding in report.diagnosis.accepted:
        place = PLACES.get(finding.id) or finding.component or _strongest(report, finding)
        found.setdefault(place, []).append(finding.title)
    return found


def _strongest(report: Report, finding: Finding) -> str:
    """Return the station whose failure speaks most for this cause, or nothing."""
    known = {key for key, *_ in STATIONS} - {"client", "completed"}
    places = {result.outcome.check: _station(result) for result in report.results}
    failures = (places.get(one.check, "") for one in finding.supporting if one.status == "failed")
    return next((place for place in failures if place in known), "")
