"""The overview as one HTML file, for a screen on a wall, a desk and a phone."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from urllib.parse import quote
from xml.etree import ElementTree as ET

from markupsafe import Markup

from core.frozen import frozen
from core.language import tr, trc
from core.text import listed
from core.units import format_duration
from reports.history.schedule import WORST_FIRST
from reports.render.html.environment import environment, fitting
from reports.render.index import SLOT, SLOTS, Overview, Row, slot_end
from reports.render.verdict import STATE_CLASSES

HEIGHTS = {"good": 4, "warn": 7, "bad": 12, "open": 9}
"""The height of a state in a strip of STRIP_HEIGHT: it differs without colours too."""

STRIP_HEIGHT = 12

FEW, MANY = 7, 12
"""Rows up to which the page writes larger, and above which a field filters them."""

KINDS = STATE_CLASSES | {"unknown": "open", "overdue": "late"}
"""The CSS class of each state, and of a row that is overdue."""


@frozen
class ShownAmount:
    """Limits of what is shown: characters of a sentence, and rows."""

    sentence: int
    rows: int


AMOUNTS = (
    ShownAmount(400, 2_000),
    ShownAmount(160, 1_000),
    ShownAmount(80, 500),
    ShownAmount(60, 200),
)
"""The first is shown unless the file would grow too large; the last always fits."""


@frozen
class ShownRow:
    """A row as the page shows it: with its CSS classes, its link and its strip.

    `rank` is its place while it is not overdue. `strip` is safe markup that holds numbers
    alone, and `strip_text` says the same in words.
    """

    row: Row
    kind: str
    overdue: bool
    rank: int
    link: str
    strip: Markup
    strip_text: str


def render(overview: Overview, refresh: float | None = None) -> str:
    """Return the overview as one self-contained HTML page of at most BYTES_MAX bytes.

    `refresh` are the seconds after which the page loads itself again, None for never.
    """
    templates, policy = environment("index")
    week = SLOTS * SLOT
    shown = {
        "now": overview.now.isoformat(timespec="seconds"),
        "total": len(overview.rows),
        "counts": [(state, KINDS[state], n, _word(state)) for state, n in overview.counts.items()],
        "kind": _kind(overview.counts),
        "title": _title(overview),
        "refresh": None if refresh is None else max(round(refresh), 1),
        # It asks its own server whether it is still there, before it loads itself again.
        "policy": f"{policy}; connect-src 'self'",
        "size": "few" if len(overview.rows) <= FEW else "",
        "filter": len(overview.rows) > MANY,
        "days": week.days,
        "slot": format_duration(SLOT.total_seconds()),
        "words": {
            "days": tr("{days} d"),
            "future": tr("in the future"),
            "trouble": tr("This page cannot be loaded again: the server does not answer."),
        },
        "from": (slot_end(overview.now) - week).isoformat(timespec="seconds"),
    }
    template = templates.get_template("index.html")

    def page_of(amount: ShownAmount) -> str:
        rows = [_shown(row, overview) for row in overview.rows[: amount.rows]]
        return template.render(shown, amount=amount, rows=rows)

    return fitting(AMOUNTS, page_of)


def _kind(counts: dict[str, int]) -> str:
    """Return the CSS class of the whole: an overdue row is as bad as an unknown one."""
    if counts["incident"]:
        return "bad"
    if counts["unknown"] or counts["overdue"]:
        return "open"
    return "warn" if counts["at risk"] else "good"


def _title(overview: Overview) -> str:
    states = [f"{n} {_word(state)}" for state, n in overview.counts.items() if n]
    return listed(states) if states else tr("No target")


def _word(state: str) -> str:
    """Return the word after a number that the page's script changes."""
    words = {
        "incident": trc("after any number", "incident"),
        "unknown": trc("after any number", "unknown"),
        "at risk": trc("after any number", "at risk"),
        "healthy": trc("after any number", "healthy"),
        "overdue": trc("after any number", "overdue"),
    }
    return words[state]


def _shown(row: Row, overview: Overview) -> ShownRow:
    link = quote(os.fsencode(f"{row.folder}/{row.page}")) if row.page else ""
    return ShownRow(
        row=row,
        kind="gone" if row.problem else KINDS[row.state],
        overdue=row.overdue(overview.now),
        rank=row.rank_in_time,
        link=link,
        strip=_strip(row.strip),
        strip_text=_strip_text(row.strip),
    )


def _strip(states: Sequence[str | None]) -> Markup:
    """Return a drawing with one bar for each run of equal states; empty where no run was."""
    if not any(states):
        return Markup()
    drawn: dict[str, list[str]] = {}
    place = 0
    for state, group in groupby(states):
        wide = len(list(group))
        if state is not None:
            kind = KINDS[state]
            tall = HEIGHTS[kind]
            top = STRIP_HEIGHT - tall
            drawn.setdefault(kind, []).append(f"M{place} {top}h{wide}v{tall}h-{wide}z")
        place += wide
    root = ET.Element(
        "svg",
        {
            "class": "strip",
            "viewBox": f"0 0 {SLOTS} {STRIP_HEIGHT}",
            "preserveAspectRatio": "none",
            "aria-hidden": "true",
        },
    )
    for kind, parts in drawn.items():
        ET.SubElement(root, "path", {"class": kind, "d": "".join(parts)})
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 - an XML writer's, escaped


def _strip_text(states: Sequence[str | None]) -> str:
    """Return a strip in words, for a reader who cannot see it."""
    counter = Counter(state for state in states if state is not None)
    length = SLOT.total_seconds()
    parts = [
        tr("{state} in {duration}", state=tr(state), duration=format_duration(spent))
        for state in WORST_FIRST
        if (spent := counter[state] * length)
    ]
    return listed(parts) or tr("no run")
