"""Words of every format: short ids, no addresses, times; and what ASCII has of their signs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from unicodedata import category, normalize

from core.language import mark, month, tr, trc
from core.text import flat
from reports.history.trend import Point

ID_MAX = 8
"""Characters shown of an id where the whole one is not needed."""

BAD = ("incident", "at risk")
"""The states of a run that saw something fail."""

FORMS = {
    "moment": mark("{day} {month} {year}, {clock} UTC"),
    "short": mark("{day} {month}, {clock} UTC"),
    "brief": mark("{day} {month}, {clock}"),
    "clock": mark("{clock} UTC"),
    "hours": "{clock}",
    "days": mark("{day} {month}"),
}
"""Forms of a time; the page's script has the same ones for local time."""

_LONG_ID = re.compile(
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b(?=\w*\d)(?=\w*[A-Za-z])\w{20,}\b",
    re.IGNORECASE,
)
_RANDOM_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f-]{21}", re.IGNORECASE)
_ADDRESS = re.compile(
    r" (?:at|à|sur) (?:(?:the|le) broker (?:(?:at|à|sur) )?)?(?:[a-z][a-z0-9+]*://[^\s,;]*[^\s,;:.]|(?:[\w.-]+|\[[0-9a-f:]+\]):\d+\b)"
)

ASCII = str.maketrans("✗✓·─┄⚠…—–’‘“”«»×→≤≥\N{NO-BREAK SPACE}\u202f", 'x+|-.!~--\'\'""""x><>  ')
"""A letter for each sign that an ASCII terminal does not have."""


def plain(text: str) -> str:
    """Return a sentence as a person says it: on one line, with short ids, without addresses."""
    return short_ids(_ADDRESS.sub("", flat(text))).replace("`", "")


def short_ids(text: str) -> str:
    """Return a text with the first characters of each random UUID, the last ones of other ids.

    A ULID and a UUID of version 7 begin with the time, and others with a prefix such as "upl_":
    the first characters of all uploads of an hour are the same.
    """
    return _LONG_ID.sub(lambda match: _short(match[0]), text)


def _short(name: str) -> str:
    return name[:ID_MAX] if _RANDOM_UUID.fullmatch(name) else f"…{name[1 - ID_MAX :]}"


def has_unicode(encoding: str | None, environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether a terminal of this encoding has the signs of a report.

    Python writes UTF-8 in the C locale. A person who asks for that locale means ASCII.
    """
    locale = environ.get("LC_ALL") or environ.get("LANG")
    if locale in ("C", "POSIX"):
        return False
    try:
        "✗✓·─┄⚠…".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def as_ascii(text: str) -> str:
    """Return a text for a terminal that has ASCII only, no wider than it was."""
    # An accent of its own has no width, and a "?" in its place would have one.
    letters = (letter for letter in text if category(letter) not in ("Mn", "Me"))
    return "".join(map(_base, letters)).translate(ASCII).encode("ascii", "replace").decode("ascii")


def _base(letter: str) -> str:
    """Return a letter without its accent: "e" for "é"; any other one as it is."""
    first = normalize("NFD", letter)[0]
    return first if first.isascii() else letter


def ordinal(number: int) -> str:
    """Return "1st", "2nd", "3rd", "11th"."""
    last = 0 if 10 < number % 100 < 20 else number % 10
    words = {
        1: trc("ordinal", "{number}st", number=number),
        2: trc("ordinal", "{number}nd", number=number),
        3: trc("ordinal", "{number}rd", number=number),
    }
    return words.get(last) or trc("ordinal", "{number}th", number=number)


def bad_runs(runs: Sequence[Point]) -> list[Point]:
    """Return the last runs, oldest first, that all saw something fail."""
    streak: list[Point] = []
    for run in reversed(runs):
        if run.state not in BAD:
            break
        streak.insert(0, run)
    return streak


def clock(moment: str, now: str) -> str:
    """Return an ISO time as this machine's clock shows it, with its day and year if not now's."""
    at, today = (datetime.fromisoformat(one).astimezone() for one in (moment, now))
    day = "" if at.date() == today.date() else f"{at.day} {month(at)} "
    year = "" if at.year == today.year else f"{at.year} "
    return f"{day}{year}{at:%H:%M %Z}"


def form_beside(moment: str, now: str) -> str:
    """Return the form in which an ISO time says as much as is not the same as now's."""
    if moment[:10] == now[:10]:
        return "clock"
    return "short" if moment[:4] == now[:4] else "moment"


def moment(started: str, form: str = "moment") -> str:
    """Return an ISO time in UTC in one of FORMS; any other text stays as it is."""
    try:
        at = datetime.fromisoformat(started)
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return started
    # The day without a leading zero, on every platform.
    return tr(FORMS[form], day=at.day, month=month(at), year=at.year, clock=at.strftime("%H:%M"))
