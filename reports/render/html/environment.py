"""The templates of the HTML pages, with the style and the script that go into each."""

from __future__ import annotations

import base64
import hashlib
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from jinja2 import (
    Environment,
    FileSystemBytecodeCache,
    FileSystemLoader,
    StrictUndefined,
    pass_context,
)
from jinja2.bccache import Bucket
from jinja2.runtime import Context
from markupsafe import Markup, escape

from core.language import ENGLISH, PSEUDO, language, tr, trc, trn
from core.outcome import counted_status, status_word
from core.text import clean, count
from core.units import format_bytes, format_duration
from reports.model.figures import number, percent
from reports.model.report import state_word
from reports.render.html import text as html_text
from reports.render.verdict_words import probability, weight
from reports.render.words import form_beside

A = TypeVar("A")

BYTES_MAX = 1_000_000
"""Size of a page in UTF-8 that is never exceeded, whatever a target says."""

TEMPLATES = Path(__file__).parent / "templates"


class CompiledTemplates(FileSystemBytecodeCache):
    """Keeps compiled templates where Python keeps compiled modules, and when it does."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Write a compiled template, if that is possible."""
        if not sys.dont_write_bytecode:
            with suppress(OSError):
                super().dump_bytecode(bucket)


@cache
def environment(page: str) -> tuple[Environment, str]:
    """Return the templates for a page and the security policy that lets in its own code alone.

    The page's style and script are the files of its name, after those that all pages share. The
    templates cut and clean each text that they write: they need `amount`, which has the characters
    of a `sentence`.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        bytecode_cache=CompiledTemplates(str(Path(__file__).parent / "__pycache__")),
    )
    names = ("command", "message", "time", "unfilled")
    environment.filters.update({name: getattr(html_text, name) for name in names})
    environment.filters.update(number=number, percent=percent)
    environment.filters.update(probability=probability, weight=weight)
    environment.filters.update(
        prose=_prose, breakable=_breakable, duration=format_duration, size=format_bytes
    )
    style = _read("base.css", f"{page}.css")
    script = _read("times.js", f"{page}.js")
    environment.globals.update(
        # All are files of ours, and no value of a run is ever written into them.
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        tr=_tr,
        trn=_trn,
        trc=_trc,
        html_language=_html_language,
        status_word=status_word,
        counted_status=counted_status,
        form_beside=form_beside,
        state_word=state_word,
        count=count,
    )
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    return environment, policy


def fitting(amounts: Iterable[A], page_of: Callable[[A], str]) -> str:
    """Return the page with the first of these amounts with which it has at most BYTES_MAX.

    The last one must fit always.
    """
    page = ""
    for amount in amounts:
        # Half a character, as a broken file name leaves it, is no UTF-8.
        page = page_of(amount).encode("utf-8", "replace").decode()
        if len(page.encode()) <= BYTES_MAX:
            break
    return page


@pass_context
def _finalize(context: Context, value: Any) -> Any:
    """Clean and cut every text that the templates write, before it is escaped."""
    if type(value) is str:
        return clean(value, context["amount"].sentence)
    return value


@pass_context
def _tr(context: Context, message: str, /, **parts: Any) -> Markup:
    """Return a sentence as safe HTML: parts that are text are cleaned, cut and escaped."""
    return _filled(context, tr(message), parts)


@pass_context
def _trn(context: Context, one: str, many: str, number: float, /, **parts: Any) -> Markup:
    """Return the sentence for this number as safe HTML, as `_tr` does."""
    # The fields stay open until the sentence is escaped.
    fields = {name: f"{{{name}}}" for name in parts}
    return _filled(context, trn(one, many, number, **fields), parts)


@pass_context
def _trc(context: Context, place: str, word: str, /, **parts: Any) -> Markup:
    """Return a word as it is translated in this place as safe HTML, as `_tr` does."""
    return _filled(context, trc(place, word), parts)


def _filled(context: Context, sentence: str, parts: dict[str, Any]) -> Markup:
    text = escape(sentence)
    if not parts:
        return text
    return text.format(**{name: _finalize(context, part) for name, part in parts.items()})


def _html_language(english: str) -> str:
    """Return the value of the attribute `lang`; `english` is the one for English."""
    return english if language() in (ENGLISH, PSEUDO) else language()


@pass_context
def _prose(context: Context, text: str) -> Markup:
    return html_text.prose(clean(text, context["amount"].sentence))


@pass_context
def _breakable(context: Context, text: str) -> Markup:
    return html_text.breakable(clean(text, context["amount"].sentence))


def _read(*names: str) -> str:
    return "".join((TEMPLATES / name).read_text(encoding="utf-8") for name in names)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
