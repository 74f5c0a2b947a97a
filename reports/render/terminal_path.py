"""The path for a terminal: its stations on one line, their figures on the next."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text

from core.language import mark, tr
from reports.model.report import Report
from reports.render.path import SIGNS, Kind, Station, stations

STYLES = {"holds": "green", "fails": "yellow", "broken": "bold red"}
"""The style of a station by its kind; that of any other is dim."""

CUT = STYLES["broken"]

WORDS: dict[Kind, str] = {
    "holds": mark("ok"),
    "fails": mark("failed"),
    "broken": mark("broken"),
    "partly": mark("partly seen"),
    "unseen": mark("not seen"),
    "absent": mark("not set"),
}
"""The words under a station without a figure."""


def path_lines(report: Report, width: int) -> list[Text]:
    """Return the stations and, where there is room, their figures; nothing where both are wider."""
    row = stations(report)
    if not row:
        return []
    names = [one.short.upper() if one.kind == "broken" else one.short for one in row]
    full = [_figure(one) for one in row]
    short = [
        tr(WORDS["holds"]) if one.kind == "holds" else text
        for one, text in zip(row, full, strict=True)
    ]
    links = ["", *(SIGNS[one.link] for one in row[1:])]
    for figures in (full, short):
        cells = [max(map(cell_len, pair)) for pair in zip(names, figures, strict=True)]
        if sum(cells) + sum(map(len, links)) <= width:
            return [_line(row, names, cells, links), _line(row, figures, cells, links, under=True)]
    cells = [cell_len(name) for name in names]
    for drawn in (links, [link.strip(" ") for link in links]):
        if sum(cells) + sum(map(len, drawn)) <= width:
            return [_line(row, names, cells, drawn)]
    return []


def _line(
    row: tuple[Station, ...],
    texts: list[str],
    cells: list[int],
    links: list[str],
    *,
    under: bool = False,
) -> Text:
    """Return a text for each station in its column; `under` the line of the names."""
    line = Text()
    for station, text, cell, link in zip(row, texts, cells, links, strict=True):
        style = STYLES.get(station.kind, "dim")
        line.append(" " * len(link) if under else link, CUT if "✗" in link else "dim")
        line.append(text, style)
        line.append(" " * (cell - cell_len(text)))
    line.rstrip()
    return line


def _figure(station: Station) -> str:
    """Return the station's first figure that was observed, or a word for its kind."""
    if station.kind in ("unseen", "absent"):
        return tr(WORDS[station.kind])
    first = next((one for one in station.measures if one.observed), None)
    if first is None:
        return tr(WORDS[station.kind])
    if station.kind == "fails" and first.value == "0" and not first.needed:
        return tr(WORDS["fails"])
    return f"{first.value} {first.short}"
