"""Secrets: references to them, connection strings without them, texts without them."""

from __future__ import annotations

import base64
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

from core import urls
from core.errors import TranslatedError
from core.files import FileError, read_text
from core.text import CONTROL, TEXT_MAX, cut

T = TypeVar("T")

MASK = "***"

SECRET_FILE_MAX = 64 * 2**10
"""Bytes of a file with a secret."""

SECRET_MIN = 4
"""Characters below which a secret is not searched for in texts: it would mangle all of them."""

SEARCHED_MAX = 4
"""Times the kept length of a text that is searched: masking makes a text shorter."""

TAIL = 300
"""Characters at the end of a text that was cut before the search: half a secret could be there."""

ENCODED_MIN = 6
"""Characters of an encoding that is searched for."""

ESCAPE_MAX = 12
"""Characters of an escaped one, such as %25252F or &amp;#39;."""

DEPTH_MAX = 12
"""Levels of nesting that are kept; below them a value is shown as text."""

_IN_PAIRS = re.compile(r"password\s*=\s*('(?:[^'\\]|\\.)*'|\S+)", re.DOTALL)
_IN_URL = re.compile(r"password=([^&#\s]+)")

_HIDDEN: set[str] = set()

_NAMES = (
    r"(?:passw(?:or)?d|[_-]pass|secret(?:[_-]?(?:access[_-]?)?key)?|token|api[_-]?key|signature)"
)
# Places in texts that others wrote, log lines most of all, that hold a secret which no target
# names. A value that begins with <, $ or * is a placeholder.
# Each pattern is linear: where a search begins often, what it repeats is bounded. Only a text with
# one of the signs before it, in small letters, is searched: most have none.
_ELSEWHERE: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = (
    (
        ("://",),
        # Up to the @ that stands before the host: a program quotes a URL that it cannot read, such
        # as one whose password has a slash. A number before a path is a port.
        re.compile(
            r"(://[^:/@\s\"]*:)(?!\d{1,5}[/?#])"
            r"(?:[^\s\"]{1,200}?(?=@[\w.:,\[\]-]{1,300}(?:[/?#\\'\"\s(){}<>;`]|$))|[^@/\s\"]+(?=@))"
        ),
        rf"\1{MASK}",
    ),
    (
        ("bearer", "basic"),
        re.compile(
            r"\b(bearer|basic)(\s{1,9})(?=[\w.~+/=-]{0,999}(?:\d|(?-i:[a-z][A-Z])))"
            r"[\w.~+/=-]{6,}",
            re.IGNORECASE,
        ),
        rf"\1\2{MASK}",
    ),
    # A JSON Web Token: whoever has it is logged in.
    (("eyj",), re.compile(r"(?<![\w-])eyJ[\w-]{4,4000}\.[\w-]{4,4000}\.[\w-]{0,4000}"), MASK),
    (
        ("=", ":"),
        re.compile(
            rf"({_NAMES})(\s{{0,9}}=\s{{0,9}}[\"']?|\\?[\"']\s{{0,9}}:\s{{0,9}}\\?[\"'])"
            r"[^\s\"'&,;}<$*\\][^\s\"'&,;}\\]*",
            re.IGNORECASE,
        ),
        rf"\1\2{MASK}",
    ),
    (
        ("--",),
        re.compile(rf"(?<![\w.-])(--[\w.-]{{0,40}}?{_NAMES}\s{{1,9}})[^\s<$*-]\S*", re.IGNORECASE),
        rf"\1{MASK}",
    ),
)


_ESCAPES = re.compile(r"%[0-9A-Fa-f]{2}|&[#A-Za-z]|\\")
"""What `escaped` looks for, but for the plus that may stand for a space."""
_PLAIN = re.compile("[0-9A-Za-z]+")
_ENTITIES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}


class SecretError(TranslatedError, ValueError):
    """A reference to a secret cannot be resolved; `str()` is one sentence without the secret."""


def resolve(reference: str, environ: Mapping[str, str], folder: Path = Path()) -> str | None:
    """Return the secret that `env:NAME` or `file:PATH` names, or None for any other text.

    A relative PATH is taken from `folder`. Raises SecretError with the remedy.
    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        value = environ.get(name, "").strip()
        if not value:
            raise SecretError(
                "the environment variable {name} is not set or empty; export it", name=name
            )
        return value
    if kind == "file":
        try:
            value = read_text(folder / name, SECRET_FILE_MAX).strip()
        except FileError as exc:
            raise SecretError("the file {problem}", problem=exc) from exc
        if not value:
            raise SecretError("the file {path} is empty", path=folder / name)
        return value
    return None


def hide_from_children(value: Any) -> None:
    """Keep the environment variables that a configuration refers to from this process's children.

    `value` is a table of the targets file, or anything within one.
    """
    if isinstance(value, str) and value.startswith("env:"):
        _HIDDEN.add(value.removeprefix("env:"))
    elif isinstance(value, dict):
        for item in value.values():
            hide_from_children(item)


def child_environment() -> dict[str, str]:
    """Return this process's environment without the variables that hold secrets.

    Another thread may change it meanwhile, as pytest does before and after each test.
    """
    values = ((name, os.environ.get(name)) for name in list(os.environ) if name not in _HIDDEN)
    return {name: value for name, value in values if value is not None}


def passwords(text: str) -> list[str]:
    """Return the passwords in a URL or a libpq connection string, plain and as written.

    Of one that holds an unescaped delimiter the parts follow: a client takes one for the host.
    """
    parts = urls.split(text)
    values = (_IN_URL if parts.start else _IN_PAIRS).findall(text)
    forms = [form for value in values for form in _forms(value) if form]
    written = parts.password
    if not written:
        return forms
    pieces = [piece for piece in re.split(r"[/#?@:]", written) if len(piece) >= SECRET_MIN]
    return [*forms, written, unquote(written), *(pieces if pieces != [written] else ())]


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
        text = f"{parts.start}{parts.user}:{MASK}@{parts.location}"
    for password in sorted(hidden, key=len, reverse=True):
        text = text.replace(password, MASK)
    return text if hidden or parts.start else MASK


def without_password(text: str) -> str:
    """Return a client's sentence with the passwords of URLs and connection strings masked."""
    text = text[:TEXT_MAX]
    text = re.sub(r"(://[^:/@\s]{0,200}:)\S{1,999}@", rf"\1{MASK}@", text)
    return re.sub(
        r"(password\s{0,9}=\s{0,9})('(?:[^'\\]|\\.)*'|\S+)",
        rf"\1{MASK}",
        text,
        flags=re.IGNORECASE,
    )


