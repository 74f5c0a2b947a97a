"""Text from a target in Markdown: shown as it is, never as markup."""

from __future__ import annotations

import re

# Without brackets and angles there are no links, pictures and tags, so parentheses may stay.
_MARKUP = re.compile(r"([\\`*_\[\]<>|~&$])")
_START = re.compile(r"^(\d*)([-+#=.)])")


def escaped(text: str) -> str:
    """Return the text on one line, with everything that Markdown acts on escaped."""
    flat = " ".join(text.split())
    return _START.sub(r"\1\\\2", _MARKUP.sub(r"\\\1", flat))


def coded(text: str) -> str:
    """Return the text on one line as a code span, whatever backticks it holds."""
    flat = " ".join(text.split())
    if not flat:
        return ""
    fence = "`" * (_longest_run(flat) + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{fence}{pad}{flat}{pad}{fence}"


def fenced(text: str, language: str = "") -> str:
    """Return the text as a code block, whatever fences it holds."""
    fence = "`" * max(3, _longest_run(text) + 1)
    word = language if language.isalnum() else ""
    return f"{fence}{word}\n{text.strip()}\n{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)
