"""Addresses that an option names: env:NAME or file:PATH, because they may contain a secret."""

from __future__ import annotations

import os
import re
from urllib.parse import SplitResult

from core.errors import TranslatedError
from core.secrets import SecretError, resolve
from core.urls import parse_http_url

_SEPARATOR = re.compile(r"[\s,]+(?=[a-zA-Z][a-zA-Z0-9+.-]*://)|\s*\n\s*")


class OptionError(TranslatedError, ValueError):
    """The value of an option cannot be used; `str()` is one sentence without the secret."""


def read_secret(reference: str, option: str) -> str:
    """Return the text that env:NAME or file:PATH names; raises OptionError for anything else."""
    try:
        value = resolve(reference, os.environ)
    except SecretError as exc:
        raise OptionError("{title}: {text}", title=option, text=exc) from exc
    if value is None:
        raise OptionError(
            "{option}: an address may contain a token, so it is not "
            "written here: write env:NAME or file:PATH",
            option=option,
        )
    return value


def split_addresses(text: str) -> tuple[str, ...]:
    """Return the addresses in a text: one per line, or separated by spaces or commas."""
    return tuple(dict.fromkeys(part for part in _SEPARATOR.split(text.strip()) if part))


def parse_http_address(text: str, option: str) -> SplitResult:
    """Return an http or https address in parts; raises OptionError without quoting it."""
    parts = parse_http_url(text)
    if parts is None:
        raise OptionError("{option}: not an http or https address", option=option)
    return parts
