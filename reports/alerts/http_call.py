"""One HTTP call with a deadline; a failure is one sentence without secrets."""

from __future__ import annotations

import base64
import queue
import threading
from http.client import HTTPException
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.parse import unquote
from urllib.request import Request, urlopen

from core.text import clean, flat
from core.urls import host_and_port

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

SECONDS_MAX = 10.0
"""Deadline of a whole call, whatever the server does."""

REFUSAL_MAX = 500
"""Bytes that are read of a refusal."""


class CallError(Exception):
    """The call failed; `str()` names the host and the reason in one sentence."""


def call(
    method: str,
    address: SplitResult,
    body: str = "",
    headers: Mapping[str, str] | None = None,
) -> None:
    """Make the call; raises CallError. A name and a password in the address go as Basic."""
    host = host_and_port(address)
    request = Request(  # noqa: S310 - the caller has checked the scheme
        address._replace(netloc=host).geturl(),
        None if method == "GET" else body.encode(),
        {"User-Agent": "veza-checks", **(headers or {})},
        method=method,
    )
    if address.username is not None and not request.has_header("Authorization"):
        login = f"{unquote(address.username)}:{unquote(address.password or '')}"
        request.add_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
    answers: queue.SimpleQueue[str] = queue.SimpleQueue()
    # In a thread: a socket's timeout is for each read, and a slow server would hold us forever.
    threading.Thread(target=lambda: answers.put(_send(request)), daemon=True).start()
    try:
        problem = answers.get(timeout=SECONDS_MAX)
    except queue.Empty:
        problem = f"no answer within {SECONDS_MAX:g} s"
    if problem:
        raise CallError(f"{host}: {problem}")


def _send(request: Request) -> str:
    """Return why the call failed; empty if it did not."""
    try:
        with urlopen(request, timeout=SECONDS_MAX):  # noqa: S310
            return ""
    except HTTPError as exc:
        return f"it answered {exc.code} {_refusal(exc)}".rstrip()
    except (OSError, HTTPException, ValueError) as exc:
        reason = exc.reason if isinstance(exc, URLError) else exc
    if isinstance(reason, TimeoutError):
        return f"no answer within {SECONDS_MAX:g} s"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror.lower()
    if isinstance(reason, HTTPException):
        return f"no HTTP answer ({type(reason).__name__})"
    return "it cannot be reached"


def _refusal(answer: HTTPError) -> str:
    with answer:
        try:
            return clean(flat(answer.read(REFUSAL_MAX).decode(errors="replace")), 200)
        except (OSError, HTTPException):
            return ""
