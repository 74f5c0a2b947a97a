"""The language of what a person reads.

The source is English. `tr` and `trn` give the sentence in the language of the process, from the
catalogues in core/locale; one that no catalogue has stays English. Ids, metrics, the keys of files
and what a target says are not translated.
"""

from __future__ import annotations

import gettext
import os
import re
import string
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

VARIABLE = "VEZA_LANG"

ENGLISH = "en"
PSEUDO = "pseudo"
"""A language for translators: its letters have accents, so a sentence that escaped stands out."""

LOCALES = Path(__file__).parent / "locale"
DOMAIN = "veza"

_FIELD = re.compile(r"(\{[^{}]*\}|`[^`]*`)")
_ACCENTS = str.maketrans("aceinouyACEINOUY", "àçéîñöûýÀÇÉÎÑÖÛÝ")


class _Pseudo(gettext.NullTranslations):
    """English with accents; fields and code stay as they are."""

    def gettext(self, message: str) -> str:
        parts = _FIELD.split(message)
        return "".join(part if n % 2 else part.translate(_ACCENTS) for n, part in enumerate(parts))

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)

    def pgettext(self, context: str, message: str) -> str:  # noqa: ARG002 - gettext names it
        return self.gettext(message)


class _Speech:
    """The language of this process."""

    def __init__(self) -> None:
        self.language = ENGLISH
        self.is_chosen = False
        self.catalogue = gettext.NullTranslations()


_speech = _Speech()


def languages() -> tuple[str, ...]:
    """Return the codes of the languages that a person can choose: "en", "fr"."""
    return (ENGLISH, *sorted(path.parent.parent.name for path in LOCALES.glob(f"*/*/{DOMAIN}.mo")))


def language() -> str:
    """Return the code of the language of this process."""
    return _speech.language


def set_language(code: str) -> None:
    """Have this process write this language; raises ValueError with a sentence for an unknown one.

    A code may have a region and an encoding, as in LANG: fr_FR.UTF-8 is fr.
    """
    short = re.split(r"[_.@-]", code.strip().lower())[0]
    if short == PSEUDO:
        _speech.language, _speech.catalogue = PSEUDO, _Pseudo()
    elif short == ENGLISH:
        _speech.language, _speech.catalogue = ENGLISH, gettext.NullTranslations()
    elif short in languages():
        catalogue = gettext.translation(DOMAIN, LOCALES, [short])
        _speech.language, _speech.catalogue = short, catalogue
    else:
        known = " or ".join(languages())
        raise ValueError(
            tr("there is no language {code!r}; use {known}", code=code[:40], known=known)
        )


def choose_language(option: str | None) -> None:
    """Write the language that --lang names, or else VEZA_LANG, or else English.

    Raises ValueError with a sentence for a language that is not there.
    """
    chosen = option or os.environ.get(VARIABLE, "")
    _speech.is_chosen = False
    set_language(ENGLISH)
    if chosen:
        try:
            set_language(chosen)
        except ValueError as exc:
            raise ValueError(f"{'--lang' if option else VARIABLE}: {exc}") from exc
        _speech.is_chosen = True


def suggest_language(code: str | None) -> None:
    """Write this language unless a person chose one: that of the target, a report or a runbook."""
    if code and not _speech.is_chosen:
        set_language(code)


def named_in(arguments: Sequence[str]) -> str | None:
    """Return the last value of --lang on a command line that is not parsed yet.

    The help of the options is written before they are read.
    """
    last = ""
    following = iter(arguments)
    for argument in following:
        if argument == "--lang":
            last = next(following, "")
        elif argument.startswith("--lang="):
            last = argument.partition("=")[2]
    return last or None


class _Fields(string.Formatter):
    """Writes a number with the decimal sign of the language, as in {seconds:g}."""

    def format_field(self, value: Any, format_spec: str) -> str:
        text = format(value, format_spec)
        return text.replace(".", _decimal_sign()) if isinstance(value, float) else text


def _decimal_sign() -> str:
    from babel.numbers import get_decimal_symbol  # only a language other than English needs it

    return get_decimal_symbol(_speech.language)


def _group_sign() -> str:
    from babel.numbers import get_group_symbol  # only a language other than English needs it

    return get_group_symbol(_speech.language)


def _filled(template: str, parts: Mapping[str, object]) -> str:
    if _speech.language in (ENGLISH, PSEUDO):
        return template.format(**parts)
    return _Fields().vformat(template, (), parts)


def tr(message: str, owner: object = None, /, **parts: object) -> str:
    """Return a sentence in the language of the process.

    Its fields are filled with `parts`, or else with the attributes of `owner`.
    """
    translated = _speech.catalogue.gettext(message) if message else ""
    parts = _attributes(owner) | parts
    return _filled(translated, parts) if parts else translated


def trc(context: str, message: str, /, **parts: object) -> str:
    """Return a word that is translated differently in this context, such as "status"."""
    translated = _speech.catalogue.pgettext(context, message)
    return _filled(translated, parts) if parts else translated


def trn(one: str, many: str, number_of: float, owner: object = None, /, **parts: object) -> str:
    """Return the sentence for this number, which its field {n} shows with separators.

    Other fields are filled as by `tr`.
    """
    translated = _speech.catalogue.ngettext(one, many, int(number_of))
    return _filled(translated, _attributes(owner) | {"n": numeral(number_of), **parts})


def _attributes(owner: object) -> dict[str, object]:
    return {} if owner is None else vars(owner)


def plural(word: str, number_of: float) -> str:
    """Return a word that English has in one form as the language has it for this number."""
    return _speech.catalogue.ngettext(word, word, int(number_of))


def in_every_language(message: str) -> tuple[str, ...]:
    """Return a marked sentence in each language that a saved report may have it in."""
    others = (gettext.translation(DOMAIN, LOCALES, [code]) for code in languages()[1:])
    return (message, tr(message), *(catalogue.gettext(message) for catalogue in others))


def is_one(number_of: float) -> bool:
    """Return whether this many of a thing are written in the singular."""
    form = getattr(_speech.catalogue, "plural", None)
    return form(int(number_of)) == 0 if form else number_of == 1


def mark(message: str) -> str:
    """Return the text as it is, and have it translated where it is said: `tr(CONSTANT)`."""
    return message


def numeral(value: float, digits: int | None = None) -> str:
    """Return a number as the language writes it: "12,345", "0.87"; `digits` after the point."""
    form = f"{value:,}" if digits is None else f"{value:,.{digits}f}"
    if _speech.language in (ENGLISH, PSEUDO):
        return form
    # Babel's own format_decimal raises an error for a number of more than 28 digits.
    return form.translate({ord(","): _group_sign(), ord("."): _decimal_sign()})


def month(at: date) -> str:
    """Return the abbreviated name of a day's month: "Mar"."""
    if _speech.language in (ENGLISH, PSEUDO):
        return at.strftime("%b")
    from babel.dates import format_date  # only a language other than English needs it

    return format_date(at, "MMM", locale=_speech.language)
