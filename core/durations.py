"""Durations as a person writes them on the command line, and as one reads them."""

from __future__ import annotations

import re

_UNITS = {"s": 1.0, "min": 60.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_WRITTEN = re.compile(r"\s*(\d{1,9}(?:\.\d{1,6})?)\s*([a-z]+)\s*")


def parse_duration(text: str) -> float:
    """Return the seconds of "15min", "90 s", "2h", "1d"; raises ValueError on anything else."""
    match = _WRITTEN.fullmatch(text)
    if match is None or match[2] not in _UNITS or not float(match[1]):
        raise ValueError(f"{text!r} is no duration: write it like 15min, 90s, 2h or 1d")
    return float(match[1]) * _UNITS[match[2]]


def say_duration(seconds: float) -> str:
    """Return seconds in the one or two units that fit: "40 s", "12 min", "3 h 5 min", "2 d 4 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"
