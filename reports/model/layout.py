"""The runbook's part of a report beside the checks: words, figures, the stations of its path.

It comes from the runbook's report.toml, and stands in report.json: a saved report needs no runbook
to be shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Literal

from core.frozen import frozen
from core.language import is_one, mark, tr
from core.text import LINE_MAX, capitalized, printable
from reports.diagnosis.evidence import Evidence

FIGURES_MAX = 60
STATIONS_MAX = 12
ITEMS_MAX = 20
"""Figures, checks or causes of one station."""

Unit = Literal["", "seconds", "ratio"]


class Part:
    """A part of a layout, of which pydantic refuses an unknown key."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}


@frozen
class FigureKind(Part):
    """A figure that a run of this runbook measures; probes give the value by the figure's `id`.

    `unit` is "seconds", "ratio" (of the whole, 0 to 1) or "" for a count. `chart` is the title of
    its chart, empty for none. `followed`: the post-mortem has a row for it. `more_is_better`: its
    highest value is not its worst. `repaired`: a repair changes it. `english` is the meaning in
    English, where `meaning` is in another language.
    """

    id: str
    meaning: str
    unit: Unit = ""
    chart: str = ""
    followed: bool = False
    more_is_better: bool = False
    repaired: bool = False
    english: str = ""


@frozen
class Impact(Part):
    """The items that suffer: "12 uploads of 3 users stuck, oldest 2 h".

    `noun` and `plural` name an item, `state` says how it suffers, and `arrived` how it came.
    `count`, `age` and `owners` are the ids of the figures that count them, that have the age of the
    oldest in seconds, and that count the owners, each of whom is an `owner`. `option` is the option
    of pytest that asks for one item. `item` is the noun in placeholders, and
    `states` the plural of `state`, where they differ.
    """

    noun: str
    state: str
    count: str
    plural: str = ""
    age: str = ""
    owner: str = "user"
    owners: str = ""
    arrived: str = "arrived"
    option: str = ""
    item: str = ""
    states: str = ""

    def state_of(self, number: float) -> str:
        """Return how this many items suffer: adjectives have a plural in some languages."""
        return self.state if is_one(number) else self.states or self.state

    @property
    def nouns(self) -> str:
        return self.plural or f"{self.noun}s"

    @property
    def oldest(self) -> str:
        """Return the words for the oldest item: "oldest stuck upload"."""
        return tr("oldest {state} {noun}", self)

    @property
    def title(self) -> str:
        """Return the heading of the list of items: "Stuck uploads"."""
        return capitalized(tr("{state} {nouns}", state=self.states or self.state, nouns=self.nouns))

    @property
    def placeholder(self) -> str:
        """Return the start of the placeholders that name items: "upload", of `<upload_id>`."""
        return (self.item or self.noun).replace(" ", "_")


@frozen
class Success(Part):
    """The recent successes: "7 uploads completed lately". `count` is the id of their figure.

    `one` are the words where the count is 1. `last` says that one went well: "an upload completed".
    """

    noun: str
    words: str
    count: str
    last: str
    plural: str = ""
    one: str = ""

    def words_of(self, number: float) -> str:
        """Return what this many did."""
        return (self.one or self.words) if is_one(number) else self.words


@frozen
class StationFigure(Part):
    """A figure at a station: "7 jobs late". `one` are the words where the value is 1.

    `short` is the one word that a narrow screen has room for. `needed`: a value of 0 says by itself
    what is wrong.
    """

    figure: str
    words: str
    one: str = ""
    short: str = ""
    needed: bool = False


@frozen
class StationKind(Part):
    """A station of the path that the runbook is about. The first and the last are the users' ends.

    Its checks are those of its `component`, or `checks` alone; a component's other checks belong to
    its first station without `checks`. `causes` break the path here, and so does any other cause
    that lies in the component. Of `causes_behind`, the work arrives and does not leave; and so it
    does for any cause where one of the figures `holds` is above zero. If only checks of
    `read_by_checks` failed, the break is behind the station `read_by`.
    """

    key: str
    name: str
    component: str
    short: str = ""
    figures: tuple[StationFigure, ...] = ()
    checks: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    causes_behind: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()
    read_by: str = ""
    read_by_checks: tuple[str, ...] = ()

    @property
    def longest(self) -> int:
        lists = (self.figures, self.checks, self.causes, self.causes_behind, self.holds)
        return max(map(len, (*lists, self.read_by_checks)))


@frozen
class MetricKind(Part):
    """A metric that the runbook says to watch, and the figure that measures it.

    `pattern` is a regular expression that is searched for in the metric's line. `rises`: more is
    recovery, else less; `idle` is the figure that says for how many seconds nothing has come that
    could make it rise. `limited`: it has recovered when it is within the target's limit.
    """

    pattern: str
    figure: str
    rises: bool = False
    idle: str = ""
    limited: bool = False


