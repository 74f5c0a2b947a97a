"""Times, commands and the runbook's prose as the HTML report writes them."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from core.text import clean
from reports.render.words import moment
from reports.runbook.placeholders import placeholders

TOKEN_MAX = 20
"""Characters of a name that fits into a line of any screen."""

_WORD_START = re.compile(r"(?<=[^\w.])(?=\w)|(?<=\.)(?=[^\W\d])")

WORD_MAX = 36
"""Characters of a word that fits into a command's line on a phone."""

MESSAGE_MAX = 8_000

_MARKED = re.compile(r"(`[^`\n]{1,400}`|\*\*[^*\n]{1,400}\*\*|<[a-z][a-z0-9_]{0,40}>)")


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
