"""Redaction lets no secret through in any encoding, repeats without change, and is linear."""

from __future__ import annotations

import base64
import html
import json
import re
import statistics
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.secrets import Redactor, without_password
from core.text import CONTROL

SECRETS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Z", "C")), min_size=8, max_size=40
).filter(lambda secret: set(secret) != {"*"})
SPECIAL = st.text("ab1%&+<>\"'\\/=:@$!()* ~#,;_-", min_size=8, max_size=20).filter(
    lambda secret: secret == secret.strip()
)
AROUND = st.text(st.characters(codec="utf-8"), max_size=30)
PIECES = st.sampled_from(
    [
        *(
            "token=",
            "password",
            " = ",
            "'",
            '"',
            "://",
            "u:",
            "@",
            "bearer ",
            "Basic\t",
            "x1y2z3w4",
        ),
        *("--db-password ", "/", "\\", "&", "\x1f", "\u200b", "\n", "***", "hunter22", ":", ","),
        "api_key",
        "u%3ap%26ss",
        "u:p&amp;ss+w",
        "&#39;rd",
        "\\u0026",
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=4), max_size=25).map("".join)


def in_go_json(text: str) -> str:
    """Return a text as Go's encoding/json writes it: safe within HTML."""
    written = json.dumps(text, ensure_ascii=False)[1:-1]
    for char in "<>&":
        written = written.replace(char, f"\\u{ord(char):04x}")
    return written


def in_go_html(text: str) -> str:
    """Return a text as Go's html/template writes it."""
    written = html.escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    return written.replace("+", "&#43;")


ENCODERS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "url": lambda s: quote(s, safe=""),
    "url in small letters": lambda s: re.sub("%..", lambda c: c[0].lower(), quote(s, safe="")),
    "url path": quote,
    "url in JavaScript": lambda s: quote(s, safe="!'()*"),
    "url path in Go": lambda s: quote(s, safe="$&+:=@"),
    "url within a url": lambda s: quote(quote(s, safe=""), safe=""),
    "form": quote_plus,
    "json": lambda s: json.dumps(s)[1:-1],
    "json in unicode": lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
    "json in PHP": lambda s: json.dumps(s)[1:-1].replace("/", "\\/"),
    "json in Go": in_go_json,
    "json within json": lambda s: json.dumps(json.dumps(s)[1:-1])[1:-1],
    "json in Go within json": lambda s: json.dumps(in_go_json(s))[1:-1],
    "html": html.escape,
    "html in Go": in_go_html,
    "html within html": lambda s: html.escape(in_go_html(s)),
    "python": lambda s: repr(s)[1:-1],
}
CASES = sorted(ENCODERS)


@pytest.mark.parametrize("name", CASES)
@given(secret=SECRETS | SPECIAL, before=AROUND, after=AROUND)
@example(secret="open sesame", before="", after="")
@settings(max_examples=60, deadline=None)
def test_no_encoding_of_a_secret_comes_through(
    name: str, secret: str, before: str, after: str
) -> None:
    """A secret that a server sends back encoded is masked, whatever stands around it."""
    encoded = ENCODERS[name](secret)
    text = Redactor([secret]).text(f"{before}{encoded}{after}")
    assert encoded not in text


@given(secret=SECRETS, before=st.binary(max_size=9), after=st.binary(max_size=9))
@settings(max_examples=100, deadline=None)
def test_no_secret_comes_through_within_base64(secret: str, before: bytes, after: bytes) -> None:
    """A login such as "user:password" in base64 keeps nothing of the password to decode."""
    data = before + secret.encode() + after
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = Redactor([secret]).text(f"Authorization: x {encode(data).decode()}")
        assert encode(secret.encode()).decode().rstrip("=")[:-1] not in text
        assert "***" in text
        assert len(text) < len("Authorization: x ") + len(before + after) * 1.4 + 12


@given(text=TEXTS)
@settings(max_examples=500, deadline=None)
def test_redaction_repeats_without_change(text: str) -> None:
    """A report that is redacted again, as a saved one is, stays as it is."""
    redact = Redactor(["hunter22", "u:p&ss w'rd"])
    for limit in (4_000, 20):
        once = redact.text(text, limit)
        assert redact.text(once, limit) == once
        assert not CONTROL.search(once)


UNITS = [
    r"\\",
    "%25",
    "&amp;",
    "%2f\\/",
    "-",
    "--a",
    "://",
    "://a:",
    "token=",
    "token ",
    "bearer ",
    "'",
    '\\"',
    "a@",
    "=",
    "é",
]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(
    "clean", [Redactor(["hunter22", r"/\\/&/%/\\/\\/"]).whole, without_password]
)
def test_the_time_grows_with_the_length_alone(clean, unit: str) -> None:  # type: ignore[no-untyped-def]
    """Eight times the text takes far less than the 64 times of a quadratic pattern."""

    def seconds(length: int) -> float:
        text = unit * (length // len(unit))
        times = []
        for _ in range(5):
            started = time.process_time()
            clean(text)
            times.append(time.process_time() - started)
        return statistics.median(times)

    short, long = seconds(8_000), seconds(64_000)
    assert long < 24 * max(short, 0.0005)


def test_a_cut_leaves_no_half_secret() -> None:
    """A secret across the end of what is kept, or of what is searched, is not shown in part."""
    secret = "correct-horse-battery"
    redact = Redactor([secret])
    for length in range(90, 101):
        assert "horse" not in redact.text("x" * length + secret, 110)
    for fill in (f"{secret} " * 40, "y" * 700):
        for more in range(len(secret)):
            text = redact.text(fill + "x" * more + f"{secret} " * 400, 100)
            assert not any(secret[:n] in text.replace("***", "") for n in (8, 12, 16))
