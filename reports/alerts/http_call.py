"""One HTTP call that ends in time, and whose failure is one sentence without secrets."""

from __future__ import annotations

import base64
import queue
import threading
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlunsplit

from core.text import clean
from core.urls import host_and_port

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

SECONDS_MAX = 10.0
"""Of a whole call, whatever the other side does."""

ANSWER_MAX = 500
"""Bytes of an answer that are read: it is only ever told why it was a refusal."""


class CallError(Exception):
    """The call did not succeed; `str()` says where and why in one sentence."""


def call(
    method: str,
    address: SplitResult,
    body: str = "",
    headers: Mapping[str, str] | None = None,
    seconds: float = SECONDS_MAX,
) -> None:
    """Make the call; raises CallError. A name and a password in the address go as Basic."""
    answers: queue.SimpleQueue[str] = queue.SimpleQueue()
    sent = dict(headers or {})
    if address.username is not None and "Authorization" not in sent:
        pair = f"{unquote(address.username)}:{unquote(address.password or '')}"
        sent["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    host = address.netloc.rpartition("@")[2]
    bare = urlunsplit(address._replace(netloc=host, fragment=""))
    work = threading.Thread(
        # A socket's time limit is for each read: a server that trickles would hold us for ever.
        target=lambda: answers.put(_answer(method, bare, body, sent, seconds)),
        daemon=True,
    )
    work.start()
    try:
        reason = answers.get(timeout=seconds)
    except queue.Empty:
        reason = f"no answer within {seconds:g} s"
    if reason:
        raise CallError(f"{host_and_port(address)}: {reason}")


def _answer(
    method: str, address: str, body: str, headers: Mapping[str, str], seconds: float
) -> str:
    """Return why the call failed; empty where it did not."""
    data = body.encode() if method != "GET" else None
    try:
        request = urllib.request.Request(  # noqa: S310 - the scheme was looked at
            address, data, {"User-Agent": "veza-checks", **headers}, method=method
        )
        with urllib.request.urlopen(request, timeout=seconds):  # noqa: S310
            return ""
    except urllib.error.HTTPError as exc:
        with exc:
            try:
                said = clean(" ".join(exc.read(ANSWER_MAX).decode(errors="replace").split()), 200)
            except (OSError, HTTPException):
                said = ""
        return f"it answered {exc.code} {said}".rstrip()
    except urllib.error.URLError as exc:
        return _told(exc.reason, seconds)
    except (OSError, HTTPException, ValueError) as exc:
        return _told(exc, seconds)


def _told(reason: object, seconds: float) -> str:
    if isinstance(reason, TimeoutError):
        return f"no answer within {seconds:g} s"
    if isinstance(reason, OSError) and reason.strerror:
        return str(reason.strerror).lower()
    if isinstance(reason, HTTPException):
        return f"no HTTP answer ({type(reason).__name__})"
    return "it cannot be reached"
