"""Secrets: references to them, connection strings without them, texts without them."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

from core import urls
from core.files import FileError, read_text
from core.text import TEXT_MAX, clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

T = TypeVar("T")

MASK = "***"

SECRET_MIN = 4
"""Characters below which a secret is not searched for in texts: it would mangle all of them."""

SEARCHED_MAX = 100_000
"""Characters of a text that are searched: far more than are kept of it."""

DEPTH_MAX = 12
"""Levels of nesting that are kept; below them a value is shown as text."""

_IN_PAIRS = re.compile(r"password\s*=\s*('(?:[^'\\]|\\.)*'|\S+)", re.DOTALL)
_IN_URL = re.compile(r"password=([^&#\s]+)")

_NAMES = r"(?:passw(?:or)?d|secret|token|api[_-]?key|signature)"
# Places in texts that others wrote, log lines most of all, that hold a secret which no target
# names. A value that begins with <, $ or * is a placeholder.
_ELSEWHERE = (
    (re.compile(r"(://[^:/@\s\"]*:)[^@/\s\"]+(?=@)"), rf"\1{MASK}"),
    (
        re.compile(r"\b(bearer|basic)(\s+)(?=[\w.~+/=-]*\d)[\w.~+/=-]{6,}", re.IGNORECASE),
        rf"\1\2{MASK}",
    ),
    (
        re.compile(
            rf"({_NAMES})(\s*=\s*[\"']?|\\?\"\s*:\s*\\?\")[^\s\"'&,;}}<$*\\][^\s\"'&,;}}\\]*",
            re.IGNORECASE,
        ),
        rf"\1\2{MASK}",
    ),
    (re.compile(rf"(--[\w.-]{{0,40}}{_NAMES}\s+)[^\s<$*-]\S*", re.IGNORECASE), rf"\1{MASK}"),
)


class SecretError(ValueError):
    """A reference to a secret cannot be resolved; `str()` is one sentence without the secret."""


def resolve(reference: str, environ: Mapping[str, str], folder: Path = Path()) -> str | None:
    """Return the secret that `env:NAME` or `file:PATH` names, or None for any other text.

    A relative PATH is taken from `folder`. Raises SecretError with the remedy.
    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        value = environ.get(name, "").strip()
        if not value:
            raise SecretError(f"the environment variable {name} is not set or empty; export it")
        return value
    if kind == "file":
        try:
            value = read_text(folder / name).strip()
        except FileError as exc:
            raise SecretError(f"the file {exc}") from exc
        if not value:
            raise SecretError(f"the file {folder / name} is empty")
        return value
    return None


def passwords(text: str) -> list[str]:
    """Return the passwords in a URL or a libpq connection string, plain and as written.

    Of one that holds an unescaped delimiter the parts follow: a client takes one for the host.
    """
    parts = urls.split(text)
    values = (_IN_URL if parts.start else _IN_PAIRS).findall(text)
    found = [form for value in values for form in _forms(value) if form]
    written = parts.password
    if not written:
        return found
    pieces = [piece for piece in re.split(r"[/#?@:]", written) if len(piece) >= SECRET_MIN]
    return [*found, written, unquote(written), *(pieces if pieces != [written] else ())]


def _forms(value: str) -> tuple[str, ...]:
    """Return a value of a connection string as written, and as its reader takes it."""
    inner = value[1:-1] if value[0] == value[-1] == "'" and len(value) > 1 else value
    return tuple(dict.fromkeys((inner, re.sub(r"\\(.)", r"\1", inner), unquote(inner))))


def masked(text: str) -> str:
    """Return a connection string with its password masked; a bare token is masked whole."""
    hidden = passwords(text)
    parts = urls.split(text)
    # In its place first: a short one may occur elsewhere in the text as well.
    if parts.password:
        text = f"{parts.start}{parts.user}:{MASK}@{parts.rest}"
    for password in sorted(hidden, key=len, reverse=True):
        text = text.replace(password, MASK)
    return text if hidden or parts.start else MASK


def without_password(text: str) -> str:
    """Return a client's sentence with the passwords of URLs and connection strings masked."""
    text = re.sub(r"(://[^:@\s]*):\S*@", rf"\1:{MASK}@", text)
    return re.sub(
        r"(password\s*=\s*)('(?:[^'\\]|\\.)*'|\S+)", rf"\1{MASK}", text, flags=re.IGNORECASE
    )


def searchable(texts: Sequence[str]) -> tuple[str, ...]:
    """Return these secrets and the passwords in them, longest first, without the too short ones."""
    found = {part for text in texts for part in (text, *passwords(text))}
    return tuple(sorted((s for s in found if len(s) >= SECRET_MIN), key=lambda s: (-len(s), s)))


@dataclass(frozen=True)
class Redactor:
    """Masks secrets in texts, and in every text within a value.

    Those named by `secrets` (longest first) wherever they occur, and others where a password, a
    token or a signature is usually written.
    """

    secrets: Sequence[str] = ()

    def text(self, text: str, limit: int = TEXT_MAX) -> str:
        """Return the text without secrets and control characters, cut to `limit` characters."""
        # Masked before it is cut, or half a secret could stay at its end.
        text = text[: max(limit, SEARCHED_MAX)]
        for secret in self.secrets:
            text = text.replace(secret, MASK)
        for pattern, replacement in _ELSEWHERE:
            text = pattern.sub(replacement, text)
        return clean(text, limit)

    def whole(self, text: str) -> str:
        """Return a text of any length, such as captured output, redacted."""
        return self.text(text, sys.maxsize)

    def value(self, value: Any, depth: int = 0) -> Any:
        """Return a JSON-able copy of a value with every text within it redacted."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return self.text(value)
        if depth < DEPTH_MAX and isinstance(value, dict):
            return {self.text(str(k)): self.value(v, depth + 1) for k, v in value.items()}
        if depth < DEPTH_MAX and isinstance(value, list | tuple):
            return [self.value(item, depth + 1) for item in value]
        return self.text(str(value))

    def within(self, item: T) -> T:
        """Return a copy of a frozen dataclass with every text within it redacted."""
        if not is_dataclass(item):
            raise TypeError(f"not a dataclass: {type(item).__name__}")
        changed = {field.name: self._field(getattr(item, field.name)) for field in fields(item)}
        return replace(item, **changed)  # type: ignore[type-var]

    def _field(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(self._field(one) for one in value)
        return self.within(value) if is_dataclass(value) else self.value(value)