def searchable(texts: Sequence[str]) -> tuple[str, ...]:
    """Return these secrets and the passwords in them, longest first, without the too short ones."""
    parts = {part for text in texts for part in (text, *passwords(text))}
    return tuple(sorted((s for s in parts if len(s) >= SECRET_MIN), key=lambda s: (-len(s), s)))


def encodings(secret: str) -> set[str]:
    """Return a secret as it is, and as base64 holds it.

    Within a longer text in base64, such as "user:password", a secret begins at one of three places
    of a group. Its first and last letter there may depend on what is beside it and are left out.
    """
    data = secret.encode("utf-8", "surrogateescape")
    forms = {secret, CONTROL.sub("\N{REPLACEMENT CHARACTER}", secret)}
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + data).decode()
        inner = encoded[-(-before * 4 // 3) : (before + len(data)) * 4 // 3]
        if len(inner) >= ENCODED_MIN:
            forms |= {inner, inner.replace("+", "-").replace("/", "_")}
    return forms


def escaped(secret: str) -> str:
    """Return a pattern of a secret in which each special character is as it is or escaped.

    As URLs, HTML and JSON escape it, whichever of them a program escapes, and JSON within JSON.
    """
    return "".join(map(_escaped, secret))


def _escaped(char: str) -> str:
    if char.isascii() and char.isalnum():
        return char
    octets = char.encode("utf-8", "surrogateescape")
    pairs = char.encode("utf-16-be", "surrogatepass")
    ways = [
        rf"\\{{0,8}}{re.escape(char)}",
        "".join(f"%(?:25){{0,2}}{octet:02x}" for octet in octets),
        "".join(rf"\\{{1,8}}u{pair.hex()}" for pair in (pairs[:2], pairs[2:]) if pair),
        f"&(?:amp;){{0,2}}(?:#{ord(char)}|#x{ord(char):x}|{_ENTITIES.get(char, '#')});",
    ]
    if char == " ":
        ways.append(r"\+")
    return f"(?i:{'|'.join(ways)})"


class Redactor:
    """Masks secrets in texts, and in every text within a value.

    Those given wherever they occur, in each of their encodings, and others where a password, a
    token or a signature is usually written. It has no readable content: a repr of it, in a trace of
    pytest's hooks for example, shows none.
    """

    __slots__ = ("_forms", "_secrets", "_tail")

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        secrets = sorted({s for s in secrets if len(s) >= SECRET_MIN}, key=lambda s: (-len(s), s))
        forms = {form for secret in secrets for form in encodings(secret)}
        self._forms = sorted(forms, key=lambda form: (-len(form), form))
        self._secrets = secrets
        self._tail = max([TAIL, *map(len, self._forms), *(ESCAPE_MAX * len(s) for s in secrets)])

    def __repr__(self) -> str:
        return f"Redactor({MASK})"

    def text(self, text: str, limit: int = TEXT_MAX) -> str:
        """Return the text without secrets and control characters, cut to `limit` characters."""
        # Masked before it is cut, or half a secret could stay at its end.
        searched = min(limit * SEARCHED_MAX + self._tail, sys.maxsize)
        is_longer = len(text) > searched
        text = self._without_forms(text[:searched])
        shown = CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
        if shown != text:
            text = self._without_forms(shown)
        small = text.casefold()
        for signs, pattern, replacement in _ELSEWHERE:
            if any(sign in small for sign in signs):
                text = pattern.sub(replacement, text)
        if is_longer:
            text = text[: max(len(text) - self._tail, 0)] + "…"
        return cut(text, limit)

    def _without_forms(self, text: str) -> str:
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        if _ESCAPES.search(text) or ("+" in text and any(" " in s for s in self._secrets)):
            for secret in self._secrets:
                # What is never escaped is there in any case; a pattern takes long to compile.
                if all(plain in text for plain in _PLAIN.findall(secret)):
                    text = re.sub(escaped(secret), MASK, text)
        return text

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
