"""Numbers, figures and the runbook's prose as the HTML report writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from math import isfinite

from markupsafe import Markup, escape

from core.language import mark, month, numeral, tr
from core.text import clean
from reports.model.figures import percent, quantity
from reports.runbook.placeholders import placeholders

TOKEN_MAX = 20
"""Characters of a name that fits into a line of any screen."""

_WORD_START = re.compile(r"(?<=[^\w.])(?=\w)|(?<=\.)(?=[^\W\d])")

WORD_MAX = 36
"""Characters of a word that fits into a command's line on a phone."""

MESSAGE_MAX = 8_000

FORMS = {
    "moment": mark("{day} {month} {year}, {clock} UTC"),
    "short": mark("{day} {month}, {clock} UTC"),
    "brief": mark("{day} {month}, {clock}"),
    "clock": mark("{clock} UTC"),
    "hours": "{clock}",
    "days": mark("{day} {month}"),
}
"""Forms of a time; the page's script has the same ones for local time."""

_MARKED = re.compile(r"(`[^`\n]{1,400}`|\*\*[^*\n]{1,400}\*\*|<[a-z][a-z0-9_]{0,40}>)")


def limit(most: float | None, least: float | None, unit: str) -> str:
    """Return the limit of a figure as "max 10 min" or "min 10 %"; empty where it has none."""
    value = least if most is None else most
    if value is None or not isfinite(value):
        return ""
    text = _share(value) if unit == "ratio" else quantity(value, unit)
    return tr("min {limit}", limit=text) if most is None else tr("max {limit}", limit=text)


def _share(ratio: float) -> str:
    """Return a ratio in percent with three digits at most: "10 %", "0.25 %"."""
    digits = len(f"{ratio * 100:.3g}".partition(".")[2])
    return percent(numeral(ratio * 100, digits))


def probability(value: float) -> str:
    """Return a probability as the headline says it; a tiny one as "<0.01"."""
    return f"<{numeral(0.01, 2)}" if 0 < value < 0.005 else numeral(value, 2)


def weight(log_odds: float) -> str:
    """Return the weight of an observation with its sign: "+2.3"."""
    return f"{log_odds:+.1f}"[0] + numeral(abs(log_odds), 1)


def moment(started: str, form: str = "moment") -> str:
    """Return an ISO time in UTC in one of FORMS; any other text stays as it is."""
    try:
        at = datetime.fromisoformat(started)
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return started
    # The day without a leading zero, on every platform.
    return tr(FORMS[form], day=at.day, month=month(at), year=at.year, clock=at.strftime("%H:%M"))


def time(started: str, form: str) -> Markup:
    """Return an ISO time as an element that the page's script turns into local time."""
    text = moment(started, form)
    if text == started:
        return escape(started)
    return Markup('<time datetime="{}" data-form="{}">{}</time>').format(started, form, text)


def breakable(text: str) -> Markup:
    """Return a text whose long names may be broken between their words, and nowhere else."""
    tokens = re.split(r"(\s+)", text)
    return Markup("").join(
        Markup("<wbr>").join(_WORD_START.split(token)) if len(token) > TOKEN_MAX else token
        for token in tokens
    )


def prose(text: str) -> Markup:
    """Return the runbook's inline Markdown (code, bold, open placeholders) as safe HTML."""
    parts = []
    for part in _MARKED.split(text):
        if part.startswith("`") and part.endswith("`") and len(part) > 2:
            parts.append(Markup("<code>{}</code>").format(part[1:-1]))
        elif part.startswith("**") and len(part) > 4:
            parts.append(Markup("<strong>{}</strong>").format(part[2:-2]))
        else:
            parts.append(_open(part))
    return Markup("").join(parts)


def command(text: str) -> Markup:
    """Return a command, whole, with the placeholders marked that a person has to fill in."""
    parts = _MARKED.split(clean(text.strip()))
    return Markup("").join(
        _open(part) if _MARKED.fullmatch(part) else _unbroken(part) for part in parts
    )


def message(text: str) -> Markup:
    """Return a text of several lines that is copied whole, whatever the page cuts."""
    return escape(clean(text.strip(), MESSAGE_MAX))


def _unbroken(part: str) -> Markup:
    """Return a part of a command in which an option or a name is not broken at its hyphens."""
    return Markup("").join(
        Markup('<span class="word">{}</span>').format(token)
        if "-" in token and len(token) <= WORD_MAX
        else escape(token)
        for token in re.split(r"(\s+)", part)
    )


def unfilled(text: str) -> str:
    """Return the placeholders of a command that are still open, as a list to read."""
    return ", ".join(f"<{name}>" for name in placeholders(text))


def _open(part: str) -> Markup:
    open_one = placeholders(part) == (part[1:-1],)
    return Markup("<mark>{}</mark>").format(part) if open_one else escape(part)
