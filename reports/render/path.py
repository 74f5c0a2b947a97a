"""The path of a runbook as a row of stations: the state of each, and where it is broken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from core.frozen import frozen
from core.language import is_one, tr, trn
from core.outcome import OBSERVED, Outcome, base_id
from core.text import listed
from reports.diagnosis.result import Finding
from reports.model.figures import limit, quantity
from reports.model.layout import StationFigure, StationKind
from reports.model.report import Report, Result

Kind = Literal["holds", "fails", "broken", "partly", "unseen", "absent"]
Link = Literal["whole", "cut", "stalled"]

SIGNS: dict[Link, str] = {"whole": " ─ ", "cut": " ─✗ ", "stalled": " ┄ "}
"""The sign before a station, by the state of the path from the one before it."""


@frozen
class Measure:
    """A figure of a station: its value and what it counts; `short` is one word for that.

    `limit` is the value that the checks accept, such as "max 100", or empty. `violated`: the value
    lies beyond it. `needed`: 0 says by itself what is wrong. `observed`: the run saw it; absent is
    not zero.
    """

    value: str
    noun: str
    short: str
    limit: str = ""
    violated: bool = False
    needed: bool = False
    observed: bool = True


@frozen
class Station:
    """One station.

    `cause` names what breaks the path here or, before any symptom, threatens to. `link` is the
    state of the path between the station before and this one.
    """

    key: str
    name: str
    short: str
    kind: Kind
    summary: str
    measures: tuple[Measure, ...]
    cause: str
    link: Link


def stations(report: Report) -> tuple[Station, ...]:
    """Return the stations of the runbook's path as this run observed them; none without a path.

    A component that the system does not have is no station.
    """
    kinds = report.layout.stations
    impact = report.layout.impact
    breaks = _breaks(report)
    left_out = {source.component for source in report.coverage if source.place is None}
    row: list[Station] = []
    cut_before_next = False
    for one in kinds:
        key, component = one.key, one.component
        outcomes = [r.outcome for r in report.results if _station(r, kinds) == key]
        kind, summary = _summary_of(outcomes)
        broken_by = breaks.get(key, {})
        if component in report.target.absent and not broken_by:
            continue
        if broken_by:
            # Before any symptom, the path is still passed.
            kind = "broken" if report.state == "incident" else "fails"
        elif component in left_out and not any(o.status in OBSERVED for o in outcomes):
            kind, summary = "absent", tr("not configured")
        measures = tuple(_measure(report, figure) for figure in one.figures)
        counted = one.figures[0].figure if one.figures else ""
        if impact and counted == impact.count and not report.figure(counted):
            measures = measures[:1]  # nothing suffers: there is no oldest
        behind = kind == "broken" and all(broken_by.values())
        link: Link = "stalled" if any(station.kind == "broken" for station in row) else "whole"
        if cut_before_next or (kind == "broken" and not behind):
            link = "cut"
        cut_before_next = behind
        causes = listed(list(broken_by))
        row.append(
            Station(key, one.name, one.short or one.name, kind, summary, measures, causes, link)
        )
    return tuple(row)


def _station(result: Result, kinds: Sequence[StationKind]) -> str:
    """Return the key of the station that a check belongs to; empty if it belongs to none."""
    check = base_id(result.outcome.check)
    for kind in kinds:
        if check in kind.checks:
            return kind.key
    own = (one for one in kinds if one.component == result.component and not one.checks)
    first = next(own, None)
    return first.key if first else ""


def drawn(row: Sequence[Station]) -> str:
    """Return the path as one line of text, with broken stations in capitals."""
    names = [one.name.upper() if one.kind == "broken" else one.name for one in row]
    signs = ["", *(SIGNS[one.link] for one in row[1:])]
    return "".join(f"{sign}{name}" for sign, name in zip(signs, names, strict=True))


def _summary_of(outcomes: Sequence[Outcome]) -> tuple[Kind, str]:
    observed = [outcome for outcome in outcomes if outcome.status in OBSERVED]
    failed = sum(outcome.status == "failed" for outcome in observed)
    asked = [outcome for outcome in outcomes if outcome.status != "skipped"]
    unseen = len(asked) - len(observed)
    blind = trn(", {n} not observed", ", {n} not observed", unseen) if unseen else ""
    if failed:
        summary = trn(
            "{failed} of {n} check failed",
            "{failed} of {n} checks failed",
            len(asked),
            failed=failed,
        )
        return "fails", summary + blind
    if observed:
        summary = trn(
            "{passed} of {n} check passed",
            "{passed} of {n} checks passed",
            len(asked),
            passed=len(observed),
        )
        # A station is healthy only if every check that was asked has observed it so.
        return "partly" if blind else "holds", summary + blind
    if asked:
        return "unseen", trn(
            "none of {n} check observed", "none of {n} checks observed", len(asked)
        )
    return "unseen", tr("not checked")


def _measure(report: Report, kind: StationFigure) -> Measure:
    name, noun = kind.figure, kind.words
    figure = next((one for one in report.figures if one.id == name), None)
    if figure is None or figure.value is None:
        return Measure(tr("not observed"), noun, _short(kind, noun), observed=False)
    most, least = report.target.limits.get(name), report.target.minimums.get(name)
    violated = (most is not None and figure.value > most) or (
        least is not None and figure.value < least
    )
    noun = kind.one or noun if is_one(figure.value) else noun
    short = _short(kind, noun)
    return Measure(
        quantity(figure.value, figure.unit),
        noun,
        short,
        limit(most, least, figure.unit),
        violated,
        kind.needed,
    )


def _short(kind: StationFigure, noun: str) -> str:
    """Return the last word, with all that a no-break space joins to it, unless it has a short one.

    English counts alike in the last word of one and of several, other languages do not.
    """
    return kind.short or noun.split(" ")[-1]


def _breaks(report: Report) -> dict[str, dict[str, bool]]:
    """Return the causes that are named, by the station that they break.

    Beside its title stands whether the path is cut behind the station.
    """
    breaks: dict[str, dict[str, bool]] = {}
    for finding in report.diagnosis.accepted:
        place, behind = _place(report, finding)
        breaks.setdefault(place, {})[finding.title] = behind
    return breaks


def _place(report: Report, finding: Finding) -> tuple[str, bool]:
    """Return the station that a cause breaks, and whether the path is cut behind it."""
    kinds = report.layout.stations
    for kind in kinds:
        if finding.id in kind.causes_behind:
            return kind.key, True
    named = (one for one in kinds if finding.id in one.causes)
    lies = (one for one in kinds if finding.component and one.component == finding.component)
    place = next(named, None) or next(lies, None) or _strongest(report, finding)
    if place is None:
        return "", False
    failed = {
        base_id(result.outcome.check)
        for result in report.failed
        if _station(result, kinds) == place.key
    }
    if place.read_by and failed and failed <= set(place.read_by_checks):
        return place.read_by, True
    return place.key, any((report.figure(name) or 0) > 0 for name in place.holds)


def _strongest(report: Report, finding: Finding) -> StationKind | None:
    """Return the station whose failure speaks most for this cause, or nothing."""
    kinds = report.layout.stations
    between = {kind.key: kind for kind in kinds[1:-1]}
    places = {result.outcome.check: _station(result, kinds) for result in report.results}
    failures = (places.get(one.check, "") for one in finding.supporting if one.status == "failed")
    return next((between[place] for place in failures if place in between), None)
