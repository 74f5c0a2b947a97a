"""Texts that a person reads are free of what cannot be seen."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from core.secrets import Redactor
from core.text import HOST, clean, hosts_named, merge_hosts

IGNORABLE = (
    *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x3164),
    *(*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070)),
    *(*range(0xFE00, 0xFE10), 0xFEFF, 0xFFA0, *range(0xFFF0, 0xFFF9)),
    *(*range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B), *range(0xE0000, 0xE1000)),
)
"""The characters that Unicode has a program show as nothing (Default_Ignorable_Code_Point)."""


def test_no_invisible_character_is_kept() -> None:
    """Control characters, those that reorder text and those that show nothing are replaced."""
    formats = (
        code
        for code in range(sys.maxunicode + 1)
        # Those of category Cf that are left are visible marks of Arabic and other scripts.
        if unicodedata.category(chr(code)) in ("Cc", "Cs") or chr(code) in "\u2028\u2029"
    )
    for code in {*IGNORABLE, *formats} - {ord("\n"), ord("\t")}:
        for text in (clean(f"a{chr(code)}b"), Redactor().text(f"a{chr(code)}b")):
            assert text == "a\N{REPLACEMENT CHARACTER}b", hex(code)


@pytest.mark.parametrize("text", ["⚠️ 3 ❤️", "tab\tand\nline", "été, 東京"])
def test_what_can_be_seen_is_kept(text: str) -> None:
    """The look of a symbol stays with it."""
    assert clean(text) == text


HOSTS = tuple(f"web-{number}" for number in range(1, 49))


@pytest.mark.parametrize(
    ("some", "every", "words"),
    [
        (HOSTS[:2], HOSTS[:2], "web-1, web-2"),
        (HOSTS[1:2], HOSTS[:3], "web-2"),
        (HOSTS, HOSTS, "48 hosts"),
        (HOSTS[6:7], HOSTS, "1 of 48 hosts (web-7)"),
        (HOSTS[:47], HOSTS, "47 of 48 hosts (all but web-48)"),
        (HOSTS[:2], HOSTS[:4], "2 of 4 hosts (web-1, web-2)"),
        (
            HOSTS[:40],
            HOSTS,
            "40 of 48 hosts (web-1, web-2, web-3, web-4, web-5, web-6, web-7, web-8 and 32 more)",
        ),
    ],
)
def test_many_hosts_are_counted_and_those_that_differ_named(
    some: tuple[str, ...], every: tuple[str, ...], words: str
) -> None:
    """A sentence about many hosts stays short, and names the hosts that a person must look at."""
    assert hosts_named(some, every) == words


def test_a_sentence_is_said_once_for_all_its_hosts() -> None:
    """Hosts with the same fault share a sentence; another fault has its own."""
    sentences = [(host, f"/srv is gone on {HOST}") for host in HOSTS[:3]]
    sentences.append((HOSTS[3], f"/srv is a file on {HOST}"))
    assert merge_hosts(sentences, HOSTS) == (
        "/srv is gone on 3 of 48 hosts (web-1, web-2, web-3)",
        "/srv is a file on 1 of 48 hosts (web-4)",
    )
