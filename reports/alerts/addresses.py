"""Addresses with secrets in them, as the command line names them: env:NAME or file:PATH."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from core.secrets import SecretError, resolve
from core.urls import parse_http_url

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_BETWEEN = re.compile(r"[\s,]+(?=[a-zA-Z][a-zA-Z0-9+.-]*://)|\s*\n\s*")


class GivenError(ValueError):
    """What was given cannot be used; `str()` is one sentence without the secret."""


def secret(text: str, option: str) -> str:
    """Return the text that env:NAME or file:PATH names; raises GivenError for anything else."""
    try:
        value = resolve(text, os.environ)
    except SecretError as exc:
        raise GivenError(f"{option}: {exc}") from exc
    if value is None:
        raise GivenError(
            f"{option} takes no address itself, for it holds a token: write env:NAME or file:PATH"
        )
    return value


def addresses(text: str) -> tuple[str, ...]:
    """Return the addresses in a text: one a line, or between spaces or commas."""
    return tuple(dict.fromkeys(part for part in _BETWEEN.split(text.strip()) if part))


def http_address(text: str, option: str) -> SplitResult:
    """Return an http or https address in parts; raises GivenError without showing it."""
    parts = parse_http_url(text)
    if parts is None:
        raise GivenError(f"{option}: not an http or https address")
    return parts
