"""Durations, sizes and amounts as a person writes them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.units import Amount, format_bytes, format_duration, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10 min", 600),
        ("15m", 900),
        ("5s", 5),
        (" 250 ms ", 0.25),
        ("1.5 h", 5400),
        ("2 d", 172_800),
    ],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    """A number and a unit make seconds."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "ten min", "1 week", "-5 s", "0 s", "9" * 99, 5, None])
def test_a_wrong_duration_is_refused(text: object) -> None:
    """What is no duration is refused with an example of one."""
    with pytest.raises(ValueError, match=r"10 min|longer than 0"):
        parse_duration(text)


def test_a_size_is_read() -> None:
    """Binary and decimal units are told apart."""
    assert (parse_size("64 MiB"), parse_size("5 GB")) == (2**26, 5 * 10**9)


@pytest.mark.parametrize(
    ("text", "free", "met"),
    [
        ("10%", 10, True),
        ("10%", 9, False),
        ("50 B", 50, True),
        ("50 B", 49, False),
        ("7", 7, True),
        ("0%", 0, True),
    ],
)
def test_an_amount_is_a_part_or_a_count(text: str, free: int, met: bool) -> None:
    """A percentage is of the whole (100 here), anything else is absolute."""
    assert Amount.parse(text).is_met_by(free, 100) is met


def test_more_than_the_whole_is_refused() -> None:
    """A threshold that nothing can meet is a mistake."""
    with pytest.raises(ValueError, match="at most 100%"):
        Amount.parse("101%")


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes a parser do anything but answer or raise ValueError."""
    for parse in (parse_duration, parse_size, Amount.parse):
        with contextlib.suppress(ValueError):
            assert parse(text) is not None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.0001, "<1 ms"),
        (0.25, "250 ms"),
        (1.26, "1.3 s"),
        (119, "119 s"),
        (47 * 60, "47 min"),
        (3 * 3600 + 300, "3 h 5 min"),
        (90_000 * 2, "2 d 2 h"),
        (float("inf"), "?"),
    ],
)
def test_seconds_are_spelled(seconds: float, text: str) -> None:
    """A span is said in the units a person would choose."""
    assert format_duration(seconds) == text


def test_bytes_are_spelled() -> None:
    """A size is said in binary units."""
    assert [format_bytes(n) for n in (512, 4404019, 2**45)] == ["512 B", "4.2 MiB", "32.0 TiB"]
