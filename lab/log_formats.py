"""Formats of log lines: zap's JSON and console encoders, and key=value of Go's slog."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Encode = Callable[[str, float, str, str, Mapping[str, object]], str]

# Its time zone is the service's, not the host's: a container often has TZ set.
CONSOLE_ZONE = timezone(timedelta(hours=1))
CONSOLE_TIME = "%Y-%m-%dT%H:%M:%S.%f%z"
SLOG_TIME = "%Y-%m-%dT%H:%M:%S.%f"


@dataclass(frozen=True)
class LogFormat:
    """A format of log lines."""

    encode: Encode
    """Return a line with its newline, from level, seconds since 1970, caller, message, fields."""
    make_older: Callable[[str, float], str]
    """Return a line of this format with its time moved this many seconds into the past."""


def encode_zap_json(
    level: str, ts: float, caller: str, msg: str, fields: Mapping[str, object]
) -> str:
    """Return a line of zap's production encoder: one JSON object."""
    return (
        _json({"level": level, "ts": round(ts, 6), "caller": caller, "msg": msg, **fields}) + "\n"
    )


def _make_zap_json_older(line: str, seconds: float) -> str:
    values = json.loads(line)
    values["ts"] = round(values["ts"] - seconds, 6)
    return _json(values) + "\n"


def encode_zap_console(
    level: str, ts: float, caller: str, msg: str, fields: Mapping[str, object]
) -> str:
    """Return a line of zap's development encoder: text between tabs, then the fields as JSON."""
    values = [_console_time(ts), level.upper(), caller, msg]
    return "\t".join(values + ([_json(fields)] if fields else [])) + "\n"


def _make_zap_console_older(line: str, seconds: float) -> str:
    stamp, _, fields = line.partition("\t")
    ts = datetime.fromisoformat(stamp).timestamp()
    return f"{_console_time(ts - seconds)}\t{fields.rstrip()}\n"


def _console_time(ts: float) -> str:
    text = datetime.fromtimestamp(ts, CONSOLE_ZONE).strftime(CONSOLE_TIME)
    # Milliseconds: three digits less than Python's.
    return text[:-8] + text[-5:]


def encode_slog(level: str, ts: float, caller: str, msg: str, fields: Mapping[str, object]) -> str:
    """Return a line of slog's text handler: key=value, quoted where necessary."""
    values = {
        "time": _slog_time(ts),
        "level": level.upper(),
        "source": caller,
        "msg": msg,
        **fields,
    }
    return " ".join(f"{key}={_slog_value(value)}" for key, value in values.items()) + "\n"


def _make_slog_older(line: str, seconds: float) -> str:
    stamp, _, fields = line.partition(" ")
    ts = datetime.fromisoformat(stamp.removeprefix("time=")).timestamp()
    return f"time={_slog_time(ts - seconds)} {fields.rstrip()}\n"


def _slog_time(ts: float) -> str:
    return datetime.fromtimestamp(ts, UTC).strftime(SLOG_TIME)[:-3] + "Z"


def _slog_value(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    plain = text.isprintable() and not set(text) & set(' ="') and text != ""
    return text if plain else json.dumps(text, ensure_ascii=False)


def _json(values: Mapping[str, object]) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


ZAP_JSON = LogFormat(encode_zap_json, _make_zap_json_older)
ZAP_CONSOLE = LogFormat(encode_zap_console, _make_zap_console_older)
SLOG = LogFormat(encode_slog, _make_slog_older)
