"""Text that a person reads: counts, lists, and what a target says made harmless."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from core.language import is_one, mark, numeral, tr, trn

TEXT_MAX = 4_000
"""Characters kept of a text: a hostile log line must not fill a report."""

LINE_MAX = 200
"""Characters kept of a line that stands within a sentence."""

NAMED_MAX = 3
"""Items of a list that a sentence names before it counts the rest."""

HOSTS_MAX = 8
"""Hosts that differ from the others and are named; report.json has all of them."""

HOST = "\0"
"""Stands in a sentence for the hosts that it is about."""

_BLANKS = re.compile(r"[^\S\xa0\u202f]+")
"""White space, without the no-break spaces that stand before a sign in French."""

NO_BREAK = "\xa0\u202f"

CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
    # Behind a symbol they choose its look, as in many an emoji.
    "|(?<![\u2000-\u32ff\U0001f000-\U0001faff])[\ufe00-\ufe0f]"
)
"""Control characters except tab and newline, invisible ones, and those that reorder text.

Unseen, they would hide a part of a text from a search or from its reader. Half a surrogate pair,
from a file name that is not UTF-8, can be neither written nor sent.
"""


def clean(text: str, limit: int = TEXT_MAX, instead: str = "\N{REPLACEMENT CHARACTER}") -> str:
    """Return `text` without control and direction characters, cut to `limit` characters.

    What a target says is hostile: an escape sequence in a log line must not reach a terminal.
    """
    return cut(CONTROL.sub(instead, text[: limit + 1]), limit)


def cut(text: str, limit: int) -> str:
    """Return `text` in at most `limit` characters; one that was cut ends with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def flat(text: str) -> str:
    """Return `text` on one line, with single spaces."""
    return " ".join(_BLANKS.split(text.strip()))


def first_paragraph(docstring: str | None) -> str:
    """Return the first paragraph of a docstring, on one line; of a check, it is its sentence."""
    return flat((docstring or "").strip().partition("\n\n")[0])


def printable(text: object, limit: int = LINE_MAX) -> str:
    """Return `text` on one line, with "?" for what cannot be printed, cut to `limit`."""
    line = str(text)[: limit + 1]
    return cut(
        "".join(letter if letter.isprintable() or letter in NO_BREAK else "?" for letter in line),
        limit,
    )


def first_line(text: object) -> str:
    """Return the first line of a client's error text that is not blank, made printable."""
    return printable(next((line.strip() for line in str(text).splitlines() if line.strip()), ""))


def last_line(text: str) -> str:
    """Return the last line of a program's output that is not blank, made printable."""
    lines = (CONTROL.sub(" ", line).strip() for line in reversed(text.splitlines()))
    return printable(next((line for line in lines if line), tr("no output")))


def count(number: int, noun: str, plural: str = "") -> str:
    """Return "1 upload", "2 uploads", "12,345 uploads"; `plural` is for an irregular one.

    The nouns are in the language of the process already: those of a runbook's report.toml.
    """
    return f"{numeral(number)} {noun if is_one(number) else plural or noun + 's'}"


def named(items: Sequence[object], total: int | None = None, most: int = NAMED_MAX) -> str:
    """Return "a, b, c and 4 more": the first `items`, and how many more of `total` there are."""
    total = len(items) if total is None else total
    shown = list(map(str, items[:most]))
    unnamed = total - len(shown)
    few = ", ".join(shown)
    return trn("{few} and {n} more", "{few} and {n} more", unnamed, few=few) if unnamed > 0 else few


def hosts_named(some: Sequence[str], every: Sequence[str] = ()) -> str:
    """Return the hosts of `every` that a sentence is about; by default it is about all of them.

    As in "a, b" where there are few, "48 hosts", "2 of 48 hosts (a, b)", "47 of 48 hosts (all but
    c)": the names are those that help to find what differs.
    """
    every = every or some
    if len(every) <= NAMED_MAX:
        return ", ".join(some)
    chosen = set(some)
    others = [host for host in every if host not in chosen]
    total = trn("{n} host", "{n} hosts", len(every))
    if not others:
        return total
    names = named(some, most=HOSTS_MAX)
    if len(others) <= NAMED_MAX < len(some):
        names = tr("all but {names}", names=", ".join(others))
    return tr("{some} of {total} ({names})", some=numeral(len(some)), total=total, names=names)


def on_hosts(value: str, hosts: str) -> str:
    """Return "3.0 % on a, b"."""
    return tr("{value} on {hosts}", value=value, hosts=hosts)


def ranked_hosts(hosts: Mapping[str, Sequence[str]], bound: str) -> list[str]:
    """Return "3.0 % on a", "3.1 % on b, c": the hosts of each value, the worst value first.

    Those of further values are counted: "at least 9.0 % on 40 other hosts", where `bound` is
    "at least".
    """
    ranked = list(hosts.items())
    parts = [on_hosts(value, named(on)) for value, on in ranked[: HOSTS_MAX - 1]]
    further = ranked[HOSTS_MAX - 1 :]
    if further:
        others = sum(len(on) for _, on in further)
        total = trn("{n} other host", "{n} other hosts", others)
        parts.append(on_hosts(f"{bound} {further[0][0]}", total))
    return parts


def merge_hosts(sentences: Iterable[tuple[str, str]], every: Sequence[str]) -> tuple[str, ...]:
    """Return each sentence once, with all hosts of which it is true in place of its `HOST`.

    `sentences` has pairs of a host and a sentence.
    """
    hosts: dict[str, list[str]] = {}
    for host, sentence in sentences:
        hosts.setdefault(sentence, []).append(host)
    return tuple(
        sentence.replace(HOST, hosts_named(some, every)) for sentence, some in hosts.items()
    )


LISTS = {"and": mark("{items} and {last}"), "or": mark("{items} or {last}")}


def listed(items: Sequence[str], word: Literal["and", "or"] = "and") -> str:
    """Return "a", "a and b", "a, b and c"."""
    if len(items) < 2:
        return "".join(items)
    return tr(LISTS[word], items=", ".join(items[:-1]), last=items[-1])


def titled(title: object, text: object) -> str:
    """Return "title: text", with the colon of the language."""
    return tr("{title}: {text}", title=title, text=text)


def capitalized(text: str) -> str:
    """Return `text` with its first letter in upper case and the others as they are."""
    return text[:1].upper() + text[1:]


def uncapitalized(text: str) -> str:
    """Return `text` with its first letter in lower case, unless it begins with an acronym."""
    return text if text[:2].isupper() else text[:1].lower() + text[1:]
