"""How the probes' sentences say things."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from core.urls import without_login

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMED_MAX = 3
"""How many of a list a sentence names before it says how many more there are."""

LINE_MAX = 200


def count(number: int, noun: str, many: str = "") -> str:
    """Return "1 upload", "2 uploads", "12,345 uploads"; `many` is an irregular plural."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


def named(items: Sequence[str], total: int | None = None) -> str:
    """Return the first of `items`, and how many more of `total` there are."""
    total = len(items) if total is None else total
    shown = list(items[:NAMED_MAX])
    rest = total - len(shown)
    return ", ".join(shown) + (f" and {rest:,} more" if rest > 0 else "")


def first_line(text: object) -> str:
    """Return the first line of a client's error text, in printable characters and cut short."""
    line = next((part.strip() for part in str(text).splitlines() if part.strip()), "")
    line = "".join(letter if letter.isprintable() else "?" for letter in line)
    return line if len(line) <= LINE_MAX else line[: LINE_MAX - 1] + "…"


def bare_url(url: str) -> str:
    """Return scheme, host and port of a URL of the target file: never its user or password."""
    return origin(without_login(url))


def origin(url: str) -> str:
    """Return scheme, host and port of a URL that a server names: never its path or query."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the URL of the target file"
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"


def without_password(text: str) -> str:
    """Return a client's sentence with the passwords of URLs and connection strings starred."""
    text = re.sub(r"(://[^:@\s]*):\S*@", r"\1:***@", text)
    return re.sub(r"(password\s*=\s*)('(?:[^'\\]|\\.)*'|\S+)", r"\1***", text, flags=re.IGNORECASE)
