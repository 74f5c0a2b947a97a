"""Log in as made-up users, each from an address of its own; now and then with a wrong password."""

from __future__ import annotations

import itertools
import sys
from typing import TYPE_CHECKING

import httpx

from lab import accounts

if TYPE_CHECKING:
    import threading

    from lab.state import Lab

INTERVAL_SECONDS = 2.0
WRONG_EVERY = 12
"""One login of so many has a wrong password."""


def run(lab: Lab, stop: threading.Event) -> None:
    """Log in and out until `stop` is set."""
    with httpx.Client(base_url=lab.api_url, timeout=10) as client:
        for number in itertools.count():
            try:
                visit(lab, client, number, is_wrong=number % WRONG_EVERY == WRONG_EVERY - 1)
            except httpx.HTTPError as exc:
                # The lab may be broken on purpose: the next round tries again.
                print(f"login: {type(exc).__name__}: {exc}", file=sys.stderr)
            if stop.wait(INTERVAL_SECONDS):
                return


def visit(
    lab: Lab, client: httpx.Client, number: int, *, is_wrong: bool = False, address: str = ""
) -> int:
    """Log in as a user, read the own account, log out; return the login's HTTP status.

    Each user has an address of its own, unless another one is given.
    """
    login = lab.variant.login
    user = number % accounts.USERS
    answer = client.post(
        login.path,
        json={
            login.email_field: accounts.email_of(user),
            "password": "wrong" if is_wrong else lab.passwords.login,
        },
        headers={"X-Forwarded-For": address or f"198.51.100.{user + 1}"},
    )
    if answer.is_success:
        data = answer.json()
        token = (data["data"] if lab.variant.has_envelope else data)[login.token]
        headers = {"Authorization": f"Bearer {token}"}
        client.get(login.me, headers=headers)
        client.post(login.logout, headers=headers)
    return answer.status_code
