"""Messages through apprise, which knows a hundred services."""

from __future__ import annotations

import logging
import re
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reports.alerts.addresses import OptionError
from reports.alerts.http_call import CallError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from apprise import AppriseResult

    from reports.alerts.outbox import Message

_STATUS = re.compile(r"error=(\d{3})\b")
_NOTHING_SENT = re.compile(r"\bThere were no .* to notify\b")
"""What apprise logs where it returns a success although it has sent nothing."""


@contextmanager
def quiet_apprise() -> Iterator[None]:
    """Keep the warnings and the log of apprise off the terminal while it loads.

    It logs addresses, and so tokens; deprecations in its dependencies do not concern the person who
    gets an alert.
    """
    logger = logging.getLogger("apprise")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class AppriseSender:
    """One address of apprise's."""

    is_refreshed = False

    def __init__(self, address: str) -> None:
        """Raise OptionError for an address that apprise cannot use."""
        with quiet_apprise():
            import apprise

            asset = apprise.AppriseAsset(
                app_id="veza-checks",
                app_desc="Veza checks",
                # Not in threads of its own: Python would wait at its exit for one that hangs.
                async_mode=False,
                # A client that follows one drops the body, and takes the answer for a success.
                http_redirects=False,
            )
            self._apprise = apprise.Apprise(asset=asset)
            if not self._apprise.add(address):
                raise OptionError(
                    "apprise cannot use it: correct it, "
                    "https://github.com/caronc/apprise/wiki shows the form for each service"
                )

    def send(self, message: Message) -> None:
        """Send a message; raises CallError."""
        import apprise

        kind = apprise.NotifyType.WARNING
        if message.event == "recovery":
            kind = apprise.NotifyType.SUCCESS
        elif message.kind == "incident":
            kind = apprise.NotifyType.FAILURE
        try:
            sent = self._apprise.notify(
                body=message.body,
                title=message.title,
                notify_type=kind,
                body_format=apprise.NotifyFormat.TEXT,
            )
        except Exception as exc:
            # A hundred services, each with errors of its own.
            raise CallError(f"it failed with {type(exc).__name__}") from exc
        problem = _problem(sent)
        if problem:
            raise CallError(problem)


def _problem(sent: AppriseResult) -> str:
    """Return why a message was not delivered; empty if it was.

    A success of apprise's may mean that an address with `optional=yes` failed, or that a service
    had nothing to do. Of what it logs only known words are used: the rest may contain tokens.
    """
    log = "\n".join(entry.message for entry in sent.logs())
    attempts = [list(result)[-1:] for result in sent]
    taken = bool(sent) and bool(attempts) and all(last and last[0] for last in attempts)
    idle = bool(_NOTHING_SENT.search(log))
    if taken and not idle:
        return ""
    status = _STATUS.search(log)
    if status:
        return f"it answered {status[1]}"
    return "nobody is there to notify" if idle else "it cannot be reached or refused the message"
