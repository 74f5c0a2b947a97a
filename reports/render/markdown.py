"""Text from a target in Markdown: shown as it is, never as markup."""

from __future__ import annotations

import re

from core.text import flat

# Without brackets and angles there are no links, pictures and tags, so parentheses may stay.
_MARKUP = re.compile(r"([\\`*_\[\]<>|~&$])")
_START = re.compile(r"^(\d*)([-+#=.)])")


def escaped(text: str) -> str:
    """Return the text on one line, with everything that Markdown acts on escaped."""
    return _START.sub(r"\1\\\2", _MARKUP.sub(r"\\\1", flat(text)))


def coded(text: str) -> str:
    """Return the text on one line as a code span, whatever backticks it holds."""
    line = flat(text)
    if not line:
        return ""
    fence = "`" * (_longest_run(line) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def fenced(text: str, language: str = "") -> str:
    """Return the text as a code block, whatever fences it holds."""
    fence = "`" * max(3, _longest_run(text) + 1)
    word = language if language.isalnum() else ""
    return f"{fence}{word}\n{text.strip()}\n{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)