@frozen
class Layout(Part):
    """All that a report shows of one runbook. `path` is the heading over the stations.

    `stored_check` is the check that finds the files of a named item, for its journey.
    """

    path: str = mark("The path")
    impact: Impact | None = None
    success: Success | None = None
    figures: tuple[FigureKind, ...] = ()
    stations: tuple[StationKind, ...] = ()
    metrics: tuple[MetricKind, ...] = ()
    stored_check: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError for parts that contradict each other, and for too many of them."""
        for problem in self._problems():
            raise ValueError(problem)

    @property
    def noun(self) -> str:
        """Return the noun of one item."""
        return self.impact.noun if self.impact else tr("item")

    @property
    def nouns(self) -> str:
        return self.impact.nouns if self.impact else tr("items")

    def in_report(self) -> Layout:
        """Return the part that a report keeps: the metrics to watch are in it already."""
        return replace(self, metrics=())

    def check_against(self, evidence: Evidence) -> Iterator[str]:
        """Yield a sentence for each cause, check and component without a row in the table, and for
        each figure of the table that is none here.
        """
        causes = {cause.id for cause in evidence.causes}
        checks = {row.id for row in evidence.checks}
        components = {row.component for row in evidence.checks}
        for station in self.stations:
            for cause in (*station.causes, *station.causes_behind):
                if cause not in causes:
                    yield tr(
                        "station {key!r} names the cause {cause!r}, which evidence.toml lacks",
                        key=station.key,
                        cause=cause,
                    )
            for check in (*station.checks, *station.read_by_checks):
                if check not in checks:
                    yield tr(
                        "station {key!r} names the check {check!r}, which evidence.toml lacks",
                        key=station.key,
                        check=check,
                    )
            if station.component not in components:
                yield tr(
                    "station {key!r}: no check of evidence.toml has component {component!r}",
                    key=station.key,
                    component=station.component,
                )
        if self.stored_check and self.stored_check not in checks:
            yield tr(
                "stored_check names {check!r}, which evidence.toml lacks",
                check=self.stored_check,
            )
        figures = {figure.id for figure in self.figures}
        for row in evidence.checks:
            if row.moot_at_zero and row.moot_at_zero not in figures:
                yield tr(
                    "check {check!r} names the figure {figure!r}, which report.toml lacks",
                    check=row.id,
                    figure=row.moot_at_zero,
                )

    def _problems(self) -> Iterator[str]:
        known = {figure.id for figure in self.figures}
        keys = {station.key for station in self.stations}
        if len(known) < len(self.figures) or len(keys) < len(self.stations):
            yield tr("two figures have the same id, or two stations the same key")
        if max(len(self.figures), len(self.metrics)) > FIGURES_MAX:
            yield tr(
                "at most {maximum} figures and as many metrics are allowed", maximum=FIGURES_MAX
            )
        if len(self.stations) not in (0, *range(2, STATIONS_MAX + 1)):
            yield tr("a path has 2 to {maximum} stations, or none", maximum=STATIONS_MAX)
        yield from self._of_stations(keys)
        for name in self._named():
            if name not in known:
                yield tr("{name!r} is not the id of a figure in [[figures]]", name=name)
        for text in self._texts():
            if not text or len(text) > LINE_MAX or printable(text) != text:
                yield tr(
                    "each text must be one printable line of 1 to {maximum} characters",
                    maximum=LINE_MAX,
                )

    def _of_stations(self, keys: set[str]) -> Iterator[str]:
        for station in self.stations:
            if station.read_by and station.read_by not in keys:
                yield tr("station {key!r}: read_by names no station", key=station.key)
            if station.longest > ITEMS_MAX:
                yield tr(
                    "station {key!r} has more than {maximum} of a kind",
                    key=station.key,
                    maximum=ITEMS_MAX,
                )

    def _named(self) -> Iterator[str]:
        """Yield the figures that are named elsewhere than where they are described."""
        if self.impact:
            names = (self.impact.count, self.impact.age, self.impact.owners)
            yield from filter(None, names)
        if self.success:
            yield self.success.count
        for station in self.stations:
            yield from (one.figure for one in station.figures)
            yield from station.holds
        for metric in self.metrics:
            yield from filter(None, (metric.figure, metric.idle))

    def _texts(self) -> Iterator[str]:
        """Yield the texts that a person reads."""
        yield self.path
        if self.impact:
            yield from (self.impact.noun, self.impact.nouns, self.impact.state)
            yield from (self.impact.owner, self.impact.arrived)
        if self.success:
            yield from (self.success.noun, self.success.words, self.success.last)
        for figure in self.figures:
            yield from (figure.id, figure.meaning, figure.chart or "-")
        for station in self.stations:
            yield from (station.key, station.name, station.component, station.short or "-")
            yield from (one.words for one in station.figures)
