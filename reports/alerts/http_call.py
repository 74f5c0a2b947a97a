"""One HTTP call with a deadline; a failure is one sentence without secrets."""

from __future__ import annotations

import base64
import queue
import re
import threading
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, unquote
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from core.errors import TranslatedError
from core.language import tr
from core.secrets import Redactor
from core.text import clean, flat
from core.urls import host_and_port

SECONDS_MAX = 10.0
"""Deadline of a whole call, whatever the server does."""

REFUSAL_MAX = 500
"""Bytes that are read of a refusal."""

TOKEN_MIN = 8
"""Characters from which a part of an address may be a token."""


class CallError(TranslatedError):
    """The call failed; `str()` names the host and the reason in one sentence."""


class _NoRedirects(HTTPRedirectHandler):
    """Takes a redirect for a failure: following one, a client drops the body of a POST."""

    def redirect_request(self, *_arguments: object) -> None:
        """Follow none."""


class _Redirects(HTTPRedirectHandler):
    """Follows redirects; another host, and plain HTTP after HTTPS, get no login."""

    def redirect_request(self, req: Request, *arguments: Any) -> Request | None:
        request = super().redirect_request(req, *arguments)
        is_same = request and request.host == req.host and request.type in (req.type, "https")
        if request and not is_same:
            request.remove_header("Authorization")
        return request


def call(
    method: str,
    address: SplitResult,
    body: str = "",
    headers: Mapping[str, str] | None = None,
    *,
    secrets: Sequence[str] = (),
    redirects: bool = False,
) -> None:
    """Make the call; raises CallError. A name and a password in the address go as Basic.

    `secrets` are those of the body and the headers. `redirects`: the call means the same where a
    redirect takes its body away.
    """
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
    opener = build_opener(_Redirects if redirects else _NoRedirects)
    answers: queue.SimpleQueue[str] = queue.SimpleQueue()
    # In a thread: a socket's timeout is for each read, and a slow server would hold us forever.
    threading.Thread(target=lambda: answers.put(_send(opener, request)), daemon=True).start()
    try:
        problem = answers.get(timeout=SECONDS_MAX)
    except queue.Empty:
        problem = no_answer(SECONDS_MAX)
    if problem:
        # A server may quote what it refuses.
        hidden = Redactor([*secrets, *_tokens(address)])
        raise CallError("{title}: {text}", title=host, text=hidden.text(problem))


def _tokens(address: SplitResult) -> list[str]:
    """Return the parts of an address that may be a token."""
    login = [unquote(one) for one in (address.username, address.password) if one]
    parts = re.split(r"[/&=]", f"{address.path}/{address.query}")
    return login + [unquote(part) for part in parts if len(part) >= TOKEN_MIN]


def _send(opener: OpenerDirector, request: Request) -> str:
    """Return why the call failed; empty if it did not."""
    try:
        with opener.open(request, timeout=SECONDS_MAX):
            return ""
    except HTTPError as exc:
        refusal = _refusal(exc)
        if not refusal:
            return tr("it answered {status}", status=exc.code)
        return tr("it answered {status} {refusal}", status=exc.code, refusal=refusal)
    except (OSError, HTTPException, ValueError) as exc:
        reason = exc.reason if isinstance(exc, URLError) else exc
    if isinstance(reason, TimeoutError):
        return no_answer(SECONDS_MAX)
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror.lower()
    if isinstance(reason, HTTPException):
        return tr("no HTTP answer ({error})", error=type(reason).__name__)
    return tr("it cannot be reached")


def no_answer(seconds: float) -> str:
    """Return the problem of a server that was silent for so long."""
    return tr("no answer within {seconds:g} s", seconds=seconds)


def _refusal(answer: HTTPError) -> str:
    """Return the remedy of a redirect, or else the beginning of what a server says."""
    with answer:
        if answer.code in (301, 302, 303, 307, 308):
            return tr("(a redirect): write the address that it leads to")
        try:
            return clean(flat(answer.read(REFUSAL_MAX).decode(errors="replace")), 200)
        except (OSError, HTTPException):
            return ""
