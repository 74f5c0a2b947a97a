"""Addresses with secrets in them, as the command line names them: env:NAME or file:PATH."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from reports.model.load import LoadError, read_bytes

_BETWEEN = re.compile(r"[\s,]+(?=[a-zA-Z][a-zA-Z0-9+.-]*://)|\s*\n\s*")


class GivenError(ValueError):
    """What was given cannot be used; `str()` is one sentence without the secret."""


def secret(text: str, option: str) -> str:
    """Return the text that env:NAME or file:PATH names; raises GivenError for anything else."""
    kind, _, name = text.partition(":")
    if kind == "env":
        value = os.environ.get(name, "").strip()
        if not value:
            raise GivenError(f"{option}: the environment variable {name} is not set or empty")
        return value
    if kind == "file":
        try:
            value = read_bytes(Path(name)).decode("utf-8", errors="replace").strip()
        except LoadError as exc:
            raise GivenError(f"{option}: {exc}") from exc
        if not value:
            raise GivenError(f"{option}: {name} is empty")
        return value
    raise GivenError(
        f"{option} takes no address itself, for it holds a token: write env:NAME or file:PATH"
    )


def addresses(text: str) -> tuple[str, ...]:
    """Return the addresses in a text: one a line, or between spaces or commas."""
    return tuple(dict.fromkeys(part for part in _BETWEEN.split(text.strip()) if part))


def http_address(text: str, option: str) -> SplitResult:
    """Return an http or https address in parts; raises GivenError without showing it."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not text.isprintable() or " " in text:
        raise GivenError(f"{option}: what it names is no http or https address")
    return parts


def place(parts: SplitResult) -> str:
    """Return host and port of an address: what may be told of it."""
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
